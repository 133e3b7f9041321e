//! Runs a scenario once and measures it. Layer: harness.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use botfleet_world::checker::{Policy, check_with};
use botfleet_world::simulation::Simulation;

use super::answers::{self, Account};
use super::ground::{Ground, Under};
use super::report::{FORMAT, Report, machine};
use super::scenario::{LoadScenario, LoopKind, Phase, PolicyPart};
use super::stages::Clocks;
use super::summary::Summary;
use super::tally::{self, Recorded};
use super::thought::Thoughts;
use super::watch::watch;
use super::{schedule, stages};
use crate::harness::disk;
use crate::harness::error::HarnessError;
use crate::harness::faults::slices::commit_of_checkout;
use crate::harness::measure::{Window, llm_delays, numbered};
use crate::harness::traffic::{Shape, Traffic};

/// The number of flushes to the disk that are measured beside the load.
const FLUSHES: u32 = 200;

/// Runs a scenario of an open or a closed loop; returns the report and ends the fleet.
///
/// # Errors
/// The run could not be completed.
pub async fn perform(scenario: &LoadScenario, under: &Under) -> Result<Report, HarnessError> {
    let at = unix_us();
    let (mut ground, started_in) = Ground::open(scenario, under).await?;
    let world = Arc::clone(&ground.simulation().world);
    let clocks = clocks(ground.simulation());
    let mut traffic = Traffic::new(&world).calling(scenario.arrivals.calls);
    let warmup = Duration::from_secs_f64(scenario.warmup_seconds);
    let lasts = Duration::from_secs_f64(scenario.measured_seconds());
    let dir = ground.dir().to_owned();
    let work = async {
        let flushing = async {
            tokio::time::sleep(warmup).await;
            disk::flushes(&dir, FLUSHES, lasts).await
        };
        tokio::try_join!(watch(&ground, scenario, (warmup, lasts)), flushing)
    };
    let from_us = world.ledger().now_us() + warmup.as_micros() as u64;
    let (watched, fdatasync) = tokio::select! {
        biased;
        done = work => done?,
        error = drive(scenario, &mut traffic) => return Err(error),
    };
    let window = Window { from_us, to_us: from_us + lasts.as_micros() as u64 };

    let settled = ground.settle(Duration::from_secs(scenario.settle_seconds)).await?;
    let end_us = world.ledger().now_us();
    let ledger = world.ledger().snapshot();
    let calls = ground.simulation().provider.ledger();
    let arrivals = answers::arrivals(&ledger, traffic.due_us());
    let account = account(scenario, &ground, &ledger, &arrivals, &settled.outcomes);
    let latencies = answers::latencies(&arrivals, &account, window, end_us);
    let (ways, stages_missing) = match ground.ways().await {
        Ok(ways) => (Some(ways), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let paused = |send: &answers::Sent| match (&ways, scenario.product.policy) {
        (_, PolicyPart::Every) => Some(0),
        (Some(ways), PolicyPart::Defaults) => Some(ways.get(&(send.chat, send.message_id))?.paused_us()),
        (None, PolicyPart::Defaults) => None,
    };
    let delays = llm_delays(ground.simulation().provider.spec(), calls.len());
    let thoughts = Thoughts::of(&calls, &account);
    let thought = |answer: &answers::Answer| {
        let behind = thoughts.behind(answer);
        let known: Vec<Duration> = behind.iter().filter_map(|call| numbered(&delays, *call).copied()).collect();
        (!known.is_empty() && known.len() == behind.len()).then(|| known.iter().sum())
    };
    let overhead = answers::overheads(&arrivals, &account, window, thought, paused);
    let policy = match scenario.product.policy {
        PolicyPart::Every => Policy::Every,
        PolicyPart::Defaults => Policy::Free,
    };
    let checker = check_with(policy, &ledger, &calls, &settled.outcomes);
    let recorded = Recorded {
        account: &account,
        latencies: &latencies,
        overhead: &overhead,
        watched: &watched,
        checker: &checker,
        outcomes: &settled.outcomes,
        fdatasync: &fdatasync,
        started_in,
    };
    let sent_us: Vec<u64> = account.answers.iter().filter_map(|one| one.send.map(|send| send.received_us)).collect();
    let mut report = Report {
        format: FORMAT,
        run: format!("{at:x}-{:x}", std::process::id()),
        at_unix_s: u64::try_from(at / 1_000_000).unwrap_or(0),
        scenario: scenario.clone(),
        machine: machine(),
        commit: commit_of_checkout().await,
        binary: under.binary.clone(),
        dir,
        seconds: tally::seconds(&watched.samples),
        figures: tally::figures(&recorded),
        objectives: Vec::new(),
        latency: Summary::of(&latencies.latency),
        overhead: Summary::of(&overhead),
        stages: stages::measure(&ledger, &calls, (&arrivals, &account, &thoughts), ways.as_ref(), clocks, window),
        stages_missing,
        timeline: tally::timeline(&watched.samples, traffic.due_us(), &latencies, &sent_us),
        steps: Vec::new(),
        at_rest: settled.at_rest,
        checker,
    };
    report.objectives = scenario.judge(&report.figures);
    ground.close(report.is_clean()).await?;
    Ok(report)
}

/// Posts messages as the scenario says, and never ends by itself; returns only on an error.
async fn drive(scenario: &LoadScenario, traffic: &mut Traffic<'_>) -> HarnessError {
    let arrivals = &scenario.arrivals;
    if arrivals.shape == LoopKind::Closed {
        return traffic.drive(Shape::Closed { outstanding: arrivals.outstanding.unwrap_or(1) }).await;
    }
    let warm =
        Phase { rate: arrivals.phases.first().map_or(0.0, |phase| phase.rate), seconds: scenario.warmup_seconds };
    let phases: Vec<Phase> = std::iter::once(warm).chain(arrivals.phases.iter().copied()).collect();
    match traffic.follow(schedule::instants(&phases, arrivals.spacing, scenario.seed).into_iter()).await {
        Ok(()) => std::future::pending().await,
        Err(error) => error,
    }
}

/// Finds the answers that were due: to every message where each bot answers, and by the product's turns elsewhere.
fn account(
    scenario: &LoadScenario,
    ground: &Ground,
    ledger: &[botfleet_world::ledger::LedgerRecord],
    arrivals: &[answers::Arrival],
    outcomes: &[botfleet_world::checker::outcome::OutcomeLine],
) -> Account {
    match scenario.product.policy {
        PolicyPart::Defaults => answers::of_turns(ledger, arrivals, outcomes),
        PolicyPart::Every => {
            let chats = &ground.simulation().world.spec().chats;
            let bots: BTreeMap<i64, Vec<i64>> = chats.iter().map(|chat| (chat.id, chat.bots.clone())).collect();
            answers::of_all_bots(ledger, arrivals, &bots)
        }
    }
}

/// Reads the zero of the ledger's and of the LLM's clock.
fn clocks(simulation: &Simulation) -> Clocks {
    Clocks {
        ledger_zero_us: unix_us() - simulation.world.ledger().now_us() as i64,
        llm_zero_us: unix_us() - simulation.provider.now_us() as i64,
    }
}

#[allow(clippy::disallowed_methods, reason = "the product stamps its rows with the wall clock; read to compare them")]
fn unix_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64)
}
