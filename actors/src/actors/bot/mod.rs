//! One bot as an actor: it polls, answers the turns it is given, and sends what its outbox holds.
//!
//! | file | holds |
//! |---|---|
//! | `actor` | messages, state, life cycle |
//! | `polling` | getUpdates -> ingest -> the chats (I1, I2) |
//! | `turns` | claim -> models -> finish |
//! | `models` | prompt -> provider -> firewall, tries and fallbacks |
//! | `sending` | limiter -> begin -> sendMessage -> settle (I4) |

pub mod actor;
mod models;
mod polling;
mod sending;
pub mod settings;
mod turns;
