//! Measures the replies a second of 1, 2, 4 and 8 workers on the same bots and chats. Layer: harness.

use std::sync::Arc;
use std::time::Duration;

use botfleet_world::ledger::LedgerEvent;
use clap::Args;
use tokio::time::Instant;

use super::args::FigureArgs;
use super::database::{counters, lock_waits};
use super::figure::Figure;
use crate::harness::cluster::probe::tree_cpu;
use crate::harness::error::HarnessError;
use crate::harness::traffic::{Shape, Traffic};
use crate::harness::usage;

/// How long the fleet warms up before the measurement.
const WARM: Duration = Duration::from_secs(4);
/// How often waits for locks are counted.
const SAMPLED_EVERY: Duration = Duration::from_millis(250);

/// The command-line arguments of `cluster scale`.
#[derive(Debug, Clone, Args)]
pub struct ScaleArgs {
    /// The fleet; `--nodes` and `--rate` are ignored.
    #[command(flatten)]
    pub figure: FigureArgs,
    /// The numbers of workers to measure, one after the other; the others are compared with the first.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 4, 8])]
    pub workers: Vec<usize>,
}

/// Measures each number of workers on a fleet of its own.
///
/// # Errors
/// The run could not be completed.
pub async fn run(args: &ScaleArgs) -> Result<Figure, HarnessError> {
    let mut figure = Figure::new("scale", args.figure.fleet());
    let mut one = None;
    for workers in &args.workers {
        let replies = workers_of(args, *workers, &mut figure).await?;
        let first = *one.get_or_insert(replies);
        let ratio = replies / first.max(f64::MIN_POSITIVE);
        match workers {
            4 => figure.promise_least("4 workers against one", ratio, 3.8, "times"),
            8 => figure.promise_least("8 workers against one", ratio, 7.0, "times"),
            _ => figure.tell(format!("{workers} against the first"), format!("{ratio:.2} times")),
        }
    }
    Ok(figure)
}

async fn workers_of(args: &ScaleArgs, workers: usize, figure: &mut Figure) -> Result<f64, HarnessError> {
    let args = FigureArgs { nodes: workers, ..args.figure.clone() };
    let mut stage = args.open().await?;
    let view = stage.view().await?;
    let spread = stage.chats_are_spread(&view);
    let world = Arc::clone(&stage.simulation.world);
    let mut traffic = Traffic::new(&world);
    // Three times what all slots can work on, so that no slot ever waits for a message.
    let slots = args.llm_slots as usize * workers;
    let outstanding = (slots * 3 / (args.bots / args.chats.max(1)).max(1)).max(args.chats);
    let pid = stage.postgres.pid().unwrap_or(0);
    let pids: Vec<u32> = stage.nodes.iter().filter_map(super::super::node::Node::worker_pid).collect();
    let nodes_cpu = || pids.iter().map(|pid| usage::cpu_time(*pid).unwrap_or_default()).sum::<Duration>();
    let work = async {
        tokio::time::sleep(WARM).await;
        let before = (counters(&stage).await?, tree_cpu(pid), nodes_cpu(), stage.now_us(), Instant::now());
        let (mut waits, mut samples) = (0, 0);
        while before.4.elapsed() < Duration::from_secs(args.seconds.max(5)) {
            waits += lock_waits(&stage).await?;
            samples += 1;
            tokio::time::sleep(SAMPLED_EVERY).await;
        }
        let after = (counters(&stage).await?, tree_cpu(pid), nodes_cpu(), stage.now_us(), Instant::now());
        Ok::<_, HarnessError>((before, after, waits, samples))
    };
    let (before, after, waits, samples) = tokio::select! {
        biased;
        done = work => done?,
        error = traffic.drive(Shape::Closed { outstanding }) => return Err(error),
    };
    let seconds = (after.4 - before.4).as_secs_f64();
    let window = before.3..after.3;
    let ledger = world.ledger().snapshot();
    let is_reply = |event: &LedgerEvent| matches!(event, LedgerEvent::SendAccepted { marker: Some(_), .. });
    let replies = ledger.iter().filter(|record| window.contains(&record.at_us) && is_reply(&record.event)).count();
    let per_second = replies as f64 / seconds;
    let share = |cpu: Duration| cpu.as_secs_f64() * 100.0 / seconds;
    let text = format!(
        "{per_second:.1} replies/s of {:.0} that the slots allow, {:.0} commits/s, {:.2} sessions waiting for a lock, CPU: \
         nodes {:.0} %, PostgreSQL {:.0} %, this world {}; chats spread: {}",
        slots as f64 * 1000.0 / args.llm_latency_ms.max(1) as f64,
        after.0.commits.saturating_sub(before.0.commits) as f64 / seconds,
        waits as f64 / f64::from(samples.max(1)),
        share(after.2.saturating_sub(before.2)),
        share(after.1.saturating_sub(before.1)),
        usage::cpu_time(std::process::id())
            .map_or_else(|_| "?".to_owned(), |cpu| format!("{:.0} s so far", cpu.as_secs_f64())),
        if spread || workers == 1 { "yes" } else { "NO" },
    );
    figure.tell(format!("{workers} workers"), text);
    stage.close(true).await?;
    Ok(per_second)
}
