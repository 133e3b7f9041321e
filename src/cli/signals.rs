//! The signals that ask a process to end. Part of `cli`.

use std::io;

use rustix::process::Signal;
use tokio::signal::unix::{Signal as Arrivals, SignalKind, signal};

/// Receives SIGINT, SIGTERM and SIGHUP, from the moment of [`Signals::listen`] on. SIGHUP, which a closed terminal
/// sends, asks for the same orderly end, unless the process was started with SIGHUP ignored (`nohup`): then it stays
/// ignored.
///
/// Signals are taken over before anything slow begins: the first process of a container has no default action for them
/// and would miss a signal that comes too early.
pub(super) struct Signals {
    interrupt: Arrivals,
    terminate: Arrivals,
    hang_up: Option<Arrivals>,
}

impl Signals {
    /// Takes the signals over.
    pub(super) fn listen() -> io::Result<Self> {
        let hang_up = if hang_up_is_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())?, hang_up })
    }

    /// Waits for the next signal.
    ///
    /// # Cancel safety
    /// A signal that arrives meanwhile is not lost.
    pub(super) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::INT,
            _ = self.terminate.recv() => Signal::TERM,
            _ = arrival(self.hang_up.as_mut()) => Signal::HUP,
        }
    }
}

async fn arrival(signals: Option<&mut Arrivals>) -> Option<()> {
    match signals {
        Some(signals) => signals.recv().await,
        None => std::future::pending().await,
    }
}

/// Reads from the system whether this process was started with SIGHUP ignored.
fn hang_up_is_ignored() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores(&status, Signal::HUP))
}

/// Returns whether `status`, as Linux writes it for a process, has the signal among the ignored ones.
///
/// # Source
/// proc(5), `SigIgn`: a mask in hexadecimal, the lowest bit for signal 1.
fn ignores(status: &str, signal: Signal) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal.as_raw() - 1) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ignored_hang_up_is_read_from_the_mask() {
        let status = |mask: &str| format!("Name:\tbotfleet\nSigIgn:\t{mask}\nSigCgt:\t0000000000000001\n");
        assert!(ignores(&status("0000000000001001"), Signal::HUP));
        assert!(!ignores(&status("0000000000001000"), Signal::HUP));
        assert!(!ignores("no such line", Signal::HUP));
    }
}
