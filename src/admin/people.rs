//! Rights of people: GET /api/v1/people/{id}, POST /api/v1/people/{id}/{forget,optout,optin}. Layer `admin`.
//!
//! People are named by Telegram's id. Answers hold counts and dates, never words.

use axum::Json;
use axum::extract::{Path, State};
use botfleet_actors::domain::ids::TelegramUserId;
use botfleet_actors::domain::people::{PersonRecord, Right};
use serde::Serialize;

use super::edge::Edge;
use super::problem::Problem;

/// The record of a person.
#[derive(Debug, Serialize)]
pub(super) struct Person {
    telegram_id: i64,
    #[serde(flatten)]
    record: PersonRecord,
}

/// The right after the order.
#[derive(Debug, Serialize)]
pub(super) struct Done {
    telegram_id: i64,
    right: &'static str,
    /// Set when the right was in force already.
    already: bool,
}

/// Returns what is stored about a person.
pub(super) async fn get(State(edge): State<Edge>, Path(id): Path<String>) -> Result<Json<Person>, Problem> {
    let person = person(&id)?;
    let record = edge.fleet.person(person).await.map_err(|error| Problem::of_store(&error))?;
    Ok(Json(Person { telegram_id: person.0, record }))
}

/// Requests the removal of a person's stored words. The removal goes on after the answer.
pub(super) async fn forget(State(edge): State<Edge>, Path(id): Path<String>) -> Result<Json<Done>, Problem> {
    claim(&edge, &id, Right::Forget).await
}

/// Opts a person out: from now on nothing of what the person says is stored.
pub(super) async fn opt_out(State(edge): State<Edge>, Path(id): Path<String>) -> Result<Json<Done>, Problem> {
    claim(&edge, &id, Right::OptOut).await
}

/// Takes an opt-out back.
pub(super) async fn opt_in(State(edge): State<Edge>, Path(id): Path<String>) -> Result<Json<Done>, Problem> {
    claim(&edge, &id, Right::OptIn).await
}

async fn claim(edge: &Edge, id: &str, right: Right) -> Result<Json<Done>, Problem> {
    let person = person(id)?;
    let already = edge.fleet.claim(person, right, "api").await.map_err(|error| Problem::unavailable(&error))?;
    Ok(Json(Done { telegram_id: person.0, right: right.as_str(), already }))
}

fn person(id: &str) -> Result<TelegramUserId, Problem> {
    let id = id.parse::<i64>().ok().filter(|id| *id > 0);
    id.map(TelegramUserId).ok_or_else(|| Problem::bad_request("bad_person", "name a person by Telegram's id, a number"))
}
