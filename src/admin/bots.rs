//! POST /api/v1/bots/{name}/delivery: polling or webhook. Layer `admin`.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use botfleet_actors::domain::roster::DeliveryMode;
use serde::{Deserialize, Serialize};

use super::edge::Edge;
use super::problem::Problem;

/// The requested delivery mode.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wish {
    mode: DeliveryMode,
}

/// The delivery mode after the request.
#[derive(Debug, Serialize)]
pub(super) struct Done {
    bot: String,
    mode: DeliveryMode,
}

/// Changes a bot's delivery mode. The answer follows the commit; the bot then calls Telegram until Telegram agrees.
pub(super) async fn set_delivery(
    State(edge): State<Edge>,
    Path(name): Path<String>,
    body: Result<Json<Wish>, JsonRejection>,
) -> Result<Json<Done>, Problem> {
    let hint = r#"send {"mode":"polling"} or {"mode":"webhook"}"#;
    let Json(Wish { mode }) =
        body.map_err(|error| Problem::bad_request("bad_mode", format!("{}; {hint}", error.body_text())))?;
    let unknown = || Problem::not_found("unknown_name", format!("no bot named {name:?} in the manifest"));
    let bot = edge.fleet.bot_named(&name).ok_or_else(unknown)?;
    edge.fleet.set_delivery(bot, mode, "api").await.map_err(Problem::of_order)?;
    Ok(Json(Done { bot: name, mode }))
}
