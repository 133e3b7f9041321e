//! Serves `/sim/limits`: the limits of sends, and their use.
//!
//! Layer: beside `telegram`. `GET` answers `{limits, report}`; the report goes by the limits in force, or by Telegram's
//! own when none are. `PUT` sets limits, `DELETE` removes them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::checker::limits::reached;
use crate::world::World;
use crate::world::limits::LimitSpec;

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new().route("/sim/limits", get(told).put(set).delete(take_away))
}

async fn told(State(world): State<Arc<World>>) -> Json<Value> {
    let limits = world.limits();
    let ledger = world.ledger();
    let report = reached(&ledger.snapshot(), &limits.unwrap_or_default(), 0, ledger.now_us());
    Json(json!({"limits": limits, "report": report}))
}

async fn set(State(world): State<Arc<World>>, Json(limits): Json<LimitSpec>) -> StatusCode {
    world.set_limits(Some(limits));
    StatusCode::NO_CONTENT
}

async fn take_away(State(world): State<Arc<World>>) -> StatusCode {
    world.set_limits(None);
    StatusCode::NO_CONTENT
}
