//! Implements getUpdates. Layer: telegram.

use serde_json::Value;

use super::call::Call;
use super::reply::{Answer, Success};
use crate::world::error::ApiError;
use crate::world::poll::PollRequest;

/// The longest poll, in seconds (Bot API, getUpdates).
const MAX_TIMEOUT_S: i64 = 50;
/// The largest number of updates in an answer, which is also the default.
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

/// Returns the kinds of updates that a call asks for.
pub(crate) fn allowed_updates(call: &Call) -> Result<Option<Vec<String>>, ApiError> {
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
