//! What Telegram brings: whether it is Telegram, and the way of an update into the store. Layer `runtime`. Keeps I1, I12.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context;
use botfleet_actors::actors::bot::intake;
use botfleet_actors::actors::webhooks::Webhooks;
use botfleet_actors::domain::ids::{BotId, UpdateId};
use botfleet_actors::ports::telegram::{ReceivedUpdate, WebhookSecret};
use rustls::crypto::ring;
use serde::de::IgnoredAny;
use subtle::ConstantTimeEq;

use super::fleet::RunningFleet;
use crate::config::webhooks::WebhookSettings;
use crate::telegram::decode;

/// Bytes of a secret: more than anybody can guess.
const SECRET_BYTES: usize = 32;

/// What became of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brought {
    /// It is in the store.
    Stored,
    /// It is JSON without an id, which can neither be kept nor told apart.
    Skipped,
}

/// Why an update was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BringError {
    /// It is no JSON: cut off on its way.
    #[error("the body is no json")]
    Malformed,
    /// Not now: Telegram must bring it again.
    #[error("{0}")]
    Busy(String),
}

/// Makes a secret for each bot, new for each process.
///
/// # Errors
/// When the system gives no random numbers.
pub(super) fn secrets(bots: impl Iterator<Item = BotId>) -> anyhow::Result<HashMap<BotId, WebhookSecret>> {
    bots.map(|bot| Ok((bot, secret()?))).collect()
}

fn secret() -> anyhow::Result<WebhookSecret> {
    let mut bytes = [0; SECRET_BYTES];
    let random = ring::default_provider().secure_random;
    random.fill(&mut bytes).ok().context("the system gives no random numbers")?;
    let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half)]);
    Ok(WebhookSecret::new(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()))
}

/// Addresses and secrets of a process.
pub(super) fn webhooks(settings: &WebhookSettings, secrets: HashMap<BotId, WebhookSecret>) -> Webhooks {
    Webhooks {
        public_url: settings.public_url().map(str::to_owned),
        max_connections: settings.max_connections.get(),
        delete_foreign: settings.delete_foreign,
        secrets,
    }
}

impl RunningFleet {
    /// The bot of that name, if what was presented is its secret. Takes the same time for a wrong secret and an
    /// unknown name.
    pub fn webhook_bot(&self, name: &str, presented: &[u8]) -> Option<BotId> {
        let bot = self.bot_named(name);
        let secret = bot.and_then(|bot| self.webhooks.secrets.get(&bot));
        let decoy = "0".repeat(2 * SECRET_BYTES);
        let expected = secret.map_or(decoy.as_str(), WebhookSecret::expose);
        let matches: bool = expected.as_bytes().ct_eq(presented).into();
        bot.filter(|_| matches && secret.is_some())
    }

    /// Whether updates can be taken now.
    ///
    /// # Errors
    /// Why not.
    pub fn takes_updates(&self) -> Result<(), BringError> {
        if self.is_stopping() {
            return Err(BringError::Busy("the process stops".to_owned()));
        }
        if self.node.committer.is_saturated() {
            return Err(BringError::Busy("the store cannot keep up".to_owned()));
        }
        Ok(())
    }

    /// Takes an update that Telegram brought; it is durable when this returns (I1).
    ///
    /// # Errors
    /// When it is no JSON, or cannot be stored now.
    pub async fn bring(&self, bot: BotId, body: Vec<u8>) -> Result<Brought, BringError> {
        self.takes_updates()?;
        let raw = String::from_utf8(body).map_err(|_| BringError::Malformed)?;
        let (id, incoming) = decode::read(&raw);
        let Some(id) = id else {
            serde_json::from_str::<IgnoredAny>(&raw).map_err(|_| BringError::Malformed)?;
            metrics::counter!("botfleet_telegram_updates_skipped_total").increment(1);
            tracing::warn!(bot.id = %bot, "an update without id was skipped");
            return Ok(Brought::Skipped);
        };
        let update = ReceivedUpdate { update_id: UpdateId(id), raw, incoming };
        let stored = intake::receive(&Arc::clone(&self.node), bot, update).await;
        stored.map(|_| Brought::Stored).map_err(|error| BringError::Busy(error.to_string()))
    }
}
