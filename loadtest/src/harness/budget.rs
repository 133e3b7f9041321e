//! `budget`: checks that a token budget holds by the providers' own count, across kills, faults and fallbacks. Layer:
//! harness.
//!
//! Every call that a simulated provider billed counts, even if its answer was cut, lost or thrown away.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use botfleet_world::provider::faults::{ProviderFault, ProviderFaults, ProviderRule};
use botfleet_world::provider::limits::Used;
use botfleet_world::provider::spec::Latency;
use botfleet_world::simulation::{Simulation, SimulationSpec};
use botfleet_world::world::spec::WorldSpec;
use clap::Args;
use serde::Serialize;
use tokio::time::Instant;

use super::args::RunArgs;
use super::error::HarnessError;
use super::files::{ProductOptions, ProviderOptions};
use super::progress;
use super::stage::Stage;
use super::traffic::{Shape, Traffic};

/// The probability with which each kind of fault strikes a call.
const FAULTY: f64 = 0.015;
/// The budget counts as used up when no call has come for this long.
const QUIET_FOR: Duration = Duration::from_secs(6);
/// How often the calls are counted.
const COUNTED_EVERY: Duration = Duration::from_millis(200);

/// The command-line arguments of `budget`.
#[derive(Debug, Clone, Args)]
pub struct BudgetArgs {
    /// The product and the run.
    #[command(flatten)]
    pub run: RunArgs,
    /// How many bots the fleet has.
    #[arg(long, default_value_t = 30)]
    pub bots: usize,
    /// How many chats.
    #[arg(long, default_value_t = 6)]
    pub chats: usize,
    /// The fleet's budget in tokens, which is never renewed.
    #[arg(long, default_value_t = 300_000)]
    pub tokens: u64,
    /// Messages of people a second, over all chats.
    #[arg(long, default_value_t = 3.0)]
    pub rate: f64,
    /// Seconds between two kills, on average.
    #[arg(long, default_value_t = 3.0)]
    pub seconds_between: f64,
    /// The run ends after this many seconds, even if the budget is not used up.
    #[arg(long, default_value_t = 90.0)]
    pub seconds: f64,
}

/// The result of a `budget` run.
#[derive(Debug, Clone, Serialize)]
pub struct BudgetResult {
    /// The budget in tokens.
    pub tokens: u64,
    /// Tokens that the providers billed.
    pub used: u64,
    /// Calls that the providers billed.
    pub calls: u64,
    /// Calls that failed without a bill.
    pub failed: u64,
    /// Billed calls whose answers were spoiled or lost.
    pub spoiled: u64,
    /// How often the product was killed.
    pub kills: u64,
    /// True if the calls stopped before the time was over.
    pub ended: bool,
    /// Answers that reached the chats.
    pub sent: u64,
    /// The folder of the run; a temporary one is removed after a clean run.
    pub dir: PathBuf,
}

impl BudgetResult {
    /// Returns whether the product kept within the budget and used it up.
    pub fn is_clean(&self) -> bool {
        self.used <= self.tokens && self.ended
    }
}

/// Runs the harness.
///
/// # Errors
/// The run could not be completed.
pub async fn run(args: &BudgetArgs) -> Result<BudgetResult, HarnessError> {
    let latency = Latency { median: Duration::from_millis(200), sigma: 0.5 };
    let names = ["first", "second"];
    let spec = SimulationSpec {
        providers: names.iter().map(|name| ((*name).to_owned(), args.run.provider(latency))).collect(),
        ..SimulationSpec::of(WorldSpec::fleet(args.run.seed, args.bots, args.chats))
    };
    let budget = toml::toml! {
        scope = "fleet"
        unit = "tokens"
        per = "total"
    };
    let limit = toml::Table::from_iter([("limit".to_owned(), i64::try_from(args.tokens).unwrap_or(i64::MAX).into())]);
    let budgets = vec![budget.into_iter().chain(limit).collect()];
    let hasty = toml::toml! {
        timeout = "2s"
        breaker = { failures = 20, open_for = "1s" }
    };
    let defaults = toml::toml! {
        max_tokens = 60
    };
    let options = ProductOptions {
        providers: names.iter().map(|name| ProviderOptions::further(name).saying(hasty.clone())).collect(),
        models: vec![names.iter().map(|name| (*name).to_owned()).collect()],
        budgets,
        defaults,
        ..args.run.options()
    };
    let binary = args.run.product()?;
    let mut stage = Stage::open(&binary, spec, args.run.dir.as_deref(), &options).await?;
    stage.wait_until_polling(args.bots).await?;
    // The product leaves a refused key alone for long, so that nothing more would be spent.
    let ends_keys = |what: &ProviderFault| matches!(what, ProviderFault::RevokedKey | ProviderFault::QuotaExhausted);
    let rules = ProviderFault::ALL.into_iter().filter(|what| !ends_keys(what)).map(|what| ProviderRule {
        probability: FAULTY,
        for_ms: Some(2500),
        retry_after: Some(1),
        ..ProviderRule::always(what)
    });
    let faults = ProviderFaults { seed: args.run.seed, rules: rules.collect() };
    stage.simulation.all_providers().for_each(|provider| provider.set_faults(faults.clone()));

    let world = std::sync::Arc::clone(&stage.simulation.world);
    let mut traffic = Traffic::new(&world);
    let mut kills = 0;
    let spending = async {
        tokio::select! {
            biased;
            ended = kill_until_spent(args, &mut stage, &mut kills) => ended,
            error = traffic.drive(Shape::Open { rate: args.rate }) => Err(error),
        }
    };
    let ended = progress::during(spending, || format!("spending {} tokens", args.tokens)).await?;
    let used = used(&stage.simulation);
    let spoiled = stage.simulation.all_providers().flat_map(|provider| provider.ledger());
    let result = BudgetResult {
        tokens: args.tokens,
        used: used.tokens(),
        calls: used.requests,
        failed: used.failed,
        spoiled: spoiled.filter(|call| call.fault.is_some() || !call.answered).count() as u64,
        kills,
        ended,
        sent: world.ledger().snapshot().iter().filter(|record| is_sent(&record.event)).count() as u64,
        dir: stage.dir().to_owned(),
    };
    stage.stop(result.is_clean()).await?;
    Ok(result)
}

fn is_sent(event: &botfleet_world::ledger::LedgerEvent) -> bool {
    matches!(event, botfleet_world::ledger::LedgerEvent::SendAccepted { .. })
}

/// Sums what all providers have billed so far.
fn used(simulation: &Simulation) -> Used {
    simulation.all_providers().fold(Used::default(), |sum, provider| sum.plus(&provider.used()))
}

/// Kills the product now and then until calls stop and, after the providers' faults are cleared, stay away: then only
/// the budget can hold them back. Returns whether that happened in time.
async fn kill_until_spent(args: &BudgetArgs, stage: &mut Stage, kills: &mut u64) -> Result<bool, HarnessError> {
    let mut rng = fastrand::Rng::with_seed(args.run.seed);
    let until = Instant::now() + Duration::from_secs_f64(args.seconds.max(0.0));
    let mut next_kill = Instant::now();
    let (mut asked, mut quiet_since) = (0, Instant::now());
    let mut healed = false;
    loop {
        let calls = used(&stage.simulation);
        let now = Instant::now();
        if calls.requests + calls.failed != asked {
            (asked, quiet_since) = (calls.requests + calls.failed, now);
        }
        if now >= quiet_since + QUIET_FOR && asked > 0 {
            stage.product.ensure_running()?;
            if healed {
                return Ok(true);
            }
            stage.simulation.clear_faults();
            (healed, quiet_since) = (true, now);
        }
        if now >= until {
            return Ok(false);
        }
        if now >= next_kill {
            // Kills come only while the product spends, not after.
            if asked > 0 && now < quiet_since + QUIET_FOR / 3 {
                stage.product.kill_9().await?;
                *kills += 1;
                stage.product.restart().await?;
            }
            let between = args.seconds_between.max(0.1) * (0.5 + rng.f64());
            next_kill = Instant::now() + Duration::from_secs_f64(between);
        }
        tokio::time::sleep(COUNTED_EVERY).await;
    }
}

impl fmt::Display for BudgetResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = self.used as f64 * 100.0 / self.tokens.max(1) as f64;
        writeln!(f, "{:<16}{}", "budget", self.tokens)?;
        writeln!(f, "{:<16}{} ({share:.1} %)", "billed", self.used)?;
        writeln!(f, "{:<16}{}, of these {} spoiled or lost", "billed calls", self.calls, self.spoiled)?;
        writeln!(f, "{:<16}{}", "failed calls", self.failed)?;
        writeln!(f, "{:<16}{}", "answers sent", self.sent)?;
        writeln!(f, "{:<16}{}", "kills", self.kills)?;
        writeln!(f, "{:<16}{}", "used up", if self.ended { "yes" } else { "NO" })?;
        write!(f, "kept: {}", if self.is_clean() { "yes" } else { "NO" })
    }
}
