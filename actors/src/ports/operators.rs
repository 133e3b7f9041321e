//! The port to the accounts of the people who operate the fleet. Layer `ports`. Keeps I12.
//!
//! Whoever changes something brings the entry of the audit, which is stored in the same transaction. Every change gives the accounts their next number, by which other nodes see within half a second that what they know is
//! old. Changes run one at a time.

use super::declare::port;
use super::store::StoreError;

// Adapters import no type of a method: the code that the list of methods makes finds them all here.
#[doc(hidden)]
pub use crate::domain::{
    audit::AuditEntry,
    operators::{Operator, OperatorId, OperatorKey, OperatorSession},
    time::Timestamp,
};

/// Most tries of a one-time code within a minute, for an account.
pub const CODES_A_MINUTE: i64 = 5;

/// Most of them within an hour, but for those of right codes. Three codes of a million are right at a time, so whoever knows the
/// password needs more than a year for an even chance.
pub const CODES_AN_HOUR: i64 = 20;

/// The result of a change of accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Stored.
    Done,
    /// Nothing is stored under that id, or its version is another.
    Stale,
    /// The name is taken.
    NameTaken,
    /// Nobody would be left who may do everything.
    LastAdmin,
    /// There are as many as may be.
    Full,
}

port! {
    $ __operators_methods of operators:
    /// The accounts of those who operate the fleet.
    pub trait Operators: Send + Sync + 'static {
        /// Returns the number of the last change of accounts, sessions or keys.
        async fn operators_number(&self) -> Result<i64, StoreError>;

        /// Returns the name of the installation: the stored one, or this one, which is stored then.
        async fn installation(&self, candidate: &str) -> Result<String, StoreError>;

        /// Returns all accounts, by name.
        async fn operators(&self) -> Result<Vec<Operator>, StoreError>;

        /// Returns the account of that name.
        async fn operator_named(&self, name: &str) -> Result<Option<Operator>, StoreError>;

        /// Returns whether an account is there that may do everything.
        async fn has_admin(&self) -> Result<bool, StoreError>;

        /// Stores a new account.
        async fn add_operator(&self, operator: &Operator, entry: &AuditEntry) -> Result<Change, StoreError>;

        /// Stores an account as the first admin, while there is none.
        async fn add_first_admin(&self, operator: &Operator, claim: Option<&str>, now: Timestamp, entry: &AuditEntry) -> Result<Change, StoreError>;

        /// Stores the changed account, whose version is still the one it carries, and ends its sessions on wish.
        async fn change_operator(&self, operator: &Operator, end_sessions: bool, entry: &AuditEntry) -> Result<Change, StoreError>;

        /// Removes the account with its sessions and keys, if it has this version.
        async fn remove_operator(&self, operator: OperatorId, version: i64, entry: &AuditEntry) -> Result<Change, StoreError>;

        /// Stores the hash of a one-time link for the first admin, in place of an older one, while there is no admin.
        async fn offer_first_admin(&self, claim: &str, until: Timestamp) -> Result<Change, StoreError>;

        /// Takes one of the tries of a one-time code that an account has in this minute and in this hour, on the database's clock;
        /// returns whether there was one.
        async fn try_code(&self, operator: OperatorId) -> Result<bool, StoreError>;

        /// Uses up the time step of a code, once; returns false when this or a later step was used, or the step is not within
        /// one of the present one by the database's clock. The account has this try back.
        async fn use_code(&self, operator: OperatorId, step: i64) -> Result<bool, StoreError>;

        /// Uses up a recovery code by its hash; returns whether it was there.
        async fn use_recovery(&self, operator: OperatorId, hash: &str) -> Result<bool, StoreError>;

        /// Stores the changed account with its second factor, whose version is still the one it carries, and the hashes of its
        /// recovery codes in place of all older ones.
        async fn take_second_factor(&self, operator: &Operator, hashes: &[String], entry: &AuditEntry) -> Result<Change, StoreError>;

        /// Stores a new session of an account that still has this version and is not disabled; the account's oldest ones end
        /// when there are too many. Returns false when the account changed meanwhile.
        async fn open_session(
            &self,
            session: &OperatorSession,
            version: i64,
            entry: &AuditEntry,
        ) -> Result<bool, StoreError>;

        /// Returns a session with its account.
        async fn session(&self, id: &str) -> Result<Option<(OperatorSession, Operator)>, StoreError>;

        /// Returns the sessions of an account that began after, and were last seen after, an instant; newest first.
        async fn sessions(&self, operator: OperatorId, began: Timestamp, seen: Timestamp) -> Result<Vec<OperatorSession>, StoreError>;

        /// Notes the last request of a session.
        async fn see_session(&self, id: &str, at: Timestamp) -> Result<(), StoreError>;

        /// Notes that the person proved again to be the account's owner.
        async fn confirm_session(&self, id: &str, at: Timestamp) -> Result<(), StoreError>;

        /// Ends a session of an account, by its handle; returns whether it was there.
        async fn end_session(&self, operator: OperatorId, handle: &str, entry: &AuditEntry) -> Result<bool, StoreError>;

        /// Stores a new key. Keys that are over by then do not count among those of the account.
        async fn add_key(&self, key: &OperatorKey, entry: &AuditEntry) -> Result<Change, StoreError>;

        /// Returns a key with its owner.
        async fn key(&self, id: &str) -> Result<Option<(OperatorKey, Operator)>, StoreError>;

        /// Returns the keys of an account, newest first.
        async fn keys(&self, operator: OperatorId) -> Result<Vec<OperatorKey>, StoreError>;

        /// Gives a key of an account another secret; the old one is taken until then. Returns whether the key was there.
        async fn rotate_key(&self, operator: OperatorId, id: &str, secret: &str, old_until: Timestamp, entry: &AuditEntry) -> Result<bool, StoreError>;

        /// Notes the last request with a key.
        async fn see_key(&self, id: &str, at: Timestamp) -> Result<(), StoreError>;

        /// Removes a key of an account; returns whether it was there.
        async fn remove_key(&self, operator: OperatorId, id: &str, entry: &AuditEntry) -> Result<bool, StoreError>;

        /// Removes sessions that began before, or were last seen before, and keys that ended before an instant.
        async fn prune_operators(&self, began: Timestamp, seen: Timestamp, ended: Timestamp) -> Result<u64, StoreError>;
    }
}

#[doc(hidden)]
pub use __operators_methods as operators_methods;
