//! Why a harness could not be run to its end. Layer: harness. A breach is a result, no error.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::product::ProductError;
use crate::checker::fetch::FetchError;
use crate::people::http::HttpError;
use crate::scenario::file::ScenarioError;
use crate::servers::error::ServerError;
use crate::simulation::StartError;

/// Why a harness could not be run to its end.
#[derive(Debug, Error)]
pub enum HarnessError {
    /// The simulation did not start.
    #[error(transparent)]
    Simulation(#[from] StartError),
    /// The product did not start, or ended by itself.
    #[error(transparent)]
    Product(#[from] ProductError),
    /// PostgreSQL, Redis or a link to them.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// A command of the product failed.
    #[error("botfleet {command} failed:\n{told}")]
    Command {
        /// The command.
        command: String,
        /// What it said.
        told: String,
    },
    /// The fleet did not come so far in time.
    #[error("after {seconds} s not yet: {what}")]
    NotInTime {
        /// What was waited for.
        what: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The product's API gave no good answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The product's account could not be read.
    #[error(transparent)]
    Account(#[from] FetchError),
    /// A file or folder of the run.
    #[error("cannot use {path}: {source}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// No program was found to test.
    #[error("no botfleet beside this program nor under target: build it, or name it with --binary")]
    NoBinary,
    /// A scenario cannot be used.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// A seed could not be run to its end.
    #[error("seed {seed}: {source}\nleft for a look: {dir}")]
    Seed {
        /// The seed.
        seed: u64,
        /// The folder of the run.
        dir: PathBuf,
        /// The cause.
        source: Box<HarnessError>,
    },
    /// Fewer bots than the world has came to poll in time.
    #[error("only {polling} of {bots} bots poll after {seconds} s; the product's log: {log}")]
    NotPolling {
        /// Bots that poll.
        polling: usize,
        /// Bots of the world.
        bots: usize,
        /// How long was waited.
        seconds: u64,
        /// Where the product's log is.
        log: PathBuf,
    },
    /// The world has nobody who could post.
    #[error("nobody can post: the world has no chat with people and bots")]
    NobodyPosts,
}

impl HarnessError {
    /// Names the file or folder of an input or output error.
    pub(super) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
