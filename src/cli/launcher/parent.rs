//! The launcher as the worker sees it. Part of `launcher`.
//!
//! Stdin is a pipe that the launcher alone holds open. The launcher writes only the word to begin; the pipe's end means
//! that the launcher is gone, however it ended.

use std::io::{self, stdin};
use std::os::fd::AsFd as _;

use anyhow::{Context, bail};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;

/// The word that the launcher writes when the worker may begin.
pub(super) const GO: &[u8] = b"go\n";

/// The launcher of this worker.
pub(crate) struct Parent(Receiver);

impl Parent {
    /// Waits for the launcher's word to begin.
    ///
    /// # Errors
    /// When stdin is not the launcher's pipe, or the launcher ended before its word.
    pub(crate) async fn attach() -> anyhow::Result<Self> {
        let pipe = stdin().as_fd().try_clone_to_owned()?;
        let mut pipe = Receiver::from_owned_fd(pipe).context("--launch is for the launcher only: stdin is no pipe")?;
        let mut word = [0; GO.len()];
        if let Err(error) = pipe.read_exact(&mut word).await {
            bail!("the launcher went before it let this worker begin: {error}");
        }
        Ok(Self(pipe))
    }

    /// Waits until the launcher is gone.
    ///
    /// # Cancel safety
    /// May be called again.
    pub(crate) async fn gone(&mut self) {
        let mut rest = [0; 64];
        loop {
            match self.0.read(&mut rest).await {
                Ok(0) => return,
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return,
                Ok(_) | Err(_) => {}
            }
        }
    }
}
