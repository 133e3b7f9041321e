//! Every statement that meets a table of the data's way, for the proof that each has its index. Layer: adapter.

use botfleet_actors::domain::commit::needs::Needs;

use super::{orders, outcomes, reads, tenure};
