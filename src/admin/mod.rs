//! The HTTP edge: health, metrics, a look at the fleet, outcomes, the reason why, stop and start. Layer `admin`.
//!
//! It has no sign-in yet and therefore answers to names of this machine only, and to those in `server.hosts`; `guard`
//! refuses requests that a web page could have made a browser send. The receiver of webhooks has a port of its own,
//! which may be reached from elsewhere: it knows Telegram by the secret of each bot.

mod bots;
pub mod closing;
mod cluster;
mod control;
mod dead_letters;
mod decisions;
mod events;
mod fleet;
mod guard;
mod health;
mod outcomes;
mod people;
mod problem;
mod roster;
pub mod server;
mod style;
pub mod webhook;
