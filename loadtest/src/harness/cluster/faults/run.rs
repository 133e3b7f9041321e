//! Runs one seed of the chaos run, from the start to the verdict. Layer: harness.
//!
//! After everything healed, each bot is called once in each of its chats and must answer: without that, a fleet that
//! merely stopped would pass as well.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use botfleet_world::checker::cluster::check_cluster;
use botfleet_world::checker::outcome::OutcomeLine;
use botfleet_world::ledger::LedgerEvent;
use botfleet_world::world::World;
use tokio::time::Instant;

use super::args::ClusterFaultsArgs;
use super::perform::Performer;
use super::report::ClusterReport;
use super::schedule::{Fault, Step, schedule};
use crate::harness::args::product;
use crate::harness::cluster::stage::{ClusterSpec, ClusterStage};
use crate::harness::cluster::view::ClusterView;
use crate::harness::error::HarnessError;
use crate::harness::faults::random;
use crate::harness::operator::Operator;
use crate::harness::progress;
use crate::harness::settle::{Settled, settled};
use crate::harness::traffic::{Shape, Traffic};
use crate::servers::postgres::PostgresOptions;

/// How often quarantined actors are released while the fleet recovers.
const RELEASED_EVERY: Duration = Duration::from_secs(2);

/// Runs one seed.
///
/// # Errors
/// The run could not be completed; the error names the folder that is left.
pub async fn run(args: &ClusterFaultsArgs) -> Result<ClusterReport, HarnessError> {
    let dir = args.dir.clone().unwrap_or_else(|| scratch(args.seed));
    let mut report = run_in(args, &dir).await.map_err(|source| HarnessError::Seed {
        seed: args.seed,
        dir: dir.clone(),
        source: Box::new(source),
    })?;
    if report.dir.is_none() && args.dir.is_none() {
        std::fs::remove_dir_all(&dir).map_err(HarnessError::file(&dir))?;
    }
    report.commit = args.commit.clone().unwrap_or_default();
    Ok(report)
}

fn scratch(seed: u64) -> PathBuf {
    static RUNS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let run = RUNS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    std::env::temp_dir().join(format!("botfleet-cluster-{}-{run}-seed-{seed}", std::process::id()))
}

async fn run_in(args: &ClusterFaultsArgs, dir: &Path) -> Result<ClusterReport, HarnessError> {
    let began = Instant::now();
    let length = args.length();
    let nodes = args.node_count();
    let steps = match args.redis_away {
        Some(seconds) => vec![Step { at_ms: 2_000, fault: Fault::RedisRestart { for_ms: seconds * 1_000 } }],
        None => schedule(args.seed, length.as_millis() as u64, nodes, args.long),
    };
    let mut stage = ClusterStage::open(ClusterSpec {
        binary: product(args.binary.as_ref())?,
        simulation: args.simulation(),
        options: args.options(),
        nodes,
        roles: Vec::new(),
        dir: Some(dir.to_owned()),
        postgres: PostgresOptions::default(),
        shifted_clock: args.redis_away.is_none(),
    })
    .await?;
    let world = Arc::clone(&stage.simulation.world);
    let before = stage.view().await?;
    let spread = stage.chats_are_spread(&before);
    if args.telegram_faults {
        let mut scenario = random::scenario(args.seed, length.as_secs_f64(), args.bots, args.chats, &[]);
        scenario.steps.clear();
        stage.simulation.set_faults(&scenario);
    }
    let mut traffic = Traffic::new(&world);
    let until = Instant::now() + length;
    let going_wrong = async {
        tokio::select! {
            biased;
            done = Performer::new(&mut stage).perform(&steps, until) => done,
            error = traffic.drive(Shape::Open { rate: args.rate }) => Err(error),
        }
    };
    let left = || until.saturating_duration_since(Instant::now()).as_secs();
    let done = progress::during(going_wrong, || format!("seed {}: {} s to go wrong", args.seed, left())).await?;
    stage.simulation.clear_faults();
    for node in &mut stage.nodes {
        node.wait_until_listening().await?;
    }
    let deadline = Instant::now() + Duration::from_secs(args.settle_seconds);
    let recovering = roll_call(&mut stage, &mut traffic, deadline);
    let (released, silent) =
        progress::during(recovering, || format!("seed {}: everything healed, roll call", args.seed)).await?;
    let Settled { at_rest, queues, outcomes } = settled(&world, deadline, async || stage.api().await).await?;
    let after = stage.view().await?;

    let ledger = world.ledger().snapshot();
    let calls: Vec<_> = stage.simulation.all_providers().flat_map(|provider| provider.ledger()).collect();
    let (checker, late_polls) = check_cluster(&ledger, &calls, &outcomes, &stage.origins(), &done.pauses);
    let mut report = ClusterReport {
        seed: args.seed,
        seconds: args.seconds,
        long: args.long,
        size: (nodes, args.bots, args.chats),
        faults: done.faults,
        skipped: done.skipped,
        late_polls,
        longest_end_ms: done.ends.iter().max().map_or(0, |end| end.as_millis() as u64),
        owners_changed: args.redis_away.map(|_| changed(&before, &after)),
        spread,
        released,
        silent,
        at_rest,
        queues,
        checker,
        ..ClusterReport::default()
    };
    report.judge();
    if args.keep || !report.is_clean() {
        leave(dir, &world, &steps, &outcomes, &stage)?;
        report.dir = Some(dir.to_owned());
    }
    stage.close(false).await?;
    report.duration = began.elapsed().as_secs_f64();
    Ok(report)
}

/// Returns how many leases have another owner or epoch than before.
fn changed(before: &ClusterView, after: &ClusterView) -> u64 {
    let of = |view: &ClusterView| -> BTreeSet<(String, String, Option<String>, i64)> {
        let leases = view.leases.iter().cloned();
        leases.map(|lease| (lease.kind, lease.name, lease.owner, lease.epoch)).collect()
    };
    of(before).difference(&of(after)).count() as u64
}

/// Calls every bot once in each of its chats; returns the actors that had to be released, and the bots that stayed
/// silent with their chats.
async fn roll_call(
    stage: &mut ClusterStage,
    traffic: &mut Traffic<'_>,
    until: Instant,
) -> Result<(Vec<String>, Vec<(i64, i64)>), HarnessError> {
    let world = Arc::clone(&stage.simulation.world);
    let mut read = world.ledger().len();
    let posts = traffic.round();
    let bots = |chat: i64| world.spec().chats.iter().filter(move |spec| spec.id == chat).flat_map(|spec| &spec.bots);
    let mut missing: BTreeSet<(i64, i64, String)> = posts
        .iter()
        .flat_map(|post| bots(post.chat).map(|bot| (*bot, post.chat, format!("#m{}", post.number))))
        .collect();
    let mut released = Vec::new();
    let mut next_release = Instant::now();
    loop {
        let now = Instant::now();
        let records = world.ledger().since(read);
        read += records.len();
        for record in records {
            if let LedgerEvent::SendAccepted { bot, chat, marker: Some(marker), .. } = record.event {
                missing.remove(&(bot, chat, marker));
            }
        }
        if missing.is_empty() || now >= until {
            return Ok((released, missing.into_iter().map(|(bot, chat, _)| (bot, chat)).collect()));
        }
        if now >= next_release {
            for node in &stage.nodes {
                // A node that is just starting does not answer yet, and is asked again in the next round.
                released.extend(Operator::new(node.api()).release_all().await.unwrap_or_default());
            }
            next_release = now + RELEASED_EVERY;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Writes the files for an inspection: schedule, ledger, origins of connections, outcomes, PostgreSQL's log.
fn leave(
    dir: &Path,
    world: &World,
    steps: &[Step],
    outcomes: &[OutcomeLine],
    stage: &ClusterStage,
) -> Result<(), HarnessError> {
    let path = dir.join("ledger.ndjson");
    let mut file = std::fs::File::create(&path).map(std::io::BufWriter::new).map_err(HarnessError::file(&path))?;
    world.ledger().write_ndjson(&mut file).map_err(HarnessError::file(&path))?;
    let write = |name: &str, bytes: Result<Vec<u8>, serde_json::Error>| {
        let path = dir.join(name);
        let bytes = bytes.map_err(|error| HarnessError::file(&path)(error.into()))?;
        std::fs::write(&path, bytes).map_err(HarnessError::file(path))
    };
    write("outcomes.json", serde_json::to_vec(outcomes))?;
    write("schedule.json", serde_json::to_vec_pretty(steps))?;
    write("origins.txt", Ok(format!("{:#?}", stage.origins()).into_bytes()))?;
    let log = stage.postgres.log();
    // The server's log would be removed with the server's folder.
    let _ = std::fs::copy(log, dir.join("postgres.log"));
    Ok(())
}
