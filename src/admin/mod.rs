//! The HTTP edge: health, metrics, views of the fleet, outcomes, explained decisions, stop and start. Layer `admin`.
//!
//! The API has no sign-in yet. It therefore answers only to names of this machine and to those in `server.hosts`, and
//! `guard` refuses requests that a web page could have made a browser send. The receiver of webhooks has a port of its
//! own, which may be reached from elsewhere: it recognises Telegram by the secret of each bot.

mod bots;
pub mod closing;
mod cluster;
mod control;
mod dead_letters;
mod decisions;
mod edge;
mod events;
mod fleet;
mod guard;
mod health;
mod measured;
mod outcomes;
mod people;
pub mod port;
mod problem;
mod roster;
pub mod server;
mod style;
pub mod webhook;
