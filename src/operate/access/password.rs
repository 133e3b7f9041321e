//! Hashes of passwords, one computed at a time. Layer `operate`. Keeps I12.
//!
//! A hash takes 46 MiB, so a flood of sign-ins must not compute many at once: one is computed, few wait, and an address waits
//! with one at most.
//!
//! # Source
//! RFC 9106; OWASP Password Storage Cheat Sheet, Argon2id with m = 46 MiB, t = 1, p = 1.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use data_encoding::BASE64_NOPAD;
use ipnet::IpNet;
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use crate::operate::failure::{Code, Failure};

/// Memory of a hash, in KiB.
const MEMORY_KIB: u32 = 46 * 1024;

/// Shortest password, in characters.
pub const PASSWORD_MIN: usize = 12;

/// Longest password, in characters.
pub const PASSWORD_MAX: usize = 256;

/// Most sign-ins that wait for their hash.
const WAITING_MAX: usize = 32;

/// Bytes of a salt.
const SALT_BYTES: usize = 16;

/// A hash that no password has: an unknown name costs as much as a known one.
const NOBODYS: &str =
    "$argon2id$v=19$m=47104,t=1,p=1$Ym90ZmxlZXQtbm9ib2R5cw$q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k";

/// Computes hashes of passwords.
#[derive(Debug)]
pub struct Hasher {
    turn: Arc<Semaphore>,
    waiting: Arc<Mutex<HashSet<Option<IpNet>>>>,
}

impl Default for Hasher {
    fn default() -> Self {
        Self { turn: Arc::new(Semaphore::new(1)), waiting: Arc::default() }
    }
}

/// A place in the queue, which is free again when this is dropped.
struct Waiting {
    from: Option<IpNet>,
    queue: Arc<Mutex<HashSet<Option<IpNet>>>>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.from);
    }
}

impl Hasher {
    /// Returns whether a password has a hash; without a hash, false after the same time.
    ///
    /// # Errors
    /// `TooManyTries` when many sign-ins wait, or one from there does.
    pub async fn verify(
        &self,
        from: Option<IpNet>,
        password: SecretString,
        hash: Option<String>,
    ) -> Result<bool, Failure> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODYS.to_owned());
        let fits = move || {
            PasswordHash::new(&hash).is_ok_and(|hash| {
                hasher().is_ok_and(|hasher| hasher.verify_password(password.expose_secret().as_bytes(), &hash).is_ok())
            })
        };
        Ok(self.computed(from, fits).await? && known)
    }

    /// Returns the hash of a password, in the PHC string format.
    ///
    /// # Errors
    /// `TooManyTries` as [`Hasher::verify`]; `Unreadable` when the system gives no chance.
    pub async fn hash(&self, from: Option<IpNet>, password: SecretString) -> Result<String, Failure> {
        let hash = self.computed(from, move || hash(&password)).await?;
        hash.ok_or_else(|| Failure::new(Code::Unreadable, "the password could not be hashed"))
    }

    async fn computed<T: Send + 'static>(
        &self,
        from: Option<IpNet>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let place = self.place(from)?;
        let turn = Arc::clone(&self.turn).acquire_owned().await;
        let busy = || Failure::new(Code::TooManyTries, "too many sign-ins are under way; try again in a moment");
        let turn = turn.map_err(|_| busy())?;
        // A caller who leaves lets the hash be computed to its end, so the turn goes with it.
        let done = tokio::task::spawn_blocking(move || {
            let _held = (place, turn);
            work()
        });
        done.await.map_err(|_| Failure::new(Code::Unreadable, "the hash of a password could not be computed"))
    }

    fn place(&self, from: Option<IpNet>) -> Result<Waiting, Failure> {
        let mut queue = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // Who runs the fleet is not kept out by those who flood it.
        if from.is_some() && (queue.len() >= WAITING_MAX || !queue.insert(from)) {
            return Err(Failure::new(
                Code::TooManyTries,
                "another sign-in from there is under way; try again in a moment",
            ));
        }
        Ok(Waiting { from, queue: Arc::clone(&self.waiting) })
    }
}

fn hasher() -> Result<Argon2<'static>, argon2::Error> {
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(MEMORY_KIB, 1, 1, None)?))
}

fn hash(password: &SecretString) -> Option<String> {
    let mut salt = [0; SALT_BYTES];
    SystemRandom::new().fill(&mut salt).ok()?;
    let salt = SaltString::from_b64(&BASE64_NOPAD.encode(&salt)).ok()?;
    let hash = hasher().ok()?.hash_password(password.expose_secret().as_bytes(), &salt).ok()?;
    Some(hash.to_string())
}

/// Checks a new password.
///
/// # Errors
/// `BadRequest` when it is too short, too long, or the name itself.
///
/// # Source
/// NIST SP 800-63B-4, 3.1.1.2: length counts, composition does not.
pub fn check_new(password: &SecretString, name: &str) -> Result<(), Failure> {
    let text = password.expose_secret();
    let refuse = |why: String| Err(Failure::new(Code::BadRequest, format!("password: {why}")));
    if text.chars().count() < PASSWORD_MIN {
        return refuse(format!("it has less than {PASSWORD_MIN} characters; a few words in a row are a good one"));
    }
    if text.chars().count() > PASSWORD_MAX {
        return refuse(format!("it has more than {PASSWORD_MAX} characters"));
    }
    let first = text.chars().next();
    if text.to_lowercase().contains(&name.to_lowercase()) && text.len() < name.len() + PASSWORD_MIN
        || text.chars().all(|letter| Some(letter) == first)
    {
        return refuse("it is easy to guess".to_owned());
    }
    Ok(())
}

/// Returns whether a text is an argon2id hash in the PHC string format.
pub fn is_hash(text: &str) -> bool {
    PasswordHash::new(text).is_ok_and(|hash| hash.algorithm.as_str() == "argon2id" && hash.hash.is_some())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[tokio::test]
    async fn a_password_fits_its_hash_alone() {
        let hasher = Hasher::default();
        let hash = hasher.hash(None, secret("correct horse battery")).await.unwrap();
        assert!(is_hash(&hash) && hash.starts_with("$argon2id$v=19$m=47104,t=1,p=1$"), "{hash}");
        assert!(hasher.verify(None, secret("correct horse battery"), Some(hash.clone())).await.unwrap());
        assert!(!hasher.verify(None, secret("correct horse"), Some(hash)).await.unwrap());
        assert!(!hasher.verify(None, secret("anything at all"), None).await.unwrap());
    }

    #[test]
    fn the_hash_of_nobody_costs_what_others_cost() {
        let nobody = PasswordHash::new(NOBODYS).unwrap();
        let own = hash(&secret("correct horse battery")).unwrap();
        let own = PasswordHash::new(&own).unwrap();
        assert_eq!((nobody.algorithm, nobody.version, nobody.params), (own.algorithm, own.version, own.params));
        assert_eq!(nobody.hash.unwrap().len(), own.hash.unwrap().len());
    }

    #[tokio::test]
    async fn an_address_waits_once_and_frees_its_place() {
        let hasher = Hasher::default();
        let net: IpNet = "192.0.2.0/32".parse().unwrap();
        let place = hasher.place(Some(net)).unwrap();
        assert_eq!(hasher.place(Some(net)).err().unwrap().code, Code::TooManyTries);
        assert!(hasher.place(None).is_ok());
        drop(place);
        assert!(hasher.place(Some(net)).is_ok());
    }

    #[test]
    fn a_new_password_is_long_and_no_name() {
        assert!(check_new(&secret("correct horse battery"), "ada").is_ok());
        for odd in ["short", "aaaaaaaaaaaaaaaa", "adalovelace12", &"x y".repeat(100)] {
            assert_eq!(check_new(&secret(odd), "adalovelace").err().unwrap().code, Code::BadRequest, "{odd}");
        }
    }
}
