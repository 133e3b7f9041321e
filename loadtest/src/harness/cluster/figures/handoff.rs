//! Measures how long each bot is silent in a planned move with LLM turns in flight. Layer: harness.

use std::sync::Arc;
use std::time::Duration;

use botfleet_world::ledger::LedgerEvent;

use super::args::{FigureArgs, under_traffic};
use super::figure::Figure;
use crate::harness::cluster::polls::silences_at_moves;
use crate::harness::cluster::probe::wait_until_spread;
use crate::harness::cluster::stage::ClusterStage;
use crate::harness::cluster::view::ClusterApi;
use crate::harness::error::HarnessError;
use crate::harness::measure::Spread;
use crate::harness::traffic::Traffic;

/// How long the fleet may take to spread its bots evenly again.
const EVEN_WITHIN: Duration = Duration::from_secs(120);
/// The least time that LLM calls take meanwhile, in milliseconds.
const LLM_MS: u64 = 5000;

/// Drains a node, undrains it and rebalances the fleet in each round, by turns, and measures.
///
/// # Errors
/// The run could not be completed.
pub async fn run(args: &FigureArgs) -> Result<Figure, HarnessError> {
    let args = FigureArgs { llm_latency_ms: args.llm_latency_ms.max(LLM_MS), ..args.clone() };
    let mut stage = args.open().await?;
    let world = Arc::clone(&stage.simulation.world);
    let mut traffic = Traffic::new(&world);
    let work = rounds(&args, &mut stage);
    let (silences, moves) = under_traffic(&mut traffic, args.rate, work).await?;
    let calls = stage.simulation.provider.ledger();
    let sends = world.ledger().snapshot();
    let sends = sends.iter().filter(|record| matches!(record.event, LedgerEvent::SendAccepted { .. })).count();
    let mut figure = Figure::new("handoff", args.fleet());
    figure.tell("moves", moves);
    figure.tell("LLM calls, and messages sent, meanwhile", format!("{}, {sends}", calls.len()));
    figure.tell_spread("silence of a bot that moves", &silences);
    figure.promise("p99", silences.within_ms(0.99), 250.0, "ms");
    figure.promise("maximum", silences.longest_ms(), 1000.0, "ms");
    figure.promise_least("moves measured", silences.count() as f64, 1.0, "");
    stage.close(figure.is_clean()).await?;
    Ok(figure)
}

async fn rounds(args: &FigureArgs, stage: &mut ClusterStage) -> Result<(Spread, u64), HarnessError> {
    let (mut silences, mut moves) = (Spread::default(), 0);
    // From here on turns are in flight, and messages go out meanwhile.
    tokio::time::sleep(Duration::from_millis(args.llm_latency_ms + 1000)).await;
    for round in 0..args.rounds {
        wait_until_spread(stage, EVEN_WITHIN).await?;
        let place = round % stage.nodes.len();
        let name = stage.nodes[place].name.clone();
        let from_us = stage.now_us();
        let api = ClusterApi::new(stage.api().await?);
        api.drain(&name, true).await?;
        wait_until_empty(stage, &name).await?;
        api.drain(&name, false).await?;
        wait_until_spread(stage, EVEN_WITHIN).await?;
        api.rebalance().await?;
        stage.wait_until_settled().await?;
        let to_us = stage.now_us();
        for polls in stage.polls().values() {
            for silence in silences_at_moves(polls, from_us, to_us) {
                silences.add(Duration::from_micros(silence));
                moves += 1;
            }
        }
    }
    Ok((silences, moves))
}

async fn wait_until_empty(stage: &mut ClusterStage, node: &str) -> Result<(), HarnessError> {
    let until = tokio::time::Instant::now() + EVEN_WITHIN;
    loop {
        let view = stage.wait_until_settled().await?;
        let left = view.bots().get(node).copied().unwrap_or(0);
        if left == 0 {
            return Ok(());
        }
        if tokio::time::Instant::now() > until {
            let what = format!("{node} is drained and owns {left} bots");
            return Err(HarnessError::NotInTime { what, seconds: EVEN_WITHIN.as_secs() });
        }
    }
}
