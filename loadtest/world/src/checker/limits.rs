//! Measures how much of the limiters' allowance was used, and how often they refused. Layer: world; pure.
//!
//! The ledger tells which sends the limiters let through: accepted ones, and those refused for another reason than a
//! limit. The allowance of a pair of bot and chat is counted from its first send within the measured time to the end of
//! that time.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ledger::{LedgerEvent, LedgerRecord};
use crate::world::limits::LimitSpec;

/// The sends that a limiter let through, and those that it would have let through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Reached {
    /// Sends that the limiter let through.
    pub sent: u64,
    /// Sends that a perfect sender would have made in the same time.
    pub allowed: f64,
    /// `sent` / `allowed`; 0 when `allowed` is 0.
    pub share: f64,
}

impl Reached {
    fn add(&mut self, sent: u64, allowed: f64) {
        self.sent += sent;
        self.allowed += allowed;
        self.share = if self.allowed > 0.0 { self.sent as f64 / self.allowed } else { 0.0 };
    }
}

/// The use of each limiter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct LimitReport {
    /// Sends that were received.
    pub sends: u64,
    /// Sends that were refused by 429.
    pub refused: u64,
    /// The refused sends as a share of all sends.
    pub refused_share: f64,
    /// Calls during a penalty that the caller knew of.
    pub violations: u64,
    /// The use of the limit per bot and chat (messages a second).
    pub chat: Reached,
    /// The use of the limit per bot and group (messages a minute).
    pub group: Reached,
    /// The use of the limit per bot (messages a second).
    pub bot: Reached,
    /// The use of whichever limit binds: what the fleet as a whole could have sent.
    pub overall: Reached,
}

/// Measures a part of the ledger; times are microseconds since the world's start.
pub fn reached(ledger: &[LedgerRecord], spec: &LimitSpec, from_us: u64, until_us: u64) -> LimitReport {
    let mut report = LimitReport::default();
    // Bot and chat -> first send, sends let through.
    let mut pairs: BTreeMap<(i64, i64), (u64, u64)> = BTreeMap::new();
    for record in ledger.iter().filter(|record| (from_us..until_us).contains(&record.at_us)) {
        match &record.event {
            LedgerEvent::SendReceived { .. } => report.sends += 1,
            LedgerEvent::SendRefused { error_code: 429, .. } => report.refused += 1,
            LedgerEvent::LimitViolated { .. } => report.violations += 1,
            LedgerEvent::SendAccepted { bot, chat, .. } | LedgerEvent::SendRefused { bot, chat, .. } => {
                pairs.entry((*bot, *chat)).or_insert((record.at_us, 0)).1 += 1;
            }
            _ => {}
        }
    }
    report.refused_share = if report.sends > 0 { report.refused as f64 / report.sends as f64 } else { 0.0 };
    let mut bots: BTreeMap<i64, (u64, u64, f64)> = BTreeMap::new();
    for ((bot, chat), (first, sent)) in pairs {
        let time = Duration::from_micros(until_us.saturating_sub(first));
        let by_rate = f64::from(spec.chat_burst) + time.as_secs_f64() * spec.chat_per_second;
        let binding = if chat < 0 { spec.allowed_in_chat(time) } else { by_rate };
        report.chat.add(sent, by_rate);
        if chat < 0 {
            report.group.add(sent, spec.allowed_in_group(time));
        }
        let of_bot = bots.entry(bot).or_insert((first, 0, 0.0));
        of_bot.0 = of_bot.0.min(first);
        of_bot.1 += sent;
        of_bot.2 += binding;
    }
    for (first, sent, in_chats) in bots.into_values() {
        let allowed = spec.allowed_of_bot(Duration::from_micros(until_us.saturating_sub(first)));
        report.bot.add(sent, allowed);
        report.overall.add(sent, in_chats.min(allowed));
    }
    report
}

impl fmt::Display for LimitReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<16}{:>10}{:>12}{:>10}", "limit", "sent", "allowed", "reached")?;
        let rows = [("chat", self.chat), ("group", self.group), ("bot", self.bot), ("overall", self.overall)];
        for (name, reached) in rows {
            let percent = reached.share * 100.0;
            writeln!(f, "{name:<16}{:>10}{:>12.0}{percent:>9.1}%", reached.sent, reached.allowed)?;
        }
        let percent = self.refused_share * 100.0;
        write!(
            f,
            "{} sends, {} refused by 429 ({percent:.3} %), {} violations",
            self.sends, self.refused, self.violations
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(second: u64, chat: i64) -> [LedgerRecord; 2] {
        let at_us = second * 1_000_000;
        let received = LedgerEvent::SendReceived {
            send: second,
            bot: 1,
            chat,
            method: "sendmessage".into(),
            text_hash: 0,
            marker: None,
        };
        let accepted = LedgerEvent::SendAccepted {
            send: second,
            bot: 1,
            chat,
            message_id: second as i64,
            text: String::new(),
            marker: None,
            reply_to: None,
            thread: None,
        };
        [LedgerRecord { at_us, event: received }, LedgerRecord { at_us, event: accepted }]
    }

    #[test]
    fn one_message_every_three_seconds_nearly_reaches_the_limit_of_a_group() {
        let ledger: Vec<_> = (0..180).step_by(3).flat_map(|second| accepted(second, -5)).collect();
        let report = reached(&ledger, &LimitSpec::default(), 0, 180_000_000);
        assert_eq!((report.sends, report.refused, report.group.sent), (60, 0, 60));
        assert!((0.95..=1.0).contains(&report.group.share), "{report}");
        assert!((report.overall.share - report.group.share).abs() < 1e-9);
    }

    #[test]
    fn a_refusal_is_no_use_of_a_limit() {
        let mut ledger: Vec<_> = accepted(1, -5).into();
        let event = LedgerEvent::SendRefused { send: 2, bot: 1, chat: -5, error_code: 429, description: String::new() };
        ledger.push(LedgerRecord { at_us: 1_500_000, event });
        let report = reached(&ledger, &LimitSpec::default(), 0, 2_000_000);
        assert_eq!((report.refused, report.chat.sent), (1, 1));
        assert!(reached(&ledger, &LimitSpec::default(), 3_000_000, 4_000_000).overall.share == 0.0);
    }
}
