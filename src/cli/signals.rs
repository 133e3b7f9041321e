//! The signals that ask a process to end. Part of `cli`.

use std::io;

use rustix::process::Signal;
use tokio::signal::unix::{Signal as Arrivals, SignalKind, signal};

/// SIGINT and SIGTERM, from the moment of [`Signals::listen`] on.
///
/// Taken before anything slow begins: the first process of a container has no default for them, and would pass over
/// what comes too early.
pub(super) struct Signals {
    interrupt: Arrivals,
    terminate: Arrivals,
}

impl Signals {
    /// Takes the signals over.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for the next one.
    ///
    /// # Cancel safety
    /// A signal that arrives meanwhile is not lost.
    pub(super) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::INT,
            _ = self.terminate.recv() => Signal::TERM,
        }
    }
}
