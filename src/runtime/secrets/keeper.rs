//! Follows the changes of secrets that others make, and tells them to the bots and providers of this node. Layer `runtime`.
//! Keeps I10, I12.
//!
//! A change is found by its number within half a second, with every hint lost. A secret that was only wrapped anew is none for a
//! bot or a provider.

use std::sync::Arc;
use std::time::Duration;

use botfleet_actors::actors::fleet::messages::FleetMsg;
use botfleet_actors::actors::node::Node;
use botfleet_actors::actors::node::webhooks::Webhooks;
use botfleet_actors::actors::provider::messages::ProviderMsg;
use botfleet_actors::domain::ids::BotId;
use botfleet_actors::domain::secret::{SecretKind, StoredSecret};
use botfleet_actors::ports::telegram::BotApi;
use ractor::ActorRef;
use tokio::time::Instant;

use super::book::SealedSecrets;
use super::providers::KeyedProviders;
use crate::config::secret::vault_place;
use crate::runtime::credentials::Credentials;
use crate::runtime::vault::VaultBook;
use crate::vault::client::VaultError;

/// Interval at which changes of others are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(400);

/// Interval at which the keys are read again, and told to the other nodes.
const KEYS_EVERY: Duration = Duration::from_secs(10);

/// Everything that a change of a secret concerns.
pub(in crate::runtime) struct Keeper {
    pub(in crate::runtime) secrets: Arc<SealedSecrets>,
    pub(in crate::runtime) credentials: Arc<Credentials>,
    pub(in crate::runtime) node: Arc<Node>,
    pub(in crate::runtime) fleet: ActorRef<FleetMsg>,
    pub(in crate::runtime) webhooks: Arc<Webhooks>,
    pub(in crate::runtime) providers: Arc<KeyedProviders>,
    /// The vault, and how often it is looked at.
    pub(in crate::runtime) vault: Option<Arc<VaultBook>>,
    pub(in crate::runtime) vault_every: Duration,
    /// A client of Telegram beside those of the bots, and its bot.
    pub(in crate::runtime) beside: Option<(BotId, Arc<dyn BotApi>)>,
}

impl Keeper {
    /// Follows changes as long as the node runs.
    pub(in crate::runtime) async fn run(self) {
        tokio::join!(self.follow(), self.follow_vault());
    }

    async fn follow_vault(&self) {
        let Some(vault) = &self.vault else { return };
        loop {
            tokio::time::sleep(self.vault_every).await;
            self.look_into_vault(vault).await;
        }
    }

    async fn follow(&self) {
        // Where one process has the database, nobody else changes anything.
        let look_every = if self.node.cluster.is_some() { LOOK_EVERY } else { KEYS_EVERY };
        let mut keys_at = Instant::now() + KEYS_EVERY;
        loop {
            tokio::select! {
                () = self.secrets.changed.notified() => {}
                () = tokio::time::sleep(look_every) => {}
            }
            match self.secrets.read().await {
                Ok(changed) => {
                    for (before, now) in changed {
                        if is_news(before.as_ref(), &now) {
                            self.tell(&now);
                        }
                    }
                }
                Err(error) => tracing::debug!(%error, "changes of secrets cannot be read now"),
            }
            if keys_at <= Instant::now() {
                keys_at = Instant::now() + KEYS_EVERY;
                self.look_at_keys().await;
            }
        }
    }

    /// Reads the keys again. Whatever opens now, or does so no more, is news to bots and providers.
    async fn look_at_keys(&self) {
        if self.secrets.keys.read_again() {
            tracing::info!("the keys for secrets changed");
            for secret in self.secrets.all() {
                self.tell(&secret);
            }
        }
        if self.node.cluster.is_some()
            && let Err(error) = self.secrets.tell().await
        {
            tracing::debug!(%error, "the other nodes cannot be told now which keys this one has");
        }
    }

    fn tell(&self, secret: &StoredSecret) {
        match secret.kind {
            SecretKind::BotToken => {
                if let Ok(id) = secret.owner.parse() {
                    self.tell_bot(BotId(id));
                }
            }
            SecretKind::ProviderKey => self.tell_provider(&secret.owner),
        }
    }

    fn tell_provider(&self, provider: &str) {
        if !self.providers.renew(provider) {
            return;
        }
        let live = self.node.directory.live_providers();
        for (_, actor) in live.into_iter().filter(|(name, _)| name == provider) {
            let _ = actor.cast(ProviderMsg::KeyReplaced);
        }
    }

    /// Looks for new versions in the vault. What it told last counts while it is away.
    async fn look_into_vault(&self, vault: &VaultBook) {
        if let Err(error) = vault.keep().await {
            tracing::warn!(%error, "the vault's token is not renewed");
        }
        let known = self.node.directory.known();
        let bots = known.bots.values().filter(|bot| vault_place(&bot.spec.credential).is_some());
        for bot in bots {
            match vault.look(&bot.spec.credential).await {
                Ok(true) => self.tell_bot(bot.id),
                Ok(false) => {}
                // One that is away is asked once a round.
                Err(VaultError::Unavailable(why)) => {
                    return tracing::warn!(why, "the vault is away, its last values count");
                }
                Err(error) => tracing::warn!(bot.name = %bot.spec.name, %error, "the bot's token is not in the vault"),
            }
        }
        for (provider, reference) in self.providers.of_vault() {
            match vault.look(&reference).await {
                Ok(true) => self.tell_provider(&provider),
                Ok(false) => {}
                Err(error) => tracing::warn!(provider, %error, "the provider's key is not in the vault"),
            }
        }
    }

    fn tell_bot(&self, bot: BotId) {
        // Telegram brings updates to any node, whoever owns the bot.
        if let Some(profile) = self.node.directory.bot_profile(bot)
            && let Some(secret) = self.credentials.webhook_secret(&profile)
        {
            self.webhooks.set_secret(bot, secret);
        }
        if let Some((_, api)) = self.beside.as_ref().filter(|(of, _)| *of == bot) {
            api.renew_token();
        }
        let _ = self.fleet.cast(FleetMsg::TokenChanged(bot));
    }
}

/// Returns whether a change is more than another wrapping of the same secret.
fn is_news(before: Option<&StoredSecret>, now: &StoredSecret) -> bool {
    before.is_none_or(|before| (before.version, before.state) != (now.version, now.state))
}
