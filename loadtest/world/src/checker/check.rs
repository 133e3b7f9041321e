//! Runs the checks together. Layer: world; pure.

use std::collections::HashSet;

use super::faults::Shocks;
use super::outcome::OutcomeLine;
use super::report::{Report, Totals};
use super::{faults, order, polls, sends, updates};
use crate::ledger::{LedgerEvent, LedgerRecord, PostedKind};
use crate::provider::calls::CallRecord;

/// The messages that the fleet must answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// No message needs an answer: silence is no breach.
    #[default]
    Free,
    /// Every bot answers each message of a person that it sees, once.
    Every,
}

/// Compares what Telegram and the provider saw with what the product says, when silence is allowed.
///
/// The fleet must be at rest: work that is still under way counts as lost or uncaused.
pub fn check(ledger: &[LedgerRecord], calls: &[CallRecord], outcomes: &[OutcomeLine]) -> Report {
    check_with(Policy::Free, ledger, calls, outcomes)
}

/// Compares as [`check`] does, and requires the answers that `policy` requires.
pub fn check_with(policy: Policy, ledger: &[LedgerRecord], calls: &[CallRecord], outcomes: &[OutcomeLine]) -> Report {
    let mut report = Report { totals: totals(ledger, calls, outcomes), ..Report::default() };
    updates::check(ledger, outcomes, &mut report);
    sends::check(ledger, calls, outcomes, &mut report);
    order::check(outcomes, &mut report);
    polls::check(ledger, &mut report);
    faults::check(ledger, &mut report);
    if policy == Policy::Every {
        updates::check_answers(ledger, outcomes, &mut report);
    }
    report
}

/// Compares as [`check_with`] does, for a fleet that was killed or paused. No more messages may be unknown than sends
/// were doubtful or not begun. The product need not know of a pause that was told just before a kill.
pub fn check_after_shocks(
    policy: Policy,
    shocks: Shocks<'_>,
    ledger: &[LedgerRecord],
    calls: &[CallRecord],
    outcomes: &[OutcomeLine],
) -> Report {
    let mut report = check_with(policy, ledger, calls, outcomes);
    faults::check_shocks(ledger, outcomes, shocks, &mut report);
    report
}

pub(super) fn totals(ledger: &[LedgerRecord], calls: &[CallRecord], outcomes: &[OutcomeLine]) -> Totals {
    let turns: HashSet<&str> = outcomes.iter().flat_map(|line| &line.turns).map(|turn| turn.id.as_str()).collect();
    let mut totals = Totals {
        outcomes: outcomes.len() as u64,
        llm_calls: calls.len() as u64,
        turns: turns.len() as u64,
        ..Totals::default()
    };
    for record in ledger {
        match &record.event {
            LedgerEvent::UpdateQueued { .. } => totals.updates_queued += 1,
            LedgerEvent::UpdatesConfirmed { update_ids, .. } => {
                totals.updates_confirmed += update_ids.len() as u64;
            }
            LedgerEvent::SendAccepted { .. } => totals.sends_accepted += 1,
            LedgerEvent::SendRefused { error_code, .. } => {
                totals.sends_refused += 1;
                totals.sends_limited += u64::from(*error_code == 429);
            }
            LedgerEvent::Posted { author_is_bot: false, kind: PostedKind::Post, .. } => {
                totals.people_messages += 1;
            }
            LedgerEvent::PollOpened { .. } => totals.polls += 1,
            _ => {}
        }
    }
    totals
}
