//! Orders of operators at the owner of their target: carried out one after the other, once or not at all. Layer `actors`.
//! Keeps I4, I6.
//!
//! | file | holds |
//! |---|---|
//! | `carry_out` | the orders of one target, in their order, and the end of each |
//! | `effects` | the effect of each kind of order |
//! | `speaking` | what operators say as bots, take-overs, and deleted messages |
//! | `redelivery` | another try for a dead letter |

pub mod carry_out;
mod effects;
mod redelivery;
mod speaking;
