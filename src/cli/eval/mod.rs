//! `botfleet eval`: measures parts of the engine, without a running fleet. Layer `cli`.
//!
//! | file | command |
//! |---|---|
//! | `reply_links` | `botfleet eval reply-links`: the link resolver against links that people set |
//! | `labelled` | the folder of labelled chats that `reply_links` reads |
//! | `soak` | `botfleet eval soak`: the engine in virtual time, judged |
//! | `age` | `botfleet eval age`: a year straight on a store, its size and the cost of its statements |
//! | `store` | `botfleet eval store`: commits and reads of a store alone |
//! | `place`, `life` | the store to measure, and what a fleet's messages leave in it |
//! | `reading` | `botfleet eval reading`: how a recorded conversation reads, in figures and by the page |
//! | `coherence` | `botfleet eval coherence`: the share of replies whose target is evident without Telegram's link |

pub mod age;
pub mod coherence;
mod labelled;
mod life;
pub mod place;
pub mod reading;
pub mod reply_links;
pub mod soak;
pub mod store;

use std::process::ExitCode;

use clap::Subcommand;

/// The parts that can be measured.
#[derive(Clone, Debug, Subcommand)]
pub enum EvalCommand {
    /// Scores the reply links that the engine finds against those that people set.
    ReplyLinks(reply_links::ReplyLinksArgs),
    /// Runs the engine in virtual time with simulated people, and judges what was said.
    Soak(soak::SoakArgs),
    /// Measures how evident it is what the bots of a recorded store answered.
    Coherence(coherence::CoherenceArgs),
    /// Shows how the conversation of a recorded store reads: hints where to look, and pages with marks.
    Reading(reading::ReadingArgs),
    /// Lives a year in virtual time on a store, and judges whether its size and its costs level off.
    Age(age::AgeArgs),
    /// Measures commits and reads of a store alone, without actors and sockets.
    Store(store::StoreArgs),
}

/// Runs the command.
///
/// # Errors
/// When the measured part does not find something that it needs.
pub async fn execute(command: &EvalCommand) -> anyhow::Result<ExitCode> {
    match command {
        EvalCommand::ReplyLinks(args) => reply_links::execute(args),
        EvalCommand::Soak(args) => soak::execute(args),
        EvalCommand::Coherence(args) => coherence::execute(args).await,
        EvalCommand::Reading(args) => reading::execute(args).await,
        EvalCommand::Age(args) => age::execute(args).await,
        EvalCommand::Store(args) => store::execute(args).await,
    }
}
