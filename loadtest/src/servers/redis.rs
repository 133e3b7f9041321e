//! Runs a real Redis server that keeps nothing on disk. Layer: servers.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;

use super::daemon::{Daemon, STARTS, blocking, free_port, relaunched};
use super::error::ServerError;
use super::install;

/// How long a command may take.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// A handle of a running Redis; dropping the last clone ends the server and removes its folder.
#[derive(Debug, Clone)]
pub struct Redis {
    port: u16,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    daemon: Daemon,
    port: u16,
}

impl Redis {
    /// Starts a server on a free port.
    ///
    /// # Errors
    /// The program is missing, or the server does not start.
    pub async fn start(dir: Option<&Path>) -> Result<Self, ServerError> {
        let dir = dir.map(Path::to_owned);
        blocking(move || {
            install::install()?;
            let mut inner = Inner { daemon: Daemon::prepare("redis-server", dir.as_deref())?, port: 0 };
            let mut tried = Err(ServerError::NotRunning("redis-server"));
            for _ in 0..STARTS {
                inner.port = free_port()?;
                tried = inner.launch();
                if !matches!(tried, Err(ServerError::Ended { .. })) {
                    break;
                }
            }
            tried?;
            Ok(Self { port: inner.port, inner: Arc::new(Mutex::new(inner)) })
        })
        .await
    }

    /// Returns the server that all tests of a process share; the server ends with the process.
    ///
    /// # Errors
    /// As [`Redis::start`]; the next call tries again.
    pub async fn shared() -> Result<&'static Self, ServerError> {
        static SHARED: OnceCell<Redis> = OnceCell::const_new();
        SHARED.get_or_try_init(|| Self::start(None)).await
    }

    /// Returns the port of the server at 127.0.0.1, which stays the same after a restart.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the URL of the server.
    pub fn url(&self) -> String {
        Self::url_through(self.port)
    }

    /// Returns the URL of the server behind another local port, such as a proxy's.
    pub fn url_through(port: u16) -> String {
        format!("redis://127.0.0.1:{port}")
    }

    /// Returns the process id of the server, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.lock().daemon.pid()
    }

    /// Returns the path of the server's log, which goes with the server.
    pub fn log(&self) -> PathBuf {
        self.lock().daemon.log().to_owned()
    }

    /// Sends one inline command and returns the first line of the answer.
    ///
    /// # Errors
    /// The server does not answer, or answers with an error.
    pub async fn command(&self, command: &str) -> Result<String, ServerError> {
        let (port, command) = (self.port, command.to_owned());
        blocking(move || {
            let answer = ask(port, &command).map_err(ServerError::io(command.clone()))?;
            if answer.starts_with('-') { Err(ServerError::Command { command, message: answer }) } else { Ok(answer) }
        })
        .await
    }

    /// Deletes all data of the server.
    ///
    /// # Errors
    /// The server does not answer, or answers with an error.
    pub async fn flush_all(&self) -> Result<(), ServerError> {
        self.command("FLUSHALL").await.map(|_| ())
    }

    /// Kills the server with SIGKILL; all data is lost.
    ///
    /// # Errors
    /// The server cannot be signalled.
    pub async fn kill_9(&self) -> Result<(), ServerError> {
        self.with(|inner| inner.daemon.kill_9()).await
    }

    /// Starts the server again, empty, on the same port, killed or not; waits until the server serves.
    ///
    /// # Errors
    /// The server does not start.
    pub async fn restart(&self) -> Result<(), ServerError> {
        self.with(Inner::restart).await
    }

    /// Stops the server by SIGSTOP: connections stay open and silent.
    ///
    /// # Errors
    /// The server does not run.
    pub async fn stop(&self) -> Result<(), ServerError> {
        self.with(|inner| inner.daemon.stop()).await
    }

    /// Lets the stopped server continue.
    ///
    /// # Errors
    /// The server does not run.
    pub async fn cont(&self) -> Result<(), ServerError> {
        self.with(|inner| inner.daemon.cont()).await
    }

    /// Stops the server for a while.
    ///
    /// # Errors
    /// The server does not run.
    pub async fn stop_cont(&self, for_time: Duration) -> Result<(), ServerError> {
        self.stop().await?;
        tokio::time::sleep(for_time).await;
        self.cont().await
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn with(
        &self,
        work: impl FnOnce(&mut Inner) -> Result<(), ServerError> + Send + 'static,
    ) -> Result<(), ServerError> {
        let own = self.clone();
        blocking(move || work(&mut own.lock())).await
    }
}

impl Inner {
    fn restart(&mut self) -> Result<(), ServerError> {
        self.daemon.kill_9()?;
        relaunched(|| self.launch())
    }

    fn launch(&mut self) -> Result<(), ServerError> {
        let mut command = Command::new(install::redis()?);
        let port = self.port;
        command
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--daemonize", "no"])
            .args(["--save", "", "--appendonly", "no"])
            .arg("--dir")
            .arg(self.daemon.folder())
            .current_dir("/");
        self.daemon.start(&mut command, |_| ask(port, "PING").is_ok_and(|answer| answer == "+PONG"))
    }
}

fn ask(port: u16, command: &str) -> io::Result<String> {
    let mut link = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), ANSWERS_WITHIN)?;
    link.set_read_timeout(Some(ANSWERS_WITHIN))?;
    link.write_all(format!("{command}\r\n").as_bytes())?;
    let mut answer = String::new();
    BufReader::new(link).read_line(&mut answer)?;
    Ok(answer.trim_end().to_owned())
}
