//! One node: its files, its links to the world, its launcher and worker processes. Layer: harness.
//!
//! Invariants: no process outlives its handle; only what the product prints and its signals are used. A node keeps its
//! port over restarts, as behind a balancer.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::harness::error::HarnessError;
use crate::harness::files::ProductFiles;
use crate::harness::product::{ProductError, SETTING_VARIABLES, signal, tail};
use crate::servers::proxy::TcpProxy;

/// How long a start may take until the node listens, a join that waits for an earlier incarnation included.
const LISTENS_WITHIN: Duration = Duration::from_secs(60);
/// The library that shifts the wall clock of a process, where Debian keeps it.
pub(in crate::harness) const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/// What a node is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Bots, chats and the API.
    All,
    /// Bots and chats.
    Worker,
    /// The API alone.
    Api,
}

impl Role {
    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Worker => "worker",
            Self::Api => "api",
        }
    }
}

/// A node's links; they stay over its restarts.
#[derive(Debug)]
pub struct Links {
    /// To PostgreSQL.
    pub database: TcpProxy,
    /// To Redis.
    pub redis: TcpProxy,
    /// To Telegram.
    pub telegram: TcpProxy,
}

impl Links {
    /// All three.
    pub fn all(&self) -> [&TcpProxy; 3] {
        [&self.database, &self.redis, &self.telegram]
    }
}

/// What a node has printed so far.
#[derive(Debug, Clone, Default)]
struct Said {
    worker: Option<u32>,
    listens: bool,
    workers: u64,
    incarnation: Option<i64>,
}

/// A node; dropping it kills its processes.
#[derive(Debug)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// Its links.
    pub links: Links,
    binary: PathBuf,
    files: ProductFiles,
    port: u16,
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
    /// A node that does not run yet.
    pub(super) fn new(name: String, role: Role, links: Links, binary: &Path, files: ProductFiles, port: u16) -> Self {
        Self { name, role, links, binary: binary.to_owned(), files, port, clock: None, running: None }
    }

    /// Lets the wall clock of its further starts be shifted; false where the library for it is missing.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn with_shifted_clock(&mut self) -> Result<bool, HarnessError> {
        if !Path::new(FAKETIME).is_file() {
            return Ok(false);
        }
        let file = self.files.dir().join("clock");
        std::fs::write(&file, "+0\n").map_err(HarnessError::file(&file))?;
        self.clock = Some(file);
        Ok(true)
    }

    /// Shifts its wall clock against the true one, within a second; false when it has none that can be.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn shift_clock(&self, seconds: i64) -> Result<bool, HarnessError> {
        let Some(file) = &self.clock else { return Ok(false) };
        std::fs::write(file, format!("{seconds:+}\n")).map_err(HarnessError::file(file))?;
        Ok(true)
    }

    /// Starts it and waits for nothing.
    ///
    /// # Errors
    /// It cannot be started.
    #[allow(clippy::disallowed_methods, reason = "the reader of its output; its handle is kept and ends with it")]
    pub fn spawn(&mut self) -> Result<(), HarnessError> {
        self.running = None;
        let refused = |source| ProductError::Spawn { binary: self.binary.clone(), source };
        let log = self.files.open_log().map_err(refused)?;
        let mut command = Command::new(&self.binary);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with(SETTING_VARIABLES) {
                command.env_remove(name);
            }
        }
        if let Some(file) = &self.clock {
            command
                .env("LD_PRELOAD", FAKETIME)
                .env("FAKETIME_TIMESTAMP_FILE", file)
                .env("FAKETIME_CACHE_DURATION", "1")
                .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
                .env("DONT_FAKE_MONOTONIC", "1");
        }
        command
            .arg("run")
            .arg("--config")
            .arg(self.files.config())
            .arg("--manifest")
            .arg(self.files.manifest())
            .current_dir(self.files.dir())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true);
        let mut launcher = command.spawn().map_err(refused)?;
        let (Some(pid), Some(stdout)) = (launcher.id(), launcher.stdout.take()) else {
            return Err(ProductError::NotRunning.into());
        };
        let (told, said) = watch::channel(Said::default());
        let reader = tokio::spawn(read(stdout, told));
        self.running = Some(Running { launcher, pid, said, reader });
        Ok(())
    }

    /// Waits until its worker listens.
    ///
    /// # Errors
    /// It ends before, or takes too long.
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

    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// As [`Node::wait_until_listening`].
    pub async fn start(&mut self) -> Result<(), HarnessError> {
        self.spawn()?;
        self.wait_until_listening().await
    }

    /// Whether its launcher runs.
    pub fn runs(&mut self) -> bool {
        self.running.as_mut().is_some_and(|running| matches!(running.launcher.try_wait(), Ok(None)))
    }

    /// Whether it was started and not stopped by this harness.
    pub fn is_started(&self) -> bool {
        self.running.is_some()
    }

    /// Where its API listens, whether or not it runs.
    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its files.
    pub fn files(&self) -> &ProductFiles {
        &self.files
    }

    /// The process that owns bots and chats; without a launcher, the only one.
    pub fn worker_pid(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.said.borrow().worker.unwrap_or(running.pid))
    }

    /// How often its worker was started since the node was.
    pub fn workers(&self) -> u64 {
        self.running.as_ref().map_or(0, |running| running.said.borrow().workers)
    }

    /// The incarnation that it said last.
    pub fn incarnation(&self) -> Option<i64> {
        self.running.as_ref().and_then(|running| running.said.borrow().incarnation)
    }

    /// Kills its worker; its launcher starts another.
    ///
    /// # Errors
    /// It does not run.
    pub async fn kill_worker(&self) -> Result<(), HarnessError> {
        self.signal_worker("KILL").await
    }

    /// Sends its worker a signal; one that has just ended, and has no successor yet, is left alone.
    ///
    /// # Errors
    /// It does not run.
    pub async fn signal_worker(&self, name: &str) -> Result<(), HarnessError> {
        let pid = self.worker_pid().ok_or(ProductError::NotRunning)?;
        match signal(pid, name).await {
            Err(_) if !std::path::Path::new(&format!("/proc/{pid}")).exists() => Ok(()),
            told => Ok(told.map_err(ProductError::from)?),
        }
    }

    /// Kills launcher and worker together; nobody starts it again.
    ///
    /// # Errors
    /// It does not run.
    pub async fn kill_all(&mut self) -> Result<(), HarnessError> {
        let mut running = self.running.take().ok_or(ProductError::NotRunning)?;
        let worker = running.said.borrow().worker.unwrap_or(running.pid);
        // Both in one breath, the launcher first: it must not tell of its worker's end.
        let both = format!("kill -KILL {} {worker}", running.pid);
        let told = Command::new("sh").args(["-c", &both]).stderr(Stdio::null()).status();
        told.await.map_err(ProductError::from)?;
        running.launcher.wait().await.map_err(ProductError::from)?;
        Ok(())
    }

    /// Stops its worker where it is.
    ///
    /// # Errors
    /// It does not run.
    pub async fn freeze(&self) -> Result<(), HarnessError> {
        self.signal_worker("STOP").await
    }

    /// Lets its worker go on.
    ///
    /// # Errors
    /// It does not run.
    pub async fn thaw(&self) -> Result<(), HarnessError> {
        self.signal_worker("CONT").await
    }

    /// Ends it with SIGTERM; gives how it ended and how long it took.
    ///
    /// # Errors
    /// It does not run, or does not end in time and is killed.
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

    /// Lets all its links pass, and wakes it if it was frozen.
    ///
    /// # Errors
    /// A clock file that cannot be written.
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

/// Reads what launcher and worker print, to its end.
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
