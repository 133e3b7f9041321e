//! Gives the operators' layer what it needs to know of secrets: the destinations, and their state. Layer `runtime`.
//! Keeps I12.

use std::sync::Arc;

use botfleet_actors::domain::ids::BotId;
use botfleet_actors::domain::secret::{SecretKind, SecretName, StoredSecret};
use secrecy::{ExposeSecret, SecretString};

use super::credentials::destination_of;
use super::fleet::RunningFleet;
use super::secrets::book::SealedSecrets;
use super::secrets::view::SecretView;
use crate::config::secret::token_id;

impl RunningFleet {
    /// Returns the secrets that were given by API.
    pub fn secrets(&self) -> &Arc<SealedSecrets> {
        &self.secrets
    }

    /// Returns the name and the destination of a bot's token, if the token is one of that bot.
    pub fn token_of_bot(&self, bot: BotId, token: &SecretString) -> Option<(SecretName, String)> {
        let spec = &self.node.directory.bot_profile(bot)?.spec;
        let fits = token_id(token.expose_secret()) == Some(spec.telegram_id.0);
        fits.then(|| (SecretName::new(SecretKind::BotToken, bot), destination_of(spec)))
    }

    /// Returns the name and the destination of a provider's key; `None` for an unknown provider.
    pub fn key_of_provider(&self, provider: &str) -> Option<(SecretName, String)> {
        let destination = self.keyed.destination(provider)?;
        Some((SecretName::new(SecretKind::ProviderKey, provider), destination))
    }

    /// Returns the view of a stored secret.
    pub fn secret_shown(&self, secret: &StoredSecret) -> SecretView {
        let bot = || secret.owner.parse().ok().map(BotId);
        let (name, destination) = match secret.kind {
            SecretKind::BotToken => {
                let profile = bot().and_then(|bot| self.node.directory.bot_profile(bot));
                let name = profile.as_ref().map_or_else(|| format!("#{}", secret.owner), |bot| bot.spec.name.clone());
                (name, profile.map(|bot| destination_of(&bot.spec)))
            }
            SecretKind::ProviderKey => (secret.owner.clone(), self.keyed.destination(&secret.owner)),
        };
        // What left the configuration has no other destination than the one that it had.
        let destination = destination.unwrap_or_else(|| secret.destination.clone());
        let closed = self.secrets.why_closed(secret, &destination);
        SecretView {
            kind: secret.kind.as_str().to_owned(),
            name,
            state: closed.map_or("open", |closed| closed.as_str()).to_owned(),
            key: Some(secret.key.clone()).filter(|key| !key.is_empty()),
            version: secret.version,
            set_at: secret.set_at,
            set_by: secret.set_by.clone(),
        }
    }
}
