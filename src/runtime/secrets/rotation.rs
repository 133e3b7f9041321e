//! Wraps all secrets anew, retires keys, and gives up what is lost. Layer `runtime`. Keeps I12.
//!
//! A rotation touches no secret: it wraps the data keys by another key, so that bots and providers go on as they are.

use botfleet_actors::domain::audit::AuditEntry;
use botfleet_actors::domain::operators::OperatorId;
use botfleet_actors::domain::secret::{SecretState, StoredSecret};
use botfleet_actors::ports::secrets::Retirement;
use botfleet_actors::ports::store::StoreError;

use super::book::{GiveError, SealedSecrets, envelope, has, row_of};
use super::view::SealingKeyView;

/// Most secrets that are stored in one transaction, which others wait for.
const SLICE: usize = 100;

impl SealedSecrets {
    /// Begins a rotation: makes a key where the node makes its own, or reads those of the settings again. Returns the id of the
    /// key that seals from now on.
    ///
    /// # Errors
    /// `CannotSeal` when a living node lacks that key.
    pub async fn begin_rotation(&self) -> Result<String, GiveError> {
        let sealed_before = !self.store.secret_keys().await?.is_empty();
        if self.keys.are_own() && sealed_before && self.keys.ring().first().is_some() {
            self.keys.make().map_err(|error| {
                tracing::error!(error = %format!("{error:#}"), "another key for secrets cannot be made");
                GiveError::CannotSeal("another key cannot be made: the node's log says why".to_owned())
            })?;
        } else {
            self.keys.read_again();
        }
        let ring = self.sealing_ring().await?;
        let first = ring.first().map(|key| key.id().to_owned());
        first.ok_or_else(|| GiveError::CannotSeal("no key for secrets is there".to_owned()))
    }

    /// Wraps all stored secrets by the key that seals; returns how many were wrapped and how many are left.
    ///
    /// # Errors
    /// When the store does not answer; a further rotation goes on where this one ended.
    pub async fn rewrap(&self) -> Result<(u64, u64), StoreError> {
        let ring = self.keys.ring();
        let Some(first) = ring.first() else { return Ok((0, 0)) };
        let old = self
            .stored()
            .await?
            .into_iter()
            .filter(|secret| secret.state == SecretState::Sealed && secret.key != first.id());
        let old: Vec<StoredSecret> = old.collect();
        let mut wrapped = 0;
        let anew = |secret: &StoredSecret| {
            let row = row_of(&secret.name());
            let anew = envelope(secret).rewrap(&ring, self.place(&row, &secret.destination), &self.random).ok()?;
            Some(StoredSecret { key: anew.key, wrapped: anew.wrapped, ..secret.clone() })
        };
        for slice in old.chunks(SLICE) {
            let slice: Vec<StoredSecret> = slice.iter().filter_map(anew).collect();
            wrapped += self.store.rewrap_secrets(&slice).await?;
            tokio::task::yield_now().await;
        }
        self.changed.notify_one();
        Ok((wrapped, (old.len() as u64).saturating_sub(wrapped)))
    }

    /// Returns whether a text of another table is sealed by the key that seals.
    pub fn is_newest(&self, text: &str) -> bool {
        let ring = self.keys.ring();
        ring.first().is_some_and(|first| text.starts_with(&format!("s2.{}.", first.id())))
    }

    /// Stores the seed of an account that was sealed anew, if the account still has the old one.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn rewrap_seed(&self, account: OperatorId, old: &str, new: &str) -> Result<bool, StoreError> {
        self.store.rewrap_seed(account, old, new).await
    }

    /// Retires a key that nothing needs any more.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn retire(&self, id: &str, entry: &AuditEntry) -> Result<Retirement, StoreError> {
        if self.keys.ring().first().is_some_and(|first| first.id() == id) {
            return Ok(Retirement::Node(self.node.clone()));
        }
        self.tell().await?;
        let retired = self.store.retire_secret_key(id, self.alive_since(), self.clock.now(), entry).await?;
        if retired == Retirement::Done
            && let Err(error) = self.keys.drop_key(id)
        {
            tracing::error!(key = id, error = %format!("{error:#}"), "a retired key stays in the file of keys");
        }
        Ok(retired)
    }

    /// Gives up the secrets whose key no living node has, and returns them with the ids of the keys that somebody has.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn give_up(&self, entry: &AuditEntry) -> Result<(Vec<StoredSecret>, Vec<String>), StoreError> {
        self.keys.read_again();
        let living = self.living().await?;
        let held: Vec<String> = living.iter().flat_map(|node| node.opening.split(' ')).map(str::to_owned).collect();
        let lost = self.store.lose_secrets(&held, entry).await?;
        self.changed.notify_one();
        Ok((lost, held))
    }

    /// Returns the keys as operators see them, oldest first; one that has sealed nothing yet comes last.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn keys_shown(&self) -> Result<Vec<SealingKeyView>, StoreError> {
        let (ring, living, secrets) = (self.keys.ring(), self.living().await?, self.stored().await?);
        let stored = self.store.secret_keys().await?;
        let shown = |id: &str| SealingKeyView {
            id: id.to_owned(),
            seals: ring.first().is_some_and(|first| first.id() == id),
            held: ring.get(id).is_some(),
            nodes: living.iter().filter(|node| has(node, id)).map(|node| node.node.clone()).collect(),
            secrets: secrets.iter().filter(|secret| secret.key == id).count(),
            made_at: None,
            retired_at: None,
        };
        let mut keys: Vec<SealingKeyView> = stored
            .iter()
            .map(|key| SealingKeyView { made_at: Some(key.made_at), retired_at: key.retired_at, ..shown(&key.id) })
            .collect();
        let unused = ring.ids().into_iter().filter(|id| stored.iter().all(|key| key.id != *id));
        keys.extend(unused.map(|id| shown(&id)));
        Ok(keys)
    }
}
