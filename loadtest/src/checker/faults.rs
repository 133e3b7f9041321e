//! Faults that struck, calls in spite of a pause, and more unknown messages than doubtful sends.
//! Layer: load test; pure.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::outcome::{MessageState, OutcomeLine};
use super::report::Report;
use crate::ledger::doubt::{blameable_violations, doubtful_sends};
use crate::ledger::{LedgerEvent, LedgerRecord, hash_of};

/// Longer than any send is under way; the same words may have been said before.
const CLAIMED_FOR: Duration = Duration::from_mins(1);

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

/// What was done to the fleet from outside; moments are microseconds on the ledger's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shocks<'a> {
    /// When it was killed or paused.
    pub at_us: &'a [u64],
    /// What was told, answered or sent less than this before such a moment need not be known.
    pub grace: Duration,
    /// What the product was sending when it was killed, by its own account.
    pub claims: &'a [Claim],
}

/// A message that the product called `sending` when it was killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// When it was killed.
    pub at_us: u64,
    /// The message's id in the outbox.
    pub message: String,
    /// The Telegram id of the bot.
    pub bot: i64,
    /// Its text.
    pub text: String,
}

/// Judges by what was done to the fleet.
pub(super) fn check_shocks(ledger: &[LedgerRecord], outcomes: &[OutcomeLine], shocks: Shocks<'_>, report: &mut Report) {
    report.breaches.limit_violations = blameable_violations(ledger, shocks.at_us, shocks.grace) as u64;
    report.totals.sends_doubtful = doubtful_sends(ledger, shocks.at_us, shocks.grace).len() as u64;
    report.totals.sends_not_begun = not_begun(ledger, outcomes, shocks.claims);
    let explained = report.totals.sends_doubtful + report.totals.sends_not_begun;
    let beyond = report.breaches.unknown.saturating_sub(explained);
    report.breaches.unknown_beyond_doubt = beyond;
    if beyond > 0 {
        report
            .example(|| format!("{beyond} more messages are unknown than sends were doubtful or not begun at a kill"));
    }
}

/// Messages of unknown fate whose product died between the commit of `sending` and the call. Whatever Telegram received is
/// judged as a send, so that nobody may be slow to note an answer.
fn not_begun(ledger: &[LedgerRecord], outcomes: &[OutcomeLine], claims: &[Claim]) -> u64 {
    let mut received: HashMap<(i64, u64), Vec<u64>> = HashMap::new();
    for record in ledger {
        if let LedgerEvent::SendReceived { bot, text_hash, .. } = record.event {
            received.entry((bot, text_hash)).or_default().push(record.at_us);
        }
    }
    let is_received = |claim: &Claim| {
        let since = claim.at_us.saturating_sub(CLAIMED_FOR.as_micros() as u64);
        received.get(&(claim.bot, hash_of(&claim.text))).is_some_and(|at| at.iter().any(|at_us| *at_us >= since))
    };
    let messages = outcomes.iter().flat_map(|line| &line.turns).flat_map(|turn| &turn.messages);
    let unknown: HashSet<&str> =
        messages.filter(|message| message.state == MessageState::Unknown).map(|message| message.id.as_str()).collect();
    let of_kill = |claim: &&Claim| unknown.contains(claim.message.as_str()) && !is_received(claim);
    claims.iter().filter(of_kill).map(|claim| claim.message.as_str()).collect::<HashSet<_>>().len() as u64
}
