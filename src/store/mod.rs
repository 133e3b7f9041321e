//! The store: all state of a fleet, behind one port. Layer: adapter; imports the ports and the domain of
//! botfleet-actors only. Keeps I1-I4, I6, I8, I11.
//!
//! | module | holds |
//! |---|---|
//! | `settings` | the choice of the database, its address, and how it is used |
//! | `sql` | the ports, implemented once: the statements, one text for both databases, and the calls that run them |
//! | `chain` | hashes and signatures of the audit |
//! | `commit` | the statements of the group commit |
//! | `tables` | the list of the tables, with the rules for their rows |
//! | `rows` | the columns of each table, said once |
//! | `fault` | the errors of both databases as the port's |
//! | `engine` | the seam between all of this and a database |
//! | `statements` | every statement as it is sent, for tests |
//! | `sizes` | the room that each table takes |
//! | `sqlite` | the store of one machine, in one file |
//! | `postgres` | the store of a cluster, and the cluster state that its nodes share |

#![allow(clippy::doc_markdown, reason = "SQLite and PostgreSQL are names, not items")]

mod chain;
mod commit;
mod engine;
mod fault;
pub mod postgres;
mod rows;
pub mod settings;
pub mod sizes;
mod sql;
pub mod sqlite;
pub mod statements;
pub mod tables;
