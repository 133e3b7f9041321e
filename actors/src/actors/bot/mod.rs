//! One bot as an actor: it polls, answers the turns it is given, and sends what its outbox holds.
//!
//! | file | holds |
//! |---|---|
//! | `actor` | messages, state, life cycle |
//! | `intake` | polling or webhook, and the change between them (I1) |
//! | `polling` | getUpdates -> ingest -> the chats (I1, I2) |
//! | `turns` | claim -> prompt -> provider -> firewall -> finish |
//! | `sending` | limiter -> begin -> sendMessage -> settle (I4) |

pub mod actor;
pub mod intake;
mod polling;
mod sending;
pub mod settings;
mod turns;
