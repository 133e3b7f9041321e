//! The HTTP edge: health, metrics, a look at the fleet, outcomes, stop and start. Layer `admin`.
//!
//! It has no sign-in yet and therefore listens on loopback only; `guard` refuses requests that a web page could have
//! made a browser send. The receiver of webhooks has a port of its own, which may be reached from elsewhere: it knows
//! Telegram by the secret of each bot.

mod bots;
pub mod closing;
mod control;
mod dead_letters;
mod fleet;
mod guard;
mod health;
mod outcomes;
mod problem;
pub mod server;
pub mod webhook;
