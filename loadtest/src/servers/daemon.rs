//! Runs one server process in a folder of its own: start, kill, stop for a while, start again. Layer: servers.
//!
//! All operations block; [`blocking`] moves them off the runtime. Signals reach the process and its children, as when
//! the machine under them fails.

use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::error::ServerError;
use super::guardian::Guardian;

/// How long a server may take until it serves, including the recovery after a crash.
const SERVES_WITHIN: Duration = Duration::from_secs(30);
/// How often a start is tried when the server ends at once.
pub(super) const STARTS: u32 = 5;
/// How often the state of a process is checked.
const LOOKED_EVERY: Duration = Duration::from_millis(10);
/// How many bytes of the log's end an error quotes.
const TOLD_BYTES: usize = 1500;
/// Ports below those of the system's outgoing connections, so that a server's port is still free after a crash.
const PORTS: std::ops::Range<u16> = 10_240..32_000;

/// A server process, its folder, its guardian.
#[derive(Debug)]
pub struct Daemon {
    name: &'static str,
    folder: PathBuf,
    log: PathBuf,
    guardian: Guardian,
    child: Option<Child>,
}

impl Daemon {
    /// Creates the folder, under `root` or the system's temporary folder; no process runs yet.
    pub(super) fn prepare(name: &'static str, root: Option<&Path>) -> Result<Self, ServerError> {
        let folder = fresh_folder(name, root)?;
        let guardian = Guardian::set(&folder, name)?;
        let log = folder.join("log");
        Ok(Self { name, folder, log, guardian, child: None })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn log(&self) -> &Path {
        &self.log
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Starts the process and waits until `serves` returns true; the output goes to the log.
    pub(super) fn start(&mut self, command: &mut Command, serves: impl Fn(u32) -> bool) -> Result<(), ServerError> {
        let log = self.open_log()?;
        let also = log.try_clone().map_err(ServerError::io("the log"))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(also)
            .spawn()
            .map_err(ServerError::io(format!("{} cannot be started", self.name)))?;
        let pid = child.id();
        self.child = Some(child);
        self.guardian.tell(Some(pid))?;
        let until = Instant::now() + SERVES_WITHIN;
        while !serves(pid) {
            if self.ended()? {
                return Err(ServerError::Ended { name: self.name, log: self.log_tail() });
            }
            if Instant::now() > until {
                self.kill_9()?;
                return Err(ServerError::Silent { name: self.name, within: SERVES_WITHIN, log: self.log_tail() });
            }
            pause(LOOKED_EVERY);
        }
        Ok(())
    }

    fn ended(&mut self) -> Result<bool, ServerError> {
        let Some(child) = self.child.as_mut() else { return Ok(true) };
        let ended = child.try_wait().map_err(ServerError::io(self.name))?.is_some();
        if ended {
            self.child = None;
            self.guardian.tell(None)?;
        }
        Ok(ended)
    }

    /// Kills the process and its children, and waits until they are gone; does nothing if no process runs.
    pub(super) fn kill_9(&mut self) -> Result<(), ServerError> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        // The process is stopped first, so that it starts no child while its children are listed.
        let _ = signal("STOP", &[child.id()]);
        let mut all = children(child.id());
        all.push(child.id());
        signal("KILL", &all)?;
        child.wait().map_err(ServerError::io(self.name))?;
        let until = Instant::now() + SERVES_WITHIN;
        while all.iter().any(|pid| lives(*pid)) && Instant::now() < until {
            pause(LOOKED_EVERY);
        }
        self.guardian.tell(None)
    }

    /// Stops the process and its children by SIGSTOP.
    pub(super) fn stop(&self) -> Result<(), ServerError> {
        let pid = self.pid().ok_or(ServerError::NotRunning(self.name))?;
        signal("STOP", &[pid])?;
        match children(pid) {
            none if none.is_empty() => Ok(()),
            children => signal("STOP", &children),
        }
    }

    /// Lets the process and its children continue.
    pub(super) fn cont(&self) -> Result<(), ServerError> {
        let pid = self.pid().ok_or(ServerError::NotRunning(self.name))?;
        let mut all = children(pid);
        all.push(pid);
        signal("CONT", &all)
    }

    fn open_log(&self) -> Result<File, ServerError> {
        let opened = OpenOptions::new().create(true).append(true).open(&self.log);
        opened.map_err(ServerError::io(self.log.display().to_string()))
    }

    /// Returns the end of the log.
    pub(super) fn log_tail(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(TOLD_BYTES)..]).into_owned()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // The guardian, dropped next, kills a process that could not be killed here.
        let _ = self.kill_9();
    }
}

/// Launches a server that was killed. The system may still hold its port or its shared memory.
pub(super) fn relaunched(mut launch: impl FnMut() -> Result<(), ServerError>) -> Result<(), ServerError> {
    let mut tried = launch();
    for _ in 1..STARTS {
        if !matches!(tried, Err(ServerError::Ended { .. })) {
            break;
        }
        pause(Duration::from_millis(200));
        tried = launch();
    }
    tried
}

/// Runs blocking work on a thread that may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ServerError> + Send + 'static,
) -> Result<T, ServerError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(ServerError::Io { what: "a thread for it".to_owned(), source: std::io::Error::other(error) }),
    }
}

/// Sleeps; only for threads that may block.
#[allow(clippy::disallowed_methods, reason = "only on threads that spawn_blocking gave")]
pub(super) fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Returns a port that nobody listens on, below those of the system's outgoing connections.
///
/// # Errors
/// Nearly all ports are taken.
pub fn free_port() -> Result<u16, ServerError> {
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    (0..1000)
        .map(|_| fastrand::u16(PORTS))
        .find(free)
        .ok_or_else(|| ServerError::io("a free port")(std::io::ErrorKind::AddrInUse.into()))
}

fn fresh_folder(name: &str, root: Option<&Path>) -> Result<PathBuf, ServerError> {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let root = root.map_or_else(std::env::temp_dir, Path::to_owned);
    for _ in 0..100 {
        let place = MADE.fetch_add(1, Ordering::Relaxed);
        let folder = root.join(format!("botfleet-{name}-{}-{place}", std::process::id()));
        match std::fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            // An earlier process of the same id left this folder.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(ServerError::io(folder.display().to_string())(error)),
        }
    }
    Err(ServerError::NoFolder(root))
}

fn children(pid: u32) -> Vec<u32> {
    let listed = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    listed.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// Returns whether the process exists and is no zombie.
fn lives(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z')))
}

/// Sends a signal through the shell's own `kill`: the standard library knows SIGKILL only. Processes that are gone
/// are no fault.
fn signal(name: &str, pids: &[u32]) -> Result<(), ServerError> {
    let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
    Command::new("sh")
        .args(["-c", "kill -\"$0\" \"$@\"", name])
        .args(pids)
        .stderr(Stdio::null())
        .status()
        .map(|_| ())
        .map_err(ServerError::io("a signal cannot be sent"))
}
