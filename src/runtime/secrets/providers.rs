//! The providers of this node as secrets concern them: the adapter, the destination, and the key that counts. Layer `runtime`.
//! Keeps I10, I12.
//!
//! Providers come and go while the node runs. One that came, or goes to another address, gets the key that counts before its
//! first call.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use botfleet_actors::domain::secret::{SecretKind, SecretName};
use secrecy::SecretString;

use super::book::{Closed, SealedSecrets};
use crate::config::secret::vault_place;
use crate::llm::provider::HttpProvider;
use crate::runtime::vault::{SecretSources, VaultBook};

/// A provider whose key may be given.
pub(in crate::runtime) struct KeyedProvider {
    /// Name in the configuration.
    pub(in crate::runtime) name: String,
    /// The adapter.
    pub(in crate::runtime) llm: Arc<HttpProvider>,
    /// The key that the configuration's reference leads to, which counts while none is given; empty for a provider that needs
    /// none, absent for one that needs a key and has none here.
    pub(in crate::runtime) written: Option<SecretString>,
    /// The place of that key.
    pub(in crate::runtime) reference: Option<String>,
}

impl KeyedProvider {
    /// Returns the key that counts now; nothing where this node has none.
    fn key(&self, secrets: &SealedSecrets, vault: Option<&VaultBook>) -> Option<Result<SecretString, Closed>> {
        let name = SecretName::new(SecretKind::ProviderKey, &self.name);
        let latest = || vault.zip(self.reference.as_deref()).and_then(|(vault, reference)| vault.latest(reference));
        let given = secrets.look(&name, self.llm.destination());
        given.or_else(|| latest().or_else(|| self.written.clone()).map(Ok))
    }

    /// Gives the provider the key that counts now.
    fn take_key(&self, secrets: &SealedSecrets, vault: Option<&VaultBook>) {
        let key = match self.key(secrets, vault) {
            Some(key) => key.map_err(|why| why.to_string()),
            None => Err("this node finds none".to_owned()),
        };
        if let Err(why) = &key {
            tracing::error!(provider = %self.name, reason = %why, "the provider's key cannot be used on this node");
        }
        if let Err(error) = self.llm.replace_key(key.map_err(|why| format!("its key cannot be used here: {why}"))) {
            tracing::error!(provider = %self.name, %error, "the provider's key cannot be used, the one before stays");
        }
    }
}

/// The providers in force on this node.
pub(in crate::runtime) struct KeyedProviders {
    secrets: Arc<SealedSecrets>,
    sources: SecretSources,
    known: Mutex<BTreeMap<String, KeyedProvider>>,
}

impl KeyedProviders {
    /// Begins without a provider.
    pub(in crate::runtime) fn new(secrets: Arc<SealedSecrets>, sources: SecretSources) -> Self {
        Self { secrets, sources, known: Mutex::default() }
    }

    /// Takes a provider in, in place of another of its name, with the key that counts now.
    pub(in crate::runtime) fn put(&self, provider: KeyedProvider) {
        let mut known = self.known();
        // Under the lock, so that a key which is given meanwhile is not replaced by an older one.
        provider.take_key(&self.secrets, self.sources.vault.as_deref());
        known.insert(provider.name.clone(), provider);
    }

    /// Forgets a provider.
    pub(in crate::runtime) fn remove(&self, name: &str) {
        self.known().remove(name);
    }

    /// Gives a provider the key that counts now; returns whether there is one of that name.
    pub(in crate::runtime) fn renew(&self, name: &str) -> bool {
        let known = self.known();
        let provider = known.get(name);
        if let Some(provider) = provider {
            provider.take_key(&self.secrets, self.sources.vault.as_deref());
        }
        provider.is_some()
    }

    /// Returns whether this node has no key for a provider, though it needs one.
    pub(in crate::runtime) fn lacks_key(&self, name: &str) -> bool {
        let known = self.known();
        known.get(name).is_some_and(|provider| provider.key(&self.secrets, self.sources.vault.as_deref()).is_none())
    }

    /// Returns the address that a provider's keys are for.
    pub(in crate::runtime) fn destination(&self, name: &str) -> Option<String> {
        self.known().get(name).map(|provider| provider.llm.destination().to_owned())
    }

    /// Returns the providers whose key is in the vault, with its place.
    pub(in crate::runtime) fn of_vault(&self) -> Vec<(String, String)> {
        let known = self.known();
        let place = |provider: &KeyedProvider| provider.reference.clone().filter(|place| vault_place(place).is_some());
        known.values().filter_map(|provider| Some((provider.name.clone(), place(provider)?))).collect()
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, KeyedProvider>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
