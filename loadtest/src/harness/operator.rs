//! Sends an operator's commands to the product's API. Layer: harness.

use std::time::Duration;

use botfleet_world::people::http::{self, HttpError};
use serde_json::{Value, json};

use super::error::HarnessError;

/// How long one answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// An operator who uses the product's API.
#[derive(Debug, Clone)]
pub struct Operator {
    client: reqwest::Client,
}

impl Operator {
    /// Creates an operator with an HTTP client of their own.
    ///
    /// # Errors
    /// No HTTP client can be created.
    pub fn new() -> Result<Self, HarnessError> {
        Ok(Self { client: http::client()? })
    }

    /// Reads `GET /api/v1/fleet`.
    ///
    /// # Errors
    /// The product does not answer, or answers with an error.
    pub async fn fleet(&self, base_url: &str) -> Result<Value, HttpError> {
        let url = format!("{base_url}/api/v1/fleet");
        let response = http::send(self.client.get(&url).timeout(ANSWER_WITHIN), &url).await?;
        let unreadable = |error: reqwest::Error| error.without_url().to_string();
        response.json().await.map_err(|error| HttpError::NoAnswer { url, reason: unreadable(error) })
    }

    /// Posts a JSON body to a path of the API.
    ///
    /// # Errors
    /// The product does not answer, or answers with an error.
    pub async fn post(&self, base_url: &str, path: &str, body: &Value) -> Result<(), HttpError> {
        let url = format!("{base_url}{path}");
        http::send(self.client.post(&url).timeout(ANSWER_WITHIN).json(body), &url).await.map(drop)
    }

    /// Changes a bot's delivery mode to `webhook` or `polling`; returns whether the product offers that.
    ///
    /// # Errors
    /// The product does not answer, or refuses with another status than 404 or 405.
    pub async fn deliver_by(&self, base_url: &str, bot: &str, mode: &str) -> Result<bool, HttpError> {
        match self.post(base_url, &format!("/api/v1/bots/{bot}/delivery"), &json!({"mode": mode})).await {
            Ok(()) => Ok(true),
            Err(HttpError::Status { status: 404 | 405, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Releases every quarantined actor; returns the names.
    ///
    /// # Errors
    /// The fleet cannot be read, or an actor cannot be released.
    pub async fn release_all(&self, base_url: &str) -> Result<Vec<String>, HttpError> {
        let fleet = self.fleet(base_url).await?;
        let listed = fleet["fleet"]["quarantined"].as_array().cloned().unwrap_or_default();
        let mut released = Vec::new();
        for entry in listed {
            let Some(actor) = entry["actor"].as_str() else { continue };
            self.post(base_url, "/api/v1/control/release", &json!({"actor": actor})).await?;
            released.push(actor.to_owned());
        }
        Ok(released)
    }

    /// Stops the whole fleet.
    ///
    /// # Errors
    /// The product does not answer, or answers with an error.
    pub async fn stop_fleet(&self, base_url: &str) -> Result<(), HttpError> {
        self.post(base_url, "/api/v1/control/stop", &json!({"scope": "fleet"})).await
    }

    /// Lifts the stop of the fleet, or of the chat with this name in the manifest.
    ///
    /// # Errors
    /// The product does not answer, or answers with an error.
    pub async fn start(&self, base_url: &str, chat: Option<&str>) -> Result<(), HttpError> {
        let scope = chat.map_or_else(|| json!({"scope": "fleet"}), |name| json!({"scope": "chat", "name": name}));
        self.post(base_url, "/api/v1/control/start", &scope).await
    }
}
