//! Why a server of the tests cannot be used. Layer: servers.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

/// A server that did not do what was asked.
#[derive(Debug, Error)]
pub enum ServerError {
    /// A program is not on this machine, and cannot be installed.
    #[error("{program} is missing, and {why}; on Debian: apt-get install -y postgresql redis-server")]
    Missing {
        /// The program.
        program: String,
        /// Why it was not installed.
        why: String,
    },
    /// A file, a folder or a process of it.
    #[error("{what}: {source}")]
    Io {
        /// What was tried, with its name.
        what: String,
        /// The cause.
        source: io::Error,
    },
    /// It ended before it served.
    #[error("{name} ended before it served; its log ends:\n{log}")]
    Ended {
        /// The server.
        name: &'static str,
        /// The end of its log.
        log: String,
    },
    /// It did not serve in time.
    #[error("{name} did not serve within {within:?}; its log ends:\n{log}")]
    Silent {
        /// The server.
        name: &'static str,
        /// How long was waited.
        within: Duration,
        /// The end of its log.
        log: String,
    },
    /// A command to it failed.
    #[error("{command}: {message}")]
    Command {
        /// The command.
        command: String,
        /// What it said.
        message: String,
    },
    /// It does not run.
    #[error("{0} does not run")]
    NotRunning(&'static str),
    /// A folder for it cannot be made.
    #[error("no folder for it under {0}")]
    NoFolder(PathBuf),
}

impl ServerError {
    /// Names what an input or output error is about.
    pub(super) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
