//! Runs a real Redis server that keeps nothing on disk. Layer: servers.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tokio::sync::OnceCell;

use super::daemon::{Daemon, blocking};
use super::error::ServerError;
use super::install;
use super::server::{Program, Server};

/// How long a command may take.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// A handle of a running Redis, which starts empty and loses all data with its process.
pub type Redis = Server<RedisProgram>;

/// The program `redis-server`.
#[derive(Debug)]
pub struct RedisProgram(Daemon);

impl Redis {
    /// Starts a server on a free port.
    ///
    /// # Errors
    /// The program is missing, or the server does not start.
    pub async fn start(dir: Option<&Path>) -> Result<Self, ServerError> {
        let dir = dir.map(Path::to_owned);
        blocking(move || {
            install::install()?;
            Self::launched(RedisProgram(Daemon::prepare("redis-server", dir.as_deref())?))
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

    /// Returns the URL of the server.
    pub fn url(&self) -> String {
        Self::url_through(self.port)
    }

    /// Returns the URL of the server behind another local port, such as a proxy's.
    pub fn url_through(port: u16) -> String {
        format!("redis://127.0.0.1:{port}")
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
}

impl Program for RedisProgram {
    fn daemon(&mut self) -> &mut Daemon {
        &mut self.0
    }

    fn launch(&mut self, port: u16) -> Result<(), ServerError> {
        let mut command = Command::new(install::redis()?);
        command
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--daemonize", "no"])
            .args(["--save", "", "--appendonly", "no"])
            .arg("--dir")
            .arg(self.0.folder())
            .current_dir("/");
        self.0.start(&mut command, |_| ask(port, "PING").is_ok_and(|answer| answer == "+PONG"))
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
