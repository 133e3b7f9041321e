//! Kills the product with SIGKILL in full traffic, again and again, and looks for lost or doubled
//! messages. Layer: harness (I1, I2, I4, I8).
//!
//! Three of four kills come while all bots poll, every fourth while the product recovers from the
//! previous kill.

use std::cell::Cell;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use botfleet_world::checker::report::Report;
use botfleet_world::checker::{Policy, check_with};
use clap::Args;
use serde::Serialize;

use super::args::{LlmArgs, StageArgs};
use super::error::HarnessError;
use super::progress;
use super::settle::{Queues, settle};
use super::stage::Stage;
use super::traffic::{Shape, Traffic};

/// A send counts as in flight until its answer is this old: the product may not have committed it yet.
const GRACE: Duration = Duration::from_millis(50);
/// One kill in this many comes during a recovery.
const RECOVERY_EVERY: u32 = 4;

/// The command-line arguments of `crash`.
#[derive(Debug, Clone, Args)]
pub struct CrashArgs {
    /// World and product.
    #[command(flatten)]
    pub stage: StageArgs,
    /// The LLM.
    #[command(flatten)]
    pub llm: LlmArgs,
    /// How many times the product is killed.
    #[arg(long, default_value_t = 10)]
    pub kills: u32,
    /// Messages of people a second, over all chats.
    #[arg(long, default_value_t = 200.0)]
    pub rate: f64,
    /// Seconds of full traffic between two kills, on average.
    #[arg(long, default_value_t = 3.0)]
    pub seconds_between: f64,
    /// How many seconds the fleet may take to come to rest at the end.
    #[arg(long, default_value_t = 120)]
    pub settle_seconds: u64,
}

/// One kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Kill {
    /// The time of the kill, in milliseconds since the world's start.
    pub at_ms: u64,
    /// True if the kill came while the product recovered from the previous one.
    pub in_recovery: bool,
    /// Sends that the simulated Telegram had in flight.
    pub sends_in_flight: usize,
}

/// The result of a `crash` run.
#[derive(Debug, Clone, Serialize)]
pub struct CrashResult {
    /// Bots of the fleet.
    pub bots: usize,
    /// The folder of the run; a temporary one is removed after a clean run.
    pub dir: PathBuf,
    /// The kills.
    pub kills: Vec<Kill>,
    /// Messages whose fate the product does not know.
    pub unknown: u64,
    /// Sends in flight over all kills.
    pub in_flight_at_kills: u64,
    /// True if the fleet came to rest.
    pub at_rest: bool,
    /// The product's queues at the end.
    pub queues: Queues,
    /// The checker's report.
    pub checker: Report,
}

impl CrashResult {
    /// Returns whether nothing was lost or doubled, and no more messages are unknown than sends were in flight.
    pub fn is_clean(&self) -> bool {
        self.at_rest && self.checker.is_clean() && self.unknown <= self.in_flight_at_kills
    }
}

/// Runs the harness.
///
/// # Errors
/// The run could not be completed.
pub async fn run(args: &CrashArgs) -> Result<CrashResult, HarnessError> {
    let mut stage = Stage::start(&args.stage, args.llm.latency()).await?;
    let world = std::sync::Arc::clone(&stage.simulation.world);
    let mut traffic = Traffic::new(&world);
    let done = Cell::new(0);
    let killing = async {
        tokio::select! {
            biased;
            kills = kill_all(args, &mut stage, &done) => kills,
            error = traffic.drive(Shape::Open { rate: args.rate }) => Err(error),
        }
    };
    let tell = || format!("{} of {} kills, {} bots poll", done.get(), args.kills, world.polling_bots());
    let kills = progress::during(killing, tell).await?;

    let settling = settle(&stage, Duration::from_secs(args.settle_seconds));
    let settled = progress::during(settling, || "traffic has ended, waiting for the fleet to come to rest".to_owned());
    let settled = settled.await?;
    let calls = stage.simulation.provider.ledger();
    let checker = check_with(Policy::Every, &world.ledger().snapshot(), &calls, &settled.outcomes);
    let result = CrashResult {
        bots: world.spec().bots.len(),
        dir: stage.dir().to_owned(),
        unknown: checker.breaches.unknown,
        in_flight_at_kills: kills.iter().map(|kill| kill.sends_in_flight as u64).sum(),
        kills,
        at_rest: settled.at_rest,
        queues: settled.queues,
        checker,
    };
    stage.stop(result.is_clean()).await?;
    Ok(result)
}

/// Kills and restarts the product as often as asked, then lets full traffic run once more.
async fn kill_all(args: &CrashArgs, stage: &mut Stage, done: &Cell<u32>) -> Result<Vec<Kill>, HarnessError> {
    let mut rng = fastrand::Rng::with_seed(args.stage.run.seed);
    let between = args.seconds_between.max(0.0);
    let mut kills = Vec::new();
    for number in 1..=args.kills {
        let in_recovery = number % RECOVERY_EVERY == 0;
        if in_recovery {
            // After 0.2 to 3.2 times the duration of a start: during the recovery or soon after it.
            tokio::time::sleep(stage.started_in.mul_f64(0.2 + 3.0 * rng.f64())).await;
        } else {
            if number > 1 {
                stage.product.wait_until_bound().await?;
                stage.wait_until_polling(args.stage.bots).await?;
            }
            tokio::time::sleep(Duration::from_secs_f64(between * (0.5 + rng.f64()))).await;
        }
        kills.push(kill(stage, in_recovery).await?);
        done.set(number);
        stage.product.spawn()?;
    }
    if args.kills > 0 {
        stage.product.wait_until_bound().await?;
    }
    stage.wait_until_polling(args.stage.bots).await?;
    tokio::time::sleep(Duration::from_secs_f64(between)).await;
    stage.product.ensure_running()?;
    Ok(kills)
}

/// Kills the product and counts the sends in flight: sends unanswered at the kill, sends answered too
/// shortly before the kill to be committed, and sends still on the wire.
async fn kill(stage: &mut Stage, in_recovery: bool) -> Result<Kill, HarnessError> {
    let ledger = stage.simulation.world.ledger();
    let killed_us = ledger.now_us();
    stage.product.kill_9().await?;
    let gone_us = ledger.now_us();
    let grace = GRACE + Duration::from_micros(gone_us.saturating_sub(killed_us));
    Ok(Kill { at_ms: killed_us / 1000, in_recovery, sends_in_flight: ledger.sends_in_flight_at(gone_us, grace) })
}

impl fmt::Display for CrashResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>12}{:>14}{:>18}", "killed at", "in recovery", "sends in flight")?;
        for kill in &self.kills {
            let at = format!("{:.2} s", kill.at_ms as f64 / 1000.0);
            let in_recovery = if kill.in_recovery { "yes" } else { "no" };
            writeln!(f, "{at:>12}{in_recovery:>14}{:>18}", kill.sends_in_flight)?;
        }
        writeln!(f, "\n{}\n", self.checker)?;
        writeln!(f, "{:<20}{:>10}", "kills", self.kills.len())?;
        writeln!(f, "{:<20}{:>10}", "unknown", self.unknown)?;
        writeln!(f, "{:<20}{:>10}", "in flight at kills", self.in_flight_at_kills)?;
        if self.at_rest {
            write!(f, "at rest: nothing waits in the product")?;
        } else {
            write!(f, "NOT AT REST: {:?}", self.queues)?;
        }
        if self.is_clean() { Ok(()) } else { write!(f, "\nleft for a look: {}", self.dir.display()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(unknown: u64, in_flight: u64) -> CrashResult {
        CrashResult {
            bots: 1,
            dir: PathBuf::new(),
            kills: Vec::new(),
            unknown,
            in_flight_at_kills: in_flight,
            at_rest: true,
            queues: Queues::default(),
            checker: Report::default(),
        }
    }

    #[test]
    fn more_unknown_messages_than_sends_in_flight_are_a_breach() {
        assert!(result(3, 3).is_clean());
        assert!(!result(4, 3).is_clean());
    }

    #[test]
    fn a_fleet_that_never_rests_or_loses_something_is_not_clean() {
        let mut restless = result(0, 0);
        restless.at_rest = false;
        assert!(!restless.is_clean());
        let mut loss = result(0, 0);
        loss.checker.breaches.unanswered = 1;
        assert!(!loss.is_clean());
    }
}
