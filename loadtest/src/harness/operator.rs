//! What an operator tells the product over its API. Layer: harness.

use std::time::Duration;

use serde_json::{Value, json};

use super::error::HarnessError;
use crate::people::http::{self, HttpError};

/// How long one answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// An operator at the product's API.
#[derive(Debug, Clone)]
pub struct Operator {
    client: reqwest::Client,
}

impl Operator {
    /// An operator with a client of their own.
    ///
    /// # Errors
    /// No client can be made.
    pub fn new() -> Result<Self, HarnessError> {
        Ok(Self { client: http::client()? })
    }

    /// `GET /api/v1/fleet`.
    ///
    /// # Errors
    /// No good answer.
    pub async fn fleet(&self, base_url: &str) -> Result<Value, HttpError> {
        let url = format!("{base_url}/api/v1/fleet");
        let response = http::send(self.client.get(&url).timeout(ANSWER_WITHIN), &url).await?;
        let unreadable = |error: reqwest::Error| error.without_url().to_string();
        response.json().await.map_err(|error| HttpError::NoAnswer { url, reason: unreadable(error) })
    }

    /// Posts to the API.
    ///
    /// # Errors
    /// No good answer.
    pub async fn post(&self, base_url: &str, path: &str, body: &Value) -> Result<(), HttpError> {
        let url = format!("{base_url}{path}");
        http::send(self.client.post(&url).timeout(ANSWER_WITHIN).json(body), &url).await.map(drop)
    }

    /// Moves a bot to webhook or polling; says whether the product could.
    ///
    /// # Errors
    /// No answer, or a refusal other than that there is no such thing.
    pub async fn deliver_by(&self, base_url: &str, bot: &str, mode: &str) -> Result<bool, HttpError> {
        match self.post(base_url, &format!("/api/v1/bots/{bot}/delivery"), &json!({"mode": mode})).await {
            Ok(()) => Ok(true),
            Err(HttpError::Status { status: 404 | 405, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Releases every actor that is quarantined; gives their names.
    ///
    /// # Errors
    /// The fleet cannot be asked, or an actor cannot be released.
    pub async fn release_all(&self, base_url: &str) -> Result<Vec<String>, HttpError> {
        let fleet = self.fleet(base_url).await?;
        let listed = fleet["quarantined"].as_array().cloned().unwrap_or_default();
        let mut released = Vec::new();
        for entry in listed {
            let Some(actor) = entry.as_str().or_else(|| entry["actor"].as_str()) else { continue };
            self.post(base_url, "/api/v1/control/release", &json!({"actor": actor})).await?;
            released.push(actor.to_owned());
        }
        Ok(released)
    }

    /// Stops or starts the whole fleet.
    ///
    /// # Errors
    /// No good answer.
    pub async fn set_fleet_stopped(&self, base_url: &str, stopped: bool) -> Result<(), HttpError> {
        let verb = if stopped { "stop" } else { "start" };
        self.post(base_url, &format!("/api/v1/control/{verb}"), &json!({"scope": "fleet"})).await
    }
}
