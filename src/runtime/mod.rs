//! Runtime: joins actors and adapters into one running node. Layer `runtime`.
//!
//! | file | holds |
//! |---|---|
//! | `clock` | the machine's clock, for an embedded database |
//! | `database_clock` | the database's clock as a node of a cluster estimates it |
//! | `fleet` | start, look at, steer and stop a node |
//! | `recorder` | the metrics of the process |
//! | `orders` | what people order: ways of delivery, dead letters with another go, releases |
//! | `stopping` | the end of a node in good order |
//! | `webhooks` | what Telegram brings |
//! | `view` | what operators see of the node |

pub mod clock;
pub mod database_clock;
pub mod fleet;
pub mod orders;
pub mod recorder;
mod stopping;
pub mod view;
pub mod webhooks;
