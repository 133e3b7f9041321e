//! Finds sends whose fate only Telegram can know, and pause violations that nobody can be blamed for.
//!
//! Layer: below the world; pure. A send is doubtful when its answer was lost: through a fault, because the connection
//! ended first, or because its sender was killed or paused while the send was under way.

use std::collections::HashSet;
use std::time::Duration;

use super::{Ledger, LedgerEvent, LedgerRecord};

/// The faults whose answer tells the sender nothing. A stall is not one of them, because its answer may still come.
const TELLS_NOTHING: &[&str] = &[
    "bad_gateway_json",
    "bad_gateway_html",
    "bad_gateway_after",
    "gateway_timeout",
    "gateway_timeout_after",
    "reset_before",
    "reset_after",
    "malformed_json",
    "malformed_json_after",
];

/// How long after the sender's death Telegram may still read a request that the sender wrote before, in microseconds.
/// No product starts again within this time.
pub(crate) const READ_WITHIN_US: u64 = 50_000;

/// Returns the sends whose sender could not learn the result.
///
/// `kills` are the times, in microseconds on the ledger's clock, at which the sender was killed or paused. A send that
/// was answered less than `grace` before such a time counts as under way.
pub fn doubtful_sends(ledger: &[LedgerRecord], kills: &[u64], grace: Duration) -> HashSet<u64> {
    let mut doubtful = HashSet::new();
    for record in ledger {
        match &record.event {
            LedgerEvent::FaultInjected { send: Some(send), kind, .. } if TELLS_NOTHING.contains(&kind.as_str()) => {
                doubtful.insert(*send);
            }
            LedgerEvent::SendAbandoned { send } => {
                doubtful.insert(*send);
            }
            _ => {}
        }
    }
    for kill in kills {
        doubtful.extend(in_flight_at(ledger, *kill, grace));
        doubtful.extend(ledger.iter().filter_map(|record| match record.event {
            LedgerEvent::SendReceived { send, .. } => {
                (*kill..kill.saturating_add(READ_WITHIN_US)).contains(&record.at_us).then_some(send)
            }
            _ => None,
        }));
    }
    doubtful
}

/// Returns the sends that were received before `at_us` and still open at `at_us - grace`: neither answered nor abandoned
/// by then.
pub(super) fn in_flight_at(ledger: &[LedgerRecord], at_us: u64, grace: Duration) -> HashSet<u64> {
    let settled_by = at_us.saturating_sub(grace.as_micros() as u64);
    let mut open = HashSet::new();
    for record in ledger.iter().take_while(|record| record.at_us < at_us) {
        match record.event {
            LedgerEvent::SendReceived { send, .. } => {
                open.insert(send);
            }
            LedgerEvent::SendAnswered { send } | LedgerEvent::SendAbandoned { send } if record.at_us <= settled_by => {
                open.remove(&send);
            }
            _ => {}
        }
    }
    open
}

/// Counts the violations whose caller must have known of the pause. A violation is left out when its sender was killed
/// or paused at most `grace` after the refusal was told, because the sender may not have stored the pause.
pub fn blameable_violations(ledger: &[LedgerRecord], kills: &[u64], grace: Duration) -> usize {
    let grace_us = grace.as_micros() as u64;
    ledger
        .iter()
        .filter(|record| match &record.event {
            LedgerEvent::LimitViolated { told_at_us, .. } => {
                !kills.iter().any(|kill| (*told_at_us..=told_at_us.saturating_add(grace_us)).contains(kill))
            }
            _ => false,
        })
        .count()
}

impl Ledger {
    /// Counts the sends whose sender could not learn the result: see [`doubtful_sends`].
    pub fn doubtful_sends(&self, kills: &[u64], grace: Duration) -> usize {
        doubtful_sends(&self.lock(), kills, grace).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(at_us: u64, event: LedgerEvent) -> LedgerRecord {
        LedgerRecord { at_us, event }
    }

    fn received(send: u64) -> LedgerEvent {
        LedgerEvent::SendReceived { send, bot: 1, chat: -1, method: "sendmessage".into(), text_hash: 0, marker: None }
    }

    fn fault(send: u64, kind: &str) -> LedgerEvent {
        LedgerEvent::FaultInjected { bot: 1, method: "sendmessage".into(), kind: kind.into(), send: Some(send) }
    }

    #[test]
    fn a_send_is_doubtful_by_fault_by_departure_and_by_death_and_once() {
        let ledger = vec![
            at(100_000, received(1)),
            at(110_000, fault(1, "reset_after")),
            at(120_000, LedgerEvent::SendAbandoned { send: 1 }),
            at(200_000, received(2)),
            at(210_000, fault(2, "stall_after")),
            at(250_000, LedgerEvent::SendAnswered { send: 2 }),
            at(300_000, received(3)),
            at(400_000, LedgerEvent::SendAnswered { send: 3 }),
            at(500_000, received(4)),
            at(510_000, fault(4, "bad_gateway_json")),
            at(520_000, LedgerEvent::SendAnswered { send: 4 }),
        ];
        let found = |kills: &[u64], grace| {
            let mut sends: Vec<u64> =
                doubtful_sends(&ledger, kills, Duration::from_millis(grace)).into_iter().collect();
            sends.sort_unstable();
            sends
        };
        assert_eq!(found(&[], 0), [1, 4]);
        assert_eq!(found(&[350_000], 0), [1, 3, 4]);
        assert_eq!(found(&[430_000], 0), [1, 4]);
        assert_eq!(found(&[430_000], 60), [1, 3, 4]);
        assert_eq!(found(&[220_000], 0), [1, 2, 4]);
        // The sender wrote the request before its death; Telegram read it after that.
        assert_eq!(found(&[299_000], 0), [1, 3, 4]);
        assert_eq!(found(&[190_000], 0), [1, 2, 4]);
    }

    #[test]
    fn a_pause_told_at_the_moment_of_a_kill_blames_nobody() {
        let violated = |told_at_us| LedgerEvent::LimitViolated {
            bot: 1,
            chat: Some(-1),
            method: "sendmessage".into(),
            send: Some(1),
            told_at_us,
            left_ms: 5,
        };
        let ledger = vec![at(500, violated(100)), at(900, violated(600))];
        assert_eq!(blameable_violations(&ledger, &[], Duration::ZERO), 2);
        assert_eq!(blameable_violations(&ledger, &[110], Duration::from_micros(20)), 1);
        assert_eq!(blameable_violations(&ledger, &[130], Duration::from_micros(20)), 2);
    }
}
