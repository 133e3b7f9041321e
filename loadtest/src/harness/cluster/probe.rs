//! Waits for polls and for an even spread of bots, and provides small tools for the figures. Layer: harness.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::polls::Poll;
use super::stage::ClusterStage;
use crate::harness::error::HarnessError;

/// How often the ledger is read.
const LOOKED_EVERY: Duration = Duration::from_millis(50);

/// Waits until each bot has opened a poll after `at_us` that `by` accepts; returns how long after `at_us`, in
/// microseconds, or `None` for bots without such a poll at the deadline.
///
/// # Errors
/// None: a bot that stays silent is a result.
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

/// Waits until no two alive nodes differ by more than one in the bots that they own; returns the bots of each node.
///
/// # Errors
/// The bots are not spread so in time.
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

/// Returns the difference between the most and the fewest bots of a node.
pub fn spread(bots: &BTreeMap<String, u64>) -> u64 {
    let most = bots.values().max().copied().unwrap_or(0);
    most - bots.values().min().copied().unwrap_or(0)
}

/// Drops a value whose drop blocks, on a thread that may block.
pub(super) async fn blocking_drop<T: Send + 'static>(value: T) {
    // A panic of the drop is ignored: nothing could be done about it.
    let _ = tokio::task::spawn_blocking(move || drop(value)).await;
}

/// Returns the CPU time of a process, its children and its children that were waited for; zero if the process is gone.
pub fn tree_cpu(pid: u32) -> Duration {
    let own = ticks(pid, true);
    let listed = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let children: u64 = listed.split_whitespace().filter_map(|pid| pid.parse().ok()).map(|pid| ticks(pid, false)).sum();
    // proc(5): a hundred ticks a second on every architecture that Rust's Linux targets run on.
    Duration::from_millis((own + children) * 10)
}

/// Sums fields 14 to 17 of stat: user and system time and, only with `ended`, those of children that were waited for.
fn ticks(pid: u32, ended: bool) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let Some((_, rest)) = stat.rsplit_once(')') else { return 0 };
    let fields = rest.split_whitespace().skip(11).take(if ended { 4 } else { 2 });
    fields.filter_map(|field| field.parse::<u64>().ok()).sum()
}
