//! Seeds of one-time codes, encrypted for the store. Layer `operate`. Keeps I12.
//!
//! The key lies in a file of mode 600 apart from the database: who copies the database alone has no seed.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use data_encoding::BASE64URL_NOPAD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

use crate::operate::failure::{Code, Failure};
use crate::runtime::own_file;

/// Bytes of the key.
const KEY_BYTES: usize = 32;

/// The form of a sealed text.
const FORM: &str = "s1.";

/// Seals seeds with the key of a file.
#[derive(Clone, Debug)]
pub struct Seal {
    file: Option<PathBuf>,
}

impl Seal {
    /// Creates the seal. The file is made when something is sealed first; without a file nothing can be sealed.
    pub fn new(file: Option<PathBuf>) -> Self {
        Self { file }
    }

    /// Encrypts a seed for an owner.
    ///
    /// # Errors
    /// `Conflict` when no file is set; `Unreadable` when the file cannot be used, which the log tells.
    pub fn close(&self, owner: &str, seed: &[u8]) -> Result<String, Failure> {
        let key = self.key(true)?;
        let mut nonce = [0; NONCE_LEN];
        let failed = || Failure::new(Code::Unreadable, "a secret could not be sealed");
        SystemRandom::new().fill(&mut nonce).map_err(|_| failed())?;
        let mut sealed = seed.to_vec();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(owner.as_bytes()), &mut sealed)
            .map_err(|_| failed())?;
        Ok(format!("{FORM}{}", BASE64URL_NOPAD.encode(&[&nonce[..], &sealed].concat())))
    }

    /// Decrypts the seed of an owner.
    ///
    /// # Errors
    /// `Unreadable` when the file is missing or another, or the text belongs to somebody else.
    pub fn open(&self, owner: &str, sealed: &str) -> Result<Vec<u8>, Failure> {
        let failed = || Failure::new(Code::Unreadable, "a sealed secret cannot be opened with the key of this node");
        let bytes = sealed.strip_prefix(FORM).and_then(|text| BASE64URL_NOPAD.decode(text.as_bytes()).ok());
        let bytes = bytes.ok_or_else(failed)?;
        let (nonce, text) = bytes.split_at_checked(NONCE_LEN).ok_or_else(failed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| failed())?;
        let mut text = text.to_vec();
        let key = self.key(false)?;
        let seed = key.open_in_place(nonce, Aad::from(owner.as_bytes()), &mut text).map_err(|_| failed())?;
        Ok(seed.to_vec())
    }

    fn key(&self, make: bool) -> Result<LessSafeKey, Failure> {
        let Some(file) = &self.file else {
            return Err(Failure::new(Code::Conflict, "no key for secrets is set: name a file in server.key_file"));
        };
        let unusable = |error: anyhow::Error| {
            tracing::error!(file = %file.display(), error = %format!("{error:#}"), "the key file cannot be used");
            Failure::new(Code::Unreadable, "the key file of this node cannot be used; its log says why")
        };
        let bytes = read(file, make).map_err(unusable)?;
        let key = UnboundKey::new(&CHACHA20_POLY1305, &bytes);
        key.map(LessSafeKey::new).map_err(|_| Failure::new(Code::Unreadable, "the key has the wrong length"))
    }
}

/// Reads the key, or makes it. When another process makes it at this moment, that one counts.
fn read(path: &Path, make: bool) -> anyhow::Result<[u8; KEY_BYTES]> {
    if make && !path.try_exists().context("its folder cannot be read")? {
        let mut key = [0; KEY_BYTES];
        SystemRandom::new().fill(&mut key).map_err(|_| anyhow::anyhow!("the system gives no chance"))?;
        own_file::create(path, &key).context("it cannot be made")?;
    }
    let mut file = fs::File::open(path).context("it cannot be read")?;
    let mode = file.metadata()?.mode();
    if mode & 0o077 != 0 {
        bail!("its mode is {:o}, and others may read it; run chmod 600", mode & 0o777);
    }
    let mut key = [0; KEY_BYTES];
    file.read_exact(&mut key).context("it is shorter than 32 bytes")?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_sealed_seed_opens_for_its_owner_with_its_key_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("botfleet.key");
        let seal = Seal::new(Some(file.clone()));
        let sealed = seal.close("ada", b"seed").unwrap();
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        assert_eq!(seal.open("ada", &sealed).unwrap(), b"seed");
        assert!(seal.open("bela", &sealed).is_err());
        assert_ne!(sealed, seal.close("ada", b"seed").unwrap());
        let other = Seal::new(Some(folder.path().join("other.key")));
        assert!(other.open("ada", &sealed).is_err(), "a key is not made to open something");
        other.close("ada", b"seed").unwrap();
        assert!(other.open("ada", &sealed).is_err());
        assert_eq!(Seal::new(None).close("ada", b"seed").err().unwrap().code, Code::Conflict);
    }

    #[test]
    fn a_key_that_others_may_read_is_not_used() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("botfleet.key");
        let seal = Seal::new(Some(file.clone()));
        seal.close("ada", b"seed").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(seal.close("ada", b"seed").err().unwrap().code, Code::Unreadable);
    }
}
