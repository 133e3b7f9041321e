//! Reads the tokens of bots on this node, and makes clients and secrets of them. Layer `runtime`. Keeps I12.
//!
//! A token that was given by API goes before the place that the manifest names: that place may hold an old one.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use botfleet_actors::actors::fleet::apis::NoApi;
use botfleet_actors::domain::roster::{BotProfile, BotSpec};
use botfleet_actors::domain::secret::{SecretKind, SecretName};
use botfleet_actors::domain::silence::Silence;
use botfleet_actors::ports::telegram::{BotApi, WebhookSecret};
use secrecy::{ExposeSecret, SecretString};

use super::secrets::book::SealedSecrets;
use super::vault::SecretSources;
use crate::config::manifest::LoadedManifest;
use crate::config::secret::{token_again, token_id, token_of};
use crate::telegram::client::TelegramClient;
use crate::telegram::secret::webhook_secret;

/// Tokens by their references, and those that were given by API.
pub(super) struct Credentials {
    known: BTreeMap<String, SecretString>,
    folder: PathBuf,
    sealed: Arc<SealedSecrets>,
    sources: SecretSources,
}

/// Returns the destination that a bot's token is for.
pub(super) fn destination_of(bot: &BotSpec) -> String {
    format!("telegram {}", bot.telegram_id.0)
}

impl Credentials {
    /// Takes over the tokens that the manifest has read already.
    pub(super) fn of(manifest: &LoadedManifest, sealed: Arc<SealedSecrets>, sources: SecretSources) -> Self {
        let token = |bot: &BotSpec| Some((bot.credential.clone(), manifest.tokens.get(&bot.name)?.clone()));
        let known = manifest.plan.bots.iter().filter_map(token).collect();
        Self { known, folder: manifest.folder.clone(), sealed, sources }
    }

    /// Returns the token of a bot that was given by API, if one was.
    fn given(&self, bot: &BotProfile) -> Option<Result<SecretString, NoApi>> {
        let found = self.sealed.look(&SecretName::new(SecretKind::BotToken, bot.id), &destination_of(&bot.spec))?;
        Some(found.map_err(|why| NoApi { silence: Silence::Sealed, why: why.to_string() }))
    }

    /// Returns the last token that the vault told for a bot, if it is one of that bot.
    fn of_vault(&self, bot: &BotSpec) -> Option<SecretString> {
        let latest = self.sources.vault.as_ref()?.latest(&bot.credential)?;
        (token_id(latest.expose_secret()) == Some(bot.telegram_id.0)).then_some(latest)
    }

    /// Returns the token of a bot; a token that came with a later configuration is read now.
    ///
    /// # Errors
    /// The reason why there is no token, without its value.
    pub(super) fn token(&self, bot: &BotProfile) -> Result<SecretString, NoApi> {
        if let Some(given) = self.given(bot) {
            return given;
        }
        let spec = &bot.spec;
        if let Some(latest) = self.of_vault(spec) {
            return Ok(latest);
        }
        match self.known.get(&spec.credential) {
            Some(token) => Ok(token.clone()),
            None => {
                token_of(&spec.credential, &self.folder, spec.telegram_id.0, &self.sources).map_err(NoApi::no_token)
            }
        }
    }

    /// Returns the bot's access to Telegram.
    ///
    /// # Errors
    /// The same as of [`Credentials::token`].
    pub(super) fn api(self: &Arc<Self>, telegram: &TelegramClient, bot: &BotProfile) -> Result<Arc<dyn BotApi>, NoApi> {
        let token = self.token(bot)?;
        let (this, bot) = (Arc::clone(self), bot.clone());
        let source = Arc::new(move || this.token_again(&bot));
        Ok(Arc::new(telegram.bot_with_source(token, source)))
    }

    /// Returns the token that counts now, where it may have changed: one that was given, or that of a file.
    fn token_again(&self, bot: &BotProfile) -> Option<SecretString> {
        match self.given(bot) {
            Some(given) => given.ok(),
            None if bot.spec.credential.starts_with("vault:") => self.of_vault(&bot.spec),
            None => token_again(&bot.spec.credential, &self.folder, bot.spec.telegram_id.0),
        }
    }

    /// Returns the secret that Telegram must show with an update of the bot: the same on every node that has the bot's
    /// token.
    pub(super) fn webhook_secret(&self, bot: &BotProfile) -> Option<WebhookSecret> {
        self.token(bot).ok().map(|token| webhook_secret(&token))
    }

    /// Returns the secret that belongs to the token that was given, or is in the bot's file, now.
    pub(super) fn renewed_webhook_secret(&self, bot: &BotProfile) -> Option<WebhookSecret> {
        self.token_again(bot).map(|token| webhook_secret(&token))
    }
}
