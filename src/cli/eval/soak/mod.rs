//! `botfleet eval soak`: runs the pure engine in virtual time, without sockets and actors; people and model are
//! simulated. Layer `cli`.
//!
//! | file | holds |
//! |---|---|
//! | `args` | the command's arguments |
//! | `cast` | bots, personas, chats and people by seed |
//! | `sim` | the loop of events in virtual time: people, ticks, decisions |
//! | `speaking` | what bots do with their turns |
//! | `rows` | the judge of the group commit over rows in memory |
//! | `room` | one chat: its transcript and the memory that its owner keeps |
//! | `mind` | prompt, model, firewall, guards |
//! | `ledger` | what happened, and the judgement of it |
//! | `likeness` | the judge's own measure of repetition |
//! | `super::coherence` | the share of replies that the link resolver attaches to the right message |
//! | `report` | the outcome as a table, or as JSON |

mod args;
mod cast;
mod ledger;
mod likeness;
mod mind;
mod report;
mod room;
mod rows;
mod sim;
mod speaking;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Instant;

use botfleet_actors::domain::time::Timestamp;

use self::ledger::judge;
use self::sim::{Soak, WALL_AHEAD_MINUTES};
use super::coherence::{Coherence, coherence_of};

pub use args::SoakArgs;

/// Runs a soak and judges it.
///
/// # Errors
/// When the engine's templates are malformed, the judge refuses an operation, or the transcript cannot be written.
pub fn execute(args: &SoakArgs) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    let mut soak = Soak::new(args)?;
    let shows = std::io::stderr().is_terminal() && !args.json;
    let mut steps = 0_u64;
    while soak.step()? {
        steps += 1;
        if shows && steps.is_multiple_of(20_000) {
            crate::cli::output::tell(&format!("\r{:>3.0} % of the time", soak.progress() * 100.0));
        }
    }
    if shows {
        crate::cli::output::tell("\r                    \r");
    }
    let wall = |at: Timestamp| ((at.as_millis() / 60_000 + WALL_AHEAD_MINUTES).rem_euclid(1_440)) as u16;
    let mut coherence = Coherence::default();
    for room in &soak.rooms {
        coherence.add(&coherence_of(&room.transcript));
    }
    let fingerprint = report::fingerprint(&soak);
    if let Some(path) = &args.transcript {
        report::write_transcript(path, &soak)?;
    }
    let (ended, decisions) = (std::mem::take(&mut soak.ended), soak.decisions);
    let ledgers = std::mem::take(&mut soak.ledgers);
    let chats: Vec<_> = soak.rooms.iter().map(|room| room.profile.clone()).zip(ledgers).collect();
    let judgement = judge(&chats, 12, chats.first().map_or(1.0, |(chat, _)| chat.spec.novelty.limit), &wall);
    let report =
        report::Report { args, judgement, coherence, ended, decisions, steps, fingerprint, took: began.elapsed() };
    report.print()
}
