//! Counts faults that struck, calls during a pause, and unknown messages beyond the doubtful sends. Layer: world;
//! pure.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::outcome::{MessageState, OutcomeLine};
use super::report::Report;
use crate::ledger::doubt::{READ_WITHIN_US, blameable_violations, doubtful_sends};
use crate::ledger::{LedgerEvent, LedgerRecord, hash_of};

/// How long before a kill Telegram may have received a claimed message. Longer than any send is under way, but bounded,
/// because the bot may have sent the same words earlier.
const CLAIMED_FOR: Duration = Duration::from_mins(1);

/// Counts the faults by kind, and the calls during a pause.
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

/// The kills and pauses of the fleet; times are microseconds on the ledger's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shocks<'a> {
    /// The times of the kills and pauses.
    pub at_us: &'a [u64],
    /// The product need not know of a pause told, or an answer given, less than this long before such a time.
    pub grace: Duration,
    /// The messages that the product was sending when it was killed, by its own account.
    pub claims: &'a [Claim],
}

/// A message in state `sending` when the product was killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// When the product was killed, in microseconds on the ledger's clock.
    pub at_us: u64,
    /// The message's id in the outbox.
    pub message: String,
    /// The Telegram id of the bot.
    pub bot: i64,
    /// The message's text.
    pub text: String,
}

/// Judges violations and unknown messages by the kills and pauses of the fleet.
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

/// Counts messages of unknown fate whose product died between the commit of `sending` and the call. A message whose
/// text Telegram received counts as a send, so a product cannot excuse that it noted an answer late.
fn not_begun(ledger: &[LedgerRecord], outcomes: &[OutcomeLine], claims: &[Claim]) -> u64 {
    let mut received: HashMap<(i64, u64), Vec<u64>> = HashMap::new();
    for record in ledger {
        if let LedgerEvent::SendReceived { bot, text_hash, .. } = record.event {
            received.entry((bot, text_hash)).or_default().push(record.at_us);
        }
    }
    let is_received = |claim: &Claim| {
        let since = claim.at_us.saturating_sub(CLAIMED_FOR.as_micros() as u64);
        let until = claim.at_us.saturating_add(READ_WITHIN_US);
        received
            .get(&(claim.bot, hash_of(&claim.text)))
            .is_some_and(|at| at.iter().any(|at_us| (since..=until).contains(at_us)))
    };
    let messages = outcomes.iter().flat_map(|line| &line.turns).flat_map(|turn| &turn.messages);
    let unknown: HashSet<&str> =
        messages.filter(|message| message.state == MessageState::Unknown).map(|message| message.id.as_str()).collect();
    let of_kill = |claim: &&Claim| unknown.contains(claim.message.as_str()) && !is_received(claim);
    claims.iter().filter(of_kill).map(|claim| claim.message.as_str()).collect::<HashSet<_>>().len() as u64
}
