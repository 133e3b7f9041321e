//! Makes calls whose answer a person wants to see, for `botfleet check --online`. Layer `adapters`. Keeps I12.
//!
//! No call is a poll: nothing is confirmed, and a running fleet meets no 409.

use botfleet_actors::ports::telegram::TelegramError;
use reqwest::header::DATE;
use secrecy::SecretString;
use serde_json::Value;

use super::answer;
use super::client::{Call, Effect, TelegramClient, without};

/// An answer of the Bot API, with status, body and date.
#[derive(Debug)]
pub struct Inquiry {
    /// The result, or the reason why there is none.
    pub result: Result<Value, TelegramError>,
    /// The HTTP status; 0 when nothing was answered.
    pub status: u16,
    /// The whole body as JSON, without the token; `Null` when the body was no JSON.
    pub body: Value,
    /// The server's clock as its `Date` header tells it, in seconds since 1970.
    pub date: Option<i64>,
}

impl TelegramClient {
    /// Makes a call that changes nothing.
    pub async fn inquire(&self, token: &SecretString, method: &str, parameters: &Value) -> Inquiry {
        self.look(token, method, parameters, Effect::Probe).await
    }

    /// Makes a call that changes something, once, and returns the answer.
    pub async fn try_out(&self, token: &SecretString, method: &str, parameters: &Value) -> Inquiry {
        self.look(token, method, parameters, Effect::Write).await
    }

    async fn look(&self, token: &SecretString, method: &str, parameters: &Value, effect: Effect) -> Inquiry {
        let url = self.url(token, method);
        let answered = match self.attempt(Call { url: &url, token, effect }, parameters, None).await {
            Ok(answered) => answered,
            Err(error) => return Inquiry { result: Err(error), status: 0, body: Value::Null, date: None },
        };
        let date = answered.headers.get(DATE).and_then(|date| date.to_str().ok());
        let date = date.and_then(|date| chrono::DateTime::parse_from_rfc2822(date).ok()).map(|date| date.timestamp());
        let result =
            answer::result(answered.status, &answered.headers, &answered.body).and_then(answer::typed::<Value>);
        let body = without(token, String::from_utf8_lossy(&answered.body).into_owned());
        let body = serde_json::from_str(&body).unwrap_or(Value::Null);
        Inquiry { result, status: answered.status.as_u16(), body, date }
    }
}
