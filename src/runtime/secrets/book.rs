//! The stored secrets as this node knows them: looked up, opened, given and removed. Layer `runtime`. Keeps I10, I12.
//!
//! The ciphertexts are kept in memory, and opened each time that one is asked for: that takes microseconds, and happens when a
//! client of Telegram or a provider is made.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use botfleet_actors::domain::audit::AuditEntry;
use botfleet_actors::domain::secret::{SecretKey, SecretName, SecretNode, SecretState, StoredSecret};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::clock::Clock;
use botfleet_actors::ports::operators::Operators;
use botfleet_actors::ports::secrets::{SecretSet, Secrets};
use botfleet_actors::ports::store::StoreError;
use data_encoding::HEXLOWER;
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;
use tokio::sync::Notify;

use super::keyring::Keys;
use crate::config::settings::Config;
use crate::sealing::SealError;
use crate::sealing::envelope::{Envelope, Place, proof, proves};
use crate::sealing::key::KeyRing;

/// Time for which a node counts as living after it told its keys: three times as long as between two tellings.
pub(super) const ALIVE_FOR: Duration = Duration::from_secs(30);

/// Bytes of chance in the name of an installation that has none yet.
const INSTALLATION_BYTES: usize = 8;

/// The reason why a stored secret cannot be used here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Closed {
    /// This node lacks the key.
    Sealed(String),
    /// The key was lost.
    Lost,
    /// The secret was given for another address, or was changed in the database.
    Unfit,
}

impl Closed {
    /// Returns the state as operators see it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Sealed(_) => "sealed",
            Self::Lost => "lost",
            Self::Unfit => "unfit",
        }
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sealed(key) => write!(f, "it is sealed, and this node lacks the key {key}: see secrets.keys"),
            Self::Lost => f.write_str("its key was lost: give it again"),
            Self::Unfit => {
                f.write_str("it was given for another address, or was changed in the database: give it again")
            }
        }
    }
}

/// The reason why a secret was not given.
#[derive(Debug, thiserror::Error)]
pub enum GiveError {
    /// The node cannot seal.
    #[error("{0}")]
    CannotSeal(String),
    /// The store does not answer, or cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The sealed secrets of a node.
pub struct SealedSecrets {
    pub(super) store: Arc<dyn Secrets>,
    pub(super) keys: Keys,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) installation: String,
    pub(super) node: String,
    pub(super) random: SystemRandom,
    pub(super) known: RwLock<Known>,
    pub(super) changed: Notify,
}

/// The stored secrets up to a number.
#[derive(Default)]
pub(super) struct Known {
    pub(super) number: i64,
    pub(super) secrets: HashMap<SecretName, StoredSecret>,
}

impl SealedSecrets {
    /// Finds the keys and reads the stored secrets.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(in crate::runtime) async fn open(
        config: &Config,
        store: Arc<dyn Secrets>,
        operators: &dyn Operators,
        clock: Arc<dyn Clock>,
        node: &str,
    ) -> anyhow::Result<Self> {
        let random = SystemRandom::new();
        let mut candidate = [0; INSTALLATION_BYTES];
        random.fill(&mut candidate).map_err(|_| SealError::NoChance)?;
        let installation = operators.installation(&HEXLOWER.encode(&candidate)).await?;
        let (keys, known, changed) = (Keys::find(config), RwLock::default(), Notify::new());
        let this = Self { store, keys, clock, installation, node: node.to_owned(), random, known, changed };
        this.check_proofs().await?;
        this.read().await?;
        this.tell().await?;
        Ok(this)
    }

    /// Compares the node's keys with their check values.
    async fn check_proofs(&self) -> Result<(), StoreError> {
        let ring = self.keys.ring();
        for stored in self.store.secret_keys().await? {
            match ring.get(&stored.id) {
                Some(key) if !proves(key, &self.installation, &stored.proof) => {
                    tracing::error!(
                        key = stored.id,
                        "the check value of a key was changed, or is another installation's"
                    );
                }
                None if stored.retired_at.is_none() => {
                    tracing::warn!(key = stored.id, "this node lacks a key: secrets that it sealed stay sealed here");
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads what changed since the last time; returns it with what was known before.
    pub(super) async fn read(&self) -> Result<Vec<(Option<StoredSecret>, StoredSecret)>, StoreError> {
        let number = self.known().number;
        if self.store.secrets_number().await? == number {
            return Ok(Vec::new());
        }
        let news = self.store.secrets_after(number).await?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let mut changed = Vec::with_capacity(news.len());
        for secret in news {
            known.number = known.number.max(secret.number);
            let before = known.secrets.insert(secret.name(), secret.clone());
            changed.push((before, secret));
        }
        Ok(changed)
    }

    /// Tells the others which keys this node has.
    pub(super) async fn tell(&self) -> Result<(), StoreError> {
        let ids = self.keys.ring().ids();
        let (sealing, opening) = (ids.first().cloned().unwrap_or_default(), ids.join(" "));
        let node = SecretNode { node: self.node.clone(), sealing, opening, at: self.clock.now() };
        self.store.tell_secret_keys(&node).await
    }

    /// Returns the living nodes with their keys, this one included.
    pub(super) async fn living(&self) -> Result<Vec<SecretNode>, StoreError> {
        self.tell().await?;
        self.store.secret_nodes(self.alive_since()).await
    }

    pub(super) fn alive_since(&self) -> Timestamp {
        self.clock.now() - ALIVE_FOR
    }

    fn known(&self) -> std::sync::RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns all secrets that are not gone, as this node knows them.
    pub(super) fn all(&self) -> Vec<StoredSecret> {
        self.known().secrets.values().filter(|secret| secret.state != SecretState::Gone).cloned().collect()
    }

    /// Returns all secrets that are not gone, as they are stored now.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn stored(&self) -> Result<Vec<StoredSecret>, StoreError> {
        let mut all = self.store.secrets_after(0).await?;
        all.retain(|secret| secret.state != SecretState::Gone);
        all.sort_by_key(StoredSecret::name);
        Ok(all)
    }

    /// Returns why a stored secret cannot be used here for the destination that it was given for; `None` when it opens.
    pub fn why_closed(&self, stored: &StoredSecret, destination: &str) -> Option<Closed> {
        match stored.state {
            SecretState::Lost => Some(Closed::Lost),
            _ => self.open_stored(stored, destination).err(),
        }
    }

    /// Returns whether a secret was given, and not removed since.
    pub fn is_given(&self, name: &SecretName) -> bool {
        self.known().secrets.get(name).is_some_and(|secret| secret.state != SecretState::Gone)
    }

    /// Opens a secret for a destination; `None` when none was given, or it was removed.
    pub fn look(&self, name: &SecretName, destination: &str) -> Option<Result<SecretString, Closed>> {
        let stored = self.known().secrets.get(name).cloned()?;
        match stored.state {
            SecretState::Gone => None,
            SecretState::Lost => Some(Err(Closed::Lost)),
            SecretState::Sealed => Some(self.open_stored(&stored, destination)),
        }
    }

    fn open_stored(&self, stored: &StoredSecret, destination: &str) -> Result<SecretString, Closed> {
        let row = row_of(&stored.name());
        let opened =
            envelope(stored).open(&self.keys.ring(), self.place(&row, destination)).map_err(|error| match error {
                SealError::MissingKey(key) => Closed::Sealed(key),
                _ => Closed::Unfit,
            })?;
        std::str::from_utf8(&opened).map(SecretString::from).map_err(|_| Closed::Unfit)
    }

    /// Returns the place of a secret for a destination.
    pub(super) fn place<'a>(&'a self, row: &'a str, destination: &'a str) -> Place<'a> {
        Place { installation: &self.installation, table: "secret", column: "sealed", row, destination }
    }

    /// Seals a secret for a destination, and stores it in place of an older one. Returns the id of the key and the version.
    ///
    /// # Errors
    /// `CannotSeal` when this node, or another living one, lacks the key.
    pub async fn give(
        &self,
        name: &SecretName,
        destination: &str,
        secret: &[u8],
        by: &str,
        entry: &AuditEntry,
    ) -> Result<(String, i64), GiveError> {
        let ring = self.sealing_ring().await?;
        let row = row_of(name);
        let sealed = Envelope::seal(&ring, self.place(&row, destination), secret, &self.random);
        let Envelope { key, wrapped, sealed } = sealed.map_err(|error| GiveError::CannotSeal(error.to_string()))?;
        let stored = StoredSecret {
            kind: name.kind,
            owner: name.owner.clone(),
            destination: destination.to_owned(),
            state: SecretState::Sealed,
            key: key.clone(),
            wrapped,
            sealed,
            version: 1,
            number: 0,
            set_at: entry.at,
            set_by: by.to_owned(),
        };
        match self.store.set_secret(&stored, entry).await? {
            SecretSet::Stored(version) => {
                self.changed.notify_one();
                Ok((key, version))
            }
            SecretSet::Retired => Err(GiveError::CannotSeal(format!("the key {key} of this node is retired"))),
        }
    }

    /// Removes a secret; returns whether there was one.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn remove(&self, name: &SecretName, entry: &AuditEntry) -> Result<bool, StoreError> {
        let removed = self.store.remove_secret(name, entry).await?;
        self.changed.notify_one();
        Ok(removed)
    }

    /// Seals a text for a column of another table.
    ///
    /// # Errors
    /// As [`SealedSecrets::give`].
    pub async fn seal_text(&self, table: &str, column: &str, row: &str, secret: &[u8]) -> Result<String, GiveError> {
        let ring = self.sealing_ring().await?;
        let place = Place { installation: &self.installation, table, column, row, destination: "" };
        let sealed = Envelope::seal(&ring, place, secret, &self.random);
        sealed.map(|sealed| sealed.to_text()).map_err(|error| GiveError::CannotSeal(error.to_string()))
    }

    /// Opens a text of a column of another table; `None` when it is no envelope.
    pub fn open_text(
        &self,
        table: &str,
        column: &str,
        row: &str,
        text: &str,
    ) -> Option<Result<Zeroizing<Vec<u8>>, SealError>> {
        let place = Place { installation: &self.installation, table, column, row, destination: "" };
        Some(Envelope::of_text(text)?.open(&self.keys.ring(), place))
    }

    /// Returns the keys after a check that everybody can open what the first one seals. The first secret of an embedded fleet
    /// makes the key.
    pub(super) async fn sealing_ring(&self) -> Result<Arc<KeyRing>, GiveError> {
        let cannot = |why: String| Err(GiveError::CannotSeal(why));
        let mut ring = self.keys.ring();
        let stored = self.store.secret_keys().await?;
        let working = || stored.iter().filter(|key| key.retired_at.is_none());
        if ring.first().is_none() {
            if let Some(lacking) = working().next() {
                let id = &lacking.id;
                return cannot(format!(
                    "this node lacks the key {id}: put it back, or `botfleet secrets reset --lost`"
                ));
            }
            if !self.keys.are_own() {
                return cannot("no key for secrets is there: set secrets.keys on every node".to_owned());
            }
            self.keys.make().map_err(|error| {
                tracing::error!(error = %format!("{error:#}"), "the key for secrets cannot be made");
                GiveError::CannotSeal("the key for secrets cannot be made: the node's log says why".to_owned())
            })?;
            ring = self.keys.ring();
        }
        let Some(first) = ring.first() else { return cannot("no key for secrets is there".to_owned()) };
        if working().next().is_some() && !working().any(|key| ring.get(&key.id).is_some()) {
            return cannot(
                "this node has other keys than this installation: put the right ones into secrets.keys".to_owned(),
            );
        }
        if let Some(node) = self.living().await?.iter().find(|node| !has(node, first.id())) {
            return cannot(format!("the node {} lacks the key {}, and could not open it", node.node, first.id()));
        }
        if !stored.iter().any(|key| key.id == first.id()) {
            let proof = proof(first, &self.installation, &self.random);
            let proof = proof.map_err(|error| GiveError::CannotSeal(error.to_string()))?;
            let (id, made_at) = (first.id().to_owned(), self.clock.now());
            self.store.add_secret_key(&SecretKey { id, proof, made_at, retired_at: None }).await?;
        }
        Ok(ring)
    }
}

/// Returns whether a node has a key.
pub(super) fn has(node: &SecretNode, key: &str) -> bool {
    node.opening.split(' ').any(|id| id == key)
}

/// Returns the row that a secret is bound to.
pub(super) fn row_of(name: &SecretName) -> String {
    format!("{} {}", name.kind.as_str(), name.owner)
}

/// Returns the envelope of a stored secret.
pub(super) fn envelope(stored: &StoredSecret) -> Envelope {
    Envelope { key: stored.key.clone(), wrapped: stored.wrapped.clone(), sealed: stored.sealed.clone() }
}
