//! The port to sealed secrets and to what is known of the keys that seal them. Layer `ports`. Keeps I12.
//!
//! Every change gives the secrets their next number under a row lock, by which each node finds the changed rows within half a
//! second. Changes run one at a time, so that no key is retired while something is sealed with it.

use super::declare::port;
use super::store::StoreError;

// Adapters import no type of a method: the code that the list of methods makes finds them all here.
#[doc(hidden)]
pub use crate::domain::{
    audit::AuditEntry,
    operators::OperatorId,
    secret::{SecretKey, SecretName, SecretNode, StoredSecret},
    time::Timestamp,
};

/// Result of storing a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretSet {
    /// Stored, as this version.
    Stored(i64),
    /// The key that sealed the secret is retired.
    Retired,
}

/// Result of retiring a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Retirement {
    /// The key seals nothing more.
    Done,
    /// No such key ever sealed anything.
    Unknown,
    /// So many secrets and seeds need the key.
    Sealed(u64),
    /// A living node seals with the key.
    Node(String),
}

port! {
    $ __secrets_methods of secrets:
    /// Sealed secrets, and the keys that seal them.
    pub trait Secrets: Send + Sync + 'static {
        /// Returns the number of the last change.
        async fn secrets_number(&self) -> Result<i64, StoreError>;

        /// Returns the secrets that changed after a number, in the order of the changes.
        async fn secrets_after(&self, number: i64) -> Result<Vec<StoredSecret>, StoreError>;

        /// Returns the keys that ever sealed something, oldest first.
        async fn secret_keys(&self) -> Result<Vec<SecretKey>, StoreError>;

        /// Notes a key before its first use, unless it is noted.
        async fn add_secret_key(&self, key: &SecretKey) -> Result<(), StoreError>;

        /// Stores a secret in place of an older one, unless its key is retired. Version and number are the store's.
        async fn set_secret(&self, secret: &StoredSecret, entry: &AuditEntry) -> Result<SecretSet, StoreError>;

        /// Removes a secret; returns whether there was one.
        async fn remove_secret(&self, name: &SecretName, entry: &AuditEntry) -> Result<bool, StoreError>;

        /// Stores data keys that were wrapped anew, of secrets that have not changed since, unless their key is retired; returns
        /// how many.
        async fn rewrap_secrets(&self, secrets: &[StoredSecret]) -> Result<u64, StoreError>;

        /// Stores the seed of an account that was sealed anew, if the account still has the old one.
        async fn rewrap_seed(&self, operator: OperatorId, old: &str, new: &str) -> Result<bool, StoreError>;

        /// Retires a key that nothing is sealed with, and that no node seals with which told so at `alive` or later.
        async fn retire_secret_key(
            &self,
            id: &str,
            alive: Timestamp,
            now: Timestamp,
            entry: &AuditEntry,
        ) -> Result<Retirement, StoreError>;

        /// Marks the secrets as lost whose key is none of `held`; returns them.
        async fn lose_secrets(&self, held: &[String], entry: &AuditEntry) -> Result<Vec<StoredSecret>, StoreError>;

        /// Stores which keys a node has.
        async fn tell_secret_keys(&self, node: &SecretNode) -> Result<(), StoreError>;

        /// Returns the nodes that told their keys at `alive` or later, by name.
        async fn secret_nodes(&self, alive: Timestamp) -> Result<Vec<SecretNode>, StoreError>;
    }
}

#[doc(hidden)]
pub use __secrets_methods as secrets_methods;
