//! Runs real PostgreSQL and Redis as child processes, behind links that can fail.
//! Layer: beside `simulation`; knows neither the world nor the product.
//!
//! Invariants: a server listens on a free local port and has a temporary folder of its own; server and folder go when
//! the process that started them ends, however that process ends. Servers can be used from any runtime, even from one
//! with a paused clock: waiting happens on separate threads.
//!
//! | file | role |
//! |---|---|
//! | `install` | finds the programs, or installs their packages |
//! | `guardian` | a shell that ends a server when its parent is gone |
//! | `daemon` | one child process: start, SIGKILL, SIGSTOP, start again |
//! | `server` | the handle of a running server |
//! | `postgres`, `redis` | the two servers |
//! | `proxy` | a TCP link that can refuse, swallow, hold and delay |
//! | `resp` | the frames of Redis, so that hints alone can be dropped |
//! | `error` | the errors of all of these |

pub mod daemon;
pub mod error;
pub mod guardian;
pub mod install;
pub mod postgres;
pub mod proxy;
pub mod redis;
pub mod resp;
pub mod server;

pub use install::install;
