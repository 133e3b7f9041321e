//! `isolate`: checks that bots of one provider are not affected when another becomes slow. Layer: harness (I7).
//!
//! Half of the bots use provider `a`, half `b`, mixed in every chat. Each pair of runs is one with `b` normal and one
//! with `b` slow, each on a fresh fleet, so that no run affects the next. Only the bots of `a` are measured.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use botfleet_world::ledger::{LedgerEvent, LedgerRecord};
use botfleet_world::provider::faults::{ProviderFault, ProviderFaults, ProviderRule};
use botfleet_world::provider::spec::Latency;
use botfleet_world::simulation::SimulationSpec;
use botfleet_world::world::spec::WorldSpec;
use clap::Args;
use serde::Serialize;

use super::args::RunArgs;
use super::error::HarnessError;
use super::files::{ProductOptions, ProviderOptions};
use super::measure::{Spread, Window, measure};
use super::progress;
use super::stage::Stage;
use super::traffic::{Shape, Traffic};

/// The share by which the median may change ...
const MAY_CHANGE_BY: f64 = 0.3;
/// ... or the change in milliseconds, whichever is more.
const MAY_CHANGE_MS: f64 = 5.0;
/// The least ratio of answers in a slow run to answers in the normal run of the same pair.
const ANSWERED_AT_LEAST: f64 = 0.95;

/// The command-line arguments of `isolate`.
#[derive(Debug, Clone, Args)]
pub struct IsolateArgs {
    /// The product and the run.
    #[command(flatten)]
    pub run: RunArgs,
    /// How many bots the fleet has.
    #[arg(long, default_value_t = 200)]
    pub bots: usize,
    /// How many chats; an odd number mixes the two halves in each.
    #[arg(long, default_value_t = 25)]
    pub chats: usize,
    /// Pairs of runs.
    #[arg(long, default_value_t = 5)]
    pub pairs: usize,
    /// How many seconds each run is measured.
    #[arg(long, default_value_t = 10.0)]
    pub seconds: f64,
    /// Seconds of traffic before the measurement, and after it.
    #[arg(long, default_value_t = 3.0)]
    pub warmup: f64,
    /// Messages of people a second, over all chats.
    #[arg(long, default_value_t = 4.0)]
    pub rate: f64,
    /// How long each LLM call takes, in milliseconds.
    #[arg(long, default_value_t = 50)]
    pub llm_latency_ms: u64,
    /// How much slower provider `b` becomes, in seconds.
    #[arg(long, default_value_t = 60)]
    pub slow_seconds: u64,
}

/// One run.
#[derive(Debug, Clone, Serialize)]
pub struct Phase {
    /// True if `b` was slow.
    pub slow: bool,
    /// Answers of the bots of `a`.
    pub replies: u64,
    /// Time from a message to an answer of a bot of `a`.
    pub latency: Spread,
}

/// The result of an `isolate` run.
#[derive(Debug, Clone, Serialize)]
pub struct IsolateResult {
    /// Bots of the fleet.
    pub bots: usize,
    /// The runs, normal and slow by turns.
    pub phases: Vec<Phase>,
    /// The median of the medians with `b` normal, in milliseconds.
    pub normal_ms: f64,
    /// The change of the median, as the median over all pairs, in milliseconds.
    pub change_ms: f64,
    /// The limit below which the change of the median must stay, in milliseconds.
    pub allowed_ms: f64,
    /// The least share of a normal run's answers that came in its pair's slow run.
    pub answered: f64,
}

impl IsolateResult {
    /// Returns whether the bots of `a` were not affected.
    pub fn is_clean(&self) -> bool {
        self.change_ms < self.allowed_ms && self.answered >= ANSWERED_AT_LEAST
    }
}

/// Runs the harness.
///
/// # Errors
/// The run could not be completed.
pub async fn run(args: &IsolateArgs) -> Result<IsolateResult, HarnessError> {
    let mut phases = Vec::new();
    for number in 0..args.pairs.max(1) * 2 {
        let slow = number % 2 == 1;
        let tell = || format!("run {} of {}", number + 1, args.pairs.max(1) * 2);
        phases.push(progress::during(phase(args, slow), tell).await?);
    }
    Ok(judged(args.bots, phases))
}

fn judged(bots: usize, phases: Vec<Phase>) -> IsolateResult {
    let median_ms = |phase: &Phase| phase.latency.within_ms(0.5);
    let pairs = phases.chunks_exact(2);
    let normal_ms = median(pairs.clone().map(|pair| median_ms(&pair[0])).collect());
    let change_ms = median(pairs.clone().map(|pair| median_ms(&pair[1]) - median_ms(&pair[0])).collect());
    let answered = pairs.map(|pair| pair[1].replies as f64 / pair[0].replies.max(1) as f64).fold(1.0, f64::min);
    let allowed_ms = (normal_ms * MAY_CHANGE_BY).max(MAY_CHANGE_MS);
    IsolateResult { bots, phases, normal_ms, change_ms, allowed_ms, answered }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

async fn phase(args: &IsolateArgs, slow: bool) -> Result<Phase, HarnessError> {
    let latency = Latency { median: Duration::from_millis(args.llm_latency_ms), sigma: 0.0 };
    let names = ["a", "b"];
    let spec = SimulationSpec {
        providers: names.iter().map(|name| ((*name).to_owned(), args.run.provider(latency))).collect(),
        ..SimulationSpec::of(WorldSpec::fleet(args.run.seed, args.bots, args.chats))
    };
    let bots: HashSet<i64> = spec.world.bots.iter().step_by(names.len()).map(|bot| bot.id).collect();
    let options = ProductOptions {
        providers: names.iter().map(|name| ProviderOptions::further(name)).collect(),
        models: names.iter().map(|name| vec![(*name).to_owned()]).collect(),
        ..args.run.options()
    };
    let binary = args.run.product()?;
    let mut stage = Stage::open(&binary, spec, args.run.dir.as_deref(), &options).await?;
    stage.wait_until_polling(args.bots).await?;
    if slow {
        let rule = ProviderRule {
            providers: vec!["b".to_owned()],
            for_ms: Some(args.slow_seconds * 1000),
            ..ProviderRule::always(ProviderFault::Slow)
        };
        let faults = ProviderFaults { seed: args.run.seed, rules: vec![rule] };
        stage.simulation.all_providers().for_each(|provider| provider.set_faults(faults.clone()));
    }
    let world = std::sync::Arc::clone(&stage.simulation.world);
    let mut traffic = Traffic::new(&world);
    let seconds = |seconds: f64| Duration::from_secs_f64(seconds.max(0.0));
    let timed = async {
        tokio::time::sleep(seconds(args.warmup)).await;
        let from_us = world.ledger().now_us();
        tokio::time::sleep(seconds(args.seconds)).await;
        let to_us = world.ledger().now_us();
        // Answers to the last messages of the window are on their way.
        tokio::time::sleep(seconds(args.warmup)).await;
        Window { from_us, to_us }
    };
    let window = tokio::select! {
        biased;
        window = timed => window,
        error = traffic.drive(Shape::Open { rate: args.rate }) => return Err(error),
    };
    let ledger: Vec<LedgerRecord> = world.ledger().snapshot();
    let of_a = |record: &LedgerRecord| match &record.event {
        LedgerEvent::SendAccepted { bot, .. } => bots.contains(bot),
        _ => true,
    };
    let ledger: Vec<LedgerRecord> = ledger.into_iter().filter(of_a).collect();
    let measured = measure(&ledger, traffic.due_us(), &[], window);
    // While calls hang, the fleet does not come to rest; nothing of this run is needed any more.
    stage.product.kill_9().await?;
    stage.discard().await?;
    Ok(Phase { slow, replies: measured.latency.count(), latency: measured.latency })
}

impl fmt::Display for IsolateResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} bots, half of them on provider a; b is slow in every second run", self.bots)?;
        for (number, phase) in self.phases.iter().enumerate() {
            let b = if phase.slow { "b slow" } else { "b normal" };
            writeln!(f, "run {:<3}{b:<10}{:>7} answers of a, {}", number + 1, phase.replies, phase.latency)?;
        }
        writeln!(
            f,
            "median {:.2} ms, changed by {:.2} ms; allowed {:.2} ms; answered {:.1} %",
            self.normal_ms,
            self.change_ms,
            self.allowed_ms,
            self.answered * 100.0
        )?;
        write!(f, "unmoved: {}", if self.is_clean() { "yes" } else { "NO" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phase(slow: bool, replies: u64, ms: u64) -> Phase {
        let mut latency = Spread::default();
        latency.add(Duration::from_millis(ms));
        Phase { slow, replies, latency }
    }

    #[test]
    fn a_median_that_moves_too_far_or_answers_that_are_missing_are_seen() {
        let pair = |normal, slow, replies| vec![phase(false, 100, normal), phase(true, replies, slow)];
        assert!(judged(2, pair(60, 70, 99)).is_clean());
        assert!(!judged(2, pair(60, 80, 99)).is_clean());
        assert!(!judged(2, pair(60, 60, 90)).is_clean());
        assert!(judged(2, pair(8, 12, 100)).is_clean());
    }

    #[test]
    fn one_pair_out_of_three_does_not_decide() {
        let phases = [(60, 61), (60, 600), (60, 62)];
        let phases = phases.into_iter().flat_map(|(a, b)| [phase(false, 9, a), phase(true, 9, b)]).collect();
        assert!(judged(2, phases).is_clean());
    }
}
