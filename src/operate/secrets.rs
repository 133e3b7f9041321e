//! Tokens of bots and keys of providers that are given, and the keys that seal them. Layer `operate`. Keeps I10, I12.

use botfleet_actors::domain::audit::{Act, ActResult, AuditObject, ObjectKind};
use botfleet_actors::domain::ids::BotId;
use botfleet_actors::domain::operators::Operator;
use botfleet_actors::domain::secret::{SecretKind, SecretName};
use botfleet_actors::ports::secrets::Retirement;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::failure::{Code, Failure};
use super::grant::Granted;
use super::operations::Operations;
use super::permission::{ChangeSecrets, ReadSecrets};
use super::users::of_user;
use crate::runtime::secrets::view::{GivenView, LostView, RotationView, SecretsView, ends};

/// Longest key of a provider.
const KEY_MAX_BYTES: usize = 4_096;

impl Operations {
    /// Lists the secrets that were given, and the keys that seal them.
    ///
    /// # Errors
    /// `OutOfReach`, `Unavailable`.
    pub async fn secrets(&self, by: &Granted<ReadSecrets>) -> Result<SecretsView, Failure> {
        by.everything()?;
        let secrets = self.fleet.secrets();
        let stored = secrets.stored().await?;
        let keys = secrets.keys_shown().await?;
        Ok(SecretsView { keys, secrets: stored.iter().map(|secret| self.fleet.secret_shown(secret)).collect() })
    }

    /// Gives a bot another token, which the live bot uses within a second.
    ///
    /// # Errors
    /// `UnknownName`, `OutOfReach`; `BadRequest` for what is no token of that bot; `CannotSeal`.
    pub async fn set_token(
        &self,
        by: &Granted<ChangeSecrets>,
        bot: &str,
        token: SecretString,
    ) -> Result<GivenView, Failure> {
        let id = by.bot(self.bot_named(bot)?)?;
        let unfit = || {
            let detail =
                format!("token: it is no token of {bot}: digits, a colon and 35 letters or more, as @BotFather gave");
            Failure::new(Code::BadRequest, detail)
        };
        let (name, destination) = self.fleet.token_of_bot(id, &token).ok_or_else(unfit)?;
        self.give(by, bot, AuditObject::new(ObjectKind::Bot, id).called(bot), (&name, &destination), &token).await
    }

    /// Removes the token that was given to a bot: the manifest's counts again.
    ///
    /// # Errors
    /// `UnknownName`, `OutOfReach`, `UnknownSecret`.
    pub async fn remove_token(&self, by: &Granted<ChangeSecrets>, bot: &str) -> Result<(), Failure> {
        let id = by.bot(self.bot_named(bot)?)?;
        let object = AuditObject::new(ObjectKind::Bot, id).called(bot);
        self.remove(by, object, &SecretName::new(SecretKind::BotToken, id)).await
    }

    /// Gives a provider another key, in place of the first one of the manifest; calls that begin from then on use it.
    ///
    /// # Errors
    /// `UnknownName`, `OutOfReach`; `BadRequest` for what no header may hold; `CannotSeal`.
    pub async fn set_provider_key(
        &self,
        by: &Granted<ChangeSecrets>,
        provider: &str,
        key: SecretString,
    ) -> Result<GivenView, Failure> {
        by.everything()?;
        let (name, destination) = self.provider_named(provider)?;
        let text = key.expose_secret();
        if text.is_empty() || text.len() > KEY_MAX_BYTES || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            let detail = format!("key: give 1 to {KEY_MAX_BYTES} visible characters of ASCII, without blanks");
            return Err(Failure::new(Code::BadRequest, detail));
        }
        self.give(by, provider, AuditObject::new(ObjectKind::Provider, provider), (&name, &destination), &key).await
    }

    /// Removes the key that was given to a provider: the manifest's counts again.
    ///
    /// # Errors
    /// `UnknownName`, `OutOfReach`, `UnknownSecret`.
    pub async fn remove_provider_key(&self, by: &Granted<ChangeSecrets>, provider: &str) -> Result<(), Failure> {
        by.everything()?;
        let name = SecretName::new(SecretKind::ProviderKey, provider);
        // A provider may be gone before its key.
        if !self.fleet.secrets().is_given(&name) {
            self.provider_named(provider)?;
        }
        self.remove(by, AuditObject::new(ObjectKind::Provider, provider), &name).await
    }

    fn provider_named(&self, provider: &str) -> Result<(SecretName, String), Failure> {
        let unknown = || Failure::new(Code::UnknownName, format!("no provider named {provider:?} in force here"));
        self.fleet.key_of_provider(provider).ok_or_else(unknown)
    }

    async fn give(
        &self,
        by: &Granted<ChangeSecrets>,
        of: &str,
        object: AuditObject,
        (name, destination): (&SecretName, &str),
        secret: &SecretString,
    ) -> Result<GivenView, Failure> {
        let text = secret.expose_secret();
        let told = json!({ "kind": name.kind.as_str(), "ends": ends(text) });
        let entry = self.entry(by, Act::SetSecret, object)?.with_after(told);
        let (key, version) = self.fleet.secrets().give(name, destination, text.as_bytes(), by.by(), &entry).await?;
        Ok(GivenView { name: of.to_owned(), ends: ends(text), key, version })
    }

    async fn remove(&self, by: &Granted<ChangeSecrets>, object: AuditObject, name: &SecretName) -> Result<(), Failure> {
        let entry = self.entry(by, Act::RemoveSecret, object)?.with_after(json!({ "kind": name.kind.as_str() }));
        let removed = self.fleet.secrets().remove(name, &entry).await?;
        removed.then_some(()).ok_or_else(|| Failure::new(Code::UnknownSecret, "none was given"))
    }

    /// Seals all secrets by the newest key. Nothing that is sealed changes, so nothing under way is disturbed.
    ///
    /// # Errors
    /// `OutOfReach`, `CannotSeal`, `Unavailable`; a further rotation goes on where this one ended.
    pub async fn rotate_secrets(&self, by: &Granted<ChangeSecrets>) -> Result<RotationView, Failure> {
        by.everything()?;
        let intent = self.entry(by, Act::RotateSecrets, AuditObject::only(ObjectKind::Secrets))?.as_intent();
        self.fleet.audit.record(&intent).await?;
        let rotated = self.rotated().await;
        self.fleet.audit.ended(&intent, if rotated.is_ok() { ActResult::Done } else { ActResult::Failed }).await;
        rotated
    }

    async fn rotated(&self) -> Result<RotationView, Failure> {
        let secrets = self.fleet.secrets();
        let key = secrets.begin_rotation().await?;
        let (sealed, left) = secrets.rewrap().await?;
        let (seeds, seeds_left) = self.reseal_seeds().await?;
        Ok(RotationView { key, sealed: sealed + seeds, left: left + seeds_left })
    }

    /// Retires a key: it seals nothing more, and an own key file loses it.
    ///
    /// # Errors
    /// `OutOfReach`, `UnknownSecretKey`; `KeyInUse` while a secret, a seed or a living node needs it.
    pub async fn retire_secret_key(&self, by: &Granted<ChangeSecrets>, id: &str) -> Result<(), Failure> {
        by.everything()?;
        let entry = self.entry(by, Act::RetireSecretKey, AuditObject::new(ObjectKind::Secrets, id))?;
        let in_use = |why: String| Err(Failure::new(Code::KeyInUse, why));
        match self.fleet.secrets().retire(id, &entry).await? {
            Retirement::Done => Ok(()),
            Retirement::Unknown => {
                Err(Failure::new(Code::UnknownSecretKey, format!("no key {id:?} ever sealed anything")))
            }
            Retirement::Sealed(count) => in_use(format!("{count} secrets and seeds need the key {id}")),
            Retirement::Node(node) => in_use(format!("the node {node} seals with the key {id}")),
        }
    }

    /// Gives up what no living node can open, and returns what must be entered again.
    ///
    /// # Errors
    /// `OutOfReach`, `Unavailable`.
    pub async fn reset_lost_secrets(&self, by: &Granted<ChangeSecrets>) -> Result<LostView, Failure> {
        by.everything()?;
        let entry = self.entry(by, Act::ResetSecrets, AuditObject::only(ObjectKind::Secrets))?;
        let (lost, held) = self.fleet.secrets().give_up(&entry).await?;
        let mut view = LostView::default();
        for secret in lost {
            match secret.kind {
                SecretKind::BotToken => {
                    let name = secret.owner.parse().ok().and_then(|id| self.fleet.name_of_bot(BotId(id)));
                    view.bots.push(name.unwrap_or_else(|| format!("#{}", secret.owner)));
                }
                SecretKind::ProviderKey => view.providers.push(secret.owner),
            }
        }
        for user in self.access.store.operators().await? {
            if user.seed.as_deref().is_some_and(|seed| !super::seeds::may_open(seed, &held)) {
                let entry =
                    self.entry(by, Act::ChangeUser, of_user(&user))?.with_after(json!({ "second_factor": false }));
                view.users.push(user.name.clone());
                self.change(&Operator { seed: None, ..user }, true, &entry).await?;
            }
        }
        Ok(view)
    }
}
