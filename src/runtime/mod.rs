//! Runtime: joins actors and adapters into one running node. Layer `runtime`.
//!
//! | file | holds |
//! |---|---|
//! | `clock` | the machine's clock, for an embedded database |
//! | `database_clock` | the database's clock as a node of a cluster estimates it |
//! | `health`, `alerts` | how the node is, from what its parts did lately, and who is told |
//! | `home` | where a process finds itself: store, clock, bus, alone or among others |
//! | `starting` | adapters and actors are joined |
//! | `credentials` | tokens of bots, and what is made of them |
//! | `fleet` | look at and steer a node |
//! | `cluster_view`, `cluster_orders` | look at and steer the cluster |
//! | `roster_diff` | what another manifest would change |
//! | `events` | what happens, for whoever watches |
//! | `recorder` | the metrics of the process |
//! | `orders` | what people order: ways of delivery, dead letters with another go, releases |
//! | `online` | what `botfleet check --online` asks of Telegram, models and servers |
//! | `people` | rights of people as an operator sees to them |
//! | `reasons` | why who spoke: recorded decisions in plain words |
//! | `replay` | a recorded chat under another manifest |
//! | `style` | how personas write, measured |
//! | `stopping` | the end of a node in good order |
//! | `webhooks` | what Telegram brings |
//! | `view` | what operators see of the node |

pub mod alerts;
pub mod clock;
pub mod cluster_orders;
pub mod cluster_view;
mod credentials;
pub mod database_clock;
pub mod events;
pub mod fleet;
pub mod health;
mod home;
pub mod online;
pub mod orders;
pub mod people;
pub mod reasons;
pub mod recorder;
pub mod replay;
pub mod roster_diff;
mod starting;
mod stopping;
pub mod style;
pub mod view;
pub mod webhooks;
