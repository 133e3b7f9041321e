//! Measures the fleet while Redis is away, and after PostgreSQL was away. Layer: harness.

use std::sync::Arc;
use std::time::Duration;

use super::args::{FigureArgs, under_traffic};
use super::figure::Figure;
use crate::harness::cluster::probe::back_after;
use crate::harness::cluster::stage::ClusterStage;
use crate::harness::error::HarnessError;
use crate::harness::measure::{Window, llm_delays, measure};
use crate::harness::traffic::Traffic;
use crate::servers::proxy::Mode;

/// How much the absence of Redis may add to the latency of a reply, in milliseconds.
const ADDED_MS: f64 = 600.0;
/// The time after the database's return within which all bots must poll, in milliseconds.
const BACK_MS: f64 = 5000.0;
/// How long the harness waits for replies to the last messages of a window.
const TAIL: Duration = Duration::from_secs(3);

/// Measures the latency of replies with Redis, with every hint lost, and without Redis.
///
/// # Errors
/// The run could not be completed.
pub async fn redis_away(args: &FigureArgs) -> Result<Figure, HarnessError> {
    let mut stage = args.open().await?;
    let world = Arc::clone(&stage.simulation.world);
    let mut traffic = Traffic::new(&world);
    let before = stage.view().await?;
    let lasts = Duration::from_secs(args.seconds.max(5));
    let work = async {
        let mut windows = Vec::new();
        windows.push(("with Redis", window(&stage, lasts).await));
        for node in &stage.nodes {
            node.links.redis.set(Mode::DropMessages);
        }
        windows.push(("every hint lost", window(&stage, lasts).await));
        for node in &stage.nodes {
            node.links.redis.set(Mode::Pass);
        }
        stage.redis.kill_9().await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        windows.push(("Redis killed", window(&stage, lasts).await));
        stage.redis.restart().await?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        windows.push(("Redis back", window(&stage, lasts).await));
        Ok(windows)
    };
    let windows = under_traffic(&mut traffic, args.rate.max(0.5), work).await?;
    let after = stage.view().await?;
    let ledger = world.ledger().snapshot();
    let delays = llm_delays(stage.simulation.provider.spec(), stage.simulation.provider.ledger().len());
    let mut figure = Figure::new("redis-away", args.fleet());
    let mut first = None;
    for (name, window) in windows {
        let measured = measure(&ledger, traffic.due_us(), &delays, window);
        figure.tell_spread(format!("latency of a reply, {name}"), &measured.latency);
        let (p50, p99) = (measured.latency.within_ms(0.5), measured.latency.within_ms(0.99));
        if let Some((p50_before, p99_before)) = first {
            figure.promise(format!("added at p50, {name}"), p50 - p50_before, ADDED_MS, "ms");
            figure.promise(format!("added at p99, {name}"), p99 - p99_before, ADDED_MS, "ms");
        }
        first.get_or_insert((p50, p99));
    }
    let moved = after.moved_since(&before, "bot").len() + after.moved_since(&before, "chat").len();
    figure.promise("owners changed", moved as f64, 0.0, "");
    stage.close(figure.is_clean()).await?;
    Ok(figure)
}

/// Waits for a window of messages and for the replies to its last ones; returns the window.
async fn window(stage: &ClusterStage, lasts: Duration) -> Window {
    let from_us = stage.now_us();
    tokio::time::sleep(lasts).await;
    let to_us = stage.now_us();
    tokio::time::sleep(TAIL).await;
    Window { from_us, to_us }
}

/// Stops PostgreSQL for a while, then kills it for a while; measures the time from each return until all bots poll.
///
/// # Errors
/// The run could not be completed.
pub async fn db_return(args: &FigureArgs) -> Result<Figure, HarnessError> {
    let mut stage = args.open().await?;
    let world = Arc::clone(&stage.simulation.world);
    let mut traffic = Traffic::new(&world);
    let before = stage.view().await?;
    let bots: Vec<i64> = world.spec().bots.iter().map(|bot| bot.id).collect();
    let away = Duration::from_secs(args.seconds);
    let work = async {
        stage.postgres.stop().await?;
        tokio::time::sleep(away).await;
        stage.postgres.cont().await?;
        let stopped = back_after(&stage, &bots, stage.now_us(), Duration::from_secs(60), |_| true).await;
        tokio::time::sleep(TAIL).await;
        stage.postgres.kill_9().await?;
        tokio::time::sleep(away).await;
        stage.postgres.restart().await?;
        let killed = back_after(&stage, &bots, stage.now_us(), Duration::from_secs(60), |_| true).await;
        Ok((stopped, killed))
    };
    let (stopped, killed) = under_traffic(&mut traffic, args.rate, work).await?;
    let after = stage.wait_until_settled().await?;
    let mut figure = Figure::new("db-return", args.fleet());
    for (name, back) in [("stopped", stopped), ("killed", killed)] {
        let mut spread = crate::harness::measure::Spread::default();
        let lost = back.iter().filter(|after| after.is_none()).count();
        back.into_iter().flatten().for_each(|us| spread.add(Duration::from_micros(us)));
        figure.tell_spread(format!("{name} for {} s: from its return to a bot's poll", args.seconds), &spread);
        figure.promise(format!("{name}: until all poll"), spread.longest_ms(), BACK_MS, "ms");
        figure.promise(format!("{name}: bots not polled within 60 s"), lost as f64, 0.0, "");
    }
    figure.tell("owners changed", after.moved_since(&before, "bot").len());
    stage.close(figure.is_clean()).await?;
    Ok(figure)
}
