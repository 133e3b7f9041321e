//! Tokens of sessions and API keys. Layer `operate`. Keeps I12.
//!
//! A token holds 256 bits of chance, so its SHA-256 is stored and no slow hash is needed.

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretString};

use crate::operate::failure::{Code, Failure};

/// Bytes of chance in a secret.
const SECRET_BYTES: usize = 32;

/// Bytes of chance in the public part of a key, and in the name of a session.
const ID_BYTES: usize = 8;

/// The beginning of each API key.
const PREFIX: &str = "bf";

/// An API key that was just made; the secret is shown once.
#[derive(Debug)]
pub struct NewKey {
    /// The public part.
    pub id: String,
    /// SHA-256 of the secret.
    pub hash: String,
    /// The whole key, for its owner.
    pub key: SecretString,
}

/// An API key that somebody sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentKey {
    /// The public part.
    pub id: String,
    /// SHA-256 of the secret.
    pub hash: String,
}

/// Returns bytes of chance, in hexadecimal.
///
/// # Errors
/// `Unreadable` when the system gives none.
pub fn chance(bytes: usize) -> Result<String, Failure> {
    let mut random = vec![0; bytes];
    SystemRandom::new().fill(&mut random).map_err(|_| Failure::new(Code::Unreadable, "the system gives no chance"))?;
    Ok(HEXLOWER.encode(&random))
}

/// Returns the public name of a session.
///
/// # Errors
/// As [`chance`].
pub fn handle() -> Result<String, Failure> {
    chance(ID_BYTES)
}

/// Makes the token of a session.
///
/// # Errors
/// As [`chance`].
pub fn session() -> Result<SecretString, Failure> {
    chance(SECRET_BYTES).map(SecretString::from)
}

/// Returns the hash under which a secret is stored.
pub fn hash(secret: &str) -> String {
    HEXLOWER.encode(digest(&SHA256, secret.as_bytes()).as_ref())
}

/// Makes an API key.
///
/// # Errors
/// As [`chance`].
pub fn key() -> Result<NewKey, Failure> {
    key_of(&chance(ID_BYTES)?)
}

/// Makes another secret for an API key.
///
/// # Errors
/// As [`chance`].
pub fn key_of(id: &str) -> Result<NewKey, Failure> {
    let secret = chance(SECRET_BYTES)?;
    let body = format!("{PREFIX}_{id}_{secret}");
    let key = SecretString::from(format!("{body}_{:08x}", crc32fast::hash(body.as_bytes())));
    Ok(NewKey { id: id.to_owned(), hash: hash(&secret), key })
}

/// Reads an API key. The check digits tell a mistyped one apart before the store is asked.
pub fn read_key(key: &SecretString) -> Option<SentKey> {
    let (body, sum) = key.expose_secret().rsplit_once('_')?;
    let is_hex = |text: &str, bytes: usize| text.len() == bytes * 2 && HEXLOWER.decode(text.as_bytes()).is_ok();
    if !is_hex(sum, 4) || sum != format!("{:08x}", crc32fast::hash(body.as_bytes())) {
        return None;
    }
    let (id, secret) = body.strip_prefix(PREFIX)?.strip_prefix('_')?.split_once('_')?;
    (is_hex(id, ID_BYTES) && is_hex(secret, SECRET_BYTES)).then(|| SentKey { id: id.to_owned(), hash: hash(secret) })
}

/// Returns whether a text can be the token of a session.
pub fn is_session(token: &str) -> bool {
    token.len() == SECRET_BYTES * 2 && HEXLOWER.decode(token.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_key_is_read_and_a_mistyped_one_is_not() {
        let NewKey { id, hash, key } = key().unwrap();
        assert_eq!(read_key(&key), Some(SentKey { id: id.clone(), hash }));
        let text = key.expose_secret().to_owned();
        for odd in ["", "bf", "bf___", &text[..text.len() - 1], &text.replace("bf_", "bg_"), &text.to_uppercase()] {
            assert_eq!(read_key(&SecretString::from(odd)), None, "{odd}");
        }
        let mut letters: Vec<char> = text.chars().collect();
        letters[10] = if letters[10] == '0' { '1' } else { '0' };
        assert_eq!(read_key(&SecretString::from(letters.into_iter().collect::<String>())), None);
        assert_ne!(key_of(&id).unwrap().key.expose_secret(), text);
    }

    #[test]
    fn a_token_is_recognised_by_its_form() {
        let token = session().unwrap();
        assert!(is_session(token.expose_secret()));
        assert!(!is_session("") && !is_session(&"g".repeat(64)) && !is_session(&"0".repeat(63)));
        assert_eq!(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
