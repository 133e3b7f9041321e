//! The handle of a running server, which kills, stops and starts it again. Layer: servers.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::daemon::{Daemon, STARTS, blocking, free_port, relaunched};
use super::error::ServerError;

/// A program that serves on one port.
pub trait Program: Send + Sized + 'static {
    /// Returns its process.
    fn daemon(&mut self) -> &mut Daemon;

    /// Starts the process on that port and waits until it serves.
    ///
    /// # Errors
    /// The process ends before it serves, or takes too long.
    fn launch(&mut self, port: u16) -> Result<(), ServerError>;
}

/// A handle of a running server; dropping the last clone ends the server and removes its folder.
#[derive(Debug)]
pub struct Server<P> {
    pub(super) port: u16,
    program: Arc<Mutex<P>>,
}

impl<P> Clone for Server<P> {
    fn clone(&self) -> Self {
        Self { port: self.port, program: Arc::clone(&self.program) }
    }
}

impl<P: Program> Server<P> {
    /// Launches a program on a free port.
    pub(super) fn launched(mut program: P) -> Result<Self, ServerError> {
        for _ in 1..STARTS {
            let port = free_port()?;
            match program.launch(port) {
                Ok(()) => return Ok(Self { port, program: Arc::new(Mutex::new(program)) }),
                Err(ServerError::Ended { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let port = free_port()?;
        program.launch(port)?;
        Ok(Self { port, program: Arc::new(Mutex::new(program)) })
    }

    /// Returns the port of the server at 127.0.0.1, which stays the same after a restart.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the process id of the server, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.lock().daemon().pid()
    }

    /// Returns the path of the server's log, which goes with the server.
    pub fn log(&self) -> PathBuf {
        self.lock().daemon().log().to_owned()
    }

    /// Kills all processes of the server with SIGKILL, as a power loss would; files stay.
    ///
    /// # Errors
    /// The processes cannot be signalled.
    pub async fn kill_9(&self) -> Result<(), ServerError> {
        self.with(|program| program.daemon().kill_9()).await
    }

    /// Starts the server again, on the same port and data, killed or not; waits until the server serves.
    ///
    /// # Errors
    /// The server does not start.
    pub async fn restart(&self) -> Result<(), ServerError> {
        let port = self.port;
        self.with(move |program| {
            program.daemon().kill_9()?;
            relaunched(|| program.launch(port))
        })
        .await
    }

    /// Stops all processes of the server by SIGSTOP: connections stay open and silent.
    ///
    /// # Errors
    /// The server does not run.
    pub async fn stop(&self) -> Result<(), ServerError> {
        self.with(|program| program.daemon().stop()).await
    }

    /// Lets the stopped processes continue.
    ///
    /// # Errors
    /// The server does not run.
    pub async fn cont(&self) -> Result<(), ServerError> {
        self.with(|program| program.daemon().cont()).await
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

    fn lock(&self) -> MutexGuard<'_, P> {
        self.program.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn with(
        &self,
        work: impl FnOnce(&mut P) -> Result<(), ServerError> + Send + 'static,
    ) -> Result<(), ServerError> {
        let own = self.clone();
        blocking(move || work(&mut own.lock())).await
    }
}
