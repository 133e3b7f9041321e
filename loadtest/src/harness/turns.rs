//! `turns`: measures how long ten bots of one chat take to answer one question, each with an LLM call of its own.
//! Layer: harness.

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
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
use super::stage::Stage;
use super::traffic::Traffic;

/// The time within which all bots must have answered, at an LLM latency of 1 s.
const ALL_WITHIN: Duration = Duration::from_secs(3);
/// The time after which a round is given up.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(60);

/// The command-line arguments of `turns`.
#[derive(Debug, Clone, Args)]
pub struct TurnsArgs {
    /// The product and the run.
    #[command(flatten)]
    pub run: RunArgs,
    /// How many bots are in the chat.
    #[arg(long, default_value_t = 10)]
    pub bots: usize,
    /// How often the bots are asked, one question after the other.
    #[arg(long, default_value_t = 5)]
    pub rounds: usize,
    /// How long each LLM call takes, in milliseconds.
    #[arg(long, default_value_t = 1000)]
    pub llm_latency_ms: u64,
}

/// The result of a `turns` run.
#[derive(Debug, Clone, Serialize)]
pub struct TurnsResult {
    /// Bots of the chat.
    pub bots: usize,
    /// How long each LLM call took, in milliseconds.
    pub llm_latency_ms: u64,
    /// Time from each question to the last answer, in milliseconds; `None` if an answer did not come.
    pub rounds_ms: Vec<Option<f64>>,
    /// The folder of the run; a temporary one is removed after a clean run.
    pub dir: PathBuf,
}

impl TurnsResult {
    /// Returns whether all bots answered in time in every round.
    pub fn is_clean(&self) -> bool {
        let beyond = Duration::from_millis(self.llm_latency_ms).saturating_sub(Duration::from_secs(1));
        let within = (ALL_WITHIN + beyond).as_secs_f64() * 1000.0;
        self.rounds_ms.iter().all(|round| round.is_some_and(|ms| ms < within))
    }
}

/// Runs the harness.
///
/// # Errors
/// The run could not be completed.
pub async fn run(args: &TurnsArgs) -> Result<TurnsResult, HarnessError> {
    let latency = Latency { median: Duration::from_millis(args.llm_latency_ms), sigma: 0.0 };
    let world = WorldSpec::fleet(args.run.seed, args.bots, 1);
    let spec = SimulationSpec { provider: args.run.provider(latency), ..SimulationSpec::of(world) };
    let binary = args.run.product()?;
    let stage = Stage::open(&binary, spec, args.run.dir.as_deref(), &args.run.options()).await?;
    stage.wait_until_polling(args.bots).await?;
    let world = &stage.simulation.world;
    let mut traffic = Traffic::new(world);
    let mut rounds_ms = Vec::new();
    for _ in 0..args.rounds {
        rounds_ms.push(round(world, &mut traffic).await?);
    }
    let result =
        TurnsResult { bots: args.bots, llm_latency_ms: args.llm_latency_ms, rounds_ms, dir: stage.dir().to_owned() };
    stage.stop(result.is_clean()).await?;
    Ok(result)
}

/// Asks one question; returns the milliseconds until the last bot's answer was received, or `None` without all answers.
async fn round(world: &World, traffic: &mut Traffic<'_>) -> Result<Option<f64>, HarnessError> {
    let mut read = world.ledger().len();
    let asked_us = world.ledger().now_us();
    let post = traffic.round().into_iter().next().ok_or(HarnessError::NobodyPosts)?;
    let marker = format!("#m{}", post.number);
    let mut missing: HashSet<i64> = world.spec().bots.iter().map(|bot| bot.id).collect();
    let mut last_us = asked_us;
    let all_answered = || {
        let records = world.ledger().since(read);
        read += records.len();
        for record in records {
            match record.event {
                LedgerEvent::SendReceived { bot, marker: Some(said), .. } if said == marker && missing.remove(&bot) => {
                    last_us = record.at_us;
                }
                _ => {}
            }
        }
        missing.is_empty().then(|| last_us.saturating_sub(asked_us) as f64 / 1000.0)
    };
    Ok(world.wait_for(Instant::now() + GIVEN_UP_AFTER, all_answered).await)
}

impl fmt::Display for TurnsResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} bots, LLM {} ms", self.bots, self.llm_latency_ms)?;
        for (round, ms) in self.rounds_ms.iter().enumerate() {
            match ms {
                Some(ms) => writeln!(f, "round {:<4}{ms:>10.1} ms until the last answer", round + 1)?,
                None => writeln!(f, "round {:<4}NOT ANSWERED by all", round + 1)?,
            }
        }
        write!(f, "in time: {}", if self.is_clean() { "yes" } else { "NO" })
    }
}
