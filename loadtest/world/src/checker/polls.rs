//! Finds polls of one token that were open at the same time. Layer: world; pure (I5).
//!
//! An older poll whose client had gone is no rival, even when Telegram had not noticed yet. A client counts as gone
//! before the newer poll opened only when Telegram notices its departure soon after that.

use std::collections::HashMap;

use super::report::Report;
use crate::ledger::{LedgerEvent, LedgerRecord, PollEnd};

/// How long Telegram may take to notice that a client has gone, in microseconds.
const NOTICED_WITHIN_US: u64 = 1_000_000;

/// Counts the pairs of polls of one bot that were open together.
pub(super) fn check(ledger: &[LedgerRecord], report: &mut Report) {
    let gone: HashMap<(i64, u64), u64> = ledger
        .iter()
        .filter_map(|record| match &record.event {
            LedgerEvent::PollClosed { bot, poll, how: PollEnd::ClientGone, .. } => Some(((*bot, *poll), record.at_us)),
            _ => None,
        })
        .collect();
    let mut open: HashMap<i64, Vec<(u64, &str)>> = HashMap::new();
    let had_gone = |bot: i64, poll: u64, at_us: u64| {
        gone.get(&(bot, poll)).is_some_and(|noticed| *noticed <= at_us.saturating_add(NOTICED_WITHIN_US))
    };
    for record in ledger {
        match &record.event {
            LedgerEvent::PollOpened { bot, poll, connection, .. } => {
                let polls = open.entry(*bot).or_default();
                for (older, older_connection) in polls.iter().filter(|(older, _)| !had_gone(*bot, *older, record.at_us))
                {
                    report.breaches.overlapping_polls += 1;
                    report.example(|| {
                        format!(
                            "bot {bot}: poll {poll} ({connection}) opened at {} us while poll {older} \
                             ({older_connection}) was open",
                            record.at_us
                        )
                    });
                }
                polls.push((*poll, connection));
            }
            LedgerEvent::PollClosed { bot, poll, .. } => {
                open.entry(*bot).or_default().retain(|(other, _)| other != poll);
            }
            _ => {}
        }
    }
}
