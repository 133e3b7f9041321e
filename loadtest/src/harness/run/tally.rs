//! Computes the figures and the timeline of a run from what was recorded. Layer: harness; pure.

use std::collections::BTreeMap;
use std::time::Duration;

use botfleet_world::checker::outcome::{Outcome, OutcomeLine};
use botfleet_world::checker::report::Report as CheckerReport;

use super::answers::{Account, Latencies};
use super::drift::drift_percent;
use super::figure::Figure;
use super::report::Moment;
use super::watch::{Sample, Watched};
use crate::harness::measure::Spread;
use crate::harness::scrape::Buckets;

/// The shortest measurement whose trends mean anything, in seconds.
const TRENDS_FROM: f64 = 60.0;
/// The number of spans whose trend is taken.
const SPANS: usize = 20;
const MIB: f64 = 1_048_576.0;

/// The records of a run.
pub struct Recorded<'r> {
    /// The answers due.
    pub account: &'r Account,
    /// The latencies.
    pub latencies: &'r Latencies,
    /// The latency without LLM and pauses.
    pub overhead: &'r Spread,
    /// The samples and metrics.
    pub watched: &'r Watched,
    /// The checker's report.
    pub checker: &'r CheckerReport,
    /// The product's account.
    pub outcomes: &'r [OutcomeLine],
    /// Flushes to the disk during the run.
    pub fdatasync: &'r Spread,
    /// From the start until all bots polled, of one node.
    pub started_in: Option<Duration>,
}

/// Returns the length of the window in seconds.
pub fn seconds(samples: &[Sample]) -> f64 {
    match (samples.first(), samples.last()) {
        (Some(first), Some(last)) => (last.at_us - first.at_us) as f64 / 1e6,
        _ => 0.0,
    }
}

/// Computes every figure that the run could measure.
pub fn figures(run: &Recorded<'_>) -> Vec<Figure> {
    let mut figures = Vec::new();
    let mut say = |name: &str, value: f64| figures.push(Figure { name: name.to_owned(), value });
    let (latency, overhead) = (&run.latencies.latency, run.overhead);
    let replies = run.latencies.replies as f64;
    say("messages", run.latencies.messages as f64);
    if run.latencies.messages > 0 {
        say("replies", replies);
        say("replies_per_second", replies / seconds(&run.watched.samples).max(f64::MIN_POSITIVE));
        say("unanswered", run.latencies.unanswered as f64);
        say("silent", run.account.silent as f64);
        say("kept_back", run.account.kept_back as f64);
        say("errors_percent", errors_percent(run));
    }
    if latency.count() > 0 {
        say("latency_mean_ms", latency.mean_ms());
        say("latency_p50_ms", latency.within_ms(0.5));
        say("latency_p95_ms", latency.within_ms(0.95));
        say("latency_p99_ms", latency.within_ms(0.99));
        say("latency_max_ms", latency.longest_ms());
        say("last_answer_p99_ms", run.latencies.last_answer.within_ms(0.99));
    }
    if overhead.count() > 0 {
        say("overhead_mean_ms", overhead.mean_ms());
        say("overhead_p50_ms", overhead.within_ms(0.5));
        say("overhead_p99_ms", overhead.within_ms(0.99));
    }
    let breaches = run.checker.breaches;
    say("lost", breaches.lost as f64);
    say("doubled", (breaches.duplicate_sends + breaches.handled_twice) as f64);
    say("unknown", breaches.unknown as f64);
    say("breaches", breaches_in_all(run.checker) as f64);
    usage(run, replies, &mut say);
    if let Some(started_in) = run.started_in {
        say("start_ms", started_in.as_secs_f64() * 1000.0);
    }
    say("fdatasync_p50_ms", run.fdatasync.within_ms(0.5));
    say("fdatasync_p99_ms", run.fdatasync.within_ms(0.99));
    drifts(run, &mut say);
    figures
}

/// Counts all breaches except messages of unknown fate, which have a figure of their own.
fn breaches_in_all(checker: &CheckerReport) -> u64 {
    let counted = serde_json::to_value(checker.breaches).unwrap_or_default();
    let fields = counted.as_object().into_iter().flatten().filter(|(name, _)| *name != "unknown");
    fields.filter_map(|(_, count)| count.as_u64()).sum()
}

fn errors_percent(run: &Recorded<'_>) -> f64 {
    let dead = run.outcomes.iter().filter(|line| line.outcome == Outcome::Dead).count() as u64;
    let errors = run.account.failed + run.latencies.unanswered + run.checker.totals.sends_refused + dead;
    errors as f64 * 100.0 / run.account.answers.len().max(1) as f64
}

fn usage(run: &Recorded<'_>, replies: f64, say: &mut impl FnMut(&str, f64)) {
    let (Some(first), Some(last)) = (run.watched.samples.first(), run.watched.samples.last()) else { return };
    let cpu = last.cpu.saturating_sub(first.cpu).as_secs_f64();
    say("cpu_percent", cpu * 100.0 / seconds(&run.watched.samples).max(f64::MIN_POSITIVE));
    say("rss_mib", last.rss_bytes as f64 / MIB);
    say("peak_rss_mib", last.peak_bytes as f64 / MIB);
    let metrics = (&run.watched.metrics_before, &run.watched.metrics_after);
    let commits = Buckets::between(metrics.0, metrics.1, "botfleet_store_commit_duration_seconds");
    if commits.count > 0.0 {
        say("commit_p99_ms", commits.within_ms(0.99));
    }
    if replies > 0.0 {
        say("cpu_ms_per_reply", cpu * 1000.0 / replies);
        say("commits_per_reply", (last.commits - first.commits) / replies);
    }
    if run.latencies.messages > 0 {
        let grown = last.database_bytes.saturating_sub(first.database_bytes);
        say("db_bytes_per_message", grown as f64 / run.latencies.messages as f64);
    }
}

/// Computes the trends of memory, latency and database over the window.
fn drifts(run: &Recorded<'_>, say: &mut impl FnMut(&str, f64)) {
    let samples = &run.watched.samples;
    if seconds(samples) < TRENDS_FROM {
        return;
    }
    let memory: Vec<(f64, f64)> = samples.iter().map(|at| (at.at_us as f64, at.rss_bytes as f64)).collect();
    if let Some(drift) = drift_percent(&memory) {
        say("rss_drift_percent", drift);
    }
    let every = samples.len().div_ceil(SPANS).max(1);
    let mut ends: Vec<&Sample> = samples.iter().step_by(every).collect();
    ends.extend(samples.last().filter(|last| ends.last().is_some_and(|end| end.at_us < last.at_us)));
    let (mut slow, mut grown) = (Vec::new(), Vec::new());
    for pair in ends.windows(2) {
        let spread = of_span(&run.latencies.points, pair[0].at_us, pair[1].at_us);
        let messages = spread.count();
        if messages > 0 {
            slow.push((pair[1].at_us as f64, spread.within_ms(0.99)));
            let bytes = pair[1].database_bytes.saturating_sub(pair[0].database_bytes) as f64;
            grown.push((pair[1].at_us as f64, bytes / messages as f64));
        }
    }
    if let Some(drift) = drift_percent(&slow) {
        say("p99_drift_percent", drift);
    }
    if let Some(drift) = drift_percent(&grown) {
        say("db_drift_percent", drift);
    }
}

fn of_span(points: &[(u64, u64)], from_us: u64, to_us: u64) -> Spread {
    let mut spread = Spread::default();
    let inside = points.iter().filter(|(due, _)| (from_us..to_us).contains(due));
    inside.for_each(|(_, took)| spread.add(Duration::from_micros(*took)));
    spread
}

/// Computes the run over time, a moment for each sample after the first. `sent_us` holds when each answer was sent.
pub fn timeline(samples: &[Sample], due_us: &[u64], latencies: &Latencies, sent_us: &[u64]) -> Vec<Moment> {
    let Some(first) = samples.first() else { return Vec::new() };
    let mut points: BTreeMap<usize, Spread> = BTreeMap::new();
    let span_of = |at_us: u64| samples.partition_point(|sample| sample.at_us <= at_us);
    for (due, took) in &latencies.points {
        points.entry(span_of(*due)).or_default().add(Duration::from_micros(*took));
    }
    let counts = |instants: &[u64]| {
        let mut counts: BTreeMap<usize, u64> = BTreeMap::new();
        for at in instants {
            *counts.entry(span_of(*at)).or_default() += 1;
        }
        counts
    };
    let (due, sent) = (counts(due_us), counts(sent_us));
    let moment = |(index, pair): (usize, &[Sample])| {
        let (from, to) = (&pair[0], &pair[1]);
        let seconds = ((to.at_us - from.at_us) as f64 / 1e6).max(f64::MIN_POSITIVE);
        let spread = points.get(&(index + 1));
        let per_second = |counts: &BTreeMap<usize, u64>| counts.get(&(index + 1)).map_or(0.0, |n| *n as f64) / seconds;
        Moment {
            at_s: (to.at_us - first.at_us) as f64 / 1e6,
            messages_per_second: per_second(&due),
            replies_per_second: per_second(&sent),
            p50_ms: spread.map(|spread| spread.within_ms(0.5)),
            p99_ms: spread.map(|spread| spread.within_ms(0.99)),
            rss_mib: to.rss_bytes as f64 / MIB,
            cpu_percent: to.cpu.saturating_sub(from.cpu).as_secs_f64() * 100.0 / seconds,
            commits_per_second: (to.commits - from.commits) / seconds,
            database_mib: to.database_bytes as f64 / MIB,
        }
    };
    samples.windows(2).enumerate().map(moment).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_counts_in_the_span_in_which_it_was_due() {
        let sample = |s: u64| Sample {
            at_us: s * 1_000_000,
            rss_bytes: 1 << 20,
            peak_bytes: 1 << 20,
            cpu: Duration::from_millis(s * 100),
            commits: s as f64 * 5.0,
            database_bytes: 0,
        };
        let samples = [sample(3), sample(4), sample(5)];
        let latencies = Latencies { points: vec![(3_500_000, 700_000), (4_000_000, 10_000)], ..Latencies::default() };
        let timeline = timeline(&samples, &[3_500_000, 4_000_000], &latencies, &[4_200_000, 4_010_000]);
        let p50: Vec<i64> = timeline.iter().filter_map(|at| at.p50_ms).map(|ms| ms.round() as i64).collect();
        assert_eq!(p50, [700, 10]);
        assert_eq!(timeline.iter().map(|at| at.replies_per_second as u64).collect::<Vec<_>>(), [0, 2]);
        assert!((timeline[1].commits_per_second - 5.0).abs() < 1e-9 && (timeline[1].cpu_percent - 10.0).abs() < 1e-9);
    }
}
