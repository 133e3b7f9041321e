//! One start of the worker: its process as the launcher sees it. Part of `launcher`.
//!
//! The worker has a process group of its own, so that Ctrl-C reaches it once, through the launcher, and not twice. The
//! worker's stdin is a pipe that only the launcher holds: however the launcher ends, the worker sees the pipe's end.

use std::env;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, ChildStdin, Command};

use super::parent::GO;
use super::restarts::Ending;

/// Path of the running program, valid also after its file was replaced or removed.
const THIS_PROGRAM: &str = "/proc/self/exe";

/// A worker that was started and whose end was not yet waited for.
pub(super) struct Worker {
    child: Child,
    stdin: ChildStdin,
    pid: u32,
    since: Instant,
}

impl Worker {
    /// Starts this program again with the same arguments and environment; the new process waits for [`Worker::go`].
    pub(super) fn start(launch: i64) -> anyhow::Result<Self> {
        let mut command = Command::new(program());
        command.args(env::args_os().skip(1)).arg("--launch").arg(launch.to_string());
        let mut child =
            command.stdin(Stdio::piped()).process_group(0).spawn().context("the worker cannot be started")?;
        let stdin = child.stdin.take().context("the worker has no stdin")?;
        let pid = child.id().context("the worker has no process id")?;
        Ok(Self { child, stdin, pid, since: Instant::now() })
    }

    /// Returns the worker's process id.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns the time since the worker was started.
    pub(super) fn lived(&self) -> Duration {
        self.since.elapsed()
    }

    /// Lets the worker begin. [`Worker::ended`] finds a worker that is gone already.
    pub(super) async fn go(&mut self) {
        let _ = self.stdin.write_all(GO).await;
    }

    /// Waits for the worker's end.
    ///
    /// # Cancel safety
    /// May be called again.
    pub(super) async fn ended(&mut self) -> io::Result<Ending> {
        let status = self.child.wait().await?;
        let small = |number: i32| u8::try_from(number).unwrap_or(u8::MAX);
        Ok(match (status.code(), status.signal()) {
            (Some(code), _) => Ending::Code(small(code)),
            (None, Some(signal)) => Ending::Signal(small(signal)),
            (None, None) => Ending::Code(u8::MAX),
        })
    }

    /// Sends the worker a signal; no other process that has the same number by then gets one.
    pub(super) fn signal(&self, signal: Signal) {
        // The system gives the number to nobody else before `ended` has read the end.
        let pid = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(pid) = pid
            && let Err(error) = kill_process(pid, signal)
        {
            tracing::warn!(worker.pid = self.pid, error = %error, "the worker was not signalled");
        }
    }
}

fn program() -> PathBuf {
    env::current_exe().ok().filter(|path| path.is_file()).unwrap_or_else(|| PathBuf::from(THIS_PROGRAM))
}
