//! `clock`: checks that bots answer while the host's clock is wrong, after it is put right, and after a suspension of
//! the host. Layer: harness (I14).
//!
//! A wrong host clock shows in its distance from Telegram's clock: the simulated Telegram is ten minutes ahead of the
//! host, or behind it, from before the product's start, and is put right while the product runs. In a suspension the
//! process is stopped while both clocks advance by eight hours; without libfaketime, only Telegram's clock advances.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use botfleet_world::ledger::LedgerEvent;
use botfleet_world::provider::spec::Latency;
use botfleet_world::simulation::SimulationSpec;
use botfleet_world::world::World;
use botfleet_world::world::spec::WorldSpec;
use clap::Args;
use serde::Serialize;
use tokio::time::Instant;

use super::args::RunArgs;
use super::error::HarnessError;
use super::files::ProductOptions;
use super::progress;
use super::stage::Stage;
use super::traffic::Traffic;

/// How far the clocks are apart.
const APART_S: i64 = 600;
/// How long the suspension takes by the clocks.
const ASLEEP_S: i64 = 8 * 3600;
/// How long the process really stands still.
const STOPPED: Duration = Duration::from_secs(3);
/// The time within which libfaketime reads its clock file again.
const CLOCK_READ_WITHIN: Duration = Duration::from_millis(1500);
/// The time after which people call again if a bot is silent.
const ASKED_EVERY: Duration = Duration::from_secs(5);

/// The command-line arguments of `clock`.
#[derive(Debug, Clone, Args)]
pub struct ClockArgs {
    /// The product and the run.
    #[command(flatten)]
    pub run: RunArgs,
    /// How many bots the fleet has.
    #[arg(long, default_value_t = 6)]
    pub bots: usize,
    /// How many chats.
    #[arg(long, default_value_t = 3)]
    pub chats: usize,
    /// How long the bots may take to answer all, in seconds.
    #[arg(long, default_value_t = 30)]
    pub within_seconds: u64,
}

/// One state of the clocks, and the outcome of the calls in it.
#[derive(Debug, Clone, Serialize)]
pub struct Moment {
    /// The state of the clocks, in words.
    pub clocks: String,
    /// Bots that were called, counted once for each of their chats.
    pub called: usize,
    /// Called bots that answered none of the calls.
    pub silent: usize,
    /// How often the bots were called.
    pub calls: u32,
    /// Time until the last bot had answered, or the time was over, in milliseconds.
    pub answered_ms: u64,
}

/// The result of a `clock` run.
#[derive(Debug, Clone, Serialize)]
pub struct ClockResult {
    /// True if the host's clock, as the product reads it, could be shifted.
    pub host_clock_shifted: bool,
    /// The states of the clocks, in order.
    pub moments: Vec<Moment>,
}

impl ClockResult {
    /// Returns whether bots were called in every state and all of them answered.
    pub fn is_clean(&self) -> bool {
        !self.moments.is_empty() && self.moments.iter().all(|moment| moment.silent == 0 && moment.called > 0)
    }
}

/// Runs the harness.
///
/// # Errors
/// The run could not be completed.
pub async fn run(args: &ClockArgs) -> Result<ClockResult, HarnessError> {
    let mut moments = Vec::new();
    for (words, offset_s) in [("telegram 10 min ahead", APART_S), ("telegram 10 min behind", -APART_S)] {
        moments.extend(progress::during(apart(args, words, offset_s), || words.to_owned()).await?);
    }
    let (host_clock_shifted, slept) = progress::during(asleep(args), || "suspended for 8 h".to_owned()).await?;
    moments.extend(slept);
    Ok(ClockResult { host_clock_shifted, moments })
}

async fn open(args: &ClockArgs) -> Result<Stage, HarnessError> {
    let latency = Latency { median: Duration::from_millis(50), sigma: 0.0 };
    let world = WorldSpec::fleet(args.run.seed, args.bots, args.chats);
    let spec = SimulationSpec { provider: args.run.provider(latency), ..SimulationSpec::of(world) };
    // Shorter than the clocks are apart: a product that judged age by the wrong clock would drop every call.
    let defaults = toml::toml! {
        pacing = { stale_after = "2m" }
    };
    let options = ProductOptions { defaults, poll_timeout_s: 5, ..args.run.options() };
    Stage::open(&args.run.product()?, spec, args.run.dir.as_deref(), &options).await
}

async fn apart(args: &ClockArgs, words: &str, offset_s: i64) -> Result<Vec<Moment>, HarnessError> {
    let mut stage = open(args).await?;
    stage.simulation.world.set_clock_offset(offset_s * 1000);
    // From this start on, the product knows no other distance of the clocks.
    stage.product.kill_9().await?;
    stage.product.restart().await?;
    stage.wait_until_polling(args.bots).await?;
    let world = std::sync::Arc::clone(&stage.simulation.world);
    let mut traffic = Traffic::new(&world);
    let wrong = called(&world, &mut traffic, words, args).await;
    world.set_clock_offset(0);
    let right = called(&world, &mut traffic, &format!("{words}, put right"), args).await;
    stage.product.kill_9().await?;
    stage.discard().await?;
    Ok(vec![wrong, right])
}

async fn asleep(args: &ClockArgs) -> Result<(bool, Vec<Moment>), HarnessError> {
    let mut stage = open(args).await?;
    let dir = stage.dir().to_owned();
    let shifted = stage.product.with_shifted_clock().map_err(HarnessError::file(&dir))?;
    stage.product.kill_9().await?;
    stage.product.restart().await?;
    stage.wait_until_polling(args.bots).await?;
    let world = std::sync::Arc::clone(&stage.simulation.world);
    let mut traffic = Traffic::new(&world);
    let before = called(&world, &mut traffic, "before the suspension", args).await;
    stage.product.shift_clock(ASLEEP_S).map_err(HarnessError::file(&dir))?;
    // A stopped process reads the file only after it continues.
    stage.product.pause(STOPPED).await?;
    world.set_clock_offset(ASLEEP_S * 1000);
    tokio::time::sleep(CLOCK_READ_WITHIN).await;
    let after = called(&world, &mut traffic, "after a suspension of 8 h", args).await;
    let again = called(&world, &mut traffic, "once more", args).await;
    stage.product.kill_9().await?;
    stage.discard().await?;
    Ok((shifted, vec![before, after, again]))
}

/// Calls the bots of every chat, again and again, until all have answered or the time is over.
async fn called(world: &World, traffic: &mut Traffic<'_>, clocks: &str, args: &ClockArgs) -> Moment {
    let began = Instant::now();
    let until = began + Duration::from_secs(args.within_seconds);
    let mut silent: BTreeSet<(i64, i64)> =
        world.spec().chats.iter().flat_map(|chat| chat.bots.iter().map(|bot| (*bot, chat.id))).collect();
    let (called, mut calls) = (silent.len(), 0);
    let mut read = world.ledger().len();
    while !silent.is_empty() && Instant::now() < until {
        calls += 1;
        let markers: BTreeSet<String> = traffic.round().into_iter().map(|post| format!("#m{}", post.number)).collect();
        let next = (Instant::now() + ASKED_EVERY).min(until);
        let all_answered = || {
            let records = world.ledger().since(read);
            read += records.len();
            for record in records {
                if let LedgerEvent::SendAccepted { bot, chat, marker: Some(marker), .. } = record.event
                    && markers.contains(&marker)
                {
                    silent.remove(&(bot, chat));
                }
            }
            silent.is_empty().then_some(())
        };
        world.wait_for(next, all_answered).await;
    }
    let answered_ms = began.elapsed().as_millis() as u64;
    Moment { clocks: clocks.to_owned(), called, silent: silent.len(), calls, answered_ms }
}

impl fmt::Display for ClockResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Moment { clocks, called, silent, calls, answered_ms } in &self.moments {
            writeln!(f, "{clocks:<36}{:>3} of {called} answered, {calls} calls, {answered_ms} ms", called - silent)?;
        }
        let host = if self.host_clock_shifted { "with" } else { "WITHOUT" };
        writeln!(f, "the suspension was played {host} the host's own clock")?;
        write!(f, "heard at all times: {}", if self.is_clean() { "yes" } else { "NO" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_silent_bot_and_no_call_at_all_are_seen() {
        let moment = |called, silent| Moment { clocks: String::new(), called, silent, calls: 1, answered_ms: 1 };
        let clean = |moments| ClockResult { host_clock_shifted: true, moments }.is_clean();
        assert!(clean(vec![moment(6, 0), moment(6, 0)]));
        assert!(!clean(vec![moment(6, 0), moment(6, 1)]));
        assert!(!clean(vec![]) && !clean(vec![moment(0, 0)]));
    }
}
