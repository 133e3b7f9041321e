//! Samples the product during a run: memory, CPU time, commits, database, and shows the progress. Layer: harness.

use std::collections::HashMap;
use std::io::{IsTerminal as _, Write as _, stderr};
use std::time::Duration;

use botfleet_world::ledger::{LedgerEvent, LedgerRecord};
use botfleet_world::people::http;
use tokio::time::Instant;

use super::ground::Ground;
use super::scenario::{LoadScenario, LoopKind};
use crate::harness::error::HarnessError;
use crate::harness::measure::Spread;
use crate::harness::product::ProductError;
use crate::harness::scrape::{scrape, total};
use crate::harness::usage;

/// The number of samples of a long run.
const SAMPLES: f64 = 600.0;
/// The shortest distance of two samples in seconds.
const SAMPLED_EVERY: f64 = 1.0;
/// How often a line is printed where no terminal is.
const TOLD_EVERY: Duration = Duration::from_secs(5);

/// A reading of the product.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The time on the ledger's clock.
    pub at_us: u64,
    /// The resident memory, in bytes.
    pub rss_bytes: u64,
    /// The most resident memory so far, in bytes.
    pub peak_bytes: u64,
    /// CPU time so far.
    pub cpu: Duration,
    /// Commits of the store so far.
    pub commits: f64,
    /// The size of the database in bytes.
    pub database_bytes: u64,
}

/// The readings of a window.
#[derive(Debug)]
pub struct Watched {
    /// The samples: the first at the window's begin, the last at its end.
    pub samples: Vec<Sample>,
    /// The metrics of all nodes at the window's begin.
    pub metrics_before: Vec<String>,
    /// The metrics of all nodes at the window's end.
    pub metrics_after: Vec<String>,
}

/// Waits for the warm-up, then samples until the window ends. A fleet at rest is asked for its metrics at the window's
/// ends only: to answer costs more than to rest.
///
/// # Errors
/// The product is gone or does not answer.
pub async fn watch(
    ground: &Ground,
    scenario: &LoadScenario,
    (warmup, lasts): (Duration, Duration),
) -> Result<Watched, HarnessError> {
    let rests = scenario.arrivals.shape == LoopKind::Open && scenario.arrivals.phases.iter().all(|one| one.rate <= 0.0);
    let client = http::client()?;
    let urls = ground.urls()?;
    let mut live = Live::new(&scenario.name, warmup + lasts);
    let every = Duration::from_secs_f64((lasts.as_secs_f64() / SAMPLES).max(SAMPLED_EVERY));
    let begun = Instant::now();
    let mut warm = begun;
    while warm + every < begun + warmup {
        warm += every;
        tokio::time::sleep_until(warm).await;
        live.tell(ground, begun.elapsed(), &sample(ground, 0.0).await?);
    }
    tokio::time::sleep_until(begun + warmup).await;
    let metrics_before = scrape(&client, &urls).await?;
    let mut samples = vec![sample(ground, commits(&metrics_before)).await?];
    let (window, mut next) = (Instant::now(), Instant::now());
    loop {
        next = (next + every).min(window + lasts);
        tokio::time::sleep_until(next).await;
        let is_last = next >= window + lasts;
        let metrics = if is_last || !rests { Some(scrape(&client, &urls).await?) } else { None };
        let so_far = metrics.as_deref().map_or_else(|| commits(&metrics_before), commits);
        let taken = sample(ground, so_far).await?;
        live.tell(ground, begun.elapsed(), &taken);
        samples.push(taken);
        if let Some(metrics_after) = metrics.filter(|_| is_last) {
            live.end();
            return Ok(Watched { samples, metrics_before, metrics_after });
        }
    }
}

fn commits(metrics: &[String]) -> f64 {
    total(metrics, "botfleet_store_commit_duration_seconds_count")
}

async fn sample(ground: &Ground, commits: f64) -> Result<Sample, HarnessError> {
    let gone = |error| HarnessError::from(ProductError::Process(error));
    let mut sample = Sample {
        at_us: ground.simulation().world.ledger().now_us(),
        rss_bytes: 0,
        peak_bytes: 0,
        cpu: Duration::ZERO,
        commits,
        database_bytes: ground.database_bytes().await?,
    };
    for pid in ground.pids()? {
        let memory = usage::memory(pid).map_err(gone)?;
        sample.rss_bytes += memory.resident_bytes;
        sample.peak_bytes += memory.peak_bytes;
        sample.cpu += usage::cpu_time(pid).map_err(gone)?;
    }
    Ok(sample)
}

/// The line of progress. Its latencies count from the post, not from the scheduled instant, and know only what was
/// answered: they are a glance, and no figure of the report.
struct Live<'n> {
    name: &'n str,
    whole: Duration,
    read: usize,
    posted_us: HashMap<(i64, i64), u64>,
    refused: u64,
    last: (Duration, Duration),
    told: Option<Instant>,
    is_terminal: bool,
}

impl<'n> Live<'n> {
    fn new(name: &'n str, whole: Duration) -> Self {
        let is_terminal = stderr().is_terminal();
        let last = (Duration::ZERO, Duration::ZERO);
        Self { name, whole, read: 0, posted_us: HashMap::new(), refused: 0, last, told: None, is_terminal }
    }

    fn tell(&mut self, ground: &Ground, at: Duration, sample: &Sample) {
        let is_due = self.is_terminal || self.told.is_none_or(|told| told.elapsed() >= TOLD_EVERY);
        if !is_due {
            return;
        }
        self.told = Some(Instant::now());
        let records = ground.simulation().world.ledger().since(self.read);
        self.read += records.len();
        let (messages, replies, spread) = self.count(&records);
        let span = at.saturating_sub(self.last.0).as_secs_f64().max(1e-3);
        let cpu = sample.cpu.saturating_sub(self.last.1).as_secs_f64() * 100.0 / span;
        self.last = (at, sample.cpu);
        let line = format!(
            "{} {:.0}/{:.0} s  {:.1} messages/s  {:.1} replies/s  p50 {:.0} ms  p99 {:.0} ms  refused {}  {:.0} MiB  CPU {cpu:.0} %",
            self.name,
            at.as_secs_f64(),
            self.whole.as_secs_f64(),
            messages as f64 / span,
            replies as f64 / span,
            spread.within_ms(0.5),
            spread.within_ms(0.99),
            self.refused,
            sample.rss_bytes as f64 / f64::from(1 << 20),
        );
        self.draw(&line);
    }

    /// Counts messages, replies and their latencies among new records.
    fn count(&mut self, records: &[LedgerRecord]) -> (u64, u64, Spread) {
        let (mut messages, mut replies, mut spread) = (0, 0, Spread::default());
        for record in records {
            match &record.event {
                LedgerEvent::Posted { author_is_bot: false, marker: Some(_), chat, message_id, .. } => {
                    messages += 1;
                    self.posted_us.insert((*chat, *message_id), record.at_us);
                }
                LedgerEvent::SendAccepted { chat, reply_to, .. } => {
                    replies += 1;
                    let posted = reply_to.and_then(|message| self.posted_us.get(&(*chat, message)));
                    if let Some(posted) = posted {
                        spread.add(Duration::from_micros(record.at_us.saturating_sub(*posted)));
                    }
                }
                LedgerEvent::SendRefused { .. } => self.refused += 1,
                _ => {}
            }
        }
        (messages, replies, spread)
    }

    /// Replaces the line on a terminal, and adds a line elsewhere; a closed stderr is no fault.
    fn draw(&self, line: &str) {
        let mut err = stderr().lock();
        let written = if self.is_terminal { write!(err, "\r\x1b[2K{line}") } else { writeln!(err, "{line}") };
        let _ = written.and_then(|()| err.flush());
    }

    fn end(&self) {
        if self.is_terminal {
            self.draw("");
        }
    }
}

/// Prints one line to stderr; a closed stderr is no fault.
pub(super) fn say(text: &str) {
    let mut err = stderr().lock();
    let _ = writeln!(err, "{text}").and_then(|()| err.flush());
}
