//! The cluster: GET /api/v1/cluster, POST /api/v1/cluster/{drain,rebalance}. Layer `admin`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use serde::{Deserialize, Serialize};

use super::edge::Edge;
use super::problem::Problem;
use crate::runtime::cluster_orders::Rebalanced;
use crate::runtime::cluster_view::ClusterView;

/// Names a node, and says whether it is to be drained.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Drain {
    node: String,
    draining: bool,
}

/// The order that was stored.
#[derive(Debug, Serialize)]
pub(super) struct Drained {
    node: String,
    draining: bool,
}

/// Options of a rebalance.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Rebalance {
    dry_run: bool,
}

/// Returns the nodes, the leases and the moves under way.
pub(super) async fn get(State(edge): State<Edge>) -> Json<ClusterView> {
    Json(edge.fleet.cluster_view().await)
}

/// Asks a node to give up everything that it owns, or takes that order back. The answer follows the commit; the moves
/// come later.
pub(super) async fn drain(
    State(edge): State<Edge>,
    body: Result<Json<Drain>, JsonRejection>,
) -> Result<Json<Drained>, Problem> {
    let hint = r#"send {"node":"NAME","draining":true}"#;
    let Json(Drain { node, draining }) =
        body.map_err(|error| Problem::bad_request("bad_drain", format!("{}; {hint}", error.body_text())))?;
    edge.fleet.set_draining(&node, draining, "api").await.map_err(Problem::of_order)?;
    Ok(Json(Drained { node, draining }))
}

/// Moves bots and chats to where hashing places them; the body may be absent.
pub(super) async fn rebalance(State(edge): State<Edge>, body: Bytes) -> Result<Json<Rebalanced>, Problem> {
    let Rebalance { dry_run } = if body.is_empty() {
        Rebalance::default()
    } else {
        let hint = r#"send nothing, or {"dry_run":true}"#;
        serde_json::from_slice(&body)
            .map_err(|error| Problem::bad_request("bad_rebalance", format!("{error}; {hint}")))?
    };
    edge.fleet.rebalance(dry_run, "api").await.map(Json).map_err(Problem::of_order)
}
