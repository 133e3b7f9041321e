//! Secrets that were given by API, as they are stored: sealed. Layer `domain`. Keeps I12.
//!
//! A secret belongs to a row by kind and immutable id, and is bound to a destination: where the destination changes, the
//! secret is given anew.

use super::names::names;
use super::time::Timestamp;

/// Kind of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SecretKind {
    /// The token of a bot; the owner is the bot's surrogate id.
    BotToken,
    /// The key of a provider; the owner is the provider's name.
    ProviderKey,
}

names! { SecretKind { BotToken = "bot_token", ProviderKey = "provider_key" } }

/// State of a stored secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretState {
    /// Whoever has the key opens it.
    Sealed,
    /// The key was lost: the secret must be entered again.
    Lost,
    /// The secret was removed: the reference of the manifest counts again.
    Gone,
}

names! { SecretState { Sealed = "sealed", Lost = "lost", Gone = "gone" } }

/// Names a secret: its kind and the immutable id of the row that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretName {
    /// The kind.
    pub kind: SecretKind,
    /// The id of the row within the kind.
    pub owner: String,
}

impl SecretName {
    /// Names the secret of a kind and an owner.
    pub fn new(kind: SecretKind, owner: impl std::fmt::Display) -> Self {
        Self { kind, owner: owner.to_string() }
    }
}

/// A secret as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSecret {
    /// The kind.
    pub kind: SecretKind,
    /// The id of the row within the kind.
    pub owner: String,
    /// The destination that the secret is for.
    pub destination: String,
    /// The state.
    pub state: SecretState,
    /// The id of the key that wraps the data key; empty where nothing is sealed.
    pub key: String,
    /// The wrapped data key; empty where nothing is sealed.
    pub wrapped: String,
    /// The secret, encrypted by the data key; empty where nothing is sealed.
    pub sealed: String,
    /// Number of times that the secret was given, from 1.
    pub version: i64,
    /// Number of the change, over all secrets.
    pub number: i64,
    /// Instant at which the secret was given.
    pub set_at: Timestamp,
    /// Name of whoever gave the secret.
    pub set_by: String,
}

impl StoredSecret {
    /// Returns the name.
    pub fn name(&self) -> SecretName {
        SecretName { kind: self.kind, owner: self.owner.clone() }
    }
}

/// A key that seals secrets, without the key itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretKey {
    /// The id, made of the key.
    pub id: String,
    /// A check value: a known text, sealed by the key.
    pub proof: String,
    /// Instant at which the key first sealed something.
    pub made_at: Timestamp,
    /// Instant from which the key seals nothing more.
    pub retired_at: Option<Timestamp>,
}

/// The keys that a node has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretNode {
    /// Name of the node.
    pub node: String,
    /// The id of the key that the node seals with; empty without a key.
    pub sealing: String,
    /// The ids of all keys of the node, parted by blanks.
    pub opening: String,
    /// Instant at which the node told this.
    pub at: Timestamp,
}
