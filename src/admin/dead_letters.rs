//! Dead letters: GET /api/v1/dead-letters, POST /api/v1/dead-letters/{id}/redeliver. Layer `admin`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use botfleet_actors::domain::dead_letter::DeadLetterId;
use serde::{Deserialize, Serialize};

use super::edge::Edge;
use super::problem::Problem;
use crate::runtime::view::DeadLetterView;

/// Default number of letters on a page; `PAGE_MAX` is the largest.
const PAGE: usize = 100;
const PAGE_MAX: usize = 1000;

/// Selects a page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageOf {
    after: Option<String>,
    limit: Option<usize>,
}

/// A page of dead letters.
#[derive(Debug, Serialize)]
pub(super) struct Letters {
    dead_letters: Vec<DeadLetterView>,
    /// Value of `after` for the next page; absent on the last page.
    next: Option<String>,
}

/// Options of a redelivery.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Redelivery {
    confirm_duplicate: bool,
}

/// The dead letter's state after the order.
#[derive(Debug, Serialize)]
pub(super) struct Done {
    id: String,
    state: &'static str,
}

/// Lists turns that failed too often, and messages that Telegram refused or whose fate nobody knows; oldest first.
pub(super) async fn list(
    State(edge): State<Edge>,
    page: Result<Query<PageOf>, QueryRejection>,
) -> Result<Json<Letters>, Problem> {
    let Query(page) = page.map_err(|error| Problem::bad_request("bad_page", error.body_text()))?;
    let after = page.after.as_deref().map(letter).transpose()?;
    let limit = page.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let letters = edge.fleet.dead_letters(after, limit).await.map_err(|error| Problem::of_store(&error))?;
    let next = (letters.len() == limit).then(|| letters.last().map(|last| last.id.clone())).flatten();
    Ok(Json(Letters { dead_letters: letters, next }))
}

/// Gives a dead letter another try; the body may be absent.
pub(super) async fn redeliver(
    State(edge): State<Edge>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Done>, Problem> {
    let letter = letter(&id)?;
    let Redelivery { confirm_duplicate } = if body.is_empty() {
        Redelivery::default()
    } else {
        let hint = r#"send nothing, or {"confirm_duplicate":true}"#;
        serde_json::from_slice(&body).map_err(|error| Problem::bad_request("bad_body", format!("{error}; {hint}")))?
    };
    edge.fleet.redeliver(letter, confirm_duplicate, "api").await.map_err(Problem::of_order)?;
    Ok(Json(Done { id, state: "queued" }))
}

fn letter(id: &str) -> Result<DeadLetterId, Problem> {
    let wrong = || Problem::not_found("unknown_dead_letter", format!("{id:?} names no dead letter, as turn-1 would"));
    DeadLetterId::parse(id).ok_or_else(wrong)
}
