//! GET /api/v1/style: how differently the personas write. Layer `admin`.

use axum::Json;
use axum::extract::State;

use super::edge::Edge;
use super::problem::Problem;
use crate::runtime::style::StyleView;

/// Returns the bots, and the most similar pairs among them, by their last messages.
pub(super) async fn get(State(edge): State<Edge>) -> Result<Json<StyleView>, Problem> {
    edge.fleet.styles().await.map(Json).map_err(|error| Problem::of_store(&error))
}
