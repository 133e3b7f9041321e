//! Real PostgreSQL and Redis as child processes, and what goes wrong between them and the product.
//! Layer: beside `simulation`; knows neither the world nor the product.
//!
//! Invariants: a server listens on a free local port, in a temporary folder of its own; both end with whoever started
//! it, however that one ends. Everything can be used from any runtime, also one with a paused clock: waiting happens on
//! threads of its own.
//!
//! | file | role |
//! |---|---|
//! | `install` | where the programs are, or the packages they come from |
//! | `guardian` | a shell that ends a server when its parent is gone |
//! | `daemon` | one child process: start, SIGKILL, SIGSTOP, start again |
//! | `postgres`, `redis` | the two servers |
//! | `proxy` | a TCP link that can be cut, swallowed, held and slowed |
//! | `resp` | the frames of Redis, so that hints alone can be swallowed |
//! | `error` | what can go wrong with all of them |

pub mod daemon;
pub mod error;
pub mod guardian;
pub mod install;
pub mod postgres;
pub mod proxy;
pub mod redis;
pub mod resp;

pub use install::install;
