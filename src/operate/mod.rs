//! The operators' layer: everything that a person may ask of the fleet, and who may ask it. Layer `operate`. Keeps I10, I12.
//!
//! An operation takes a [`Granted`](grant::Granted) permission, which only a principal's role gives: what was not granted
//! cannot be called. HTTP, CLI and every later surface enter here.
//!
//! | file | holds |
//! |---|---|
//! | `principal` | the principal: who asks, with role, reach and the circumstances of the request |
//! | `access` | the ways to prove who asks |
//! | `permission` | the permissions as types, and the least role of each |
//! | `grant` | a principal's permission, as proof that it was granted |
//! | `failure` | why something was not done, by what the caller does about it |
//! | `context` | the circumstances of a request |
//! | `audit` | entries of operations, and the reading of them |
//! | `cursor` | where the next page of a list begins |
//! | `requests` | requests that carry an idempotency key |
//! | `seeds` | seeds of one-time codes: sealed, opened, moved to the keys that seal all secrets |
//! | `operations` | the fleet behind the layer |
//! | the others | operations, one file a resource |

pub mod access;
pub mod account;
pub mod audit;
mod bots;
pub mod chats;
mod cluster;
pub mod configuration;
pub mod context;
pub mod control;
mod cursor;
mod dead_letters;
pub mod failure;
pub mod first_admin;
mod fleet;
pub mod grant;
pub mod keys;
mod messages;
pub mod operations;
pub mod orders;
mod people;
pub mod permission;
pub mod principal;
pub mod provider_trial;
pub mod requests;
mod retracting;
pub mod roster;
pub mod secrets;
mod seeds;
pub mod sign_in;
pub mod speaking;
pub mod users;
pub mod watch;
