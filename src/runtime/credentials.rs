//! Reads the tokens of bots on this node, and makes clients and secrets of them. Layer `runtime`. Keeps I12.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use botfleet_actors::domain::roster::{BotProfile, BotSpec};
use botfleet_actors::ports::telegram::{BotApi, WebhookSecret};
use secrecy::SecretString;

use crate::config::manifest::LoadedManifest;
use crate::config::secret::{token_again, token_of};
use crate::telegram::client::TelegramClient;
use crate::telegram::secret::webhook_secret;

/// Tokens by their references.
pub(super) struct Credentials {
    known: BTreeMap<String, SecretString>,
    folder: PathBuf,
}

impl Credentials {
    /// Takes over the tokens that the manifest has read already.
    pub(super) fn of(manifest: &LoadedManifest) -> Self {
        let token = |bot: &BotSpec| Some((bot.credential.clone(), manifest.tokens.get(&bot.name)?.clone()));
        Self { known: manifest.plan.bots.iter().filter_map(token).collect(), folder: manifest.folder.clone() }
    }

    /// Returns the token of a bot; a token that came with a later configuration is read now.
    ///
    /// # Errors
    /// The reason why there is no token, without its value.
    pub(super) fn token(&self, bot: &BotSpec) -> Result<SecretString, String> {
        match self.known.get(&bot.credential) {
            Some(token) => Ok(token.clone()),
            None => token_of(&bot.credential, &self.folder, bot.telegram_id.0),
        }
    }

    /// Returns the bot's access to Telegram.
    ///
    /// # Errors
    /// The same as of [`Credentials::token`].
    pub(super) fn api(&self, telegram: &TelegramClient, bot: &BotProfile) -> Result<Arc<dyn BotApi>, String> {
        let token = self.token(&bot.spec)?;
        let (credential, folder) = (bot.spec.credential.clone(), self.folder.clone());
        let id = bot.spec.telegram_id.0;
        let source = Arc::new(move || token_again(&credential, &folder, id));
        Ok(Arc::new(telegram.bot_with_source(token, source)))
    }

    /// Returns the secret that Telegram must show with an update of the bot: the same on every node that has the bot's
    /// token.
    pub(super) fn webhook_secret(&self, bot: &BotSpec) -> Option<WebhookSecret> {
        self.token(bot).ok().map(|token| webhook_secret(&token))
    }

    /// Returns the secret that belongs to the token in the bot's file now.
    pub(super) fn renewed_webhook_secret(&self, bot: &BotSpec) -> Option<WebhookSecret> {
        token_again(&bot.credential, &self.folder, bot.telegram_id.0).map(|token| webhook_secret(&token))
    }
}
