//! Defines the checker's report: totals, breaches and examples of them. Layer: world; plain data.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The largest number of examples in a report.
pub(super) const MOST_EXAMPLES: usize = 20;

/// The checker's findings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The amounts that were checked.
    pub totals: Totals,
    /// The breaches that were found; `unknown` alone is no fault.
    pub breaches: Breaches,
    /// The number of faults that struck, by kind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub faults: BTreeMap<String, u64>,
    /// Some of the breaches in words, at most 20.
    pub examples: Vec<String>,
}

/// The amounts that were checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Updates that entered a bot's queue.
    pub updates_queued: u64,
    /// Updates that an offset, or a webhook's answer, confirmed.
    pub updates_confirmed: u64,
    /// Lines of the product's account.
    pub outcomes: u64,
    /// Messages of bots that Telegram accepted.
    pub sends_accepted: u64,
    /// Messages of bots that Telegram refused.
    pub sends_refused: u64,
    /// Refused messages whose refusal was a 429.
    #[serde(default)]
    pub sends_limited: u64,
    /// Sends of which only Telegram could know the result; counted only when kills are known.
    #[serde(default)]
    pub sends_doubtful: u64,
    /// Messages that were `sending` when the product was killed, and that Telegram never received.
    #[serde(default)]
    pub sends_not_begun: u64,
    /// Messages that people posted.
    pub people_messages: u64,
    /// Polls that were opened.
    pub polls: u64,
    /// Completions that the provider made.
    pub llm_calls: u64,
    /// Turns that the product reports.
    pub turns: u64,
}

/// Counts of everything that must not happen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaches {
    /// Confirmed updates without a final outcome.
    pub lost: u64,
    /// Updates with two outcomes.
    pub handled_twice: u64,
    /// Messages that were sent again.
    pub duplicate_sends: u64,
    /// Messages without an outcome that accounts for them.
    pub uncaused_sends: u64,
    /// Messages that the product calls sent and Telegram does not know.
    pub phantom_sends: u64,
    /// Numbers or message ids that do not rise.
    pub order: u64,
    /// Pairs of polls of one bot that were open together.
    pub overlapping_polls: u64,
    /// Messages whose fate the product does not know; no breach alone.
    pub unknown: u64,
    /// Messages that were not answered exactly once, where every message must be.
    pub unanswered: u64,
    /// Calls during a pause that the caller knew of.
    #[serde(default)]
    pub limit_violations: u64,
    /// Messages of unknown fate beyond the doubtful and not begun sends; counted only when kills are known.
    #[serde(default)]
    pub unknown_beyond_doubt: u64,
    /// Answers to messages that were hours old when they arrived.
    #[serde(default)]
    pub stale_answers: u64,
    /// Texts that differ from what the provider said.
    #[serde(default)]
    pub mangled_texts: u64,
    /// Chats of the manifest that a bot left by itself.
    #[serde(default)]
    pub left_chats: u64,
}

impl Report {
    /// Returns whether nothing was found; unknown messages alone are allowed.
    pub fn is_clean(&self) -> bool {
        Breaches { unknown: 0, ..self.breaches } == Breaches::default()
    }

    /// Adds an example while there is room.
    pub(super) fn example(&mut self, text: impl FnOnce() -> String) {
        if self.examples.len() < MOST_EXAMPLES {
            self.examples.push(text());
        }
    }
}

impl Totals {
    fn rows(&self) -> [(&'static str, u64); 12] {
        [
            ("updates queued", self.updates_queued),
            ("updates confirmed", self.updates_confirmed),
            ("outcomes", self.outcomes),
            ("sends accepted", self.sends_accepted),
            ("sends refused", self.sends_refused),
            ("of these by 429", self.sends_limited),
            ("sends doubtful", self.sends_doubtful),
            ("sends not begun", self.sends_not_begun),
            ("people's messages", self.people_messages),
            ("polls", self.polls),
            ("llm calls", self.llm_calls),
            ("turns", self.turns),
        ]
    }
}

impl Breaches {
    fn rows(&self) -> [(&'static str, u64); 14] {
        [
            ("lost", self.lost),
            ("handled twice", self.handled_twice),
            ("duplicate sends", self.duplicate_sends),
            ("uncaused sends", self.uncaused_sends),
            ("phantom sends", self.phantom_sends),
            ("order", self.order),
            ("overlapping polls", self.overlapping_polls),
            ("unknown", self.unknown),
            ("unanswered", self.unanswered),
            ("limit violations", self.limit_violations),
            ("unknown past doubt", self.unknown_beyond_doubt),
            ("stale answers", self.stale_answers),
            ("mangled texts", self.mangled_texts),
            ("chats left", self.left_chats),
        ]
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<20}{:>10}   {:<20}{:>10}", "total", "count", "breach", "count")?;
        for ((total, counted), (breach, found)) in self.totals.rows().into_iter().zip(self.breaches.rows()) {
            writeln!(f, "{total:<20}{counted:>10}   {breach:<20}{found:>10}")?;
        }
        for (breach, found) in self.breaches.rows().into_iter().skip(self.totals.rows().len()) {
            writeln!(f, "{:<20}{:>10}   {breach:<20}{found:>10}", "", "")?;
        }
        for (kind, struck) in &self.faults {
            writeln!(f, "fault {kind:<24}{struck:>10}")?;
        }
        for example in &self.examples {
            writeln!(f, "- {example}")?;
        }
        write!(f, "{}", if self.is_clean() { "clean" } else { "NOT CLEAN" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_alone_is_clean_and_anything_else_is_not() {
        let mut report = Report::default();
        report.breaches.unknown = 3;
        assert!(report.is_clean());
        report.breaches.order = 1;
        assert!(!report.is_clean());
    }

    #[test]
    fn the_table_is_aligned() {
        let mut report = Report::default();
        report.totals.polls = 123_456;
        let text = report.to_string();
        let widths: Vec<usize> = text.lines().take(12).map(|line| line.chars().count()).collect();
        assert!(widths.iter().all(|width| *width == widths[0]), "{text}");
        assert!(text.ends_with("clean"));
    }
}
