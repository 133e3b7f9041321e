//! Checks a fleet of many nodes for rival polls and for gaps in transcripts. Layer: world; pure (I3, I5).
//!
//! A poll counts as ended when its client leaves, however late Telegram notices. Each pause of a process excuses one
//! late poll of each bot: the poll that was open during the pause, or the first one after it. A second late poll is a
//! breach, because it would confirm what the first one fetched.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::chats::Chats;
use super::origins::{Origins, Pause};
use super::outcome::{Outcome, OutcomeLine};
use super::report::Report;
use super::{faults, order, sends, updates};
use crate::ledger::{LedgerEvent, LedgerRecord, PollEnd};
use crate::provider::calls::CallRecord;

/// How long Telegram may take to notice that a client has left, in microseconds.
const NOTICED_WITHIN_US: u64 = 300_000;
/// How long the harness may take to note on the link that a client has left, in microseconds.
const NOTED_WITHIN_US: u64 = 20_000;
/// How long a process may take after a pause to see that it owns nothing any more, in microseconds.
const AWAKE_WITHIN_US: u64 = 2_000_000;

/// Compares what Telegram and the provider saw with what the product says, for a fleet of many nodes at rest. Returns
/// the report and the number of late polls that a pause excuses.
pub fn check_cluster(
    ledger: &[LedgerRecord],
    calls: &[CallRecord],
    outcomes: &[OutcomeLine],
    origins: &Origins,
    pauses: &[Pause],
) -> (Report, u64) {
    let mut report = Report { totals: super::check::totals(ledger, calls, outcomes), ..Report::default() };
    updates::check(ledger, outcomes, &mut report);
    sends::check(ledger, calls, outcomes, &mut report);
    order::check(outcomes, &mut report);
    faults::check(ledger, &mut report);
    transcripts(ledger, outcomes, &mut report);
    let late = polls(ledger, origins, pauses, &mut report);
    (report, late)
}

/// An open poll, as far as the ledger and the links tell.
#[derive(Debug)]
struct Open<'a> {
    poll: u64,
    node: Option<&'a str>,
    left_us: Option<u64>,
}

/// Counts polls of one bot that were open together as breaches; returns the number of those that a pause excuses.
fn polls(ledger: &[LedgerRecord], origins: &Origins, pauses: &[Pause], report: &mut Report) -> u64 {
    let mut open: HashMap<i64, Vec<Open<'_>>> = HashMap::new();
    let mut late: BTreeSet<(usize, i64)> = BTreeSet::new();
    let ends: HashMap<(i64, u64), (u64, PollEnd)> = ledger
        .iter()
        .filter_map(|record| match &record.event {
            LedgerEvent::PollClosed { bot, poll, how, .. } => Some(((*bot, *poll), (record.at_us, *how))),
            _ => None,
        })
        .collect();
    for record in ledger {
        match &record.event {
            LedgerEvent::PollOpened { bot, poll, connection, .. } => {
                let at_us = record.at_us;
                let origin = origins.of(connection, at_us);
                let node = origin.map(|origin| origin.node.as_str());
                let rivals = open.entry(*bot).or_default();
                for rival in rivals.iter() {
                    let end = ends.get(&(*bot, rival.poll)).copied();
                    if had_gone(rival, end, at_us) {
                        continue;
                    }
                    let pause = pauses.iter().position(|pause| excuses(pause, rival.node, node, at_us));
                    if pause.is_some_and(|pause| late.insert((pause, *bot))) {
                        continue;
                    }
                    report.breaches.overlapping_polls += 1;
                    report.example(|| {
                        format!(
                            "bot {bot}: poll {poll} of {node:?} opened at {at_us} us while poll {} of {:?} was open \
                             (left {:?}, ended {end:?})",
                            rival.poll, rival.node, rival.left_us
                        )
                    });
                }
                let left_us = origin.and_then(|origin| origin.left_us).filter(|left| *left >= at_us);
                rivals.push(Open { poll: *poll, node, left_us });
            }
            LedgerEvent::PollClosed { bot, poll, .. } => {
                open.entry(*bot).or_default().retain(|other| other.poll != *poll);
            }
            _ => {}
        }
    }
    late.len() as u64
}

/// Returns whether the rival's client had left when the newer poll opened, by the link's note or by Telegram's.
fn had_gone(rival: &Open<'_>, end: Option<(u64, PollEnd)>, at_us: u64) -> bool {
    let left = rival.left_us.is_some_and(|left| left <= at_us + NOTED_WITHIN_US);
    let vanished = end.is_some_and(|(at, how)| how == PollEnd::ClientGone && at <= at_us + NOTICED_WITHIN_US);
    left || vanished
}

fn excuses(pause: &Pause, rival: Option<&str>, newer: Option<&str>, at_us: u64) -> bool {
    let of_pause = |node: Option<&str>| node == Some(pause.node.as_str());
    let asleep = (pause.from_us..=pause.to_us.saturating_add(AWAKE_WITHIN_US)).contains(&at_us);
    asleep && rival != newer && (of_pause(rival) || of_pause(newer))
}

/// Counts the chats whose transcript numbers are not 1..n, each once.
fn transcripts(ledger: &[LedgerRecord], outcomes: &[OutcomeLine], report: &mut Report) {
    let chats = Chats::of(ledger);
    let mut numbers: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for line in outcomes.iter().filter(|line| line.outcome == Outcome::Appended) {
        if let (Some(chat), Some(number)) = (line.chat_id, line.number) {
            numbers.entry(chats.now(chat)).or_default().push(number);
        }
    }
    for (chat, mut numbers) in numbers {
        numbers.sort_unstable();
        for (expected, found) in (1..).zip(&numbers) {
            if expected != *found {
                report.breaches.order += 1;
                report.example(|| {
                    format!(
                        "chat {chat}: the transcript has {} entries, and {found} where {expected} belongs",
                        numbers.len()
                    )
                });
                break;
            }
        }
    }
}
#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::origins::Origin;
    use super::*;

    fn opened(at_us: u64, poll: u64, connection: &str) -> LedgerRecord {
        let event =
            LedgerEvent::PollOpened { bot: 1, poll, offset: 0, timeout_s: 50, connection: connection.to_owned() };
        LedgerRecord { at_us, event }
    }

    fn closed(at_us: u64, poll: u64, how: PollEnd) -> LedgerRecord {
        LedgerRecord { at_us, event: LedgerEvent::PollClosed { bot: 1, poll, delivered: Vec::new(), how } }
    }

    fn origins(first_left_us: Option<u64>) -> Origins {
        let mut origins = Origins::default();
        for (connection, node, left_us) in [("a", "n1", first_left_us), ("b", "n2", None), ("c", "n1", None)] {
            origins.add(connection.into(), Origin { node: node.into(), opened_us: 0, left_us });
        }
        origins
    }

    fn overlaps(ledger: &[LedgerRecord], left_us: Option<u64>, pauses: &[Pause]) -> (u64, u64) {
        let (report, late) = check_cluster(ledger, &[], &[], &origins(left_us), pauses);
        (report.breaches.overlapping_polls, late)
    }

    fn pause(from_us: u64, to_us: u64) -> Pause {
        Pause { node: "n1".into(), from_us, to_us }
    }

    #[test]
    fn two_nodes_that_poll_one_bot_are_a_breach() {
        let ledger = [opened(1_000_000, 1, "a"), opened(4_000_000, 2, "b"), closed(4_000_100, 1, PollEnd::Conflict)];
        assert_eq!(overlaps(&ledger, None, &[]), (1, 0));
        assert_eq!(overlaps(&ledger, Some(9_000_000), &[]), (1, 0), "it left long after the other came");
    }

    #[test]
    fn a_poll_of_a_client_that_had_left_is_none_though_telegram_learnt_it_late() {
        let ledger = [opened(1_000_000, 1, "a"), opened(4_000_000, 2, "b"), closed(8_000_000, 1, PollEnd::ClientGone)];
        assert_eq!(overlaps(&ledger, Some(3_000_000), &[]), (0, 0));
    }

    #[test]
    fn a_pause_allows_one_late_poll_a_bot_and_no_second() {
        let ledger = [opened(1_000_000, 1, "a"), opened(5_000_000, 2, "b"), closed(5_000_100, 1, PollEnd::Conflict)];
        assert_eq!(overlaps(&ledger, None, &[pause(1_500_000, 9_000_000)]), (0, 1));
        assert_eq!(overlaps(&ledger, None, &[pause(1_500_000, 2_000_000)]), (1, 0), "awake long before");
        let again = [ledger.as_slice(), &[opened(9_500_000, 3, "c")]].concat();
        assert_eq!(overlaps(&again, None, &[pause(1_500_000, 9_000_000)]), (1, 1));
    }

    #[test]
    fn a_transcript_with_a_gap_or_a_number_twice_is_a_breach() {
        let line = |number: i64| -> OutcomeLine {
            serde_json::from_value(serde_json::json!({
                "source": "update", "bot_id": 1, "update_id": number, "chat_id": -1, "outcome": "appended",
                "number": number
            }))
            .unwrap()
        };
        let order = |numbers: &[i64]| {
            let lines: Vec<_> = numbers.iter().map(|number| line(*number)).collect();
            check_cluster(&[], &[], &lines, &Origins::default(), &[]).0.breaches.order
        };
        assert_eq!(order(&[1, 2, 3]), 0);
        assert_eq!(order(&[1, 3]), 1);
        assert_eq!(order(&[2, 3]), 1);
        // A second outcome of one update is no breach of order by itself; the repeated number is.
        assert!(order(&[1, 2, 2]) > 0);
    }
}
