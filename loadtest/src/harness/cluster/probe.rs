//! Waiting for what the ledger will show, and small tools of the figures. Layer: harness.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::polls::Poll;
use super::stage::ClusterStage;
use crate::harness::error::HarnessError;

/// How often the ledger is looked at.
const LOOKED_EVERY: Duration = Duration::from_millis(50);

/// Waits until each of the bots has opened a poll after a moment that another node, or another connection than before,
/// made; gives how long after it in microseconds, none for those that have not at the deadline.
///
/// # Errors
/// None; a bot that stays silent is a result.
pub async fn back_after(
    stage: &ClusterStage,
    bots: &[i64],
    at_us: u64,
    within: Duration,
    by: impl Fn(&Poll) -> bool + Copy,
) -> Vec<Option<u64>> {
    let until = Instant::now() + within;
    loop {
        let back = super::polls::back_after(&stage.polls(), bots, at_us, by);
        if back.iter().all(Option::is_some) || Instant::now() >= until {
            return back;
        }
        tokio::time::sleep(LOOKED_EVERY).await;
    }
}

/// Waits until so many bots of each node poll that no two nodes differ by more than one.
///
/// # Errors
/// That does not come in time.
pub async fn wait_until_spread(
    stage: &mut ClusterStage,
    within: Duration,
) -> Result<BTreeMap<String, u64>, HarnessError> {
    let until = Instant::now() + within;
    loop {
        let view = stage.wait_until_settled().await?;
        let alive: BTreeSet<&String> = view.nodes.iter().filter(|n| n.state == "alive").map(|n| &n.name).collect();
        let bots: BTreeMap<String, u64> = view.bots().into_iter().filter(|(name, _)| alive.contains(name)).collect();
        if spread(&bots) <= 1 {
            return Ok(bots);
        }
        if Instant::now() >= until {
            return Err(HarnessError::NotInTime { what: format!("spread: {bots:?}"), seconds: within.as_secs() });
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The difference between the most and the fewest bots of a node.
pub fn spread(bots: &BTreeMap<String, u64>) -> u64 {
    let most = bots.values().max().copied().unwrap_or(0);
    most - bots.values().min().copied().unwrap_or(0)
}

/// Drops what blocks when it is dropped on a thread for it.
pub(super) async fn blocking_drop<T: Send + 'static>(value: T) {
    // A drop that panics has nobody to tell.
    let _ = tokio::task::spawn_blocking(move || drop(value)).await;
}

/// Time on the processors of a process, its children, and those children of it that have ended; zero where it is gone.
pub fn tree_cpu(pid: u32) -> Duration {
    let own = ticks(pid, true);
    let listed = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let children: u64 = listed.split_whitespace().filter_map(|pid| pid.parse().ok()).map(|pid| ticks(pid, false)).sum();
    // proc(5): a hundred ticks a second on every architecture that Rust's Linux targets run on.
    Duration::from_millis((own + children) * 10)
}

/// Fields 14 to 17 of stat: user and system time, and with `ended` those of children that were waited for.
fn ticks(pid: u32, ended: bool) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let Some((_, rest)) = stat.rsplit_once(')') else { return 0 };
    let fields = rest.split_whitespace().skip(11).take(if ended { 4 } else { 2 });
    fields.filter_map(|field| field.parse::<u64>().ok()).sum()
}

/// The buckets of a histogram in metrics as text, all its labels together: bound in seconds and count.
pub fn histograms(text: &str, name: &str) -> Vec<(f64, f64)> {
    let bucket = format!("{name}_bucket{{");
    let lines = text.lines().filter(|line| line.starts_with(&bucket));
    lines
        .filter_map(|line| {
            let (_, rest) = line.split_once("le=\"")?;
            let (bound, rest) = rest.split_once('"')?;
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? };
            Some((bound, rest.rsplit(' ').next()?.parse().ok()?))
        })
        .collect()
}
