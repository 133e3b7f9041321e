//! Hashes and signatures of the audit's chain. Layer: adapter. Keeps I12.
//!
//! An entry is in the chain by the hash of its salt and body, so that both can go and the chain still holds. A block's hash
//! covers its number, the hash before it, its time and the hashes of its entries. The signature covers that hash.

use std::fmt::Write as _;

use botfleet_actors::domain::chain::AuditKey;
use botfleet_actors::ports::store::StoreError;
use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hmac};
use subtle::ConstantTimeEq;

use super::rows::part::{Columns, Part};

/// A block as it is stored.
pub(crate) struct Block {
    pub(crate) number: i64,
    pub(crate) previous: String,
    pub(crate) at: i64,
    /// A line for each entry, in order: its id, a blank, its hash.
    pub(crate) entries: String,
    pub(crate) hash: String,
    pub(crate) signature: Signature,
}

/// A signature, and the name of the key that made it; neither on a block from before there was a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Signature {
    pub(crate) mac: Option<String>,
    pub(crate) signer: Option<String>,
}

/// The row that stands for all blocks up to its number.
pub(crate) struct Checkpoint {
    pub(crate) number: i64,
    pub(crate) hash: String,
    pub(crate) entries: u64,
    pub(crate) at: i64,
    pub(crate) signature: Signature,
}

/// What a signature says to whoever has, or lacks, a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signed {
    /// Made by this key over this.
    Yes,
    /// There is none.
    Unsigned,
    /// There is one, and no key to check it by.
    Unchecked,
    /// Made over something else, or by another key.
    No,
}

impl Block {
    /// Makes the block after `previous`.
    pub(crate) fn after(
        (number, previous): (i64, String),
        at: i64,
        entries: &[(String, String)],
        key: Option<&AuditKey>,
    ) -> Self {
        let mut lines = String::with_capacity(entries.len() * 98);
        for (id, hash) in entries {
            // Writing to a String cannot fail.
            let _ = writeln!(lines, "{id} {hash}");
        }
        let mut block = Self {
            number: number + 1,
            previous,
            at,
            entries: lines,
            hash: String::new(),
            signature: Signature::default(),
        };
        block.hash = block.digest();
        block.signature = Signature::of(key, "block", &block.hash);
        block
    }

    /// Returns the hash that the block's contents have.
    pub(crate) fn digest(&self) -> String {
        let Self { number, previous, at, entries, .. } = self;
        sha256(&[format!("botfleet audit block\n{number}\n{previous}\n{at}\n{entries}").as_bytes()])
    }

    /// Returns what the signature says.
    pub(crate) fn signed(&self, key: Option<&AuditKey>) -> Signed {
        self.signature.check(key, "block", &self.hash)
    }
}

impl Checkpoint {
    /// Makes the checkpoint that stands for the blocks up to `last`, and for those that an older one stood for.
    pub(crate) fn up_to(last: &Block, entries: u64, at: i64, key: Option<&AuditKey>) -> Self {
        let (number, hash) = (last.number, last.hash.clone());
        let mut point = Self { number, hash, entries, at, signature: Signature::default() };
        point.signature = Signature::of(key, "checkpoint", &point.text());
        point
    }

    fn text(&self) -> String {
        let Self { number, hash, entries, at, .. } = self;
        format!("{number}\n{hash}\n{entries}\n{at}")
    }

    /// Returns what the signature says.
    pub(crate) fn signed(&self, key: Option<&AuditKey>) -> Signed {
        self.signature.check(key, "checkpoint", &self.text())
    }
}

impl Signature {
    fn of(key: Option<&AuditKey>, what: &str, text: &str) -> Self {
        let Some(key) = key else { return Self::default() };
        let tag = hmac::sign(&hmac_key(key), message(what, text).as_bytes());
        Self { mac: Some(hex(tag.as_ref())), signer: Some(name_of(key)) }
    }

    fn check(&self, key: Option<&AuditKey>, what: &str, text: &str) -> Signed {
        let Some(mac) = &self.mac else { return Signed::Unsigned };
        let Some(key) = key else { return Signed::Unchecked };
        let made = Self::of(Some(key), what, text).mac.unwrap_or_default();
        if bool::from(made.as_bytes().ct_eq(mac.as_bytes())) { Signed::Yes } else { Signed::No }
    }
}

fn message(what: &str, text: &str) -> String {
    format!("botfleet audit {what}\n{text}")
}

fn hmac_key(key: &AuditKey) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &key.0)
}

/// Returns the name of a key, which tells nothing about the key.
fn name_of(key: &AuditKey) -> String {
    let mut name = hex(hmac::sign(&hmac_key(key), b"botfleet audit signer").as_ref());
    name.truncate(16);
    name
}

/// Returns a new salt: 128 random bits.
///
/// # Errors
/// `Unavailable` when the system gives no random numbers.
pub(crate) fn salt() -> Result<String, StoreError> {
    let mut bytes = [0; 16];
    let none = |_| StoreError::Unavailable("the system gives no random numbers".to_owned());
    SystemRandom::new().fill(&mut bytes).map_err(none)?;
    Ok(hex(&bytes))
}

/// Returns the hash by which an entry stands in the chain. A salt has one length, so no two pairs are the same text.
pub(crate) fn hash_of_entry(salt: &str, body: &str) -> String {
    sha256(&[salt.as_bytes(), body.as_bytes()])
}

fn sha256(parts: &[&[u8]]) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    hex(context.finish().as_ref())
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

impl Part for Signature {
    fn read(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        Ok(Self { mac: columns.take()?, signer: columns.take()? })
    }
}

impl Part for Block {
    fn read(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        let (number, previous, at, entries, hash, signature) = columns.take()?;
        Ok(Self { number, previous, at, entries, hash, signature })
    }
}

impl Part for Checkpoint {
    fn read(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        let (number, hash, entries, at, signature) = columns.take()?;
        Ok(Self { number, hash, entries, at, signature })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(key: Option<&AuditKey>) -> Block {
        Block::after((0, "0".repeat(64)), 5, &[("a".to_owned(), "b".to_owned())], key)
    }

    #[test]
    fn a_signature_is_of_its_key_and_of_its_block() {
        let (key, other) = (AuditKey([1; 32]), AuditKey([2; 32]));
        let signed = block(Some(&key));
        assert_eq!(signed.signed(Some(&key)), Signed::Yes);
        assert_eq!(signed.signed(Some(&other)), Signed::No);
        assert_eq!(signed.signed(None), Signed::Unchecked);
        assert_eq!(block(None).signed(Some(&key)), Signed::Unsigned);
        let moved = Block { hash: sha256(&[b"x"]), ..block(Some(&key)) };
        assert_eq!(moved.signed(Some(&key)), Signed::No);
    }

    #[test]
    fn a_checkpoint_is_no_block() {
        let key = AuditKey([1; 32]);
        let point = Checkpoint::up_to(&block(Some(&key)), 1, 7, Some(&key));
        assert_eq!(point.signed(Some(&key)), Signed::Yes);
        assert_eq!(Checkpoint { entries: 2, ..point }.signed(Some(&key)), Signed::No);
    }

    #[test]
    fn everything_in_a_block_is_in_its_hash() {
        let hash = block(None).hash;
        for other in [
            Block { number: 2, ..block(None) },
            Block { at: 6, ..block(None) },
            Block { previous: "1".to_owned(), ..block(None) },
            Block { entries: "a c\n".to_owned(), ..block(None) },
        ] {
            assert_ne!(other.digest(), hash);
        }
        assert_eq!(block(None).digest(), hash);
    }

    /// # Source
    /// FIPS 180-4, the example of "abc".
    #[test]
    fn a_hash_is_sha_256() {
        assert_eq!(hash_of_entry("a", "bc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
