//! A provider's refusal, read in whatever shape it comes and classified by what the caller must do.
//! Layer `adapters`. Keeps I12: messages are cut, and searched for the key.

use std::time::Duration;

use botfleet_actors::ports::llm::LlmError;
use chrono::DateTime;
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

/// Most characters of a provider's message that are kept.
const MESSAGE_CHARS: usize = 300;

/// Why a call has no answer; passes through the SDK as a boxed error.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// No connection, or none that lasted until the answer's head.
    #[error("{0}")]
    Unreachable(String),
    /// The answer stopped, or is no JSON.
    #[error("{0}")]
    Malformed(String),
    /// A status that is no success.
    #[error("status {status}: {message}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// The pause asked for.
        retry_after: Option<Duration>,
        /// The provider's words.
        message: String,
        /// The provider's code or type of error, when it names one.
        code: String,
    },
}

impl Fault {
    /// Reads the answer to a refused call.
    pub fn refused(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let value: Value = serde_json::from_slice(body).unwrap_or_default();
        let mut fault = Self::named(status, &value);
        if let Self::Refused { retry_after, .. } = &mut fault {
            *retry_after = pause(headers).or(*retry_after);
        }
        fault
    }

    /// Reads a refusal that came within an answer of status 200 or a stream.
    pub fn embedded(error: &Value) -> Self {
        let status = error
            .get("code")
            .or_else(|| error.get("status"))
            .and_then(Value::as_u64)
            .and_then(|code| StatusCode::from_u16(code as u16).ok())
            .filter(|status| status.as_u16() >= 400)
            .unwrap_or(StatusCode::BAD_GATEWAY);
        Self::named(status, error)
    }

    fn named(status: StatusCode, body: &Value) -> Self {
        // Gemini wraps its refusals in a list.
        let body = body.get(0).unwrap_or(body);
        let error = body.get("error").unwrap_or(body);
        let message = [error.get("message"), error.get("detail"), Some(error)]
            .into_iter()
            .flatten()
            .find_map(Value::as_str)
            .unwrap_or("no message");
        let code =
            ["code", "type", "status"].iter().filter_map(|key| error.get(key)?.as_str()).collect::<Vec<_>>().join(" ");
        let retry_after = error.get("details").and_then(Value::as_array).into_iter().flatten().find_map(|detail| {
            let seconds = detail.get("retryDelay")?.as_str()?.strip_suffix('s')?;
            Duration::try_from_secs_f64(seconds.parse().ok()?).ok()
        });
        Self::Refused { status, retry_after, message: message.chars().take(MESSAGE_CHARS).collect(), code }
    }

    /// What the caller must do about it; `key` is taken out of the words.
    pub fn into_error(self, key: &SecretString) -> LlmError {
        match self {
            Self::Unreachable(words) => LlmError::Unavailable(without(key, words)),
            Self::Malformed(words) => LlmError::Garbage(without(key, words)),
            Self::Refused { status, retry_after, message, code } => {
                let words = without(key, format!("status {} {message}", status.as_u16()));
                let of_a_key = code.contains("insufficient_quota") || message.contains("API key not valid");
                match status.as_u16() {
                    _ if of_a_key => LlmError::Unauthorized(words),
                    429 => LlmError::RateLimited { retry_after },
                    401..=404 => LlmError::Unauthorized(words),
                    408 | 409 | 425 => LlmError::Unavailable(words),
                    400..=499 => LlmError::Rejected(words),
                    _ => LlmError::Unavailable(words),
                }
            }
        }
    }
}

/// The pause that the headers ask for: milliseconds, seconds, or a date, which is read against the answer's own.
fn pause(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    if let Some(millis) = text("retry-after-ms").and_then(|t| t.parse().ok()) {
        return Some(Duration::from_millis(millis));
    }
    let after = text(RETRY_AFTER.as_str())?;
    if let Ok(seconds) = after.parse() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let until = DateTime::parse_from_rfc2822(after).ok()?;
    let now = DateTime::parse_from_rfc2822(text(DATE.as_str())?).ok()?;
    (until - now).to_std().ok()
}

/// A text without the key.
fn without(key: &SecretString, text: String) -> String {
    let key = key.expose_secret();
    if !key.is_empty() && text.contains(key) { text.replace(key, "[key]") } else { text }
}
