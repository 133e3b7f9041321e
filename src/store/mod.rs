//! The store: all state of a fleet, behind one port. Layer: adapter; imports the ports and the domain of
//! botfleet-actors only. Keeps I1-I4, I6, I8, I11.
//!
//! | module | holds |
//! |---|---|
//! | `settings` | the choice of the database, its address, and how it is used |
//! | `sqlite` | the store of one machine, in one file |
//! | `postgres` | the store of a cluster, and the cluster state that its nodes share |
//! | `archive`, `columns`, `loaded`, `outcome_rows`, `person`, `reconcile`, `stored` | shared code: rows, roster |

#![allow(clippy::doc_markdown, reason = "SQLite and PostgreSQL are names, not items")]

mod archive;
mod columns;
mod loaded;
mod outcome_rows;
mod person;
pub mod postgres;
mod reconcile;
pub mod settings;
pub mod sqlite;
mod stored;
