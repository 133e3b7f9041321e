//! Serves the harness's own API under `/sim/`: lets people act, and reports what happened.
//!
//! Layer: beside `telegram`; JSON in and out, the ledger as NDJSON. A refusal by the world is `{"error": "..."}` with
//! 400 or 404.
//!
//! | path | does |
//! |---|---|
//! | `GET /sim/health` | reports that the simulation is up, and how many bots poll |
//! | `GET /sim/world` | the description (with the simulated tokens) and each bot's state |
//! | `GET /sim/ledger` | the ledger |
//! | `GET /sim/chats/{id}/messages?last=50` | the last messages |
//! | `POST /sim/chats/{id}/messages` | `{from, text, reply_to?, thread?, anonymous?, dated_s?, extra?, without?, unnumbered?, only?}` |
//! | `POST /sim/chats/{id}/edits` | `{from, message_id, text}` |
//! | `POST /sim/chats/{id}/reactions` | `{from, message_id, emoji?}` |
//!
//! `limits` serves limits, `members` tokens and membership, `troubles` late updates, closed chats and clocks.

mod limits;
mod members;
mod troubles;

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::world::World;
use crate::world::error::WorldError;
use crate::world::event::Post;

/// Serves the control API of a world.
pub fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/sim/health", get(health))
        .route("/sim/world", get(report))
        .route("/sim/ledger", get(ledger))
        .route("/sim/chats/{id}/messages", get(history).post(post_message))
        .route("/sim/chats/{id}/edits", post(edit))
        .route("/sim/chats/{id}/reactions", post(react))
        .merge(limits::routes())
        .merge(members::routes())
        .merge(troubles::routes())
        .with_state(world)
}

#[derive(Deserialize)]
struct NewMessage {
    from: i64,
    #[serde(flatten)]
    post: Post,
}

#[derive(Deserialize)]
struct NewText {
    from: i64,
    message_id: i64,
    text: String,
}

#[derive(Deserialize)]
struct NewReaction {
    from: i64,
    message_id: i64,
    #[serde(default)]
    emoji: Option<String>,
}

#[derive(Deserialize)]
struct Last {
    #[serde(default = "fifty")]
    last: usize,
}

fn fifty() -> usize {
    50
}

impl IntoResponse for WorldError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::UnknownChat(_) | Self::UnknownBot(_) | Self::UnknownMessage { .. } => StatusCode::NOT_FOUND,
            _ => StatusCode::BAD_REQUEST,
        };
        (status, Json(json!({"error": self.to_string()}))).into_response()
    }
}

async fn health(State(world): State<Arc<World>>) -> Json<Value> {
    Json(json!({"status": "ok", "polling_bots": world.polling_bots()}))
}

async fn report(State(world): State<Arc<World>>) -> Json<Value> {
    Json(world.report())
}

async fn ledger(State(world): State<Arc<World>>) -> Response {
    let mut lines = Vec::new();
    match world.ledger().write_ndjson(&mut lines) {
        Ok(()) => ([(header::CONTENT_TYPE, "application/x-ndjson")], lines).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn history(
    State(world): State<Arc<World>>,
    Path(chat): Path<i64>,
    Query(Last { last }): Query<Last>,
) -> Result<Response, WorldError> {
    if !world.has_chat(chat) {
        return Err(WorldError::UnknownChat(chat));
    }
    Ok(Json(world.history(chat, last)).into_response())
}

async fn post_message(
    State(world): State<Arc<World>>,
    Path(chat): Path<i64>,
    Json(new): Json<NewMessage>,
) -> Result<Json<Value>, WorldError> {
    let message_id = world.post(chat, new.from, new.post)?;
    Ok(Json(json!({"message_id": message_id})))
}

async fn edit(
    State(world): State<Arc<World>>,
    Path(chat): Path<i64>,
    Json(new): Json<NewText>,
) -> Result<StatusCode, WorldError> {
    world.edit(chat, new.from, new.message_id, &new.text)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn react(
    State(world): State<Arc<World>>,
    Path(chat): Path<i64>,
    Json(new): Json<NewReaction>,
) -> Result<StatusCode, WorldError> {
    world.react(chat, new.from, new.message_id, new.emoji.as_deref())?;
    Ok(StatusCode::NO_CONTENT)
}
