//! `limits`: checks that the product uses what Telegram's or a provider's limiters allow, and no more. Layer: harness.
//!
//! People ask so much that the limiter is the only brake. The measurement covers whole windows up to the end, without
//! the first: only at the beginning are bursts allowed, and a part of a window says nothing about its limit.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use botfleet_world::checker::limits::{LimitReport, reached};
use botfleet_world::checker::report::Report;
use botfleet_world::checker::{Policy, check_with};
use botfleet_world::provider::ProviderSpec;
use botfleet_world::provider::calls::CallRecord;
use botfleet_world::provider::spec::Latency;
use botfleet_world::simulation::SimulationSpec;
use botfleet_world::world::limits::LimitSpec;
use botfleet_world::world::spec::WorldSpec;
use clap::Args;
use serde::Serialize;
use tokio::time::Instant;

use super::args::{RunArgs, SendLatency};
use super::error::HarnessError;
use super::files::{ProductOptions, ProviderOptions};
use super::progress;
use super::settle::settle;
use super::stage::Stage;
use super::traffic::{Shape, Traffic};

/// The window of all limits, in seconds.
const WINDOW_SECONDS: f64 = 60.0;
/// The share of a limit that must be reached.
const REACHED_AT_LEAST: f64 = 0.9;
/// The share of sends or calls refused by a limiter must be less than this.
const REFUSED_LESS_THAN: f64 = 0.001;

/// The command-line arguments of `limits`.
#[derive(Debug, Clone, Args)]
pub struct LimitsArgs {
    /// The product and the run.
    #[command(flatten)]
    pub run: RunArgs,
    /// How many bots the fleet has; two share a chat.
    #[arg(long, default_value_t = 200)]
    pub bots: usize,
    /// How many seconds people ask; in a run of 120 s or more, at least the first 60 s are not measured.
    #[arg(long, default_value_t = 180.0)]
    pub seconds: f64,
    /// Questions of each chat that wait for answers at any time, on average over the chats.
    #[arg(long, default_value_t = 5)]
    pub outstanding: usize,
    /// How many seconds the fleet may take to come to rest at the end.
    #[arg(long, default_value_t = 300)]
    pub settle_seconds: u64,
    /// Measures the limits of an LLM provider instead: first calls a minute, then tokens a minute.
    #[arg(long)]
    pub provider: bool,
    /// Calls a minute of each key, with --provider.
    #[arg(long, default_value_t = 300, requires = "provider")]
    pub rpm: u32,
    /// Tokens a minute of each key, with --provider.
    #[arg(long, default_value_t = 60_000, requires = "provider")]
    pub tpm: u32,
    /// How many keys the pool has, with --provider.
    #[arg(long, default_value_t = 2, requires = "provider")]
    pub keys: usize,
}

/// The use of one limit of a provider.
#[derive(Debug, Clone, Serialize)]
pub struct ProviderUse {
    /// `requests` or `tokens`.
    pub limit: &'static str,
    /// Keys of the pool.
    pub keys: usize,
    /// Calls or tokens that one key may use a minute.
    pub per_minute: u32,
    /// Calls or tokens used in the measured time.
    pub used: u64,
    /// Calls or tokens allowed in the measured time.
    pub allowed: f64,
    /// The ratio of `used` to `allowed`.
    pub share: f64,
    /// Calls in the whole time.
    pub calls: u64,
    /// Calls that a limit refused in the whole time.
    pub refused: u64,
}

/// The result of a `limits` run.
#[derive(Debug, Clone, Serialize)]
pub struct LimitsResult {
    /// Bots of the fleet.
    pub bots: usize,
    /// How many seconds people asked.
    pub seconds: f64,
    /// The folders of the runs; a temporary one is removed after a clean run.
    pub dirs: Vec<PathBuf>,
    /// The use of Telegram's limits.
    pub telegram: Option<LimitReport>,
    /// The use of a provider's limits.
    pub providers: Vec<ProviderUse>,
    /// True if the fleet came to rest.
    pub at_rest: bool,
    /// The checker's report; of several runs, the first that was not clean, or else the last.
    pub checker: Report,
}

impl LimitsResult {
    /// Returns whether the limits were used and kept, and nothing was lost.
    pub fn is_clean(&self) -> bool {
        let telegram = self.telegram.is_none_or(|used| {
            used.overall.share >= REACHED_AT_LEAST && used.refused_share < REFUSED_LESS_THAN && used.violations == 0
        });
        let provider = self.providers.iter().all(|used| {
            let refused = used.refused as f64 / (used.calls + used.refused).max(1) as f64;
            used.share >= REACHED_AT_LEAST && refused < REFUSED_LESS_THAN
        });
        telegram && provider && self.at_rest && self.checker.is_clean()
    }
}

/// Runs the harness.
///
/// # Errors
/// The run could not be completed.
pub async fn run(args: &LimitsArgs) -> Result<LimitsResult, HarnessError> {
    let mut result = LimitsResult {
        bots: args.bots,
        seconds: args.seconds,
        dirs: Vec::new(),
        telegram: None,
        providers: Vec::new(),
        at_rest: true,
        checker: Report::default(),
    };
    if args.provider {
        for limit in ["requests", "tokens"] {
            of_provider(args, limit, &mut result).await?;
        }
    } else {
        of_telegram(args, &mut result).await?;
    }
    Ok(result)
}

async fn of_telegram(args: &LimitsArgs, result: &mut LimitsResult) -> Result<(), HarnessError> {
    let limits = LimitSpec::default();
    let world = WorldSpec {
        send_latency: SendLatency::Realistic.latency(),
        limits: Some(limits),
        ..WorldSpec::fleet(args.run.seed, args.bots, args.bots.div_ceil(2))
    };
    let latency = Latency { median: Duration::from_millis(100), sigma: 0.3 };
    let spec = SimulationSpec { provider: args.run.provider(latency), ..SimulationSpec::of(world) };
    let settings = toml::toml! {
        [bots]
        sends_per_second = 30
        sends_per_chat_per_minute = 20
    };
    let options = ProductOptions { settings, ..args.run.options() };
    let asked = ask(args, spec, &options, result).await?;
    let ledger = asked.stage.simulation.world.ledger().snapshot();
    let used = reached(&ledger, &limits, asked.measured_from_us, asked.until_us);
    let whole = reached(&ledger, &limits, 0, asked.until_us);
    // The use without the first window; sends, refusals and violations of the whole time.
    result.telegram = Some(LimitReport {
        refused: whole.refused,
        sends: whole.sends,
        refused_share: whole.refused_share,
        violations: whole.violations,
        ..used
    });
    asked.stage.stop(result.is_clean()).await
}

async fn of_provider(args: &LimitsArgs, limit: &'static str, result: &mut LimitsResult) -> Result<(), HarnessError> {
    let keys: Vec<String> = (1..=args.keys.max(1)).map(|key| format!("sk-pool-{key}")).collect();
    let (rpm, tpm) = if limit == "requests" { (Some(args.rpm), None) } else { (None, Some(args.tpm)) };
    let latency = Latency { median: Duration::from_millis(300), sigma: 0.3 };
    let provider = ProviderSpec {
        keys: keys.clone(),
        requests_per_minute: rpm,
        tokens_per_minute: tpm,
        ..args.run.provider(latency)
    };
    let world = WorldSpec::fleet(args.run.seed, args.bots, args.bots.div_ceil(2));
    let spec = SimulationSpec { provider, ..SimulationSpec::of(world) };
    let mut entry = toml::Table::new();
    for (name, most) in [("requests_per_minute", rpm), ("tokens_per_minute", tpm)] {
        if let Some(most) = most {
            entry.insert(name.to_owned(), i64::from(most).into());
        }
    }
    let defaults = toml::toml! {
        max_tokens = 60
    };
    let pool = ProviderOptions { keys: keys.clone(), ..ProviderOptions::main() };
    let options = ProductOptions { providers: vec![pool.saying(entry)], defaults, ..args.run.options() };
    let asked = ask(args, spec, &options, result).await?;
    let provider = &asked.stage.simulation.provider;
    let per_minute = rpm.or(tpm).unwrap_or(0);
    let window = asked.provider_from_us..asked.provider_until_us;
    let costs = |call: &CallRecord| {
        if limit == "requests" { 1 } else { u64::from(call.prompt_tokens) + u64::from(call.completion_tokens) }
    };
    let used = provider.ledger().iter().filter(|call| window.contains(&call.at_us)).map(costs).sum::<u64>();
    let minutes = window.end.saturating_sub(window.start) as f64 / 60e6;
    let allowed = f64::from(per_minute) * keys.len() as f64 * minutes;
    let total = provider.used();
    result.providers.push(ProviderUse {
        limit,
        keys: keys.len(),
        per_minute,
        used,
        allowed,
        share: used as f64 / allowed.max(f64::MIN_POSITIVE),
        calls: total.requests,
        refused: total.refused,
    });
    asked.stage.stop(result.is_clean()).await
}

/// Returns how much of a run's end is measured: all whole windows but one, or all of a run below two windows.
fn measured(seconds: f64) -> Duration {
    let windows = (seconds / WINDOW_SECONDS).floor() - 1.0;
    Duration::from_secs_f64(if windows >= 1.0 { windows * WINDOW_SECONDS } else { seconds })
}

/// A fleet after people asked as much as it could take, and after the wait for rest.
struct Asked {
    stage: Stage,
    measured_from_us: u64,
    until_us: u64,
    provider_from_us: u64,
    provider_until_us: u64,
}

async fn ask(
    args: &LimitsArgs,
    spec: SimulationSpec,
    options: &ProductOptions,
    result: &mut LimitsResult,
) -> Result<Asked, HarnessError> {
    let binary = args.run.product()?;
    let stage = Stage::open(&binary, spec, args.run.dir.as_deref(), options).await?;
    stage.wait_until_polling(args.bots).await?;
    let world = &stage.simulation.world;
    let provider = &stage.simulation.provider;
    let mut traffic = Traffic::new(world);
    let until = Instant::now() + Duration::from_secs_f64(args.seconds.max(1.0));
    let from = until - measured(args.seconds.max(1.0));
    let outstanding = args.outstanding.max(1) * args.bots.div_ceil(2);
    let asking = async {
        let timed = async {
            tokio::time::sleep_until(from).await;
            let began = (world.ledger().now_us(), provider.now_us());
            tokio::time::sleep_until(until).await;
            (began, (world.ledger().now_us(), provider.now_us()))
        };
        tokio::select! {
            biased;
            window = timed => Ok(window),
            error = traffic.drive(Shape::Closed { outstanding }) => Err(error),
        }
    };
    let tell = || format!("{:.0} s to go", until.saturating_duration_since(Instant::now()).as_secs_f64());
    let ((from_us, provider_from), (until_us, provider_until)) = progress::during(asking, tell).await?;
    let settling = settle(&stage, Duration::from_secs(args.settle_seconds));
    let settled = progress::during(settling, || "waiting for the fleet to come to rest".to_owned()).await?;
    let checker = check_with(Policy::Free, &world.ledger().snapshot(), &provider.ledger(), &settled.outcomes);
    result.at_rest &= settled.at_rest;
    if result.checker.is_clean() {
        result.checker = checker;
    }
    result.dirs.push(stage.dir().to_owned());
    Ok(Asked {
        measured_from_us: from_us,
        until_us,
        provider_from_us: provider_from,
        provider_until_us: provider_until,
        stage,
    })
}

impl fmt::Display for LimitsResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.checker)?;
        writeln!(f, "{} bots, {:.0} s", self.bots, self.seconds)?;
        if let Some(telegram) = &self.telegram {
            writeln!(f, "{telegram}")?;
        }
        for used in &self.providers {
            writeln!(
                f,
                "{:<10}{} a minute on {} keys: {} of {:.0} used, {:.1} %; {} of {} calls refused",
                used.limit,
                used.per_minute,
                used.keys,
                used.used,
                used.allowed,
                used.share * 100.0,
                used.refused,
                used.calls + used.refused,
            )?;
        }
        writeln!(f, "at rest: {}", if self.at_rest { "yes" } else { "NO" })?;
        write!(
            f,
            "at least {:.0} % reached, less than {} % refused, no violation: {}",
            REACHED_AT_LEAST * 100.0,
            REFUSED_LESS_THAN * 100.0,
            if self.is_clean() { "yes" } else { "NO" }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_windows_without_the_first_are_measured() {
        let seconds = |seconds| measured(seconds).as_secs_f64();
        assert_eq!(
            [seconds(180.0), seconds(179.0), seconds(120.0), seconds(90.0)].map(f64::to_bits),
            [120.0, 60.0, 60.0, 90.0].map(f64::to_bits)
        );
    }

    #[test]
    fn too_little_use_or_too_many_refusals_are_seen() {
        let used = |share, refused| ProviderUse {
            limit: "requests",
            keys: 1,
            per_minute: 1,
            used: 1,
            allowed: 1.0,
            share,
            calls: 9_999,
            refused,
        };
        let clean = |used| {
            let result = LimitsResult {
                bots: 1,
                seconds: 1.0,
                dirs: Vec::new(),
                telegram: None,
                providers: vec![used],
                at_rest: true,
                checker: Report::default(),
            };
            result.is_clean()
        };
        assert!(clean(used(0.91, 1)));
        assert!(!clean(used(0.89, 0)) && !clean(used(0.99, 11)));
    }
}
