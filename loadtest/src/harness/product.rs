//! Runs the product as a child process: start, kill, restart, stop. Layer: harness.
//!
//! Invariants: at most one child at a time; no child outlives its handle. This file uses only what the
//! product offers to every operator: the bound address on stdout, signals, exit codes, the log.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use botfleet_world::api::Api;
use botfleet_world::people::http::HttpError;
use thiserror::Error;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::files::ProductFiles;

/// How long a start may take until the address is bound, the recovery after a crash included.
const BOUND_WITHIN: Duration = Duration::from_mins(1);
/// The word before the bound address on stdout.
const LISTENING: &str = "listening";
/// The library that shifts the wall clock of a process, where Debian keeps it.
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
/// The prefix of environment variables that would change the product's settings.
pub(super) const SETTING_VARIABLES: &str = "BOTFLEET__";
/// How many bytes of the log's end an error quotes.
const TOLD_BYTES: usize = 1500;

/// The reason why the product's process did not do what was asked.
#[derive(Debug, Error)]
pub enum ProductError {
    /// The program cannot be started.
    #[error("cannot start {binary}: {source}")]
    Spawn {
        /// The program.
        binary: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The product ended by itself.
    #[error("the product ended with {status} before it listened; its log ends:\n{log}")]
    Ended {
        /// The exit status.
        status: ExitStatus,
        /// The end of the product's log.
        log: String,
    },
    /// The product did not say in time where it listens.
    #[error("the product did not listen within {0:?}; its log ends:\n{1}")]
    Silent(Duration, String),
    /// The product did not end in time after SIGTERM, and was killed.
    #[error("the product did not end within {0:?} after SIGTERM")]
    DoesNotStop(Duration),
    /// The product's process cannot be signalled or waited for.
    #[error("the product's process cannot be used: {0}")]
    Process(#[from] io::Error),
    /// The product does not run.
    #[error("the product does not run")]
    NotRunning,
    /// No client of the product's API can be made.
    #[error(transparent)]
    Api(#[from] HttpError),
}

/// A product in a folder; dropping the handle kills the process.
#[derive(Debug)]
pub struct Product {
    binary: PathBuf,
    files: ProductFiles,
    api: Api,
    /// The file that shifts the wall clock of further starts.
    clock: Option<PathBuf>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    pid: u32,
    stdout: Lines<BufReader<ChildStdout>>,
    base_url: Option<String>,
}

/// Makes the file that shifts the wall clock of further starts; `None` where libfaketime is missing.
pub(super) fn shiftable(files: &ProductFiles) -> io::Result<Option<PathBuf>> {
    if !Path::new(FAKETIME).is_file() {
        return Ok(None);
    }
    let file = files.dir().join("clock");
    std::fs::write(&file, "+0\n")?;
    Ok(Some(file))
}

/// Starts a process of the product; returns also its id and its output.
pub(super) fn spawned(
    binary: &Path,
    files: &ProductFiles,
    clock: Option<&Path>,
    options: &[&str],
) -> Result<(Child, u32, ChildStdout), ProductError> {
    let refused = |source| ProductError::Spawn { binary: binary.to_owned(), source };
    let log = files.open_log().map_err(refused)?;
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with(SETTING_VARIABLES) {
            command.env_remove(name);
        }
    }
    if let Some(file) = clock {
        command
            .env("LD_PRELOAD", FAKETIME)
            .env("FAKETIME_TIMESTAMP_FILE", file)
            .env("FAKETIME_CACHE_DURATION", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("DONT_FAKE_MONOTONIC", "1");
    }
    command.arg("run").args(options).arg("--config").arg(files.config()).arg("--manifest").arg(files.manifest());
    command.current_dir(files.dir()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
    let mut child = command.spawn().map_err(refused)?;
    let (Some(pid), Some(stdout)) = (child.id(), child.stdout.take()) else {
        return Err(ProductError::NotRunning);
    };
    Ok((child, pid, stdout))
}

impl Product {
    /// Starts the product and waits until it listens.
    ///
    /// # Errors
    /// The product cannot be started, ends at once, or does not listen in time.
    pub async fn start(binary: &Path, files: ProductFiles) -> Result<Self, ProductError> {
        let api = Api::new(&files.socket())?;
        let mut product = Self { binary: binary.to_owned(), files, api, clock: None, running: None };
        product.restart().await?;
        Ok(product)
    }

    /// Makes the wall clock of further starts shiftable; returns false where libfaketime is missing.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn with_shifted_clock(&mut self) -> io::Result<bool> {
        self.clock = shiftable(&self.files)?;
        Ok(self.clock.is_some())
    }

    /// Shifts the product's wall clock against the true one, within a second; returns false if that is not possible.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn shift_clock(&self, seconds: i64) -> io::Result<bool> {
        let Some(file) = &self.clock else { return Ok(false) };
        std::fs::write(file, format!("{seconds:+}\n"))?;
        Ok(true)
    }

    /// Starts the product again after a kill or a stop and waits until the product listens.
    ///
    /// # Errors
    /// As [`Product::start`].
    pub async fn restart(&mut self) -> Result<(), ProductError> {
        self.spawn()?;
        self.wait_until_bound().await
    }

    /// Starts the process without waiting; a process that still runs is killed.
    ///
    /// # Errors
    /// The process cannot be started.
    pub fn spawn(&mut self) -> Result<(), ProductError> {
        self.running = None;
        // Faults must hit this very process, and only the harness may start it again.
        let (child, pid, stdout) = spawned(&self.binary, &self.files, self.clock.as_deref(), &["--no-launcher"])?;
        let stdout = BufReader::new(stdout).lines();
        self.running = Some(Running { child, pid, stdout, base_url: None });
        Ok(())
    }

    /// Waits until the process says where it listens.
    ///
    /// # Errors
    /// The process ends before that, or takes too long.
    pub async fn wait_until_bound(&mut self) -> Result<(), ProductError> {
        let log = self.files.log();
        let running = self.running.as_mut().ok_or(ProductError::NotRunning)?;
        let read = async {
            while let Some(line) = running.stdout.next_line().await? {
                if let Some(rest) = line.strip_prefix(LISTENING)
                    && let Some(address) = rest.split_whitespace().find(|word| word.starts_with("http://"))
                {
                    return Ok(Some(address.trim_end_matches('/').to_owned()));
                }
            }
            Ok::<_, io::Error>(None)
        };
        match tokio::time::timeout(BOUND_WITHIN, read).await {
            Ok(Ok(Some(address))) => {
                running.base_url = Some(address);
                Ok(())
            }
            Ok(Ok(None)) => {
                let status = running.child.wait().await?;
                self.running = None;
                Err(ProductError::Ended { status, log: tail(&log) })
            }
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(ProductError::Silent(BOUND_WITHIN, tail(&log))),
        }
    }

    /// Returns the product's API, whether or not the product runs.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// Returns the address of the product's port, without a trailing slash; `None` until the address is known. What needs
    /// no sign-in is served there: health, metrics, documents.
    pub fn base_url(&self) -> Option<&str> {
        self.running.as_ref()?.base_url.as_deref()
    }

    /// Returns the id of the process, while one runs.
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.pid)
    }

    /// Returns the product's files.
    pub fn files(&self) -> &ProductFiles {
        &self.files
    }

    /// Returns the end of the product's log.
    pub fn log_tail(&self) -> String {
        tail(&self.files.log())
    }

    /// Fails when the process has ended by itself.
    ///
    /// # Errors
    /// The process has ended, does not run, or its state cannot be read.
    pub fn ensure_running(&mut self) -> Result<(), ProductError> {
        let running = self.running.as_mut().ok_or(ProductError::NotRunning)?;
        match running.child.try_wait()? {
            None => Ok(()),
            Some(status) => {
                self.running = None;
                Err(ProductError::Ended { status, log: tail(&self.files.log()) })
            }
        }
    }

    /// Kills the process with SIGKILL and waits until it is gone.
    ///
    /// # Errors
    /// The process does not run, had ended by itself, or cannot be killed.
    pub async fn kill_9(&mut self) -> Result<(), ProductError> {
        self.ensure_running()?;
        let mut running = self.running.take().ok_or(ProductError::NotRunning)?;
        running.child.kill().await?;
        Ok(())
    }

    /// Stops the process by SIGSTOP for a while, as a swapping machine or a debugger would.
    ///
    /// # Errors
    /// The process does not run, had ended by itself, or cannot be signalled.
    ///
    /// # Cancel safety
    /// A future dropped halfway leaves the process stopped; a kill still ends the process.
    pub async fn pause(&mut self, for_time: Duration) -> Result<(), ProductError> {
        self.ensure_running()?;
        let pid = self.pid().ok_or(ProductError::NotRunning)?;
        signal(pid, "STOP").await?;
        tokio::time::sleep(for_time).await;
        Ok(signal(pid, "CONT").await?)
    }

    /// Asks the process to end by SIGTERM; a process that takes longer than `within` is killed.
    ///
    /// # Errors
    /// The process does not run, cannot be signalled, or did not end in time.
    pub async fn stop(&mut self, within: Duration) -> Result<ExitStatus, ProductError> {
        let mut running = self.running.take().ok_or(ProductError::NotRunning)?;
        signal(running.pid, "TERM").await?;
        if let Ok(status) = tokio::time::timeout(within, running.child.wait()).await {
            Ok(status?)
        } else {
            running.child.kill().await?;
            Err(ProductError::DoesNotStop(within))
        }
    }
}

/// Sends a signal through the shell's own `kill`: the standard library knows SIGKILL only.
pub(super) async fn signal(pid: u32, name: &str) -> io::Result<()> {
    let mut kill = Command::new("sh");
    kill.args(["-c", "kill -\"$1\" \"$2\"", "sh", name, &pid.to_string()]).stderr(Stdio::null());
    let told = kill.status().await?;
    if told.success() { Ok(()) } else { Err(io::Error::other(format!("kill ended with {told}"))) }
}

/// Returns the end of a log.
pub(super) fn tail(log: &Path) -> String {
    let Ok(bytes) = std::fs::read(log) else {
        return format!("{} cannot be read", log.display());
    };
    let from = bytes.len().saturating_sub(TOLD_BYTES);
    String::from_utf8_lossy(&bytes[from..]).into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::files::ProductOptions;
    use super::*;
    use botfleet_world::world::spec::WorldSpec;

    /// Writes a shell script that takes the place of the product's program.
    fn program(name: &str, script: &str) -> (PathBuf, ProductFiles) {
        let dir = std::env::temp_dir().join(format!("botfleet-product-{name}-{}", std::process::id()));
        let world = WorldSpec::fleet(1, 1, 1);
        let files = ProductFiles::write(&dir, &world, "http://x", &ProductOptions::default()).unwrap();
        let binary = dir.join("program");
        std::fs::write(&binary, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(0o700)).unwrap();
        (binary, files)
    }

    fn remove(product: &Product) {
        std::fs::remove_dir_all(product.files().dir()).unwrap();
    }

    #[tokio::test]
    async fn a_started_product_tells_its_address_and_ends_by_sigterm() {
        let script = "trap 'exit 7' TERM\necho 'listening  http://127.0.0.1:5'\nwhile :; do sleep 0.01; done";
        let (binary, files) = program("term", script);
        let mut product = Product::start(&binary, files).await.unwrap();
        assert_eq!(product.base_url(), Some("http://127.0.0.1:5"));
        let status = product.stop(Duration::from_secs(10)).await.unwrap();
        assert_eq!(status.code(), Some(7));
        assert_eq!(product.pid(), None);
        remove(&product);
    }

    #[tokio::test]
    async fn a_killed_product_is_gone_and_can_be_started_again() {
        let script = "trap '' TERM\necho 'listening  http://127.0.0.1:6'\nexec sleep 60";
        let (binary, files) = program("kill", script);
        let mut product = Product::start(&binary, files).await.unwrap();
        let first = product.pid().unwrap();
        product.kill_9().await.unwrap();
        assert!(!Path::new(&format!("/proc/{first}")).exists());
        product.restart().await.unwrap();
        assert_ne!(product.pid(), Some(first));
        let error = product.stop(Duration::from_millis(50)).await.unwrap_err();
        assert!(matches!(error, ProductError::DoesNotStop(_)), "{error}");
        remove(&product);
    }

    #[tokio::test]
    async fn a_product_that_ends_at_once_is_told_with_its_log() {
        let (binary, files) = program("ends", "echo 'bad key' >&2\nexit 2");
        let dir = files.dir().to_owned();
        let error = Product::start(&binary, files).await.unwrap_err();
        let ProductError::Ended { status, log } = error else { panic!("{error}") };
        assert_eq!((status.code(), log.trim()), (Some(2), "bad key"));
        std::fs::remove_dir_all(dir).unwrap();
    }
}
