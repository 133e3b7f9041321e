//! Secrets in their envelopes: sealed, opened, and wrapped anew. Layer `sealing`; pure. Keeps I12.
//!
//! | text | encrypted by | bound to |
//! |---|---|---|
//! | `sealed` | the secret's own data key | installation, table, column, row, destination |
//! | `wrapped`, the data key | the key-encryption key | the same, and the id of that key |
//!
//! Both are XChaCha20-Poly1305 under a random nonce, which stands before the ciphertext. To rotate a key is to wrap the data
//! keys anew: the secrets themselves stay as they are.
//!
//! # Source
//! draft-irtf-cfrg-xchacha-03 for the cipher: 192 bits of nonce may be random.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use data_encoding::BASE64URL_NOPAD;
use ring::rand::SecureRandom;
use secrecy::zeroize::Zeroizing;

use super::SealError;
use super::key::{KEY_BYTES, KeyRing, SealingKey};

/// Bytes of a nonce.
const NONCE_BYTES: usize = 24;

/// The version of the form, which every ciphertext is bound to.
const FORM: &str = "botfleet envelope 1";

/// The text that is sealed to check a key.
const PROOF: &[u8] = b"botfleet";

/// The begin of an envelope that is written as one text.
const TEXT_FORM: &str = "s2.";

/// The place where a secret is stored, and the destination that it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// Name of the installation.
    pub installation: &'a str,
    /// The table.
    pub table: &'a str,
    /// The column.
    pub column: &'a str,
    /// The immutable id of the row, with its kind where a table has several.
    pub row: &'a str,
    /// The destination of the secret, as an address; empty where it has none.
    pub destination: &'a str,
}

impl Place<'_> {
    /// Writes the associated data: each part with its length before it, so that no two places write the same.
    fn bound(&self, key: &str) -> Vec<u8> {
        let Self { installation, table, column, row, destination } = self;
        let mut bound = Vec::with_capacity(256);
        for part in [FORM, installation, table, column, row, destination, key] {
            bound.extend((part.len() as u64).to_be_bytes());
            bound.extend(part.as_bytes());
        }
        bound
    }
}

/// A sealed secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Id of the key that wraps the data key.
    pub key: String,
    /// The wrapped data key.
    pub wrapped: String,
    /// The encrypted secret.
    pub sealed: String,
}

impl Envelope {
    /// Seals a secret for a place with the first key.
    ///
    /// # Errors
    /// `NoKey`, `NoChance`.
    pub fn seal(ring: &KeyRing, place: Place<'_>, secret: &[u8], random: &dyn SecureRandom) -> Result<Self, SealError> {
        let key = ring.first().ok_or(SealError::NoKey)?;
        let mut data_key = Zeroizing::new([0; KEY_BYTES]);
        random.fill(&mut *data_key).map_err(|_| SealError::NoChance)?;
        Ok(Self {
            key: key.id().to_owned(),
            wrapped: encrypt(key.bytes(), &place.bound(key.id()), &*data_key, random)?,
            sealed: encrypt(&data_key, &place.bound(""), secret, random)?,
        })
    }

    /// Opens the secret of a place.
    ///
    /// # Errors
    /// `MissingKey`; `Unfit` when the envelope was sealed for another place, or was changed.
    pub fn open(&self, ring: &KeyRing, place: Place<'_>) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let data_key = self.data_key(ring, place)?;
        decrypt(&data_key, &place.bound(""), &self.sealed)
    }

    /// Wraps the data key anew with the first key; the secret is not touched, and not read.
    ///
    /// # Errors
    /// Those of [`Envelope::open`], `NoKey`, `NoChance`.
    pub fn rewrap(&self, ring: &KeyRing, place: Place<'_>, random: &dyn SecureRandom) -> Result<Self, SealError> {
        let key = ring.first().ok_or(SealError::NoKey)?;
        let data_key = self.data_key(ring, place)?;
        let wrapped = encrypt(key.bytes(), &place.bound(key.id()), &*data_key, random)?;
        Ok(Self { key: key.id().to_owned(), wrapped, sealed: self.sealed.clone() })
    }

    fn data_key(&self, ring: &KeyRing, place: Place<'_>) -> Result<Zeroizing<[u8; KEY_BYTES]>, SealError> {
        let key = ring.get(&self.key).ok_or_else(|| SealError::MissingKey(self.key.clone()))?;
        let opened = decrypt(key.bytes(), &place.bound(key.id()), &self.wrapped)?;
        opened.as_slice().try_into().map(Zeroizing::new).map_err(|_| SealError::Unfit)
    }

    /// Writes the envelope as one text, for a column that holds nothing else.
    pub fn to_text(&self) -> String {
        format!("{TEXT_FORM}{}.{}.{}", self.key, self.wrapped, self.sealed)
    }

    /// Reads an envelope that is written as one text; `None` for another text.
    pub fn of_text(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(TEXT_FORM)?.split('.').map(str::to_owned);
        let envelope = Self { key: parts.next()?, wrapped: parts.next()?, sealed: parts.next()? };
        parts.next().is_none().then_some(envelope)
    }
}

/// Seals a known text by a key, as its check value.
///
/// # Errors
/// `NoChance`.
pub fn proof(key: &SealingKey, installation: &str, random: &dyn SecureRandom) -> Result<String, SealError> {
    encrypt(key.bytes(), &proof_place(installation, key.id()).bound(key.id()), PROOF, random)
}

/// Returns whether a check value was made by a key.
pub fn proves(key: &SealingKey, installation: &str, proof: &str) -> bool {
    let opened = decrypt(key.bytes(), &proof_place(installation, key.id()).bound(key.id()), proof);
    opened.is_ok_and(|opened| opened.as_slice() == PROOF)
}

fn proof_place<'a>(installation: &'a str, key: &'a str) -> Place<'a> {
    Place { installation, table: "secret_key", column: "proof", row: key, destination: "" }
}

fn encrypt(key: &[u8; KEY_BYTES], bound: &[u8], plain: &[u8], random: &dyn SecureRandom) -> Result<String, SealError> {
    let mut nonce = [0; NONCE_BYTES];
    random.fill(&mut nonce).map_err(|_| SealError::NoChance)?;
    let cipher = XChaCha20Poly1305::new(key.into());
    let sealed = cipher.encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: bound });
    // Only a text of hundreds of gigabytes is refused.
    let sealed = sealed.map_err(|_| SealError::Unfit)?;
    Ok(BASE64URL_NOPAD.encode(&[&nonce[..], &sealed].concat()))
}

fn decrypt(key: &[u8; KEY_BYTES], bound: &[u8], text: &str) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| SealError::Unfit)?;
    let (nonce, sealed) = bytes.split_at_checked(NONCE_BYTES).ok_or(SealError::Unfit)?;
    let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| SealError::Unfit)?;
    let cipher = XChaCha20Poly1305::new(key.into());
    let opened = cipher.decrypt(&XNonce::from(nonce), Payload { msg: sealed, aad: bound });
    opened.map(Zeroizing::new).map_err(|_| SealError::Unfit)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use ring::rand::SystemRandom;

    use super::*;

    const PLACE: Place<'_> = Place {
        installation: "home",
        table: "secret",
        column: "sealed",
        row: "bot_token 7",
        destination: "telegram 123456",
    };

    fn ring(keys: &[u8]) -> KeyRing {
        KeyRing::of(keys.iter().map(|byte| SealingKey::of([*byte; KEY_BYTES])))
    }

    #[test]
    fn i12_a_sealed_secret_opens_in_its_place_alone() {
        let random = SystemRandom::new();
        let sealed = Envelope::seal(&ring(&[1]), PLACE, b"secret", &random).unwrap();
        assert_eq!(sealed.open(&ring(&[2, 1]), PLACE).unwrap().as_slice(), b"secret");
        assert_eq!(sealed.open(&ring(&[2]), PLACE), Err(SealError::MissingKey(sealed.key.clone())));
        for elsewhere in [
            Place { installation: "other", ..PLACE },
            Place { table: "operator", ..PLACE },
            Place { column: "seed", ..PLACE },
            Place { row: "bot_token 8", ..PLACE },
            Place { destination: "telegram 123457", ..PLACE },
            // The parts have lengths: a letter that moves over a boundary makes another place.
            Place { table: "secrets", column: "ealed", ..PLACE },
        ] {
            assert_eq!(sealed.open(&ring(&[1]), elsewhere), Err(SealError::Unfit), "{elsewhere:?}");
            assert_eq!(sealed.rewrap(&ring(&[1]), elsewhere, &random), Err(SealError::Unfit), "{elsewhere:?}");
        }
    }

    #[test]
    fn i12_parts_of_two_envelopes_do_not_open_together() {
        let random = SystemRandom::new();
        let [a, b] = [b"one", b"two"].map(|text| Envelope::seal(&ring(&[1]), PLACE, text, &random).unwrap());
        assert_ne!(a.wrapped, b.wrapped);
        let mixed = Envelope { sealed: b.sealed.clone(), ..a.clone() };
        assert_eq!(mixed.open(&ring(&[1]), PLACE), Err(SealError::Unfit));
        for at in [0, a.sealed.len() / 2, a.sealed.len() - 1] {
            let mut text = a.sealed.clone().into_bytes();
            text[at] = if text[at] == b'A' { b'B' } else { b'A' };
            let changed = Envelope { sealed: String::from_utf8(text).unwrap(), ..a.clone() };
            assert_eq!(changed.open(&ring(&[1]), PLACE), Err(SealError::Unfit), "{at}");
        }
        for odd in ["", "AAAA", "*"] {
            assert_eq!(
                Envelope { sealed: odd.to_owned(), ..a.clone() }.open(&ring(&[1]), PLACE),
                Err(SealError::Unfit)
            );
        }
    }

    #[test]
    fn a_data_key_that_is_wrapped_anew_opens_with_the_new_key_alone() {
        let random = SystemRandom::new();
        let old = Envelope::seal(&ring(&[1]), PLACE, b"secret", &random).unwrap();
        let new = old.rewrap(&ring(&[2, 1]), PLACE, &random).unwrap();
        assert_eq!((new.key.as_str(), &new.sealed), (ring(&[2]).first().unwrap().id(), &old.sealed));
        assert_eq!(new.open(&ring(&[2]), PLACE).unwrap().as_slice(), b"secret");
        assert!(new.open(&ring(&[1]), PLACE).is_err());
        assert_eq!(Envelope::seal(&KeyRing::default(), PLACE, b"x", &random), Err(SealError::NoKey));
    }

    #[test]
    fn an_envelope_is_one_text_and_a_key_is_known_by_its_proof() {
        let random = SystemRandom::new();
        let sealed = Envelope::seal(&ring(&[1]), PLACE, b"secret", &random).unwrap();
        assert_eq!(Envelope::of_text(&sealed.to_text()), Some(sealed));
        for odd in ["", "s1.AAAA", "s2.a.b", "s2.a.b.c.d"] {
            assert_eq!(Envelope::of_text(odd), None, "{odd}");
        }
        let [one, two] = [SealingKey::of([1; 32]), SealingKey::of([2; 32])];
        let proof = proof(&one, "home", &random).unwrap();
        assert!(proves(&one, "home", &proof));
        assert!(!proves(&two, "home", &proof) && !proves(&one, "other", &proof));
    }
}
