//! Measures the product under load: durable replies a second, latency, overhead beyond the LLM, CPU time,
//! memory. Layer: harness.
//!
//! The simulation shares the machine; the figures of CPU time are the product's alone.

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use botfleet_world::checker::report::Report;
use botfleet_world::checker::{Policy, check_with};
use clap::Args;
use serde::Serialize;

use super::args::{LlmArgs, StageArgs};
use super::error::HarnessError;
use super::files::Synchronous;
use super::measure::{Measured, Spread, Window, llm_delays, measure};
use super::product::ProductError;
use super::settle::settle;
use super::stage::Stage;
use super::traffic::{Shape, Traffic};
use super::{disk, progress, usage};

/// The number of flushes to the disk that are measured beside the load.
const FLUSHES: u32 = 200;

/// The command-line arguments of `load`.
#[derive(Debug, Clone, Args)]
#[command(group = clap::ArgGroup::new("shape").required(true))]
pub struct LoadArgs {
    /// World and product.
    #[command(flatten)]
    pub stage: StageArgs,
    /// The LLM.
    #[command(flatten)]
    pub llm: LlmArgs,
    /// Messages of people a second, over all chats, sent without waiting for answers.
    #[arg(long, group = "shape")]
    pub rate: Option<f64>,
    /// Messages that still miss answers at any time, over all chats.
    #[arg(long, group = "shape")]
    pub closed: Option<usize>,
    /// How many seconds are measured.
    #[arg(long, default_value_t = 15.0)]
    pub seconds: f64,
    /// Seconds of traffic before the measurement.
    #[arg(long, default_value_t = 3.0)]
    pub warmup: f64,
    /// How many seconds the fleet may take to come to rest at the end.
    #[arg(long, default_value_t = 60)]
    pub settle_seconds: u64,
}

/// The result of a `load` run.
#[derive(Debug, Clone, Serialize)]
pub struct LoadResult {
    /// Bots of the fleet.
    pub bots: usize,
    /// Chats.
    pub chats: usize,
    /// The folder of the run; a temporary one is removed after a clean run.
    pub dir: PathBuf,
    /// How messages followed one another.
    pub shape: Shape,
    /// How durable commits were.
    pub synchronous: &'static str,
    /// The median of the LLM's latency in milliseconds.
    pub llm_latency_ms: u64,
    /// The spread of the LLM's latency.
    pub llm_sigma: f64,
    /// The length of the measurement in seconds.
    pub seconds: f64,
    /// Replies a second; the product commits each reply before its send and after.
    pub replies_per_second: f64,
    /// Counts, latency and overhead.
    #[serde(flatten)]
    pub measured: Measured,
    /// User and system time of the product for each reply, in milliseconds.
    pub cpu_ms_per_reply: f64,
    /// Cores that the product used.
    pub cpu_cores: f64,
    /// Memory at the end of the window, in MiB.
    pub rss_mib: f64,
    /// The most memory of the run, in MiB.
    pub peak_rss_mib: f64,
    /// Time of a flush of 4 KiB to the disk, in the same folder during the measurement.
    pub fdatasync: Spread,
    /// Time from the start until all bots polled, in seconds.
    pub start_seconds: f64,
    /// True if the fleet came to rest after the traffic.
    pub at_rest: bool,
    /// The checker's report.
    pub checker: Report,
}

impl LoadResult {
    /// Returns whether the fleet came to rest and no message was lost, doubled or left unknown.
    pub fn is_clean(&self) -> bool {
        self.at_rest && self.checker.is_clean() && self.checker.breaches.unknown == 0
    }
}

/// The readings of the measured window.
struct Read {
    window: Window,
    lasted: Duration,
    cpu: Duration,
    memory: usage::Memory,
    fdatasync: Spread,
}

/// Runs the harness.
///
/// # Errors
/// The run could not be completed.
pub async fn run(args: &LoadArgs) -> Result<LoadResult, HarnessError> {
    let shape = match (args.rate, args.closed) {
        (Some(rate), _) => Shape::Open { rate },
        (None, outstanding) => Shape::Closed { outstanding: outstanding.unwrap_or(1) },
    };
    let stage = Stage::start(&args.stage, args.llm.latency()).await?;
    let world = &stage.simulation.world;
    let mut traffic = Traffic::new(world);
    let loading = async {
        tokio::select! {
            biased;
            read = watch(args, &stage) => read,
            error = traffic.drive(shape) => Err(error),
        }
    };
    let begun = Instant::now();
    let whole = args.warmup + args.seconds;
    let tell = || format!("{:.0} of {whole:.0} s", begun.elapsed().as_secs_f64());
    let read = progress::during(loading, tell).await?;

    let settling = settle(&stage, Duration::from_secs(args.settle_seconds));
    let settled = progress::during(settling, || "waiting for the fleet to come to rest".to_owned()).await?;
    let calls = stage.simulation.provider.ledger();
    let ledger = world.ledger().snapshot();
    let delays = llm_delays(stage.simulation.provider.spec(), calls.len());
    let measured = measure(&ledger, traffic.due_us(), &delays, read.window);
    let checker = check_with(Policy::Every, &ledger, &calls, &settled.outcomes);
    let seconds = read.lasted.as_secs_f64();
    let result = LoadResult {
        bots: args.stage.bots,
        chats: args.stage.chats,
        dir: stage.dir().to_owned(),
        shape,
        synchronous: Synchronous::as_str(args.stage.run.synchronous),
        llm_latency_ms: args.llm.llm_latency_ms,
        llm_sigma: args.llm.llm_sigma,
        seconds,
        replies_per_second: measured.replies as f64 / seconds,
        cpu_ms_per_reply: read.cpu.as_secs_f64() * 1000.0 / measured.replies.max(1) as f64,
        measured,
        cpu_cores: read.cpu.as_secs_f64() / seconds,
        rss_mib: mib(read.memory.resident_bytes),
        peak_rss_mib: mib(read.memory.peak_bytes),
        fdatasync: read.fdatasync,
        start_seconds: stage.started_in.as_secs_f64(),
        at_rest: settled.at_rest,
        checker,
    };
    stage.stop(result.is_clean()).await?;
    Ok(result)
}

/// Lets the traffic warm up, then measures the product for the given time.
async fn watch(args: &LoadArgs, stage: &Stage) -> Result<Read, HarnessError> {
    let seconds = |seconds: f64| Duration::from_secs_f64(seconds.max(0.0));
    tokio::time::sleep(seconds(args.warmup)).await;
    let pid = stage.product.pid().ok_or(ProductError::NotRunning)?;
    let ledger = stage.simulation.world.ledger();
    let gone = |error| HarnessError::from(ProductError::Process(error));
    let (began, from_us, cpu) = (Instant::now(), ledger.now_us(), usage::cpu_time(pid).map_err(gone)?);
    let (fdatasync, ()) = tokio::join!(
        disk::flushes(stage.dir(), FLUSHES, seconds(args.seconds)),
        tokio::time::sleep(seconds(args.seconds))
    );
    Ok(Read {
        window: Window { from_us, to_us: ledger.now_us() },
        lasted: began.elapsed(),
        cpu: usage::cpu_time(pid).map_err(gone)?.saturating_sub(cpu),
        memory: usage::memory(pid).map_err(gone)?,
        fdatasync: fdatasync?,
    })
}

/// Converts bytes to MiB.
pub(super) fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

impl fmt::Display for LoadResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = match self.shape {
            Shape::Open { rate } => format!("open, {rate} messages/s"),
            Shape::Closed { outstanding } => format!("closed, {outstanding} messages outstanding"),
        };
        let rows = [
            ("fleet", format!("{} bots, {} chats, synchronous {}", self.bots, self.chats, self.synchronous)),
            ("traffic", format!("{shape}, {:.1} s", self.seconds)),
            ("LLM latency", format!("median {} ms, sigma {}", self.llm_latency_ms, self.llm_sigma)),
            ("messages", self.measured.posts.to_string()),
            ("replies", format!("{}, {:.1}/s", self.measured.replies, self.replies_per_second)),
            ("latency", self.measured.latency.to_string()),
            ("overhead", self.measured.overhead.to_string()),
            ("CPU", format!("{:.3} ms/reply, {:.2} cores", self.cpu_ms_per_reply, self.cpu_cores)),
            ("memory", format!("{:.1} MiB, at most {:.1} MiB", self.rss_mib, self.peak_rss_mib)),
            ("fdatasync", self.fdatasync.to_string()),
            ("start", format!("{:.2} s until all bots polled", self.start_seconds)),
            ("at rest", if self.at_rest { "yes" } else { "NO" }.to_owned()),
        ];
        for (name, value) in rows {
            writeln!(f, "{name:<14}{value}")?;
        }
        write!(f, "\n{}", self.checker)?;
        if self.is_clean() { Ok(()) } else { write!(f, "\nleft for a look: {}", self.dir.display()) }
    }
}
