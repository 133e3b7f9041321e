//! Reads an answer of the Bot API and classifies it by what the caller must do. Layer `adapters`. Keeps I4, I12.
//!
//! Only Telegram's own JSON is believed to be definite. An answer that is no such JSON comes from something between:
//! the call may have been done (`Unknown`), unless it is a 429.

use std::borrow::Cow;
use std::time::Duration;

use botfleet_actors::domain::ids::TelegramChatId;
use botfleet_actors::ports::telegram::TelegramError;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde::Deserialize;
use serde::de::DeserializeOwned;
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

#[derive(Default, Deserialize)]
struct Parameters {
    #[serde(default)]
    retry_after: Option<f64>,
    #[serde(default)]
    migrate_to_chat_id: Option<i64>,
}

/// The result within an answer, still JSON.
///
/// # Errors
/// As the port documents them; what is not definite is `Unknown`.
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

/// A result as a type; one that does not fit leaves open what was done.
///
/// # Errors
/// `Unknown` when it does not fit.
pub fn typed<T: DeserializeOwned>(result: &RawValue) -> Result<T, TelegramError> {
    serde_json::from_str(result.get())
        .map_err(|e| TelegramError::Unknown(format!("unexpected result at column {}", e.column())))
}

fn foreign(status: StatusCode, headers: &HeaderMap) -> TelegramError {
    if status == StatusCode::TOO_MANY_REQUESTS {
        let retry_after = retry_after_header(headers).unwrap_or(DEFAULT_RETRY_AFTER);
        return TelegramError::RateLimited { retry_after };
    }
    TelegramError::Unknown(format!("status {status} with a body that is not the bot api's"))
}

fn classify(status: StatusCode, headers: &HeaderMap, refusal: &Envelope<'_>) -> TelegramError {
    let code = refusal.error_code.unwrap_or_else(|| status.as_u16());
    let description = refusal.description.as_deref().unwrap_or("no description");
    let parameters: Parameters =
        refusal.parameters.and_then(|p| serde_json::from_str(p.get()).ok()).unwrap_or_default();
    if let Some(chat) = parameters.migrate_to_chat_id {
        return TelegramError::Migrated(TelegramChatId(chat));
    }
    match code {
        429 => TelegramError::RateLimited {
            retry_after: parameters
                .retry_after
                .and_then(|s| Duration::try_from_secs_f64(s).ok())
                .or_else(|| retry_after_header(headers))
                .or_else(|| retry_after_text(description))
                .unwrap_or(DEFAULT_RETRY_AFTER),
        },
        401 => TelegramError::Unauthorized(description.to_owned()),
        // The bare words mean the token; an unknown method says `Not Found: method not found`.
        404 if description == "Not Found" => TelegramError::Unauthorized(description.to_owned()),
        403 => TelegramError::Forbidden(description.to_owned()),
        409 => TelegramError::Conflict(description.to_owned()),
        400..=499 => TelegramError::Rejected { code, description: description.to_owned() },
        _ => TelegramError::Unknown(format!("{code} {description}")),
    }
}

fn retry_after_header(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// `Too Many Requests: retry after 34`
fn retry_after_text(description: &str) -> Option<Duration> {
    let (_, seconds) = description.rsplit_once("retry after ")?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}
