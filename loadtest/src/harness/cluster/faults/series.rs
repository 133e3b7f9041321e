//! Runs many seeds of the chaos run: some at a time, with results in a file and a table at the end. Layer: harness.
//!
//! The file has one line of JSON for each seed. A seed that the file holds for the same commit, length and `--long` is
//! not run again, so that a long series can be broken off and continued.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use futures::StreamExt as _;
use serde::Serialize;

use super::args::ClusterFaultsArgs;
use super::report::ClusterReport;
use super::run::run;
use crate::harness::error::HarnessError;
use crate::harness::faults::args::Seeds;
use crate::harness::faults::slices::{append, read, tell};

/// The result of a series of seeds.
#[derive(Debug, Clone, Serialize)]
pub struct ClusterSeries {
    /// The commit under test.
    pub commit: String,
    /// Seeds with a result, including earlier ones from the file.
    pub seeds: u64,
    /// Seeds without a breach.
    pub clean: u64,
    /// The other seeds, and what they breached.
    pub failing: BTreeMap<u64, Vec<String>>,
    /// Faults by kind.
    pub faults: BTreeMap<String, u64>,
    /// The numbers of confirmed updates, sent messages and polls.
    pub totals: (u64, u64, u64),
    /// Messages whose fate the product does not know.
    pub unknown: u64,
    /// Late polls that a pause allows.
    pub late_polls: u64,
}

impl ClusterSeries {
    /// Returns whether every seed was clean.
    pub fn is_clean(&self) -> bool {
        self.failing.is_empty()
    }

    fn of(commit: String, lines: &[ClusterReport]) -> Self {
        let mut faults = BTreeMap::new();
        for (kind, count) in lines.iter().flat_map(|line| &line.faults) {
            *faults.entry(kind.clone()).or_default() += count;
        }
        let sum = |of: fn(&ClusterReport) -> u64| lines.iter().map(of).sum();
        let failing = lines.iter().filter(|line| !line.is_clean());
        Self {
            commit,
            seeds: lines.len() as u64,
            clean: lines.iter().filter(|line| line.is_clean()).count() as u64,
            failing: failing.map(|line| (line.seed, line.breaches.clone())).collect(),
            faults,
            totals: (
                sum(|line| line.checker.totals.updates_confirmed),
                sum(|line| line.checker.totals.sends_accepted),
                sum(|line| line.checker.totals.polls),
            ),
            unknown: sum(|line| line.checker.breaches.unknown),
            late_polls: sum(|line| line.late_polls),
        }
    }
}

impl fmt::Display for ClusterSeries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, count) in &self.faults {
            writeln!(f, "{kind:<36}{count:>8}")?;
        }
        let (updates, sends, polls) = self.totals;
        let rows = [
            ("updates confirmed", updates),
            ("messages sent", sends),
            ("polls", polls),
            ("unknown", self.unknown),
            ("late polls, allowed", self.late_polls),
            ("seeds", self.seeds),
            ("clean", self.clean),
        ];
        for (name, value) in rows {
            writeln!(f, "{name:<36}{value:>8}")?;
        }
        for (seed, breaches) in &self.failing {
            writeln!(f, "seed {seed}: {}", breaches.join("; "))?;
        }
        write!(f, "commit {}: {}", self.commit, if self.is_clean() { "clean" } else { "BREACH" })
    }
}

/// Runs the seeds that the file does not hold yet.
///
/// # Errors
/// The file cannot be used. A seed whose run cannot be completed is a failing seed, not an error.
pub async fn series(args: &ClusterFaultsArgs, seeds: Seeds) -> Result<ClusterSeries, HarnessError> {
    let commit = args.commit.clone().unwrap_or_default();
    let mut lines = match &args.append {
        Some(file) => read(file)?,
        None => Vec::new(),
    };
    lines.retain(|line: &ClusterReport| {
        line.commit == commit && line.seconds.to_bits() == args.seconds.to_bits() && line.long == args.long
    });
    let known: HashSet<u64> = lines.iter().map(|line| line.seed).collect();
    let left: Vec<u64> = (seeds.first..=seeds.last).filter(|seed| !known.contains(seed)).collect();
    let whole = left.len();
    let one = |seed: u64| {
        let one = ClusterFaultsArgs { seed, seeds: None, commit: Some(commit.clone()), ..args.clone() };
        async move { (seed, run(&one).await) }
    };
    let mut running = futures::stream::iter(left).map(one).buffer_unordered(args.jobs.max(1));
    let mut ended = 0;
    while let Some((seed, result)) = running.next().await {
        ended += 1;
        let line = result.unwrap_or_else(|error| ClusterReport {
            commit: commit.clone(),
            seed,
            seconds: args.seconds,
            long: args.long,
            verdict: "error".to_owned(),
            breaches: vec![error.to_string()],
            ..ClusterReport::default()
        });
        let dir = line.dir.as_ref().map(|dir| format!(", left for a look: {}", dir.display())).unwrap_or_default();
        tell(&format!(
            "[{ended}/{whole}] seed {seed}: {}, {} faults, {:.1} s {}{dir}",
            line.verdict,
            line.total(),
            line.duration,
            line.breaches.join("; "),
        ));
        if let Some(file) = &args.append {
            append(file, &line)?;
        }
        lines.push(line);
    }
    drop(running);
    lines.retain(|line| (seeds.first..=seeds.last).contains(&line.seed));
    Ok(ClusterSeries::of(commit, &lines))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_file_remembers_every_seed() {
        let file = std::env::temp_dir().join(format!("botfleet-cluster-series-{}", std::process::id()));
        let _ = std::fs::remove_file(&file);
        let line = |seed, verdict: &str| ClusterReport { seed, verdict: verdict.into(), ..ClusterReport::default() };
        for line in [line(1, "clean"), line(2, "breach")] {
            append(&file, &line).unwrap();
        }
        let series = ClusterSeries::of("c".into(), &read::<ClusterReport>(&file).unwrap());
        assert_eq!((series.seeds, series.clean, series.is_clean()), (2, 1, false));
        std::fs::remove_file(&file).unwrap();
    }
}
