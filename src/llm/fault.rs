//! Reads a provider's refusal in whatever shape it comes, and classifies it by what the caller must do.
//! Layer `adapters`. Keeps I12.

use std::time::Duration;

use botfleet_actors::ports::llm::{LlmError, RETRY_AFTER_MAX};
use chrono::DateTime;
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, LOCATION, RETRY_AFTER};
use serde_json::Value;

use super::redact::{Redaction, words_of_page};
use crate::llm::vendor::facts::{Meaning, Refusal, Vendor};

/// Reason why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// No connection: nothing was sent.
    #[error("{0}")]
    NotSent(String),
    /// The connection did not last until the answer's head.
    #[error("{0}")]
    Unreachable(String),
    /// The answer stopped, or cannot be read.
    #[error("{0}")]
    Malformed(String),
    /// The status is no success.
    #[error("status {status}: {message}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// The pause asked for.
        retry_after: Option<Duration>,
        /// The provider's words.
        message: String,
        /// The provider's code or type of error, when the provider names one.
        code: String,
        /// The parameter at fault, when the provider names one.
        param: Option<String>,
    },
}

impl Fault {
    /// Reads the answer to a refused call.
    pub fn refused(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        let value: Value = serde_json::from_slice(body).unwrap_or_default();
        let mut fault = Self::named(status, &value);
        if let Self::Refused { retry_after, message, .. } = &mut fault {
            *retry_after = pause(headers).or(*retry_after);
            if message.is_empty() {
                *message = words_of_page(body);
            }
            if let Some(to) = elsewhere(status, headers) {
                *message = format!("moved to {to}");
            }
        }
        fault
    }

    /// Reads a refusal that came within an answer of status 200 or a stream.
    pub fn embedded(error: &Value) -> Self {
        let inner = error.get("error").unwrap_or(error);
        let status = ["code", "status", "status_code"]
            .iter()
            .find_map(|key| {
                let field = inner.get(key)?;
                field.as_u64().or_else(|| field.as_str()?.parse().ok())
            })
            .and_then(|code| StatusCode::from_u16(u16::try_from(code).ok()?).ok())
            .filter(|status| status.as_u16() >= 400)
            .unwrap_or(StatusCode::BAD_GATEWAY);
        Self::named(status, error)
    }

    fn named(status: StatusCode, body: &Value) -> Self {
        // Gemini wraps its refusals in a list.
        let body = body.get(0).unwrap_or(body);
        let error = body.get("error").filter(|error| !error.is_null()).unwrap_or(body);
        // FastAPI lists the faults, each with the path to its field.
        let detail = ["detail", "errors"].iter().find_map(|key| error.get(key)?.get(0));
        let message = [
            error.get("message"),
            error.get("detail"),
            error.get("msg"),
            error.get("error_description"),
            detail.and_then(|detail| detail.get("msg").or_else(|| detail.get("message"))),
            detail,
            Some(error),
            body.get("message"),
        ];
        let message = message.into_iter().flatten().find_map(Value::as_str).unwrap_or_default();
        let param = error.get("param").or_else(|| detail?.get("loc")?.as_array()?.last());
        let code =
            ["code", "type", "status"].iter().filter_map(|key| error.get(key)?.as_str()).collect::<Vec<_>>().join(" ");
        let quotas = error.get("details").and_then(Value::as_array).into_iter().flatten();
        let quotas = quotas.filter_map(|detail| detail.get("violations")?.get(0)?.get("quotaId")?.as_str());
        let code = quotas.fold(code, |code, quota| format!("{code} {quota}"));
        let retry_after = error.get("details").and_then(Value::as_array).into_iter().flatten().find_map(|detail| {
            let seconds = detail.get("retryDelay")?.as_str()?.strip_suffix('s')?;
            Duration::try_from_secs_f64(seconds.parse().ok()?).ok()
        });
        let param = param.and_then(Value::as_str).map(str::to_owned);
        Self::Refused { status, retry_after, message: message.to_owned(), code, param }
    }

    /// Converts the fault into an error by what the caller must do, in words that may be shown.
    pub(super) fn into_error(self, vendor: &Vendor, redaction: Redaction<'_>) -> LlmError {
        match self {
            Self::NotSent(words) => LlmError::Unreachable(redaction.tell(&words)),
            Self::Unreachable(words) => LlmError::Unavailable(redaction.tell(&words)),
            Self::Malformed(words) => LlmError::Garbage(redaction.tell(&words)),
            Self::Refused { status, retry_after, message, code, .. } => {
                let told = if message.is_empty() { "no message" } else { &message };
                let words = format!("status {} {}", status.as_u16(), redaction.tell(told));
                match vendor.meaning(&Refusal { status: status.as_u16(), code: &code, message: &message }) {
                    Meaning::Key => LlmError::KeyRefused(words),
                    Meaning::Quota => LlmError::QuotaExhausted(words),
                    // A 404 that does not name a model comes from an address where nothing is served.
                    Meaning::Model if status == StatusCode::NOT_FOUND && !message.contains("model") => {
                        LlmError::ModelRefused(format!("{words}; is base_url right?"))
                    }
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

pub(super) fn malformed(words: &str) -> Fault {
    Fault::Malformed(words.to_owned())
}

/// Returns the address that a redirect leads to, without the parts that may be secret.
fn elsewhere(status: StatusCode, headers: &HeaderMap) -> Option<String> {
    let to = headers.get(LOCATION).filter(|_| status.is_redirection())?.to_str().ok()?;
    Some(to.split(['?', '#']).next().unwrap_or(to).to_owned())
}

/// Returns the pause that the headers ask for: milliseconds, seconds, or a date, compared with the answer's own date.
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
