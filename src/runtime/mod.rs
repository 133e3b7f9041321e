//! Runtime: joins actors and adapters into one running node. Layer `runtime`.
//!
//! | file | holds |
//! |---|---|
//! | `clock` | the database's clock as this node estimates it |
//! | `fleet` | start, look at, steer and stop a node |
//! | `recorder` | the metrics of the process |
//! | `view` | what operators see of the node |

pub mod clock;
pub mod fleet;
pub mod recorder;
pub mod view;
