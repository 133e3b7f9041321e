//! Runs one seed, from the start to the verdict. Layer: harness.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use botfleet_world::checker::{Policy, Shocks, check_after_shocks};
use botfleet_world::scenario::Scenario;
use botfleet_world::world::World;
use tokio::time::Instant;

use super::args::{FaultsArgs, Imagination};
use super::random;
use super::report::FaultsReport;
use super::roll_call;
use super::steps::{self, Done};
use super::wide;
use crate::harness::args::product;
use crate::harness::error::HarnessError;
use crate::harness::operator::Operator;
use crate::harness::progress;
use crate::harness::settle::settle;
use crate::harness::stage::Stage;
use crate::harness::traffic::{Shape, Traffic};
use crate::servers::daemon::free_port;

/// A send, or a pause that Telegram demanded, counts as under way at a kill until its answer is this old: the product
/// may not have committed the answer yet.
const GRACE: Duration = Duration::from_millis(100);

/// Runs one seed.
///
/// # Errors
/// The run could not be completed, for example because the product ended by itself; the error names the folder that is
/// left.
pub async fn run(args: &FaultsArgs) -> Result<FaultsReport, HarnessError> {
    let dir = args.dir.clone().unwrap_or_else(|| scratch(args.seed));
    let args = FaultsArgs { dir: Some(dir.clone()), ..args.clone() };
    let mut report = run_in(&args, &dir).await.map_err(|source| HarnessError::Seed {
        seed: args.seed,
        dir: dir.clone(),
        source: Box::new(source),
    })?;
    if report.dir.is_none() {
        std::fs::remove_dir_all(&dir).map_err(HarnessError::file(&dir))?;
    }
    report.commit = args.commit.unwrap_or_default();
    Ok(report)
}

fn scratch(seed: u64) -> PathBuf {
    static RUNS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let run = RUNS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    std::env::temp_dir().join(format!("botfleet-faults-{}-{run}-seed-{seed}", std::process::id()))
}

async fn run_in(args: &FaultsArgs, dir: &Path) -> Result<FaultsReport, HarnessError> {
    let began = Instant::now();
    let scenario = match &args.scenario {
        Some(file) => Scenario::read(file)?,
        None if args.imagination == Imagination::Wide => {
            random::wide_scenario(args.seed, args.seconds, args.bots, args.chats, &args.keys())
        }
        None => random::scenario(args.seed, args.seconds, args.bots, args.chats, &args.keys()),
    };
    let port = if args.webhooks > 0 { Some(free_port()?) } else { None };
    let binary = product(args.binary.as_ref())?;
    let mut stage = Stage::open(&binary, args.simulation(), Some(dir), &args.options(port)).await?;
    let world = std::sync::Arc::clone(&stage.simulation.world);
    stage.wait_until_polling(world.spec().bots.len()).await?;
    let api = stage.product.api().clone();
    let operator = Operator::new(&api);
    let webhook_bots = begin_with_webhooks(args, &stage, &operator).await?;

    let mut traffic = Traffic::new(&world);
    let mut done = Done::default();
    stage.simulation.set_faults(&scenario);
    let until = Instant::now() + Duration::from_secs_f64(args.seconds.max(0.0));
    let going_wrong = async {
        tokio::select! {
            biased;
            steps = steps::perform(&mut stage, &operator, &scenario.steps, &mut done, until) => steps,
            error = traffic.drive(Shape::Open { rate: args.rate }) => Err(error),
        }
    };
    let tell = || format!("seed {}: {:.0} s to go wrong", args.seed, (until - Instant::now()).as_secs_f64());
    progress::during(going_wrong, tell).await?;

    stage.simulation.clear_faults();
    steps::heal(&world);
    wide::heal(&world);
    if stage.product.base_url().is_none() {
        stage.product.wait_until_bound().await?;
    }
    let deadline = Duration::from_secs(args.settle_seconds);
    // Telegram's pauses are over, and the operator lifts them in the product; a build without that order keeps them.
    wide::lift_pauses(&world, &operator).await;
    let recovering = roll_call::hold(&stage, &operator, &mut traffic, Instant::now() + deadline);
    let (released, silent) =
        progress::during(recovering, || format!("seed {}: everything healed, roll call", args.seed)).await?;
    let settled = settle(&stage, deadline).await?;

    let ledger = world.ledger().snapshot();
    let calls: Vec<_> = stage.simulation.all_providers().flat_map(|provider| provider.ledger()).collect();
    let at_us: Vec<u64> = done.kills_us.iter().chain(&done.pauses_us).copied().collect();
    let shocks = Shocks { at_us: &at_us, grace: GRACE + done.kill_took, claims: &done.claims };
    let mut checker = check_after_shocks(Policy::Free, shocks, &ledger, &calls, &settled.outcomes);
    wide::check(&ledger, &calls, &mut checker);
    let mut report = FaultsReport {
        commit: String::new(),
        seed: args.seed,
        imagination: args.imagination,
        seconds: args.seconds,
        telegram_faults: world.injected(),
        provider_faults: provider_faults(&stage),
        kills: done.kills_us.len() as u64,
        pauses: done.pauses_us.len() as u64,
        terminations: u64::from(done.terminations),
        longest_stop_ms: done.longest_stop.as_millis() as u64,
        webhook_bots,
        moves: u64::from(done.moves),
        released,
        silent,
        at_rest: settled.at_rest,
        queues: settled.queues,
        checker,
        duration: 0.0,
        verdict: String::new(),
        breaches: Vec::new(),
        dir: None,
    };
    report.judge();
    if args.keep || !report.is_clean() {
        leave(dir, &world, &scenario, &settled.outcomes)?;
        report.dir = Some(dir.to_owned());
    }
    stage.stop(false).await?;
    report.duration = began.elapsed().as_secs_f64();
    Ok(report)
}

/// Moves the first bots to webhooks; returns how many the product moved.
async fn begin_with_webhooks(args: &FaultsArgs, stage: &Stage, operator: &Operator<'_>) -> Result<u64, HarnessError> {
    let mut moved = 0;
    for bot in stage.simulation.world.spec().bots.iter().take(args.webhooks) {
        moved += u64::from(operator.deliver_by(&bot.username, "webhook").await?);
    }
    Ok(moved)
}

fn provider_faults(stage: &Stage) -> BTreeMap<String, u64> {
    let mut faults = BTreeMap::new();
    for (kind, count) in stage.simulation.all_providers().flat_map(|provider| provider.injected()) {
        *faults.entry(kind).or_default() += count;
    }
    faults
}

/// Writes the files for an inspection, beside the product's log: scenario, ledger and the product's account.
fn leave(
    dir: &Path,
    world: &World,
    scenario: &Scenario,
    outcomes: &[botfleet_world::checker::outcome::OutcomeLine],
) -> Result<(), HarnessError> {
    let path = dir.join("ledger.ndjson");
    let mut file = std::fs::File::create(&path).map(std::io::BufWriter::new).map_err(HarnessError::file(&path))?;
    world.ledger().write_ndjson(&mut file).map_err(HarnessError::file(&path))?;
    let path = dir.join("outcomes.ndjson");
    let mut lines = Vec::new();
    for outcome in outcomes {
        serde_json::to_writer(&mut lines, outcome).map_err(|error| HarnessError::file(&path)(error.into()))?;
        lines.push(b'\n');
    }
    std::fs::write(&path, lines).map_err(HarnessError::file(&path))?;
    let path = dir.join("scenario.toml");
    let text = toml::to_string(scenario).map_err(|error| HarnessError::file(&path)(std::io::Error::other(error)))?;
    std::fs::write(&path, text).map_err(HarnessError::file(path))
}
