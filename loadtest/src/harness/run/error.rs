//! Defines the errors of scenarios and comparisons. Layer: harness.

use std::path::PathBuf;

use thiserror::Error;

/// The reason why a scenario cannot be run.
#[derive(Debug, Error)]
pub enum ReadingError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}; name a file such as loadtest/scenarios/steady-50.toml")]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A field is unknown, missing, or has a wrong value.
    #[error("{path}: {field}: {reason}; {remedy}")]
    Field {
        /// The file.
        path: PathBuf,
        /// The field, or the line of a syntax error.
        field: String,
        /// The reason why the field is wrong.
        reason: String,
        /// The way to mend the field.
        remedy: String,
    },
}

/// The reason why two runs cannot be compared.
#[derive(Debug, Error)]
pub enum BaselineError {
    /// The file cannot be read.
    #[error("cannot read the report {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The file is no report, or one of another version of this program.
    #[error("{path} is no report of this version ({reason}); write one with `run --json FILE`")]
    Shape {
        /// The file.
        path: PathBuf,
        /// The cause.
        reason: String,
    },
    /// Both are the same run.
    #[error("the baseline is the very same run ({0}); name the report of an earlier one")]
    SameRun(String),
}
