//! Measures the load of PostgreSQL at a rate of messages. Layer: harness.

use std::sync::Arc;
use std::time::Duration;

use botfleet_world::people::http;
use tokio::time::Instant;

use super::args::{FigureArgs, under_traffic};
use super::figure::Figure;
use crate::harness::cluster::probe::tree_cpu;
use crate::harness::cluster::stage::{ClusterStage, DATABASE};
use crate::harness::error::HarnessError;
use crate::harness::measure::{Window, llm_delays, measure};
use crate::harness::scrape::{Buckets, by_label, scrape, total};
use crate::harness::traffic::Traffic;

/// How long the fleet warms up before the measurement.
const WARM: Duration = Duration::from_secs(3);
/// The longest that nodes' statements may take, at p99 and at most, in milliseconds.
const QUERY_P99_MS: f64 = 50.0;
const QUERY_MAX_MS: f64 = 500.0;
/// The longest that waits for a connection may be at p99, in milliseconds.
const WAIT_MS: f64 = 10.0;

/// The counters of the database.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counters {
    /// Transactions that committed.
    pub(super) commits: u64,
    /// Transactions that were rolled back.
    pub(super) rollbacks: u64,
    /// Deadlocks.
    pub(super) deadlocks: u64,
}

/// Reads the counters of the database.
pub(super) async fn counters(stage: &ClusterStage) -> Result<Counters, HarnessError> {
    let sql =
        format!("SELECT xact_commit, xact_rollback, deadlocks FROM pg_stat_database WHERE datname = '{DATABASE}'");
    let told = stage.postgres.query("postgres", &sql).await?;
    let mut numbers = told.trim().split('|').map(|number| number.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    Ok(Counters { commits: next(), rollbacks: next(), deadlocks: next() })
}

/// Returns how many sessions wait for a lock at the moment.
pub(super) async fn lock_waits(stage: &ClusterStage) -> Result<u64, HarnessError> {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    Ok(stage.postgres.query("postgres", sql).await?.trim().parse().unwrap_or(0))
}

/// Measures a window of `--seconds` at `--rate` messages of people a second.
///
/// # Errors
/// The run could not be completed.
pub async fn run(args: &FigureArgs) -> Result<Figure, HarnessError> {
    let mut stage = args.open().await?;
    let counts = stage.postgres.query(DATABASE, "CREATE EXTENSION IF NOT EXISTS pg_stat_statements").await.is_ok();
    let world = Arc::clone(&stage.simulation.world);
    let mut traffic = Traffic::new(&world);
    let pid = stage.postgres.pid().unwrap_or(0);
    let urls: Vec<String> = stage.nodes.iter().map(super::super::node::Node::base_url).collect();
    let client = http::client()?;
    let work = async {
        tokio::time::sleep(WARM).await;
        if counts {
            stage.postgres.query(DATABASE, "SELECT pg_stat_statements_reset()").await?;
        }
        let before = (counters(&stage).await?, scrape(&client, &urls).await?, tree_cpu(pid), Instant::now());
        let from_us = stage.now_us();
        tokio::time::sleep(Duration::from_secs(args.seconds.max(5))).await;
        let window = Window { from_us, to_us: stage.now_us() };
        let after = (counters(&stage).await?, scrape(&client, &urls).await?, tree_cpu(pid), Instant::now());
        let counted = if counts { Some(counted(&stage).await?) } else { None };
        let slowest = if counts { slowest(&stage).await? } else { Vec::new() };
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok((before, after, window, counted, slowest))
    };
    let (before, after, window, counted, slowest) = under_traffic(&mut traffic, args.rate, work).await?;
    let ledger = world.ledger().snapshot();
    let delays = llm_delays(stage.simulation.provider.spec(), stage.simulation.provider.ledger().len());
    let measured = measure(&ledger, traffic.due_us(), &delays, window);
    let seconds = (after.3 - before.3).as_secs_f64();
    let mut figure = Figure::new("db", args.fleet());
    let per_second = |count: u64| format!("{:.1}", count as f64 / seconds);
    figure.tell("messages of people a second", per_second(measured.posts));
    figure.tell("replies a second", per_second(measured.replies));
    figure.tell_spread("latency of a reply", &measured.latency);
    let commits = after.0.commits.saturating_sub(before.0.commits);
    figure.tell("commits a second", per_second(commits));
    figure.tell("commits for each reply", format!("{:.2}", commits as f64 / measured.replies.max(1) as f64));
    let rollbacks = after.0.rollbacks.saturating_sub(before.0.rollbacks);
    figure.tell("rollbacks, deadlocks", format!("{rollbacks}, {}", after.0.deadlocks - before.0.deadlocks));
    let cpu = after.2.saturating_sub(before.2).as_secs_f64();
    figure.tell("PostgreSQL, share of one processor", format!("{:.0} %", cpu * 100.0 / seconds));
    let statements = Buckets::between(&before.1, &after.1, "botfleet_store_query_duration_seconds");
    let replies = measured.replies.max(1) as f64;
    // The product sends one statement at a time and waits for its answer, so a statement is a crossing.
    figure.tell("statements and crossings for each reply", format!("{:.2}", statements.count / replies));
    figure.tell("statements for each reply, by name", by_name(&before.1, &after.1, replies));
    if let Some(counted) = counted {
        figure.tell("statements for each reply, as PostgreSQL counts", format!("{:.2}", counted / replies));
    }
    let gained = |name| total(&after.1, name) - total(&before.1, name);
    figure.tell("commits begun again under locks", format!("{:.0}", gained("botfleet_store_collisions_total")));
    figure.promise("statements, p99", statements.within_ms(0.99), QUERY_P99_MS, "ms");
    figure.promise("statements, longest at most", statements.within_ms(1.0), QUERY_MAX_MS, "ms");
    let waits = Buckets::between(&before.1, &after.1, "botfleet_store_connection_wait_seconds");
    figure.promise("wait for a connection, p99", waits.within_ms(0.99), WAIT_MS, "ms");
    figure.promise("connections not free in time", gained("botfleet_store_connection_misses_total"), 0.0, "");
    figure.promise_least("statements measured", statements.count, 1.0, "");
    for line in slowest {
        figure.tell("slowest in PostgreSQL (max, mean, calls)", line);
    }
    stage.view().await?;
    stage.close(figure.is_clean()).await?;
    Ok(figure)
}

/// Returns how many statements the product's connections ran since the last reset, begins and ends of transactions
/// included.
async fn counted(stage: &ClusterStage) -> Result<f64, HarnessError> {
    let sql = "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat%'";
    Ok(stage.postgres.query(DATABASE, sql).await?.trim().parse().unwrap_or(0.0))
}

/// Returns the most frequent statements, with how often each runs for a reply.
fn by_name(before: &[String], after: &[String], replies: f64) -> String {
    let of = |texts| by_label(texts, "botfleet_store_statements_total", "statement");
    let before = of(before);
    let gained = |(name, after): (String, f64)| {
        let gained = after - before.get(&name).copied().unwrap_or(0.0);
        (name, gained / replies)
    };
    let mut all: Vec<(String, f64)> = of(after).into_iter().map(gained).collect();
    all.sort_by(|one, other| other.1.total_cmp(&one.1));
    let named = all.iter().filter(|(_, each)| *each >= 0.01).map(|(name, each)| format!("{name} {each:.2}"));
    named.collect::<Vec<_>>().join(", ")
}

async fn slowest(stage: &ClusterStage) -> Result<Vec<String>, HarnessError> {
    let sql = "SELECT round(max_exec_time::numeric, 2) || ' ms, ' || round(mean_exec_time::numeric, 3) || ' ms, ' || calls \
               || ': ' || left(regexp_replace(query, '\\s+', ' ', 'g'), 90) FROM pg_stat_statements \
               WHERE query NOT LIKE '%pg_stat%' ORDER BY max_exec_time DESC LIMIT 5";
    Ok(stage.postgres.query(DATABASE, sql).await?.lines().map(str::to_owned).collect())
}
