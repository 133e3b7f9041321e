//! Key-encryption keys: read, named, and kept in order. Layer `sealing`; pure. Keeps I12.

use std::fmt;

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use ring::hmac;
use ring::rand::SecureRandom;
use secrecy::zeroize::Zeroizing;

use super::SealError;

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;

/// Label of the ids of keys; another version of the label would give every key another id.
const ID_LABEL: &[u8] = b"botfleet secrets key id 1";

/// Bytes of an id.
const ID_BYTES: usize = 8;

/// A key-encryption key. Its id is made of the key, so that every node gives the same key the same id.
#[derive(Clone)]
pub struct SealingKey {
    id: String,
    bytes: Zeroizing<[u8; KEY_BYTES]>,
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({})", self.id)
    }
}

impl SealingKey {
    /// Makes a key of its bytes.
    pub fn of(bytes: [u8; KEY_BYTES]) -> Self {
        let bytes = Zeroizing::new(bytes);
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &*bytes), ID_LABEL);
        Self { id: HEXLOWER.encode(&tag.as_ref()[..ID_BYTES]), bytes }
    }

    /// Makes a new key by chance.
    ///
    /// # Errors
    /// `NoChance`.
    pub fn new(random: &dyn SecureRandom) -> Result<Self, SealError> {
        let mut bytes = [0; KEY_BYTES];
        random.fill(&mut bytes).map_err(|_| SealError::NoChance)?;
        Ok(Self::of(bytes))
    }

    /// Reads a key as people keep it: 64 hexadecimal digits, or base64 of 32 bytes.
    ///
    /// # Errors
    /// `BadKey`, without the text.
    pub fn read(text: &str) -> Result<Self, SealError> {
        let text = text.trim().as_bytes();
        let hex = HEXLOWER_PERMISSIVE.decode(text).ok();
        let base64 =
            || [BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD].iter().find_map(|form| form.decode(text).ok());
        let bytes = hex.filter(|bytes| bytes.len() == KEY_BYTES).or_else(base64).map(Zeroizing::new);
        let bytes: Option<[u8; KEY_BYTES]> = bytes.and_then(|bytes| bytes.as_slice().try_into().ok());
        bytes.map(Self::of).ok_or(SealError::BadKey("is no key: write 32 bytes as 64 hexadecimal digits, or in base64"))
    }

    /// Writes the key as [`SealingKey::read`] reads it.
    pub fn write(&self) -> Zeroizing<String> {
        Zeroizing::new(HEXLOWER.encode(&*self.bytes))
    }

    /// Returns the id.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.bytes
    }
}

/// The keys of a node: the first seals, all of them open.
#[derive(Clone, Debug, Default)]
pub struct KeyRing(Vec<SealingKey>);

impl KeyRing {
    /// Keeps keys in order; a key that stands twice counts once.
    pub fn of(keys: impl IntoIterator<Item = SealingKey>) -> Self {
        let mut ring: Vec<SealingKey> = Vec::new();
        for key in keys {
            if ring.iter().all(|other| other.id != key.id) {
                ring.push(key);
            }
        }
        Self(ring)
    }

    /// Returns the key that seals.
    pub fn first(&self) -> Option<&SealingKey> {
        self.0.first()
    }

    /// Returns the key of an id.
    pub fn get(&self, id: &str) -> Option<&SealingKey> {
        self.0.iter().find(|key| key.id == id)
    }

    /// Returns the keys, the one that seals first.
    pub fn keys(&self) -> &[SealingKey] {
        &self.0
    }

    /// Returns the ids, that of the key that seals first.
    pub fn ids(&self) -> Vec<String> {
        self.0.iter().map(|key| key.id.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use ring::rand::SystemRandom;

    use super::*;

    #[test]
    fn a_key_reads_as_it_is_written_and_has_one_id_everywhere() {
        let key = SealingKey::new(&SystemRandom::new()).unwrap();
        let read = SealingKey::read(&format!(" {}\n", *key.write())).unwrap();
        assert_eq!((read.id(), read.bytes()), (key.id(), key.bytes()));
        assert_eq!(SealingKey::read(&BASE64.encode(key.bytes())).unwrap().id(), key.id());
        assert_eq!(SealingKey::of([7; 32]).id(), SealingKey::of([7; 32]).id());
        assert_ne!(SealingKey::of([7; 32]).id(), SealingKey::of([8; 32]).id());
        assert!(!format!("{key:?}").contains(key.write().as_str()));
    }

    #[test]
    fn what_is_no_key_is_refused_without_repeating_it() {
        for text in ["", "abc", &"0".repeat(63), &"g".repeat(64), "correct horse battery staple"] {
            let refused = SealingKey::read(text).unwrap_err().to_string();
            assert!(text.is_empty() || !refused.contains(text), "{refused}");
        }
    }

    #[test]
    fn the_first_key_seals_and_a_key_counts_once() {
        let [a, b] = [SealingKey::of([1; 32]), SealingKey::of([2; 32])];
        let ring = KeyRing::of([b.clone(), a.clone(), b.clone()]);
        assert_eq!(ring.ids(), [b.id(), a.id()]);
        assert_eq!(ring.first().unwrap().id(), b.id());
        assert!(ring.get(a.id()).is_some() && ring.get("other").is_none());
    }
}
