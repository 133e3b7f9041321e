//! Runs one node: files, links to the world, launcher and worker processes. Layer: harness.
//!
//! Invariants: no process outlives its handle; this file uses only the product's output and signals. A node keeps its
//! port over restarts, as behind a balancer.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use botfleet_world::api::Api;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::harness::error::HarnessError;
use crate::harness::files::ProductFiles;
use crate::harness::product::{ProductError, shiftable, signal, spawned, tail};
use crate::servers::proxy::TcpProxy;

/// How long a start may take until the node listens, a join that waits for an earlier incarnation included.
const LISTENS_WITHIN: Duration = Duration::from_secs(60);

/// The role of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The node serves bots, chats and the API.
    All,
    /// The node serves bots and chats.
    Worker,
    /// The node serves only the API.
    Api,
}

impl Role {
    /// Returns the word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Worker => "worker",
            Self::Api => "api",
        }
    }
}

/// The links of a node, which stay over restarts.
#[derive(Debug)]
pub struct Links {
    /// The link to PostgreSQL.
    pub database: TcpProxy,
    /// The link to Redis.
    pub redis: TcpProxy,
    /// The link to Telegram.
    pub telegram: TcpProxy,
}

impl Links {
    /// Returns all three links.
    pub fn all(&self) -> [&TcpProxy; 3] {
        [&self.database, &self.redis, &self.telegram]
    }
}

/// The facts that a node has printed so far.
#[derive(Debug, Clone, Default)]
struct Said {
    worker: Option<u32>,
    listens: bool,
    workers: u64,
    incarnation: Option<i64>,
}

/// A node; dropping the handle kills the processes.
#[derive(Debug)]
pub struct Node {
    /// The node's name.
    pub name: String,
    /// The node's role.
    pub role: Role,
    /// The node's links.
    pub links: Links,
    binary: PathBuf,
    files: ProductFiles,
    port: u16,
    api: Api,
    clock: Option<PathBuf>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    launcher: Child,
    pid: u32,
    said: watch::Receiver<Said>,
    reader: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.reader.abort();
        // A launcher that is killed cannot end its worker.
        if let Some(worker) = self.said.borrow().worker.filter(|worker| *worker != self.pid) {
            let kill = std::process::Command::new("sh")
                .args(["-c", "kill -KILL \"$0\"", &worker.to_string()])
                .stderr(Stdio::null())
                .status();
            drop(kill);
        }
    }
}

impl Node {
    /// Creates a node that does not run yet.
    ///
    /// # Errors
    /// The node's folder is no place for a socket.
    pub(super) fn new(
        name: String,
        role: Role,
        links: Links,
        binary: &Path,
        files: ProductFiles,
        port: u16,
    ) -> Result<Self, HarnessError> {
        let api = Api::new(&files.socket())?;
        Ok(Self { name, role, links, binary: binary.to_owned(), files, port, api, clock: None, running: None })
    }

    /// Makes the wall clock of further starts shiftable; returns false where libfaketime is missing.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn with_shifted_clock(&mut self) -> Result<bool, HarnessError> {
        self.clock = shiftable(&self.files).map_err(HarnessError::file(self.files.dir()))?;
        Ok(self.clock.is_some())
    }

    /// Shifts the node's wall clock against the true one, within a second; returns false if that is not possible.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn shift_clock(&self, seconds: i64) -> Result<bool, HarnessError> {
        let Some(file) = &self.clock else { return Ok(false) };
        std::fs::write(file, format!("{seconds:+}\n")).map_err(HarnessError::file(file))?;
        Ok(true)
    }

    /// Starts the node without waiting.
    ///
    /// # Errors
    /// The node cannot be started.
    #[allow(clippy::disallowed_methods, reason = "the reader of its output; its handle is kept and ends with it")]
    pub fn spawn(&mut self) -> Result<(), HarnessError> {
        self.running = None;
        let (launcher, pid, stdout) = spawned(&self.binary, &self.files, self.clock.as_deref(), &[])?;
        let (told, said) = watch::channel(Said::default());
        let reader = tokio::spawn(read(stdout, told));
        self.running = Some(Running { launcher, pid, said, reader });
        Ok(())
    }

    /// Waits until the worker listens.
    ///
    /// # Errors
    /// The node ends before that, or takes too long.
    pub async fn wait_until_listening(&mut self) -> Result<(), HarnessError> {
        self.wait_for("listen", LISTENS_WITHIN, |said| said.listens).await
    }

    async fn wait_for(
        &mut self,
        what: &str,
        within: Duration,
        is_so: impl Fn(&Said) -> bool,
    ) -> Result<(), HarnessError> {
        let log = self.files.log();
        let running = self.running.as_mut().ok_or(ProductError::NotRunning)?;
        let heard = tokio::time::timeout(within, running.said.wait_for(is_so)).await.map(|heard| heard.is_ok());
        match heard {
            Ok(true) => Ok(()),
            Ok(false) => {
                let status = running.launcher.wait().await.map_err(ProductError::from)?;
                self.running = None;
                Err(ProductError::Ended { status, log: tail(&log) }.into())
            }
            Err(_) => Err(HarnessError::NotInTime {
                what: format!("{} does not {what}; its log {} ends:\n{}", self.name, log.display(), tail(&log)),
                seconds: within.as_secs(),
            }),
        }
    }

    /// Starts the node and waits until the worker listens.
    ///
    /// # Errors
    /// As [`Node::wait_until_listening`].
    pub async fn start(&mut self) -> Result<(), HarnessError> {
        self.spawn()?;
        self.wait_until_listening().await
    }

    /// Returns whether the launcher runs.
    pub fn runs(&mut self) -> bool {
        self.running.as_mut().is_some_and(|running| matches!(running.launcher.try_wait(), Ok(None)))
    }

    /// Returns whether the node was started, and neither stopped by this harness nor seen to end.
    pub fn is_started(&self) -> bool {
        self.running.is_some()
    }

    /// Returns the node's API, whether or not the node runs.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// Returns the address of the node's port, whether or not the node runs: health and metrics are served there.
    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Returns the node's files.
    pub fn files(&self) -> &ProductFiles {
        &self.files
    }

    /// Returns the process that owns bots and chats; without a launcher, the only process.
    pub fn worker_pid(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.said.borrow().worker.unwrap_or(running.pid))
    }

    /// Returns how many workers were started since the node's start.
    pub fn workers(&self) -> u64 {
        self.running.as_ref().map_or(0, |running| running.said.borrow().workers)
    }

    /// Returns the incarnation that the node printed last.
    pub fn incarnation(&self) -> Option<i64> {
        self.running.as_ref().and_then(|running| running.said.borrow().incarnation)
    }

    /// Kills the worker; the launcher starts another.
    ///
    /// # Errors
    /// The node does not run.
    pub async fn kill_worker(&self) -> Result<(), HarnessError> {
        self.signal_worker("KILL").await
    }

    /// Sends the worker a signal; a worker that has just ended, and has no successor yet, is no error.
    ///
    /// # Errors
    /// The node does not run.
    pub async fn signal_worker(&self, name: &str) -> Result<(), HarnessError> {
        let pid = self.worker_pid().ok_or(ProductError::NotRunning)?;
        match signal(pid, name).await {
            Err(_) if !std::path::Path::new(&format!("/proc/{pid}")).exists() => Ok(()),
            told => Ok(told.map_err(ProductError::from)?),
        }
    }

    /// Kills launcher and worker together, so that nothing starts the worker again.
    ///
    /// # Errors
    /// The node does not run.
    pub async fn kill_all(&mut self) -> Result<(), HarnessError> {
        let mut running = self.running.take().ok_or(ProductError::NotRunning)?;
        let worker = running.said.borrow().worker.unwrap_or(running.pid);
        // One command kills both, the launcher first: the launcher must not report its worker's end.
        let both = format!("kill -KILL {} {worker}", running.pid);
        let told = tokio::process::Command::new("sh").args(["-c", &both]).stderr(Stdio::null()).status();
        told.await.map_err(ProductError::from)?;
        running.launcher.wait().await.map_err(ProductError::from)?;
        Ok(())
    }

    /// Stops the worker by SIGSTOP.
    ///
    /// # Errors
    /// The node does not run.
    pub async fn freeze(&self) -> Result<(), HarnessError> {
        self.signal_worker("STOP").await
    }

    /// Lets a stopped worker continue.
    ///
    /// # Errors
    /// The node does not run.
    pub async fn thaw(&self) -> Result<(), HarnessError> {
        self.signal_worker("CONT").await
    }

    /// Ends the node by SIGTERM; returns the exit status and how long the end took.
    ///
    /// # Errors
    /// The node does not run, or does not end in time and is killed.
    pub async fn stop(&mut self, within: Duration) -> Result<(ExitStatus, Duration), HarnessError> {
        let running = self.running.as_mut().ok_or(ProductError::NotRunning)?;
        let began = Instant::now();
        signal(running.pid, "TERM").await.map_err(ProductError::from)?;
        let ended = tokio::time::timeout(within, running.launcher.wait()).await;
        self.running = None;
        match ended {
            Ok(status) => Ok((status.map_err(ProductError::from)?, began.elapsed())),
            Err(_) => Err(ProductError::DoesNotStop(within).into()),
        }
    }

    /// Lets all links pass without delay, puts the clock right, and wakes a frozen worker.
    ///
    /// # Errors
    /// The clock file cannot be written.
    pub async fn heal(&self) -> Result<(), HarnessError> {
        for link in self.links.all() {
            link.set(crate::servers::proxy::Mode::Pass);
            link.set_latency(Duration::ZERO);
        }
        self.shift_clock(0)?;
        // A worker that is gone needs no waking.
        let _ = self.thaw().await;
        Ok(())
    }
}

/// Reads the output of launcher and worker until it ends.
async fn read(stdout: ChildStdout, told: watch::Sender<Said>) {
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = next(&mut lines).await {
        told.send_if_modified(|said| hear(said, &line));
    }
}

async fn next(lines: &mut tokio::io::Lines<BufReader<ChildStdout>>) -> io::Result<Option<String>> {
    lines.next_line().await
}

fn hear(said: &mut Said, line: &str) -> bool {
    let mut words = line.split_whitespace();
    match (words.next(), words.next()) {
        (Some("worker"), Some(pid)) => {
            said.worker = pid.parse().ok();
            said.workers += 1;
            said.listens = false;
        }
        (Some("listening"), Some(url)) if url.starts_with("http://") => said.listens = true,
        (Some("joined"), Some(_)) => {
            said.incarnation = line.split_whitespace().last().and_then(|number| number.parse().ok());
        }
        _ => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_heard_through_its_restarts() {
        let mut said = Said::default();
        for line in [
            "worker     41",
            "joined     n1 as incarnation 7",
            "listening  http://127.0.0.1:9",
            "something  else",
            "worker     42",
        ] {
            hear(&mut said, line);
        }
        assert_eq!((said.worker, said.incarnation), (Some(42), Some(7)));
        assert!(!said.listens, "the second worker does not listen yet");
        hear(&mut said, "worker     43");
        hear(&mut said, "listening  http://127.0.0.1:9");
        assert!(said.listens, "that one worker never listened is of no matter");
    }
}
