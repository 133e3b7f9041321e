//! The launcher: the process that `botfleet run` starts first, and that starts the fleet again when the fleet dies.
//!
//! | file | holds |
//! |---|---|
//! | `supervise` | starts a worker, passes signals on, and starts the next one |
//! | `worker` | one start of the worker: its process as the launcher sees it |
//! | `restarts` | decides what follows an end: another start, when, or the launcher's own end; pure |
//! | `graves` | tells the cluster's store that a start is over, so that nobody waits for more beats |
//! | `registry` | opens that store |
//! | `parent` | the launcher as the worker sees it: its word to begin, and its end |
//!
//! ```text
//! launcher (this executable)                       worker (this executable, --launch N, a process group of its own)
//!   stdin pipe, held open ------------------------>  "go", then nothing; its end tells that the launcher is gone
//!   SIGTERM, SIGINT ------------------------------>  the same signal: drains, ends
//!   wait <-----------------------------------------  any end: seen at once
//!   bury_launch(N) --> store
//! ```
//!
//! The launcher knows nothing of bots. It holds no lease, opens no port, and opens a database only to tell that a
//! worker is dead; it starts the next worker without waiting for the database.

pub mod graves;
pub(super) mod parent;
pub mod registry;
pub(super) mod restarts;
pub(super) mod supervise;
mod worker;
