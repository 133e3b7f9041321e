//! Sets faults at run time, and reports the providers' usage. Layer: beside `control`; JSON in and out.
//!
//! | path | does |
//! |---|---|
//! | `GET /sim/faults` | the faults in force, and the number of faults of each kind that struck |
//! | `PUT /sim/faults` | `{telegram?, provider?}` replaces all faults in force; windows count from now |
//! | `DELETE /sim/faults` | ends all faults |
//! | `GET /sim/provider` | usage by key and in total, limits and faults of every provider |

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Scenario;
use crate::provider::Provider;
use crate::world::World;

/// The world and the providers that faults strike.
#[derive(Debug, Clone)]
pub struct Targets {
    /// The world.
    pub world: Arc<World>,
    /// Every provider, the main one first.
    pub providers: Vec<Arc<Provider>>,
}

/// Serves the control API of faults and providers.
pub fn router(targets: Targets) -> Router {
    Router::new()
        .route("/sim/faults", get(faults).put(set).delete(clear))
        .route("/sim/provider", get(providers))
        .with_state(targets)
}

async fn faults(State(targets): State<Targets>) -> Json<Value> {
    let mut by_provider: BTreeMap<String, u64> = BTreeMap::new();
    for (kind, count) in targets.providers.iter().flat_map(|provider| provider.injected()) {
        *by_provider.entry(kind).or_default() += count;
    }
    let schedule = targets.providers.first().map(|provider| provider.faults()).unwrap_or_default();
    Json(json!({
        "telegram": targets.world.faults(),
        "provider": schedule,
        "injected": {"telegram": targets.world.injected(), "provider": by_provider},
    }))
}

async fn set(State(targets): State<Targets>, body: Result<Json<Scenario>, JsonRejection>) -> Response {
    let refused = |reason: String| (StatusCode::BAD_REQUEST, Json(json!({"error": reason}))).into_response();
    let scenario = match body {
        Ok(Json(scenario)) => scenario,
        Err(rejection) => return refused(rejection.body_text()),
    };
    if let Err(reason) = scenario.check() {
        return refused(reason);
    }
    targets.world.set_faults(scenario.telegram);
    targets.providers.iter().for_each(|provider| provider.set_faults(scenario.provider.clone()));
    StatusCode::NO_CONTENT.into_response()
}

async fn clear(State(targets): State<Targets>) -> StatusCode {
    targets.world.clear_faults();
    targets.providers.iter().for_each(|provider| provider.clear_faults());
    StatusCode::NO_CONTENT
}

async fn providers(State(targets): State<Targets>) -> Json<Value> {
    Json(targets.providers.iter().map(|provider| provider.report()).collect())
}
