//! Judges group commits, as pure code. Layer `domain`.
//!
//! Every owning write is an [`operations::Operation`], one file each. A store gathers operations into a batch and loads
//! the rows that [`needs::Needs`] names (taking locks in key order). [`judge::judge`] decides the operations one after
//! the other over the [`rows::Loaded`] rows, and the store writes the resulting [`rows::Changes`] in the same
//! transaction. All stores share this one judgement; they differ only in how they load and write.
//!
//! An operation whose fence or constraint fails drops out, and so do the operations that depend on it: they find a row
//! missing, in another state, or at another number (I3, I4, I6). The rest of the batch commits.

mod bench;
pub mod judge;
pub mod needs;
pub mod operations;
pub mod outcome;
pub mod rows;
pub mod rule;
pub mod start;
