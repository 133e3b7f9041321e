//! Defines the report of a run, as the JSON file holds it. Layer: harness; plain data.

use std::path::PathBuf;

use botfleet_world::checker::report::Report as CheckerReport;
use serde::{Deserialize, Serialize};

use super::figure::Figure;
use super::objective::Judged;
use super::scenario::LoadScenario;
use super::stages::Stage;
use super::summary::Summary;

/// The format of the JSON file; a reader refuses any other.
pub const FORMAT: u32 = 1;

/// A whole run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The format of the file.
    pub format: u32,
    /// Identifies the run; no two runs have the same.
    pub run: String,
    /// When the run began, in seconds since 1970.
    pub at_unix_s: u64,
    /// The scenario.
    pub scenario: LoadScenario,
    /// The machine.
    pub machine: Machine,
    /// The commit of the checkout that the run was started in, or `unknown`.
    pub commit: String,
    /// The product's program.
    pub binary: PathBuf,
    /// The folder of the run; a temporary one is removed after a clean run.
    pub dir: PathBuf,
    /// The length of the measurement in seconds.
    pub seconds: f64,
    /// The figures.
    pub figures: Vec<Figure>,
    /// The objectives and whether they were kept.
    pub objectives: Vec<Judged>,
    /// From the scheduled instant to the answer; what never came counts as the time waited.
    pub latency: Summary,
    /// The latency without the LLM's time and without intended pauses, of the answers that came.
    pub overhead: Summary,
    /// The stages of the way.
    pub stages: Vec<Stage>,
    /// Why stages that need the product's store were not measured; `None` if they were.
    pub stages_missing: Option<String>,
    /// The run over time.
    pub timeline: Vec<Moment>,
    /// The steps of a ramp.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// True if the fleet came to rest after the traffic.
    pub at_rest: bool,
    /// The checker's report.
    pub checker: CheckerReport,
}

/// The machine of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The name of the host.
    pub host: String,
    /// The processor.
    pub processor: String,
    /// The number of its cores that the run could use.
    pub cores: usize,
}

/// A span of the run between two samples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// The end of the span, in seconds since the window's begin.
    pub at_s: f64,
    /// Messages due in the span, a second.
    pub messages_per_second: f64,
    /// Answers sent in the span, a second.
    pub replies_per_second: f64,
    /// The median latency of messages due in the span; `None` without any.
    pub p50_ms: Option<f64>,
    /// 99 % of the latencies of messages due in the span.
    pub p99_ms: Option<f64>,
    /// The memory at the end, in MiB.
    pub rss_mib: f64,
    /// CPU time of the product, in per cent of one core.
    pub cpu_percent: f64,
    /// Commits a second.
    pub commits_per_second: f64,
    /// The size of the database at the end, in MiB.
    pub database_mib: f64,
}

/// A step of a ramp.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Messages of people a second.
    pub rate: f64,
    /// True if every objective was kept.
    pub kept: bool,
    /// The objectives that broke, in words.
    pub broke: Vec<String>,
    /// The latency's 99 %.
    pub latency_p99_ms: f64,
    /// Answers a second.
    pub replies_per_second: f64,
}

impl Report {
    /// Returns the value of a figure, if it was measured.
    pub fn figure(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|figure| figure.name == name).map(|figure| figure.value)
    }

    /// Returns whether nothing was lost or doubled, the fleet came to rest, and every objective was kept.
    pub fn is_clean(&self) -> bool {
        self.at_rest
            && self.checker.is_clean()
            && self.checker.breaches.unknown == 0
            && self.objectives.iter().all(|judged| judged.kept)
    }
}

/// Reads what this machine says about itself.
pub fn machine() -> Machine {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    Machine {
        host: read("/proc/sys/kernel/hostname").trim().to_owned(),
        processor: model.map_or_else(|| "unknown".to_owned(), |(_, name)| name.trim().to_owned()),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
    }
}

/// Writes an instant as `2026-11-30 01:02:03 UTC`.
///
/// # Source
/// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
pub fn date(unix_s: u64) -> String {
    let (days, second) = ((unix_s / 86_400) as i64, unix_s % 86_400);
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(date(1_796_000_461), "2026-11-30 01:01:01 UTC");
        assert_eq!(date(1_709_164_800), "2024-02-29 00:00:00 UTC");
    }

    #[test]
    fn this_machine_has_cores() {
        assert!(machine().cores > 0);
    }
}
