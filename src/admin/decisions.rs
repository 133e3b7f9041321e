//! GET /api/v1/chats/{chat}/decisions: explains why a bot spoke, and why no other did. Layer `admin`.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use botfleet_actors::domain::ids::{DecisionNumber, MessageId, Number};
use botfleet_actors::ports::archive::{DECISIONS_MAX, DecisionQuery};
use serde::{Deserialize, Serialize};

use super::edge::Edge;
use super::problem::Problem;
use crate::runtime::reasons::{DecisionView, Telling};

/// Default number of decisions on a page.
const PAGE: usize = 20;

/// Selects decisions, and says how much of them to tell.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    entry: Option<i64>,
    message: Option<i64>,
    before: Option<i64>,
    limit: Option<usize>,
    #[serde(default)]
    turns: bool,
    #[serde(default)]
    text: bool,
}

/// A page of decisions, newest first.
#[derive(Debug, Serialize)]
pub(super) struct Decisions {
    decisions: Vec<DecisionView>,
    /// Value of `before` for the next page; absent on the last page.
    next: Option<DecisionNumber>,
}

/// Lists decisions of a chat, named by its name or id; newest first.
pub(super) async fn list(
    State(edge): State<Edge>,
    Path(chat): Path<String>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<Decisions>, Problem> {
    let Query(asked) = asked.map_err(|error| Problem::bad_request("bad_question", error.body_text()))?;
    let unknown = || Problem::not_found("unknown_chat", format!("{chat:?} is no chat of the manifest, by name or id"));
    let id = edge.fleet.chat_called(&chat).ok_or_else(unknown)?;
    let entry = match (asked.entry, asked.message) {
        (Some(_), Some(_)) => {
            return Err(Problem::bad_request(
                "bad_question",
                "entry and message name the same thing: give one of them",
            ));
        }
        (entry, None) => entry.map(Number),
        (None, Some(message)) => {
            let found = edge.fleet.entry_of(id, MessageId(message)).await;
            let found = found.map_err(|error| Problem::of_store(&error))?;
            let unknown = || Problem::not_found("unknown_message", format!("no entry of message {message} is stored"));
            Some(found.ok_or_else(unknown)?)
        }
    };
    let limit = asked.limit.unwrap_or(PAGE).clamp(1, DECISIONS_MAX);
    let query = DecisionQuery { after: None, before: asked.before.map(DecisionNumber), entry, limit };
    let telling = Telling { turns: asked.turns, text: asked.text };
    let decisions = edge.fleet.decisions(id, &query, telling).await.map_err(|error| Problem::of_store(&error))?;
    let next = (decisions.len() == limit).then(|| decisions.last().map(|last| last.decision.number)).flatten();
    Ok(Json(Decisions { decisions, next }))
}
