//! The port to the audit: entries, the blocks that seal them, and the check of the chain. Layer `ports`. Keeps I8, I12.
//!
//! Entries of acts within the fleet do not come through here: they are stored in the transaction of their act, by the group
//! commit ([`Audited`](crate::domain::commit::operations::Audited)) or by the call that carries the act out.

use super::declare::port;
use super::store::StoreError;

// Adapters import no type of a method: the code that the list of methods makes finds them all here.
#[doc(hidden)]
pub use crate::domain::{
    audit::AuditEntry,
    chain::{AuditHead, AuditKey, AuditQuery, SealedEntry, Verification},
    time::Timestamp,
};

/// Number of days for which entries are kept; then a checkpoint stands for their blocks.
pub const AUDIT_ENTRY_DAYS: u32 = 365;

/// Largest number of entries in one answer.
pub const AUDIT_ENTRIES_MAX: usize = 500;

port! {
    $ __audit_methods of audit:
    /// The audit. Entries wait unnumbered until one process at a time seals them into the next block.
    pub trait AuditLog: Send + Sync + 'static {
        /// Stores an entry by itself: an intent before its act, or an outcome, which ends the wait of its intent.
        async fn record(&self, entry: &AuditEntry) -> Result<(), StoreError>;

        /// Stores an entry unless one of its id is stored; returns whether the entry is new.
        async fn record_once(&self, entry: &AuditEntry) -> Result<bool, StoreError>;

        /// Returns intents from before `before` that have no outcome, oldest first, at most `limit`. Those that another
        /// version wrote, and this one cannot read, are left to that one.
        async fn open_intents(&self, before: Timestamp, limit: usize) -> Result<Vec<AuditEntry>, StoreError>;

        /// Stores an outcome unless its intent has one; returns whether it was stored.
        async fn close_intent(&self, outcome: &AuditEntry) -> Result<bool, StoreError>;

        /// Seals the oldest waiting entries, a thousand at most, into the next block; returns how many. Without a key the block
        /// is not signed.
        ///
        /// # Errors
        /// `Incompatible` without a key when the last block is signed: a process that lacks the key must not go on.
        async fn seal(&self, now: Timestamp, key: Option<&AuditKey>) -> Result<u64, StoreError>;

        /// Returns the last block.
        async fn audit_head(&self) -> Result<AuditHead, StoreError>;

        /// Returns sealed entries in the order of the blocks, so that who asks for what comes after the last one seen misses
        /// none; or against it. At most [`AUDIT_ENTRIES_MAX`]. One that another version wrote is shown without its contents.
        async fn audit_entries(&self, query: &AuditQuery) -> Result<Vec<SealedEntry>, StoreError>;

        /// Checks the whole chain, and that the block of a head is in it.
        async fn verify_audit(
            &self,
            key: Option<&AuditKey>,
            head: Option<&AuditHead>,
        ) -> Result<Verification, StoreError>;

        /// Lets the checkpoint stand for blocks from before `before`, some at a time, and deletes them with their
        /// entries; returns how many entries. Blocks that are not what they were stay, as evidence.
        async fn fold_audit(
            &self,
            before: Timestamp,
            now: Timestamp,
            key: Option<&AuditKey>,
        ) -> Result<u64, StoreError>;
    }
}

#[doc(hidden)]
pub use __audit_methods as audit_methods;
