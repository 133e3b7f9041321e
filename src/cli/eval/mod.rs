//! `botfleet eval`: measures parts of the engine, without a fleet and without a network. Layer `cli`.
//!
//! | file | command |
//! |---|---|
//! | `soak` | `botfleet eval soak`: the engine in virtual time, judged |
//! | `coherence` | the share of replies whose target is evident without Telegram's link |

pub mod coherence;
pub mod soak;

use std::process::ExitCode;

use clap::Subcommand;

/// What is measured.
#[derive(Clone, Debug, Subcommand)]
pub enum EvalCommand {
    /// Runs the engine in virtual time with simulated people, and judges what was said.
    Soak(soak::SoakArgs),
}

/// Runs the command.
///
/// # Errors
/// What the measured part needs and does not find.
pub fn execute(command: &EvalCommand) -> anyhow::Result<ExitCode> {
    match command {
        EvalCommand::Soak(args) => soak::execute(args),
    }
}
