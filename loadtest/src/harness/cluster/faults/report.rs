//! Holds the result of one seed of the chaos run, and judges it. Layer: harness; plain data and its verdict.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use botfleet_world::checker::report::Report;
use serde::{Deserialize, Serialize};

use crate::harness::faults::report::unlisted;
use crate::harness::settle::Queues;

/// The result of one seed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ClusterReport {
    /// The commit under test.
    pub commit: String,
    /// The seed.
    pub seed: u64,
    /// How many seconds faults were injected.
    pub seconds: f64,
    /// True if faults lasted up to 30 s.
    pub long: bool,
    /// The numbers of nodes at the beginning, bots and chats.
    pub size: (usize, usize, usize),
    /// How often each fault struck.
    pub faults: BTreeMap<String, u64>,
    /// Faults that could not be injected on this machine.
    pub skipped: BTreeSet<String>,
    /// Late polls that a pause allows.
    pub late_polls: u64,
    /// The longest time that a node took to end by SIGTERM, in milliseconds.
    pub longest_end_ms: u64,
    /// Leases whose owner or epoch changed while only Redis was away; `None` if other faults were injected.
    pub owners_changed: Option<u64>,
    /// True if no chat of more than two bots had them all on one node before the faults.
    pub spread: bool,
    /// Actors that had to be released by hand.
    pub released: Vec<String>,
    /// Bots that did not answer in the roll call after everything healed: bot and chat.
    pub silent: Vec<(i64, i64)>,
    /// True if the fleet came to rest.
    pub at_rest: bool,
    /// The product's queues at the end.
    pub queues: Queues,
    /// The checker's report.
    pub checker: Report,
    /// How long the whole run took, in seconds.
    pub duration: f64,
    /// `clean`, `breach` or `error`.
    pub verdict: String,
    /// The breaches, in words.
    pub breaches: Vec<String>,
    /// The folder of the run's files, if they were kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dir: Option<PathBuf>,
}

impl ClusterReport {
    /// Returns how many faults struck.
    pub fn total(&self) -> u64 {
        self.faults.values().sum()
    }

    /// Returns whether nothing was breached.
    pub fn is_clean(&self) -> bool {
        self.verdict == "clean"
    }

    /// Judges the run: fills in `verdict` and `breaches`.
    pub(super) fn judge(&mut self) {
        let found = self.checker.breaches;
        let mut breaches: Vec<String> = [
            ("lost", found.lost),
            ("handled twice", found.handled_twice),
            ("silent duplicates", found.duplicate_sends),
            ("uncaused sends", found.uncaused_sends),
            ("phantom sends", found.phantom_sends),
            ("order of transcripts", found.order),
            ("overlapping polls beyond one a pause and bot", found.overlapping_polls),
            ("violations during a penalty", found.limit_violations),
            ("bots silent after everything healed", self.silent.len() as u64),
            ("owners changed though only Redis was away", self.owners_changed.unwrap_or(0)),
        ]
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{name}: {count}"))
        .collect();
        // Unknown messages are reported, not judged: a `sending` whose answer was cut off may never have reached
        // Telegram, nor the ledger.
        breaches.extend(unlisted(found));
        if !self.at_rest {
            breaches.push(format!("not at rest: {:?}", self.queues));
        }
        if !self.spread {
            breaches.push("a chat had all its bots on one node".to_owned());
        }
        if self.total() == 0 {
            breaches.push("no fault struck: the run shows nothing".to_owned());
        }
        if breaches.is_empty() { "clean" } else { "breach" }.clone_into(&mut self.verdict);
        self.breaches = breaches;
    }
}

impl fmt::Display for ClusterReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.checker)?;
        for (fault, count) in &self.faults {
            writeln!(f, "{fault:<28}{count:>6}")?;
        }
        for skipped in &self.skipped {
            writeln!(f, "SKIPPED {skipped}")?;
        }
        let (nodes, bots, chats) = self.size;
        let rows = [
            ("fleet", format!("{nodes} nodes, {bots} bots, {chats} chats")),
            ("faults in all", self.total().to_string()),
            ("late polls, allowed", self.late_polls.to_string()),
            ("longest end", format!("{} ms", self.longest_end_ms)),
            ("unknown", self.checker.breaches.unknown.to_string()),
            ("released", self.released.len().to_string()),
            ("at rest", if self.at_rest { "yes" } else { "NO" }.to_owned()),
            ("duration", format!("{:.1} s", self.duration)),
        ];
        for (name, value) in rows {
            writeln!(f, "{name:<28}{value}")?;
        }
        for breach in &self.breaches {
            writeln!(f, "BREACH {breach}")?;
        }
        if let Some(dir) = &self.dir {
            writeln!(f, "left for a look: {}", dir.display())?;
        }
        if !self.is_clean() {
            let long = if self.long { " --long" } else { "" };
            writeln!(
                f,
                "replay: botfleet-loadtest cluster-faults --seed {} --seconds {}{long}",
                self.seed, self.seconds
            )?;
        }
        write!(f, "seed {}: {}", self.seed, self.verdict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_breach_counts_and_unknown_messages_do_not() {
        let clean = || ClusterReport {
            faults: [("freeze".to_owned(), 1)].into(),
            spread: true,
            at_rest: true,
            ..ClusterReport::default()
        };
        let spoil: [fn(&mut ClusterReport); 9] = [
            |report| report.checker.breaches.lost = 1,
            |report| report.checker.breaches.duplicate_sends = 1,
            |report| report.checker.breaches.overlapping_polls = 1,
            |report| report.checker.breaches.order = 1,
            |report| report.owners_changed = Some(1),
            |report| report.silent.push((1, -1)),
            |report| report.at_rest = false,
            |report| report.spread = false,
            |report| report.faults.clear(),
        ];
        for spoil in spoil {
            let mut report = clean();
            spoil(&mut report);
            report.judge();
            assert_eq!(report.breaches.len(), 1, "{report}");
        }
        let mut report = clean();
        report.checker.breaches.unknown = 3;
        report.judge();
        assert!(report.is_clean(), "{report}");
    }
}
