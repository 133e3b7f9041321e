//! Runtime: joins actors and adapters into one running node. Layer `runtime`.
//!
//! | file | holds |
//! |---|---|
//! | `clock` | the machine's clock, for an embedded database |
//! | `database_clock` | the database's clock as a node of a cluster estimates it |
//! | `health`, `alerts` | the node's health by what its parts did lately, and the alerts about it |
//! | `audit`, `audit_key` | the audit of what operators do, and the key that signs it |
//! | `home` | opens a process's store, clock and bus, and takes its place alone or among others |
//! | `accounts` | gives the operators' layer the accounts, the clock and names |
//! | `starting` | joins adapters and actors |
//! | `credentials` | tokens of bots, and the clients and secrets made of them |
//! | `fleet` | shows and steers a node |
//! | `cluster_view`, `cluster_orders` | show and steer the cluster |
//! | `configuration` | what manifests and operators say, and how it changes while the node runs |
//! | `events` | live events for watchers |
//! | `recorder` | the metrics of the process |
//! | `orders` | gives people's orders to the owners of what they concern, and waits for their end |
//! | `online` | the questions of `botfleet check --online` to Telegram, models and servers |
//! | `people` | rights of people, as an operator claims them |
//! | `reasons` | recorded decisions, explained in plain words |
//! | `replay` | runs a recorded chat under another manifest |
//! | `style` | measures how personas write |
//! | `stopping` | ends a node in good order |
//! | `webhooks` | takes the updates that Telegram brings |
//! | `view` | the view of the node for operators |

mod accounts;
pub mod alerts;
pub mod audit;
mod audit_key;
pub mod clock;
pub mod cluster_orders;
pub mod cluster_view;
pub mod configuration;
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
mod starting;
mod stopping;
pub mod style;
pub mod view;
pub mod webhooks;
