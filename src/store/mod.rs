//! The store on SQLite: all state of a fleet on one machine, in one file. Layer: adapter; imports the ports and the
//! domain of botfleet-actors only. Keeps I1-I4, I6, I8, I11.
//!
//! | file | holds |
//! |---|---|
//! | `settings`, `open` | where the file is, and how a process takes it: lock, schema, connections |
//! | `sqlite` | the store itself |
//! | `writer` | the one connection that writes, and how it recovers from doubt |
//! | `commit`, `load`, `write`, `written` | the group commit: two crossings to SQLite's thread, whatever the batch's size |
//! | `tenure`, `roster`, `reconcile` | what a starting process does: leases, then bots, chats and personas |
//! | `reads`, `outcomes`, `columns` | everything that only reads |
//! | `orders` | what people order: ways of delivery, dead letters with another go |
//! | `error` | SQLite's errors as the port's |
//!
//! Rows travel as one JSON array per table, which `json_each` turns back into rows: a statement costs the same text
//! and one crossing, whatever their number.

#![allow(clippy::doc_markdown, reason = "SQLite is a name, not an item")]

mod columns;
mod commit;
mod error;
mod load;
pub mod open;
mod orders;
mod outcomes;
mod reads;
mod reconcile;
mod roster;
pub mod settings;
pub mod sqlite;
mod tenure;
mod write;
mod writer;
mod written;
