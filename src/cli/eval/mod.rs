//! `botfleet eval`: measures parts of the engine, without a fleet and without a network. Layer `cli`.
//!
//! | file | command |
//! |---|---|
//! | `reply_links` | `botfleet eval reply-links`: the link resolver against links that people set |
//! | `labelled` | the folder of labelled chats that it reads |
//! | `soak` | `botfleet eval soak`: the engine in virtual time, judged |
//! | `coherence` | the share of replies whose target is evident without Telegram's link |

pub mod coherence;
mod labelled;
pub mod reply_links;
pub mod soak;

use std::process::ExitCode;

use clap::Subcommand;

/// What is measured.
#[derive(Clone, Debug, Subcommand)]
pub enum EvalCommand {
    /// Scores the reply links that the engine finds against those that people set.
    ReplyLinks(reply_links::ReplyLinksArgs),
    /// Runs the engine in virtual time with simulated people, and judges what was said.
    Soak(soak::SoakArgs),
}

/// Runs the command.
///
/// # Errors
/// What the measured part needs and does not find.
pub fn execute(command: &EvalCommand) -> anyhow::Result<ExitCode> {
    match command {
        EvalCommand::ReplyLinks(args) => reply_links::execute(args),
        EvalCommand::Soak(args) => soak::execute(args),
    }
}
