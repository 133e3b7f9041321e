//! Defines the errors that keep a harness from completing its run. Layer: harness. A breach is a result, not an error.

use std::io;
use std::path::PathBuf;

use botfleet_world::checker::fetch::FetchError;
use botfleet_world::people::http::HttpError;
use botfleet_world::scenario::file::ScenarioError;
use botfleet_world::simulation::StartError;
use thiserror::Error;

use super::product::ProductError;
use super::run::error::{BaselineError, ReadingError};
use crate::servers::error::ServerError;

/// The reason why a harness could not complete its run.
#[derive(Debug, Error)]
pub enum HarnessError {
    /// The simulation did not start.
    #[error(transparent)]
    Simulation(#[from] StartError),
    /// The product did not start, or ended by itself.
    #[error(transparent)]
    Product(#[from] ProductError),
    /// PostgreSQL, Redis or a link to one of them failed.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// A command of the product failed.
    #[error("botfleet {command} failed:\n{told}")]
    Command {
        /// The command.
        command: String,
        /// The output of the command.
        told: String,
    },
    /// The fleet did not reach an awaited state in time.
    #[error("after {seconds} s not yet: {what}")]
    NotInTime {
        /// The state that was not reached, in words.
        what: String,
        /// How many seconds the harness waited.
        seconds: u64,
    },
    /// The product's API did not answer, or answered with an error.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The product's account could not be read.
    #[error(transparent)]
    Account(#[from] FetchError),
    /// A file or folder of the run cannot be used.
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
    /// A scenario of faults cannot be used.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// A load scenario cannot be used.
    #[error(transparent)]
    Reading(#[from] ReadingError),
    /// Two runs cannot be compared.
    #[error(transparent)]
    Baseline(#[from] BaselineError),
    /// The run of a seed could not be completed.
    #[error("seed {seed}: {source}\nleft for a look: {dir}")]
    Seed {
        /// The seed.
        seed: u64,
        /// The folder of the run.
        dir: PathBuf,
        /// The cause.
        source: Box<HarnessError>,
    },
    /// Fewer bots polled in time than should.
    #[error("only {polling} of {bots} bots poll after {seconds} s; the product's log: {log}")]
    NotPolling {
        /// Bots that poll.
        polling: usize,
        /// Bots that should poll.
        bots: usize,
        /// How many seconds the harness waited.
        seconds: u64,
        /// The product's log.
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
