//! Defines the errors of the test servers. Layer: servers.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

/// The reason why a server did not do what was asked.
#[derive(Debug, Error)]
pub enum ServerError {
    /// A program is missing on this machine and cannot be installed.
    #[error("{program} is missing, and {why}; on Debian: apt-get install -y postgresql redis-server")]
    Missing {
        /// The program.
        program: String,
        /// The reason why the program was not installed.
        why: String,
    },
    /// An operation on a file, a folder or a process failed.
    #[error("{what}: {source}")]
    Io {
        /// The failed operation, in words.
        what: String,
        /// The cause.
        source: io::Error,
    },
    /// The server ended before it served.
    #[error("{name} ended before it served; its log ends:\n{log}")]
    Ended {
        /// The server.
        name: &'static str,
        /// The end of the server's log.
        log: String,
    },
    /// The server did not serve in time.
    #[error("{name} did not serve within {within:?}; its log ends:\n{log}")]
    Silent {
        /// The server.
        name: &'static str,
        /// How long the caller waited.
        within: Duration,
        /// The end of the server's log.
        log: String,
    },
    /// A command failed.
    #[error("{command}: {message}")]
    Command {
        /// The command.
        command: String,
        /// The command's error output.
        message: String,
    },
    /// The server does not run.
    #[error("{0} does not run")]
    NotRunning(&'static str),
    /// No folder for a server can be created.
    #[error("no folder for it under {0}")]
    NoFolder(PathBuf),
}

impl ServerError {
    /// Adds the failed operation to an input or output error.
    pub(super) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
