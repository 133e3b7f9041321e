//! The operators' layer: everything that a person may ask of the fleet, and who may ask it. Layer `operate`. Keeps I10, I12.
//!
//! An operation takes a [`Granted`](grant::Granted) permission, which only a principal's role gives: what was not granted
//! cannot be called. HTTP, CLI and every later surface enter here.
//!
//! | file | holds |
//! |---|---|
//! | `principal` | who asks: a name, a role, and the bots and chats within reach |
//! | `permission` | what may be asked, as types, and the least role of each |
//! | `grant` | a principal's permission, as proof that it was granted |
//! | `failure` | why something was not done, by what the caller does about it |
//! | `operations` | the fleet behind the layer |
//! | the others | operations, one file a resource |

mod bots;
pub mod chats;
mod cluster;
pub mod control;
mod dead_letters;
pub mod failure;
mod fleet;
pub mod grant;
pub mod operations;
pub mod orders;
mod people;
pub mod permission;
pub mod principal;
mod roster;
pub mod watch;
