//! Faults that struck, calls in spite of a pause, and more unknown messages than doubtful sends.
//! Layer: load test; pure.

use std::time::Duration;

use super::report::Report;
use crate::ledger::doubt::{blameable_violations, doubtful_sends};
use crate::ledger::{LedgerEvent, LedgerRecord};

/// Counts the faults by kind, and the violations.
pub(super) fn check(ledger: &[LedgerRecord], report: &mut Report) {
    for record in ledger {
        match &record.event {
            LedgerEvent::FaultInjected { kind, .. } => *report.faults.entry(kind.clone()).or_default() += 1,
            LedgerEvent::LimitViolated { bot, chat, method, told_at_us, left_ms, .. } => {
                report.breaches.limit_violations += 1;
                report.example(|| {
                    format!(
                        "bot {bot}: {method} in chat {chat:?} at {} us, {left_ms} ms before the end of a pause told at \
                         {told_at_us} us",
                        record.at_us
                    )
                });
            }
            _ => {}
        }
    }
}

/// Judges by the moments at which the fleet was killed or paused.
pub(super) fn check_kills(ledger: &[LedgerRecord], kills: &[u64], grace: Duration, report: &mut Report) {
    report.breaches.limit_violations = blameable_violations(ledger, kills, grace) as u64;
    report.totals.sends_doubtful = doubtful_sends(ledger, kills, grace).len() as u64;
    let beyond = report.breaches.unknown.saturating_sub(report.totals.sends_doubtful);
    report.breaches.unknown_beyond_doubt = beyond;
    if beyond > 0 {
        report.example(|| format!("{beyond} more messages are unknown than sends were doubtful"));
    }
}
