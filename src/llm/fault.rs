//! A provider's refusal, read in whatever shape it comes and classified by what the caller must do.
//! Layer `adapters`. Keeps I12: messages are searched for the key, and then cut.

use std::time::Duration;

use botfleet_actors::ports::llm::{LlmError, RETRY_AFTER_MAX};
use chrono::DateTime;
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::vendor::{Meaning, Refusal, Vendor};

/// Most characters of a provider's message that are kept.
const MESSAGE_CHARS: usize = 300;

/// Why a call has no answer; passes through the SDK as a boxed error.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// No connection: nothing was sent.
    #[error("{0}")]
    NotSent(String),
    /// No connection that lasted until the answer's head.
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
        let quotas = error.get("details").and_then(Value::as_array).into_iter().flatten();
        let quotas = quotas.filter_map(|detail| detail.get("violations")?.get(0)?.get("quotaId")?.as_str());
        let code = quotas.fold(code, |code, quota| format!("{code} {quota}"));
        let retry_after = error.get("details").and_then(Value::as_array).into_iter().flatten().find_map(|detail| {
            let seconds = detail.get("retryDelay")?.as_str()?.strip_suffix('s')?;
            Duration::try_from_secs_f64(seconds.parse().ok()?).ok()
        });
        Self::Refused { status, retry_after, message: message.to_owned(), code }
    }

    /// What the caller must do about it; `key` is taken out of the words.
    pub fn into_error(self, vendor: &Vendor, key: &SecretString) -> LlmError {
        match self {
            Self::NotSent(words) => LlmError::Unreachable(without(key, words)),
            Self::Unreachable(words) => LlmError::Unavailable(without(key, words)),
            Self::Malformed(words) => LlmError::Garbage(without(key, words)),
            Self::Refused { status, retry_after, message, code } => {
                let words = without(key, format!("status {} {message}", status.as_u16()));
                match vendor.meaning(&Refusal { status: status.as_u16(), code: &code, message: &message }) {
                    Meaning::Key => LlmError::KeyRefused(words),
                    Meaning::Quota => LlmError::QuotaExhausted(words),
                    Meaning::Model => LlmError::ModelRefused(words),
                    Meaning::Limited => {
                        LlmError::RateLimited { retry_after: retry_after.map(|pause| pause.min(RETRY_AFTER_MAX)) }
                    }
                    Meaning::Request => LlmError::Rejected(words),
                    Meaning::Unavailable => LlmError::Unavailable(words),
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

/// A text without the key, and no longer than it may be.
fn without(key: &SecretString, text: String) -> String {
    let key = key.expose_secret();
    let text = if !key.is_empty() && text.contains(key) { text.replace(key, "[key]") } else { text };
    // Cut only now: a part of the key would not be found.
    match text.char_indices().nth(MESSAGE_CHARS) {
        Some((end, _)) => text[..end].to_owned(),
        None => text,
    }
}
