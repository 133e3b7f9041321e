//! GET /api/v1/fleet: bots, chats and providers with their snapshots. Layer `admin`.

use axum::Json;
use axum::extract::State;

use super::edge::Edge;
use super::problem::Problem;
use crate::runtime::view::FleetView;

/// Returns the view of the whole node.
pub(super) async fn get(State(edge): State<Edge>) -> Result<Json<FleetView>, Problem> {
    edge.fleet.view().await.map(Json).map_err(|error| Problem::of_store(&error))
}
