//! POST /api/v1/control/{start,stop,release,lift-pauses}: stops of the fleet, one chat or one bot, releases, and ends
//! of pauses. Layer `admin`.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use botfleet_actors::domain::control::StopScope;
use serde::{Deserialize, Serialize};

use super::edge::Edge;
use super::problem::Problem;

/// Names the part to stop or start.
#[derive(Debug, Deserialize)]
#[serde(tag = "scope", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Scope {
    /// The whole fleet.
    Fleet,
    /// The chat of that name in the manifest.
    Chat { name: String },
    /// The bot of that name in the manifest.
    Bot { name: String },
}

/// The state after the order.
#[derive(Debug, Serialize)]
pub(super) struct Done {
    stopped: bool,
}

/// Stops the scope: only a message that is being sent already still goes out.
pub(super) async fn stop(
    State(edge): State<Edge>,
    body: Result<Json<Scope>, JsonRejection>,
) -> Result<Json<Done>, Problem> {
    set(&edge, body, true).await
}

/// Lifts a stop.
pub(super) async fn start(
    State(edge): State<Edge>,
    body: Result<Json<Scope>, JsonRejection>,
) -> Result<Json<Done>, Problem> {
    set(&edge, body, false).await
}

/// Names the actor to release.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Quarantined {
    actor: String,
}

/// Names the released actor.
#[derive(Debug, Serialize)]
pub(super) struct Released {
    released: String,
}

/// POST /api/v1/control/release: lets an actor that failed too often run again.
pub(super) async fn release(
    State(edge): State<Edge>,
    body: Result<Json<Quarantined>, JsonRejection>,
) -> Result<Json<Released>, Problem> {
    let hint = r#"send {"actor":"bot NAME"} as GET /api/v1/fleet shows it under quarantined"#;
    let Json(Quarantined { actor }) =
        body.map_err(|error| Problem::bad_request("bad_actor", format!("{}; {hint}", error.body_text())))?;
    if edge.fleet.release(&actor, "api").await.map_err(Problem::of_order)? {
        Ok(Json(Released { released: actor }))
    } else {
        Err(Problem::not_found("not_quarantined", format!("{actor:?} is not quarantined")))
    }
}

/// Request body of `lift_pauses`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Paused {
    bot: String,
}

/// Response body of `lift_pauses`.
#[derive(Debug, Serialize)]
pub(super) struct Lifted {
    lifted: String,
}

/// POST /api/v1/control/lift-pauses: ends the pauses that Telegram asked a bot for.
pub(super) async fn lift_pauses(
    State(edge): State<Edge>,
    body: Result<Json<Paused>, JsonRejection>,
) -> Result<Json<Lifted>, Problem> {
    let hint = r#"send {"bot":"NAME"} as the manifest calls it"#;
    let Json(Paused { bot: name }) =
        body.map_err(|error| Problem::bad_request("bad_bot", format!("{}; {hint}", error.body_text())))?;
    let unknown = || Problem::not_found("unknown_name", format!("no bot named {name:?} in the manifest"));
    let bot = edge.fleet.bot_named(&name).ok_or_else(unknown)?;
    edge.fleet.lift_pauses(bot, "api").await.map_err(Problem::of_order)?;
    Ok(Json(Lifted { lifted: name }))
}

async fn set(edge: &Edge, body: Result<Json<Scope>, JsonRejection>, stopped: bool) -> Result<Json<Done>, Problem> {
    let hint = r#"send {"scope":"fleet"}, {"scope":"chat","name":"..."} or {"scope":"bot","name":"..."}"#;
    let Json(scope) =
        body.map_err(|error| Problem::bad_request("bad_scope", format!("{}; {hint}", error.body_text())))?;
    let unknown = |kind: &str, name: &str| {
        Problem::not_found("unknown_name", format!("no {kind} named {name:?} in the manifest"))
    };
    let scope = match scope {
        Scope::Fleet => StopScope::Fleet,
        Scope::Chat { name } => StopScope::Chat(edge.fleet.chat_named(&name).ok_or_else(|| unknown("chat", &name))?),
        Scope::Bot { name } => StopScope::Bot(edge.fleet.bot_named(&name).ok_or_else(|| unknown("bot", &name))?),
    };
    edge.fleet.set_stop(scope, stopped, "api").await.map_err(|error| Problem::unavailable(&error))?;
    Ok(Json(Done { stopped }))
}
