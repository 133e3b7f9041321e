//! Sends an operator's commands to the product's API. Layer: harness.

use botfleet_world::api::Api;
use botfleet_world::people::http::HttpError;
use serde_json::{Value, json};

/// An operator who uses the API of one node.
#[derive(Debug, Clone)]
pub struct Operator<'a> {
    api: &'a Api,
}

impl<'a> Operator<'a> {
    /// Creates an operator of a node.
    pub fn new(api: &'a Api) -> Self {
        Self { api }
    }

    /// Changes a bot's delivery mode to `webhook` or `polling`; returns whether the product offers that.
    ///
    /// # Errors
    /// The product does not answer, or refuses with another status than 404 or 405.
    pub async fn deliver_by(&self, bot: &str, mode: &str) -> Result<bool, HttpError> {
        match self.api.order(&format!("/api/v1/bots/{bot}/delivery"), &json!({"mode": mode})).await {
            Ok(()) => Ok(true),
            Err(HttpError::Status { status: 404 | 405, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Releases every quarantined actor; returns the names.
    ///
    /// # Errors
    /// The fleet cannot be read, or an actor cannot be released.
    pub async fn release_all(&self) -> Result<Vec<String>, HttpError> {
        let fleet: Value = self.api.json("/api/v1/fleet").await?;
        let listed = fleet["fleet"]["quarantined"].as_array().cloned().unwrap_or_default();
        let mut released = Vec::new();
        for entry in listed {
            let Some(actor) = entry["actor"].as_str() else { continue };
            self.api.order("/api/v1/control/release", &json!({"actor": actor})).await?;
            released.push(actor.to_owned());
        }
        Ok(released)
    }

    /// Lifts the pauses that Telegram asked a bot for.
    ///
    /// # Errors
    /// The product does not answer, or answers with an error.
    pub async fn lift_pauses(&self, bot: &str) -> Result<(), HttpError> {
        self.api.order("/api/v1/control/lift-pauses", &json!({"bot": bot})).await
    }

    /// Stops the whole fleet.
    ///
    /// # Errors
    /// The product does not answer, or answers with an error.
    pub async fn stop_fleet(&self) -> Result<(), HttpError> {
        self.api.order("/api/v1/control/stop", &json!({"scope": "fleet"})).await
    }

    /// Lifts the stop of the fleet, or of the chat with this name in the manifest.
    ///
    /// # Errors
    /// The product does not answer, or answers with an error.
    pub async fn start(&self, chat: Option<&str>) -> Result<(), HttpError> {
        let scope = chat.map_or_else(|| json!({"scope": "fleet"}), |name| json!({"scope": "chat", "name": name}));
        self.api.order("/api/v1/control/start", &scope).await
    }
}
