//! Waits for the fleet to come to rest, and reads the product's account then. Layer: harness.

use std::time::Duration;

use botfleet_world::api::Api;
use botfleet_world::checker::fetch_outcomes;
use botfleet_world::checker::outcome::{Outcome, OutcomeLine};
use botfleet_world::world::World;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::error::HarnessError;
use super::stage::Stage;

/// The world counts as quiet after this long without news.
const QUIET_FOR: Duration = Duration::from_secs(1);
/// How often the product is asked for its queues.
const ASKED_EVERY: Duration = Duration::from_millis(250);

/// The lengths of the product's queues.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queues {
    /// Updates without outcome.
    pub inbox: u64,
    /// Turns that are not done.
    pub turns: u64,
    /// Messages that are not sent.
    pub outbox: u64,
}

#[derive(Deserialize)]
struct FleetView {
    queues: Queues,
}

/// A fleet that came to rest, or ran out of time.
#[derive(Debug)]
pub struct Settled {
    /// True if the fleet came to rest before the deadline.
    pub at_rest: bool,
    /// The product's queues at the end.
    pub queues: Queues,
    /// The product's account.
    pub outcomes: Vec<OutcomeLine>,
}

/// Waits until every update is confirmed, the product's queues are empty and no outcome is pending, or until
/// the deadline; then returns the account.
///
/// # Errors
/// The product does not answer, or answers with an error.
pub async fn settle(stage: &Stage, deadline: Duration) -> Result<Settled, HarnessError> {
    let api = stage.product.api();
    settled(&stage.simulation.world, Instant::now() + deadline, async || Ok(api.clone())).await
}

/// Settles a fleet whose API may be that of another node each time.
pub(super) async fn settled(
    world: &World,
    until: Instant,
    mut api: impl AsyncFnMut() -> Result<Api, HarnessError>,
) -> Result<Settled, HarnessError> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let quiet = world.wait_until_quiet(QUIET_FOR, left).await;
        let api = api().await?;
        let queues = queues(&api).await?;
        let late = Instant::now() >= until;
        if (quiet && queues == Queues::default()) || late {
            let outcomes = fetch_outcomes(&api).await?;
            let pending = outcomes.iter().any(|line| line.outcome == Outcome::Pending);
            let at_rest = quiet && queues == Queues::default() && !pending;
            if at_rest || late {
                return Ok(Settled { at_rest, queues, outcomes });
            }
        }
        tokio::time::sleep(ASKED_EVERY).await;
    }
}

/// Reads the lengths of the product's queues.
pub(super) async fn queues(api: &Api) -> Result<Queues, HarnessError> {
    Ok(api.json::<FleetView>("/api/v1/fleet").await?.queues)
}
