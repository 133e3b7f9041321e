//! Runs many seeds: some at a time, with results in a file and a table at the end. Layer: harness.
//!
//! The file has one line of JSON for each seed. A seed that the file holds for the same commit and length is not run
//! again, so that a long series can be broken off and continued.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write as _, stderr};
use std::path::Path;
use std::process::Stdio;

use futures::StreamExt as _;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use super::args::{FaultsArgs, Imagination, Seeds};
use super::report::FaultsReport;
use super::run::run;
use crate::harness::error::HarnessError;

/// A line of the file: the result of one seed in short.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Line {
    commit: String,
    seed: u64,
    #[serde(default)]
    imagination: Imagination,
    seconds: f64,
    total: u64,
    verdict: String,
    #[serde(default)]
    breaches: Vec<String>,
    #[serde(default)]
    faults: BTreeMap<String, u64>,
    kills: u64,
    pauses: u64,
    terminations: u64,
    sends: u64,
    sends_limited: u64,
    unknown: u64,
    doubtful: u64,
    #[serde(default)]
    not_begun: u64,
    duration: f64,
}

impl Line {
    fn of(report: &FaultsReport) -> Self {
        let totals = &report.checker.totals;
        let named = |side: &str, faults: &BTreeMap<String, u64>| {
            faults.iter().map(|(kind, count)| (format!("{side}.{kind}"), *count)).collect::<Vec<_>>()
        };
        Self {
            commit: report.commit.clone(),
            seed: report.seed,
            imagination: report.imagination,
            seconds: report.seconds,
            total: report.total(),
            verdict: report.verdict.clone(),
            breaches: report.breaches.clone(),
            faults: named("telegram", &report.telegram_faults)
                .into_iter()
                .chain(named("provider", &report.provider_faults))
                .collect(),
            kills: report.kills,
            pauses: report.pauses,
            terminations: report.terminations,
            sends: totals.sends_accepted + totals.sends_refused,
            sends_limited: totals.sends_limited,
            unknown: report.checker.breaches.unknown,
            doubtful: totals.sends_doubtful,
            not_begun: totals.sends_not_begun,
            duration: report.duration,
        }
    }

    /// Returns the line of a seed whose run could not be completed.
    fn broken(args: &FaultsArgs, commit: &str, seed: u64, error: &HarnessError) -> Self {
        Self {
            commit: commit.to_owned(),
            seed,
            imagination: args.imagination,
            seconds: args.seconds,
            verdict: "error".to_owned(),
            breaches: vec![error.to_string()],
            ..Self::default()
        }
    }
}

/// The result of a series of seeds.
#[derive(Debug, Clone, Serialize)]
pub struct SeriesReport {
    /// The commit under test.
    pub commit: String,
    /// How many seconds each seed injected faults.
    pub seconds: f64,
    /// The range of troubles in the world.
    pub imagination: Imagination,
    /// Seeds with a result, including earlier ones from the file.
    pub seeds: u64,
    /// Seeds without a breach.
    pub clean: u64,
    /// The other seeds, and what they breached.
    pub failing: BTreeMap<u64, Vec<String>>,
    /// Faults by kind.
    pub faults: BTreeMap<String, u64>,
    /// All faults, including kills, pauses and ends by SIGTERM.
    pub total: u64,
    /// Kills.
    pub kills: u64,
    /// Pauses.
    pub pauses: u64,
    /// Ends by SIGTERM.
    pub terminations: u64,
    /// Sends that Telegram accepted or refused.
    pub sends: u64,
    /// Sends that a limiter refused.
    pub sends_limited: u64,
    /// Messages whose fate the product does not know.
    pub unknown: u64,
    /// Sends whose fate the product could not know.
    pub doubtful: u64,
}

impl SeriesReport {
    /// Returns whether every seed was clean.
    pub fn is_clean(&self) -> bool {
        self.failing.is_empty()
    }

    fn of(commit: String, seconds: f64, imagination: Imagination, lines: &[Line]) -> Self {
        let sum = |of: fn(&Line) -> u64| lines.iter().map(of).sum();
        let mut faults = BTreeMap::new();
        for (kind, count) in lines.iter().flat_map(|line| &line.faults) {
            *faults.entry(kind.clone()).or_default() += count;
        }
        let failing = lines.iter().filter(|line| line.verdict != "clean");
        let failing: BTreeMap<u64, Vec<String>> = failing.map(|line| (line.seed, line.breaches.clone())).collect();
        Self {
            commit,
            seconds,
            imagination,
            seeds: lines.len() as u64,
            clean: lines.iter().filter(|line| line.verdict == "clean").count() as u64,
            failing,
            faults,
            total: sum(|line| line.total),
            kills: sum(|line| line.kills),
            pauses: sum(|line| line.pauses),
            terminations: sum(|line| line.terminations),
            sends: sum(|line| line.sends),
            sends_limited: sum(|line| line.sends_limited),
            unknown: sum(|line| line.unknown),
            doubtful: sum(|line| line.doubtful),
        }
    }
}

impl fmt::Display for SeriesReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, count) in &self.faults {
            writeln!(f, "{kind:<36}{count:>8}")?;
        }
        let rows = [
            ("kills", self.kills),
            ("pauses", self.pauses),
            ("SIGTERM", self.terminations),
            ("faults in all", self.total),
            ("sends", self.sends),
            ("of these 429", self.sends_limited),
            ("doubtful sends", self.doubtful),
            ("unknown", self.unknown),
            ("seeds", self.seeds),
            ("clean", self.clean),
        ];
        for (name, value) in rows {
            writeln!(f, "{name:<36}{value:>8}")?;
        }
        for (seed, breaches) in &self.failing {
            writeln!(f, "seed {seed}: {}", breaches.join("; "))?;
            writeln!(
                f,
                "  replay: botfleet-loadtest faults --seed {seed} --seconds {} --imagination {}",
                self.seconds,
                self.imagination.name()
            )?;
        }
        write!(f, "commit {}: {}", self.commit, if self.is_clean() { "clean" } else { "BREACH" })
    }
}

/// Runs the seeds that the file does not hold yet.
///
/// # Errors
/// The file cannot be used. A seed whose run cannot be completed is a failing seed, not an error.
pub async fn series(args: &FaultsArgs, seeds: Seeds) -> Result<SeriesReport, HarnessError> {
    let commit = args.commit.clone().unwrap_or_default();
    let mut lines = match &args.append {
        Some(file) => read(file)?,
        None => Vec::new(),
    };
    let is_of_series = |line: &Line| {
        let alike = line.seconds.to_bits() == args.seconds.to_bits() && line.imagination == args.imagination;
        alike && line.commit == commit
    };
    lines.retain(is_of_series);
    let known: HashSet<u64> = lines.iter().map(|line| line.seed).collect();
    let left: Vec<u64> = (seeds.first..=seeds.last).filter(|seed| !known.contains(seed)).collect();
    let whole = left.len();
    let one = |seed: u64| {
        let one = FaultsArgs { seed, seeds: None, commit: Some(commit.clone()), ..args.clone() };
        async move { (seed, run(&one).await) }
    };
    let mut running = futures::stream::iter(left).map(one).buffer_unordered(args.jobs.max(1));
    let mut ended = 0;
    while let Some((seed, result)) = running.next().await {
        ended += 1;
        let line = match &result {
            Ok(report) => Line::of(report),
            Err(error) => Line::broken(args, &commit, seed, error),
        };
        let dir = result.ok().and_then(|report| report.dir);
        let dir = dir.map(|dir| format!(", left for a look: {}", dir.display())).unwrap_or_default();
        tell(&format!(
            "[{ended}/{whole}] seed {seed}: {}, {} faults, {:.1} s{}{}{dir}",
            line.verdict,
            line.total,
            line.duration,
            if line.breaches.is_empty() { "" } else { "; " },
            line.breaches.join("; "),
        ));
        if let Some(file) = &args.append {
            append(file, &line)?;
        }
        lines.push(line);
    }
    lines.retain(|line| (seeds.first..=seeds.last).contains(&line.seed));
    drop(running);
    Ok(SeriesReport::of(commit, args.seconds, args.imagination, &lines))
}

/// Returns the commit that is checked out, or `unknown` outside of a checkout.
pub async fn commit_of_checkout() -> String {
    let asked = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).stderr(Stdio::null()).output().await;
    let told = asked.ok().filter(|output| output.status.success()).map(|output| output.stdout);
    let commit = told.map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned());
    commit.filter(|commit| !commit.is_empty()).unwrap_or_else(|| "unknown".to_owned())
}

/// Prints one line to stderr; a closed stderr is no fault.
pub(in crate::harness) fn tell(text: &str) {
    let mut err = stderr().lock();
    let _ = writeln!(err, "{text}").and_then(|()| err.flush());
}

/// Reads the results in a file; a file that does not exist has none.
///
/// # Errors
/// The file cannot be used.
pub(in crate::harness) fn read<T: DeserializeOwned>(file: &Path) -> Result<Vec<T>, HarnessError> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(HarnessError::file(file)(error)),
    };
    let line = |text: &str| serde_json::from_str(text).map_err(|error| HarnessError::file(file)(error.into()));
    text.lines().filter(|text| !text.trim().is_empty()).map(line).collect()
}

/// Appends the result of one seed to a file.
///
/// # Errors
/// The file cannot be used.
pub fn append_report(file: &Path, report: &FaultsReport) -> Result<(), HarnessError> {
    append(file, &Line::of(report))
}

/// Appends a result to a file.
///
/// # Errors
/// The file cannot be used.
pub fn append(file: &Path, line: &impl Serialize) -> Result<(), HarnessError> {
    let mut text = serde_json::to_string(line).map_err(|error| HarnessError::file(file)(error.into()))?;
    text.push('\n');
    let mut opened = OpenOptions::new().create(true).append(true).open(file).map_err(HarnessError::file(file))?;
    opened.write_all(text.as_bytes()).map_err(HarnessError::file(file))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::report::tests::report;
    use super::*;

    #[test]
    fn the_file_remembers_every_seed_with_its_faults() {
        let file = std::env::temp_dir().join(format!("botfleet-slices-{}", std::process::id()));
        let _ = std::fs::remove_file(&file);
        assert_eq!(read::<Line>(&file).unwrap(), []);
        let mut clean = report();
        clean.judge();
        let args = FaultsArgs::of(None, 1, 20.0);
        let lines = [Line::of(&clean), Line::broken(&args, "c", 8, &HarnessError::NoBinary)];
        for line in &lines {
            append(&file, line).unwrap();
        }
        assert_eq!(read::<Line>(&file).unwrap(), lines);
        let series = SeriesReport::of("c".into(), 20.0, Imagination::Classic, &lines);
        assert_eq!((series.seeds, series.clean, series.total), (2, 1, 9));
        assert_eq!(series.failing.keys().copied().collect::<Vec<_>>(), [8]);
        assert!(series.to_string().contains("replay: botfleet-loadtest faults --seed 8"));
        std::fs::remove_file(&file).unwrap();
    }
}
