//! getUpdates and the webhook methods. Layer: telegram.

use serde_json::{Value, json};

use super::reply::{Answer, Success};
use super::router::Call;
use crate::ledger::LedgerEvent;
use crate::world::error::ApiError;
use crate::world::poll::PollRequest;

/// The longest poll (Bot API, getUpdates).
const MAX_TIMEOUT_S: i64 = 50;
/// The most updates in an answer, and the default.
const MAX_LIMIT: i64 = 100;

pub(crate) async fn get_updates(call: &Call) -> Answer {
    let request = PollRequest {
        offset: call.params.integer("offset").unwrap_or(0),
        limit: match call.params.integer("limit") {
            Some(limit) => limit.clamp(1, MAX_LIMIT) as usize,
            None => MAX_LIMIT as usize,
        },
        timeout_s: call.params.integer("timeout").unwrap_or(0).clamp(0, MAX_TIMEOUT_S) as u32,
        allowed: allowed_updates(call)?,
        connection: call.connection.clone(),
    };
    let rendered = call.world.poll(call.bot, request).await?;
    Ok(Success::Rendered(rendered))
}

fn allowed_updates(call: &Call) -> Result<Option<Vec<String>>, ApiError> {
    let wrong = || ApiError::bad("can't parse \"allowed_updates\": expected an Array of String");
    match call.params.json("allowed_updates") {
        None => Ok(None),
        Some(Value::Array(kinds)) => kinds
            .iter()
            .map(|kind| kind.as_str().map(str::to_lowercase).ok_or_else(wrong))
            .collect::<Result<Vec<_>, _>>()
            .map(Some),
        Some(_) => Err(wrong()),
    }
}

/// Refuses an address, since nothing would be delivered to it; an empty one removes the webhook.
pub(crate) fn set_webhook(call: &Call) -> Answer {
    match call.params.text("url").as_deref() {
        None | Some("") => delete_webhook(call),
        Some(_) => Err(ApiError::bad("bad webhook: this simulation does not deliver webhooks; use getUpdates")),
    }
}

pub(crate) fn delete_webhook(call: &Call) -> Answer {
    let mut state = call.world.lock();
    let Some(bot) = state.bots.get_mut(&call.bot) else {
        return Err(ApiError::unauthorized());
    };
    if call.params.flag("drop_pending_updates") {
        let update_ids = bot.updates.clear();
        if !update_ids.is_empty() {
            call.world.ledger().record(LedgerEvent::UpdatesDropped { bot: call.bot, update_ids });
        }
    }
    let description = match bot.webhook.take() {
        Some(_) => "Webhook was deleted",
        None => "Webhook is already deleted",
    };
    Ok(Success::Described(json!(true), description))
}

pub(crate) fn get_webhook_info(call: &Call) -> Answer {
    let state = call.world.lock();
    let Some(bot) = state.bots.get(&call.bot) else {
        return Err(ApiError::unauthorized());
    };
    let mut info = json!({
        "url": bot.webhook.as_deref().unwrap_or_default(),
        "has_custom_certificate": false,
        "pending_update_count": bot.updates.len(),
    });
    if bot.webhook.is_some() {
        info["max_connections"] = json!(40);
    }
    if let Some(allowed) = bot.updates.allowed() {
        info["allowed_updates"] = json!(allowed);
    }
    Ok(info.into())
}
