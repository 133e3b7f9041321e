//! The HTTP edge: health, metrics, a look at the fleet, outcomes, stop and start. Layer `admin`.
//!
//! It has no sign-in yet and therefore listens on loopback only; `guard` refuses requests that a web page could have
//! made a browser send.

mod control;
mod fleet;
mod guard;
mod health;
mod outcomes;
mod problem;
pub mod server;
