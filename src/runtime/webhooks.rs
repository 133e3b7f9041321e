//! Takes the updates that Telegram brings: recognises Telegram, and stores each update. Layer `runtime`. Keeps I1, I12.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use botfleet_actors::actors::node::arrivals;
use botfleet_actors::actors::node::webhooks::Webhooks;
use botfleet_actors::domain::ids::{BotId, UpdateId};
use botfleet_actors::domain::roster::BotProfile;
use botfleet_actors::ports::metrics;
use botfleet_actors::ports::telegram::{ReceivedUpdate, WebhookSecret};
use serde::de::IgnoredAny;
use subtle::ConstantTimeEq;

use super::credentials::Credentials;
use super::fleet::RunningFleet;
use crate::config::webhooks::WebhookSettings;
use crate::telegram::decode;

/// Bytes of a secret: more than anybody can guess.
const SECRET_BYTES: usize = 32;

/// Least time between two looks into a bot's token file for a secret that is not known.
const LOOK_UP_EVERY: Duration = Duration::from_secs(5);

/// Fate of an update that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brought {
    /// The update is in the store.
    Stored,
    /// The update is JSON without an id: it can neither be kept nor told apart.
    Skipped,
}

/// Reason why an update was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BringError {
    /// The body is no JSON: it was cut off on its way.
    #[error("the body is no json")]
    Malformed,
    /// The update cannot be taken now: Telegram must bring it again.
    #[error("{0}")]
    Busy(String),
}

/// Makes addresses and secrets of a process. Every node makes the same secret of a token, so that each takes the
/// updates that Telegram brings for any bot.
pub(super) fn webhooks<'a>(
    settings: &WebhookSettings,
    bots: impl Iterator<Item = &'a BotProfile>,
    credentials: &Credentials,
) -> Webhooks {
    let secrets: HashMap<_, _> = bots.filter_map(|bot| Some((bot.id, credentials.webhook_secret(bot)?))).collect();
    Webhooks {
        public_url: settings.public_url().map(str::to_owned),
        max_connections: settings.max_connections.get(),
        delete_foreign: settings.delete_foreign,
        secrets: RwLock::new(secrets),
        former: RwLock::default(),
    }
}

impl RunningFleet {
    /// Returns the bot of that name, if `presented` is its secret. Comparing takes the same time for a wrong secret and
    /// an unknown name.
    pub fn webhook_bot(&self, name: &str, presented: &[u8]) -> Option<BotId> {
        let bot = self.bot_named(name);
        let decoy = "0".repeat(2 * SECRET_BYTES);
        let is = |secret: Option<WebhookSecret>| {
            let expected = secret.as_ref().map_or(decoy.as_str(), WebhookSecret::expose);
            let matches: bool = expected.as_bytes().ct_eq(presented).into();
            matches && secret.is_some()
        };
        let now = is(bot.and_then(|bot| self.webhook_secret(bot)));
        let before = is(bot.and_then(|bot| self.webhooks.former_secret(bot)));
        // The token may have been replaced since this node read it.
        let taken = now || before || is(bot.and_then(|bot| self.renewed_secret(bot)));
        bot.filter(|_| taken)
    }

    /// Returns the secret of a bot whose token file holds another token by now; looks at most once in `LOOK_UP_EVERY`.
    fn renewed_secret(&self, bot: BotId) -> Option<WebhookSecret> {
        let mut looked = self.tokens_looked_up.lock().unwrap_or_else(PoisonError::into_inner);
        if looked.get(&bot).is_some_and(|at: &Instant| at.elapsed() < LOOK_UP_EVERY) {
            return None;
        }
        looked.insert(bot, Instant::now());
        drop(looked);
        let profile = self.node.directory.bot_profile(bot)?;
        let secret = self.credentials.renewed_webhook_secret(&profile)?;
        self.webhooks.set_secret(bot, secret.clone());
        Some(secret)
    }

    /// Returns the secret of a bot; the secret of a bot that came with a later configuration is made now.
    fn webhook_secret(&self, bot: BotId) -> Option<WebhookSecret> {
        self.webhooks.secret(bot).or_else(|| {
            let profile = self.node.directory.bot_profile(bot)?;
            let secret = self.credentials.webhook_secret(&profile)?;
            self.webhooks.set_secret(bot, secret.clone());
            Some(secret)
        })
    }

    /// Checks that updates can be taken now.
    ///
    /// # Errors
    /// The reason why not.
    pub fn takes_updates(&self) -> Result<(), BringError> {
        if self.is_stopping() {
            return Err(BringError::Busy("the process stops".to_owned()));
        }
        if self.node.committer.is_saturated() {
            return Err(BringError::Busy("the store cannot keep up".to_owned()));
        }
        Ok(())
    }

    /// Takes an update that Telegram brought. The update is durable when the call returns (I1).
    ///
    /// # Errors
    /// When the update is no JSON, or cannot be stored now.
    pub async fn bring(&self, bot: BotId, body: Vec<u8>) -> Result<Brought, BringError> {
        self.takes_updates()?;
        let raw = String::from_utf8(body).map_err(|_| BringError::Malformed)?;
        let (id, incoming) = decode::read(&raw);
        let Some(id) = id else {
            serde_json::from_str::<IgnoredAny>(&raw).map_err(|_| BringError::Malformed)?;
            metrics::telegram_updates_skipped_total.increment(1);
            tracing::warn!(bot.id = %bot, "an update without id was skipped");
            return Ok(Brought::Skipped);
        };
        let update = ReceivedUpdate { update_id: UpdateId(id), raw, incoming };
        let stored = arrivals::receive(&Arc::clone(&self.node), bot, update).await;
        stored.map(|_| Brought::Stored).map_err(|error| BringError::Busy(error.to_string()))
    }
}
