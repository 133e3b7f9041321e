//! Reads an answer of the Bot API and classifies it by what the caller must do. Layer `adapters`. Keeps I4, I12.
//!
//! Only Telegram's own JSON is believed to be definite. An answer that is no such JSON comes from something between:
//! the call may have been done (`Unknown`), unless the status is 429.

use std::borrow::Cow;
use std::time::Duration;

use botfleet_actors::domain::ids::TelegramChatId;
use botfleet_actors::domain::pause::PAUSE_MAX;
use botfleet_actors::ports::telegram::{Shut, TelegramError};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

/// The pause after a 429 that names none.
pub const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
struct Envelope<'a> {
    ok: bool,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(default)]
    error_code: Option<u16>,
    #[serde(borrow, default)]
    description: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    parameters: Option<&'a RawValue>,
}

/// Parameters of a refusal. Each is read by itself, so that an odd one hides no other.
#[derive(Default, Deserialize)]
struct Parameters {
    #[serde(default)]
    retry_after: Value,
    #[serde(default)]
    migrate_to_chat_id: Value,
}

/// Telegram's words for a place that is shut to a bot, in lower case, by their meaning.
///
/// # Source
/// tdlib/telegram-bot-api, `Client.cpp` (`check_chat_access`, `fail_query_with_error`); errors of messages.sendMessage
/// and messages.setTyping at core.telegram.org, which the Bot API passes on.
const SHUT: [(Shut, &[&str]); 4] = [
    (Shut::Topic, &["topic_closed", "topic_deleted", "topic_id_invalid", "message thread not found"]),
    (
        Shut::Outside,
        &[
            "not a member",
            "kicked",
            "blocked by the user",
            "user_is_blocked",
            "deactivated",
            "initiate conversation",
            "channel_private",
            "user_not_participant",
        ],
    ),
    (
        Shut::Gone,
        &[
            "chat not found",
            "chat was deleted",
            "peer_id_invalid",
            "chat_id_invalid",
            "channel_invalid",
            "chat_forbidden",
        ],
    ),
    (
        Shut::Muted,
        &[
            "not enough rights to send",
            "have no rights to send",
            "no write access",
            "need administrator rights",
            "chat_write_forbidden",
            "chat_restricted",
            "chat_send_plain_forbidden",
            "chat_guest_send_forbidden",
            "chat_admin_required",
            "user_banned_in_channel",
            "user_restricted",
        ],
    ),
];

/// Returns the result within an answer, still JSON.
///
/// # Errors
/// As the port documents them; an answer that is not definite is `Unknown`.
pub fn result<'a>(status: StatusCode, headers: &HeaderMap, body: &'a [u8]) -> Result<&'a RawValue, TelegramError> {
    let Ok(envelope) = serde_json::from_slice::<Envelope<'a>>(body) else {
        return Err(foreign(status, headers));
    };
    match envelope {
        Envelope { ok: true, result: Some(result), .. } if status.is_success() => Ok(result),
        Envelope { ok: true, .. } => Err(TelegramError::Unknown(format!("status {status} without a result"))),
        refusal => Err(classify(status, headers, &refusal)),
    }
}

/// Reads a result as a type. A result that does not fit leaves open what was done.
///
/// # Errors
/// `Unknown` when the result does not fit.
pub fn typed<T: DeserializeOwned>(result: &RawValue) -> Result<T, TelegramError> {
    serde_json::from_str(result.get())
        .map_err(|e| TelegramError::Unknown(format!("unexpected result at column {}", e.column())))
}

fn foreign(status: StatusCode, headers: &HeaderMap) -> TelegramError {
    if status == StatusCode::TOO_MANY_REQUESTS {
        let retry_after = retry_after_header(headers).unwrap_or(DEFAULT_RETRY_AFTER).min(PAUSE_MAX);
        return TelegramError::RateLimited { retry_after };
    }
    TelegramError::Unknown(format!("status {status} with a body that is not the bot api's"))
}

fn classify(status: StatusCode, headers: &HeaderMap, refusal: &Envelope<'_>) -> TelegramError {
    let code = refusal.error_code.unwrap_or_else(|| status.as_u16());
    let description = refusal.description.as_deref().unwrap_or("no description");
    let parameters: Parameters =
        refusal.parameters.and_then(|p| serde_json::from_str(p.get()).ok()).unwrap_or_default();
    if let Some(chat) = integer(&parameters.migrate_to_chat_id) {
        return TelegramError::Migrated(TelegramChatId(chat));
    }
    match code {
        429 => TelegramError::RateLimited {
            retry_after: pause(&parameters.retry_after)
                .or_else(|| retry_after_header(headers))
                .or_else(|| retry_after_text(description))
                .unwrap_or(DEFAULT_RETRY_AFTER)
                .min(PAUSE_MAX),
        },
        401 => TelegramError::Unauthorized(description.to_owned()),
        // The bare words mean the token; an unknown method says `Not Found: method not found`.
        404 if description == "Not Found" => TelegramError::Unauthorized(description.to_owned()),
        // tdlib/telegram-bot-api: `can't use getUpdates method while webhook is active`, `terminated by setWebhook
        // request`; another poller's 409 says `terminated by other getUpdates request`.
        409 if description.to_ascii_lowercase().contains("webhook") => {
            TelegramError::WebhookSet(description.to_owned())
        }
        409 => TelegramError::Conflict(description.to_owned()),
        400 | 403 | 406 if let Some(place) = shut(description) => {
            TelegramError::CannotWrite { place, description: description.to_owned() }
        }
        // A 403 in unknown words concerns this place all the same.
        403 => TelegramError::CannotWrite { place: Shut::Muted, description: description.to_owned() },
        400..=499 => TelegramError::Rejected { code, description: description.to_owned() },
        _ => TelegramError::Unknown(format!("{code} {description}")),
    }
}

/// Returns the place that a refusal says is shut, if it says so.
fn shut(description: &str) -> Option<Shut> {
    let words = description.to_lowercase();
    SHUT.iter().find(|(_, families)| families.iter().any(|family| words.contains(family))).map(|(place, _)| *place)
}

/// Reads a whole number, also one in quotes.
fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// Reads a pause in seconds: a number, also one in quotes, that is not below zero. A number that no duration can hold
/// becomes `PAUSE_MAX`.
fn pause(value: &Value) -> Option<Duration> {
    let seconds = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    (seconds >= 0.0).then(|| Duration::try_from_secs_f64(seconds).unwrap_or(PAUSE_MAX))
}

fn retry_after_header(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Reads the pause in a text such as `Too Many Requests: retry after 34`.
fn retry_after_text(description: &str) -> Option<Duration> {
    let (_, seconds) = description.rsplit_once("retry after ")?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}
