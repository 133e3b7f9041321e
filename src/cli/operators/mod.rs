//! Commands about those who operate the fleet. Layer `cli`.
//!
//! | file | command |
//! |---|---|
//! | `account` | `botfleet login`, `logout`, `whoami`, `password`, `second-factor`: one's own account |
//! | `users` | `botfleet user`: accounts |
//! | `keys` | `botfleet key`: API keys |
//! | `secrets` | `botfleet secrets`: tokens of bots and keys of providers |
//! | `sessions` | `botfleet session`: open sessions |
//! | `kept` | the tokens of sessions that this user of the machine opened |
//! | `typed` | secrets that are typed |
//! | `asked` | calls that may ask for a fresh proof, and what they show |

pub mod account;
pub(in crate::cli) mod asked;
pub(in crate::cli) mod kept;
pub mod keys;
pub mod secrets;
pub mod sessions;
mod typed;
pub mod users;
