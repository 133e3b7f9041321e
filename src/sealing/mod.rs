//! Sealing: envelope encryption of secrets. Layer `sealing`: pure, no I/O and no clock; randomness is an argument. Keeps I12.
//!
//! Each secret is encrypted by a data key of its own, and the data key by a key-encryption key that lies outside the database.
//! Both ciphertexts are bound to the place where they are stored, so that one that is copied to another row does not open.
//!
//! | file | holds |
//! |---|---|
//! | `key` | key-encryption keys: read, named, kept in order |
//! | `envelope` | secrets in their envelopes: sealed, opened, wrapped anew |

pub mod envelope;
pub mod key;

/// The reasons why something cannot be sealed or opened. None of them holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// There is no key to seal with.
    #[error("no key for secrets is there")]
    NoKey,
    /// The key that sealed the secret is not there.
    #[error("the key {0} is not there")]
    MissingKey(String),
    /// The text is no envelope, was changed, or belongs to another place.
    #[error("the sealed secret does not belong here, or was changed")]
    Unfit,
    /// The text is no key.
    #[error("{0}")]
    BadKey(&'static str),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    NoChance,
}
