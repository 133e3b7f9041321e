//! Lists the figures that a run can measure: name, unit, and which direction is better. Layer: harness; plain data.

use serde::{Deserialize, Serialize};

/// One measured figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// The name, one of [`ALL`].
    pub name: String,
    /// The value, in the unit of the figure's kind.
    pub value: f64,
}

/// Which values of a figure are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Small values.
    Less,
    /// Large values.
    More,
    /// Neither: the figure describes the run.
    Neither,
}

/// The meaning of a figure.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// The name in scenarios and reports.
    pub name: &'static str,
    /// The unit; empty for a count or a ratio.
    pub unit: &'static str,
    /// Which values are better.
    pub better: Better,
    /// A difference up to this much is never a regression, whatever the ratio: the measurement itself varies as much.
    pub noise: f64,
    /// The meaning in a few words.
    pub says: &'static str,
}

const fn kind(name: &'static str, unit: &'static str, better: Better, noise: f64, says: &'static str) -> Kind {
    Kind { name, unit, better, noise, says }
}

use Better::{Less, More, Neither};

/// Every figure, in the order of reports.
pub const ALL: &[Kind] = &[
    kind("messages", "", Neither, 0.0, "messages of people in the window"),
    kind("replies", "", Neither, 0.0, "answers to people in the window"),
    kind("replies_per_second", "/s", More, 0.05, "answers a second"),
    kind("highest_rate", "/s", More, 0.0, "the highest rate of messages that keeps every objective"),
    kind("latency_mean_ms", "ms", Less, 1.0, "from the scheduled instant of a message to its answer at Telegram, mean"),
    kind("latency_p50_ms", "ms", Less, 1.0, "the same, median"),
    kind("latency_p95_ms", "ms", Less, 2.0, "the same, 95 %"),
    kind("latency_p99_ms", "ms", Less, 4.0, "the same, 99 %"),
    kind("latency_max_ms", "ms", Neither, 0.0, "the same, longest"),
    kind("overhead_mean_ms", "ms", Less, 1.0, "latency without the LLM's time and without intended pauses, mean"),
    kind("overhead_p50_ms", "ms", Less, 1.0, "the same, median"),
    kind("overhead_p99_ms", "ms", Less, 4.0, "the same, 99 %"),
    kind("last_answer_p99_ms", "ms", Less, 4.0, "until the last bot that answers a message has answered it, 99 %"),
    kind(
        "unanswered",
        "",
        Less,
        0.0,
        "answers that were due and had not come at the end; each counts as the time waited",
    ),
    kind("errors_percent", "%", Less, 0.0, "failed answers, refused sends and dead letters, of all answers due"),
    kind("lost", "", Less, 0.0, "updates that were confirmed and have no outcome"),
    kind("doubled", "", Less, 0.0, "updates handled twice, and messages sent twice"),
    kind("unknown", "", Less, 0.0, "messages whose fate the product does not know"),
    kind("breaches", "", Less, 0.0, "all breaches that the checker found"),
    kind("silent", "", Neither, 0.0, "messages that no bot meant to answer"),
    kind("kept_back", "", Neither, 0.0, "answers that the product gave up on purpose: guards, interruptions, limits"),
    kind("cpu_ms_per_reply", "ms", Less, 0.05, "CPU time of the product for each answer"),
    kind("cpu_percent", "%", Less, 0.1, "CPU time of the product, of one core"),
    kind("rss_mib", "MiB", Less, 2.0, "memory at the end of the window"),
    kind("peak_rss_mib", "MiB", Less, 2.0, "the most memory so far"),
    kind("commits_per_reply", "", Less, 0.05, "commits of the store for each answer"),
    kind("commit_p99_ms", "ms", Less, 5.0, "duration of a commit, 99 %: the upper bound of its bucket"),
    kind("db_bytes_per_message", "B", Less, 64.0, "growth of the database for each message of a person"),
    kind("start_ms", "ms", Less, 30.0, "from the start of the process until all bots poll"),
    kind("fdatasync_p50_ms", "ms", Neither, 0.0, "a flush of 4 KiB to the same disk during the run, median"),
    kind("fdatasync_p99_ms", "ms", Neither, 0.0, "the same, 99 %"),
    kind("rss_drift_percent", "%", Less, 3.0, "trend of the memory over the window, of its mean"),
    kind("p99_drift_percent", "%", Less, 10.0, "trend of the latency's 99 % over the window, of its mean"),
    kind("db_drift_percent", "%", Less, 10.0, "trend of the database's growth a message over the window, of its mean"),
];

/// Returns the kind of a figure by its name.
pub fn named(name: &str) -> Option<&'static Kind> {
    ALL.iter().find(|kind| kind.name == name)
}

impl Figure {
    /// Returns the figure's kind; a figure of another version of this program may have none.
    pub fn kind(&self) -> Option<&'static Kind> {
        named(&self.name)
    }
}

/// Writes a number with three significant digits, and large ones whole.
pub fn shown(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        "not measured".to_owned()
    } else if size >= 100.0 || (size - size.round()).abs() < 1e-9 {
        format!("{value:.0}")
    } else if size >= 10.0 {
        format!("{value:.1}")
    } else if size >= 1.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_numbers_are_short() {
        let names: std::collections::BTreeSet<_> = ALL.iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), ALL.len());
        assert_eq!([1234.5, 12.34, 1.234, 0.01234, 0.0].map(shown), ["1234", "12.3", "1.23", "0.012", "0"]);
    }
}
