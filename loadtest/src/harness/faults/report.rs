//! Holds the result of one seed, and judges it. Layer: harness; plain data and its verdict.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use botfleet_world::checker::report::{Breaches, Report};
use serde::{Deserialize, Serialize};

use super::args::Imagination;
use crate::harness::settle::Queues;

/// The result of one seed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FaultsReport {
    /// The commit under test.
    pub commit: String,
    /// The seed.
    pub seed: u64,
    /// The range of troubles in the world.
    #[serde(default)]
    pub imagination: Imagination,
    /// How many seconds faults were injected.
    pub seconds: f64,
    /// How many faults struck Telegram's calls and deliveries, by kind.
    pub telegram_faults: BTreeMap<String, u64>,
    /// How many faults struck the providers' calls, by kind.
    pub provider_faults: BTreeMap<String, u64>,
    /// How often the product was killed.
    pub kills: u64,
    /// How often the product was paused.
    pub pauses: u64,
    /// How often the product was ended by SIGTERM.
    pub terminations: u64,
    /// The longest that the product took to end by SIGTERM, in milliseconds.
    pub longest_stop_ms: u64,
    /// Bots that began with webhooks.
    pub webhook_bots: u64,
    /// Changes between polling and webhooks during the run.
    pub moves: u64,
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
    /// `clean` or `breach`.
    pub verdict: String,
    /// The breaches, in words.
    pub breaches: Vec<String>,
    /// The folder of the run's files, if they were kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dir: Option<PathBuf>,
}

/// Returns, in words, the breaches that the checker may add later and that no list of a report names yet.
pub(in crate::harness) fn unlisted(found: Breaches) -> Option<String> {
    let listed = Breaches {
        lost: 0,
        handled_twice: 0,
        duplicate_sends: 0,
        uncaused_sends: 0,
        phantom_sends: 0,
        order: 0,
        overlapping_polls: 0,
        unknown: 0,
        limit_violations: 0,
        unknown_beyond_doubt: 0,
        ..found
    };
    (listed != Breaches::default()).then(|| format!("others: {listed:?}"))
}

impl FaultsReport {
    /// Returns how many faults struck, including kills, pauses and ends by SIGTERM.
    pub fn total(&self) -> u64 {
        let of = |faults: &BTreeMap<String, u64>| faults.values().sum::<u64>();
        of(&self.telegram_faults) + of(&self.provider_faults) + self.kills + self.pauses + self.terminations
    }

    /// Returns whether nothing was breached.
    pub fn is_clean(&self) -> bool {
        self.breaches.is_empty()
    }

    /// Returns whether the only breach is one unknown message that no send explains.
    pub fn is_one_unknown_too_many(&self) -> bool {
        let found = self.checker.breaches;
        self.breaches.len() == 1 && found.unknown_beyond_doubt == 1
    }

    /// Judges the run: fills in `verdict` and `breaches`.
    pub(super) fn judge(&mut self) {
        let mut breaches = Vec::new();
        let found = self.checker.breaches;
        // I5 allows one late poll for each pause of the process.
        let late = found.overlapping_polls.saturating_sub(self.pauses);
        for (name, count) in [
            ("lost", found.lost),
            ("handled twice", found.handled_twice),
            ("silent duplicates", found.duplicate_sends),
            ("uncaused sends", found.uncaused_sends),
            ("phantom sends", found.phantom_sends),
            ("order", found.order),
            ("overlapping polls beyond one a pause", late),
            ("violations during a penalty", found.limit_violations),
            ("unknown beyond doubtful", found.unknown_beyond_doubt),
            ("bots silent after everything healed", self.silent.len() as u64),
        ] {
            if count > 0 {
                breaches.push(format!("{name}: {count}"));
            }
        }
        breaches.extend(unlisted(found));
        if !self.at_rest {
            breaches.push(format!("not at rest: {:?}", self.queues));
        }
        if self.total() == self.kills + self.pauses + self.terminations {
            breaches.push("no fault struck: the run shows nothing".to_owned());
        }
        let verdict = if breaches.is_empty() { "clean" } else { "breach" };
        verdict.clone_into(&mut self.verdict);
        self.breaches = breaches;
    }
}

impl fmt::Display for FaultsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let checker = &self.checker;
        writeln!(f, "{checker}\n")?;
        for (side, faults) in [("provider", &self.provider_faults)] {
            for (kind, count) in faults {
                writeln!(f, "{side} {kind:<24}{count:>7}")?;
            }
        }
        let sends = checker.totals.sends_accepted + checker.totals.sends_refused;
        let rows = [
            ("faults in all", self.total().to_string()),
            ("kills", self.kills.to_string()),
            ("pauses", self.pauses.to_string()),
            ("SIGTERM", format!("{}, at most {} ms", self.terminations, self.longest_stop_ms)),
            ("webhook bots", format!("{}, {} moves", self.webhook_bots, self.moves)),
            ("429 of sends", format!("{} of {sends}", checker.totals.sends_limited)),
            ("unknown", {
                let (doubtful, not_begun) = (checker.totals.sends_doubtful, checker.totals.sends_not_begun);
                format!("{}; {doubtful} sends doubtful, {not_begun} not begun at a kill", checker.breaches.unknown)
            }),
            ("released", self.released.len().to_string()),
            ("at rest", if self.at_rest { "yes" } else { "NO" }.to_owned()),
            ("duration", format!("{:.1} s", self.duration)),
        ];
        for (name, value) in rows {
            writeln!(f, "{name:<20}{value}")?;
        }
        for breach in &self.breaches {
            writeln!(f, "BREACH {breach}")?;
        }
        for (bot, chat) in &self.silent {
            writeln!(f, "- bot {bot} is silent in chat {chat}")?;
        }
        if let Some(dir) = &self.dir {
            writeln!(f, "left for a look: {}", dir.display())?;
        }
        if !self.is_clean() {
            writeln!(
                f,
                "replay: botfleet-loadtest faults --seed {} --seconds {} --imagination {}",
                self.seed,
                self.seconds,
                self.imagination.name()
            )?;
        }
        write!(f, "seed {}: {}", self.seed, self.verdict)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Returns a report with some faults and no breach, not judged yet.
    pub(in super::super) fn report() -> FaultsReport {
        FaultsReport {
            commit: "c".into(),
            seed: 7,
            imagination: Imagination::Classic,
            seconds: 20.0,
            telegram_faults: [("reset_after".to_owned(), 3)].into(),
            provider_faults: [("cut".to_owned(), 2)].into(),
            kills: 2,
            pauses: 1,
            terminations: 1,
            longest_stop_ms: 5,
            webhook_bots: 0,
            moves: 0,
            released: Vec::new(),
            silent: Vec::new(),
            at_rest: true,
            queues: Queues::default(),
            checker: Report::default(),
            duration: 1.0,
            verdict: String::new(),
            breaches: Vec::new(),
            dir: None,
        }
    }

    #[test]
    fn one_late_poll_a_pause_is_allowed_and_a_second_is_not() {
        let mut report = report();
        report.checker.breaches.overlapping_polls = 1;
        report.judge();
        assert!(report.is_clean(), "{report}");
        report.checker.breaches.overlapping_polls = 2;
        report.judge();
        assert_eq!(report.verdict, "breach");
    }

    #[test]
    fn every_breach_of_the_checker_counts() {
        let spoil: [fn(&mut FaultsReport); 6] = [
            |report| report.checker.breaches.lost = 1,
            |report| report.checker.breaches.unanswered = 1,
            |report| report.checker.breaches.unknown_beyond_doubt = 1,
            |report| report.silent.push((1, -1)),
            |report| report.at_rest = false,
            |report| (report.telegram_faults, report.provider_faults) = Default::default(),
        ];
        for spoil in spoil {
            let mut report = report();
            spoil(&mut report);
            report.judge();
            assert_eq!(report.breaches.len(), 1, "{report}");
        }
    }
}
