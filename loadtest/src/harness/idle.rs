//! Measures a fleet to which nobody speaks: its start time, and its memory and CPU time at rest. Layer: harness.

use std::fmt;
use std::time::{Duration, Instant};

use botfleet_world::provider::spec::Latency;
use clap::Args;
use serde::Serialize;

use super::args::StageArgs;
use super::error::HarnessError;
use super::product::ProductError;
use super::stage::Stage;
use super::{progress, usage};

/// The command-line arguments of `idle`.
#[derive(Debug, Clone, Args)]
pub struct IdleArgs {
    /// World and product.
    #[command(flatten)]
    pub stage: StageArgs,
    /// How many seconds are measured.
    #[arg(long, default_value_t = 30.0)]
    pub seconds: f64,
    /// Seconds of rest before the measurement.
    #[arg(long, default_value_t = 3.0)]
    pub warmup: f64,
}

/// The result of an `idle` run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct IdleResult {
    /// Bots of the fleet.
    pub bots: usize,
    /// Time from the start until all bots polled, in seconds.
    pub start_seconds: f64,
    /// The length of the measurement in seconds.
    pub seconds: f64,
    /// Memory at the end, in MiB.
    pub rss_mib: f64,
    /// The most memory since the start, in MiB.
    pub peak_rss_mib: f64,
    /// CPU time, in per cent of one core.
    pub cpu_percent: f64,
    /// Bots that polled at the end.
    pub polling: usize,
}

impl IdleResult {
    /// Returns whether all bots still polled at the end.
    pub fn is_clean(&self) -> bool {
        self.polling == self.bots
    }
}

/// Runs the harness.
///
/// # Errors
/// The run could not be completed.
pub async fn run(args: &IdleArgs) -> Result<IdleResult, HarnessError> {
    let stage = Stage::start(&args.stage, Latency::NONE).await?;
    let pid = stage.product.pid().ok_or(ProductError::NotRunning)?;
    let gone = |error| HarnessError::from(ProductError::Process(error));
    let seconds = |seconds: f64| Duration::from_secs_f64(seconds.max(0.0));
    let resting = async {
        tokio::time::sleep(seconds(args.warmup)).await;
        let (began, cpu) = (Instant::now(), usage::cpu_time(pid).map_err(gone)?);
        tokio::time::sleep(seconds(args.seconds)).await;
        let cpu = usage::cpu_time(pid).map_err(gone)?.saturating_sub(cpu);
        Ok::<_, HarnessError>((began.elapsed().as_secs_f64(), cpu.as_secs_f64()))
    };
    let begun = Instant::now();
    let whole = args.warmup + args.seconds;
    let tell = || format!("idle for {:.0} of {whole:.0} s", begun.elapsed().as_secs_f64());
    let (lasted, cpu) = progress::during(resting, tell).await?;
    let memory = usage::memory(pid).map_err(gone)?;
    let result = IdleResult {
        bots: args.stage.bots,
        start_seconds: stage.started_in.as_secs_f64(),
        seconds: lasted,
        rss_mib: mib(memory.resident_bytes),
        peak_rss_mib: mib(memory.peak_bytes),
        cpu_percent: cpu * 100.0 / lasted,
        polling: stage.simulation.world.polling_bots(),
    };
    stage.stop(result.is_clean()).await?;
    Ok(result)
}

impl fmt::Display for IdleResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<14}{} bots, {} poll at the end", "fleet", self.bots, self.polling)?;
        writeln!(f, "{:<14}{:.2} s until all bots polled", "start", self.start_seconds)?;
        writeln!(f, "{:<14}{:.1} MiB, at most {:.1} MiB", "memory", self.rss_mib, self.peak_rss_mib)?;
        write!(f, "{:<14}{:.2} % of a core over {:.1} s", "CPU", self.cpu_percent, self.seconds)
    }
}

/// Converts bytes to MiB.
fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
