//! PUT /api/v1/roster: replaces the bots and chats of the whole fleet. Layer `admin`. Keeps I10, I12.
//!
//! Tokens never cross the network: a bot names the place where each node finds its token.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use botfleet_actors::domain::roster::RosterPlan;
use serde::Deserialize;

use super::edge::Edge;
use super::problem::Problem;
use crate::runtime::cluster_orders::AppliedRoster;

/// Largest roster: 10,000 bots with personas of two thousand characters.
pub(super) const BODY_MAX_BYTES: usize = 32 * 1024 * 1024;

/// The query: `dry_run` tells the changes without making them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manner {
    #[serde(default)]
    dry_run: bool,
}

/// Applies a roster. The live actors of all nodes follow within a second of the answer.
pub(super) async fn put(
    State(edge): State<Edge>,
    manner: Result<Query<Manner>, QueryRejection>,
    body: Result<Json<RosterPlan>, JsonRejection>,
) -> Result<Json<AppliedRoster>, Problem> {
    let Query(Manner { dry_run }) = manner.map_err(|error| Problem::bad_request("bad_query", error.body_text()))?;
    let hint = "botfleet apply sends what this takes";
    let Json(plan) =
        body.map_err(|error| Problem::bad_request("bad_roster", format!("{}; {hint}", error.body_text())))?;
    edge.fleet.apply(&plan, dry_run, "api").await.map(Json).map_err(Problem::of_order)
}
