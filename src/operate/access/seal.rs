//! Opens seeds of one-time codes that earlier versions sealed. Layer `operate`. Keeps I12.
//!
//! Their key lies in a file of mode 600 apart from the database. Nothing new is sealed by it: a rotation moves such seeds to the
//! keys that seal all secrets.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use data_encoding::BASE64URL_NOPAD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::operate::failure::{Code, Failure};

/// Bytes of the key.
const KEY_BYTES: usize = 32;

/// The form of a sealed text.
const FORM: &str = "s1.";

/// Opens seeds by the key of a file.
#[derive(Clone, Debug)]
pub struct OldSeal {
    file: Option<PathBuf>,
}

impl OldSeal {
    /// Names the file; without one nothing opens.
    pub fn new(file: Option<PathBuf>) -> Self {
        Self { file }
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
        let key = self.key()?;
        let seed = key.open_in_place(nonce, Aad::from(owner.as_bytes()), &mut text).map_err(|_| failed())?;
        Ok(seed.to_vec())
    }

    fn key(&self) -> Result<LessSafeKey, Failure> {
        let Some(file) = &self.file else {
            let detail = "the key of an older version is missing: name its file in server.key_file";
            return Err(Failure::new(Code::Unreadable, detail));
        };
        let bytes = read(file).map_err(|error| {
            tracing::error!(file = %file.display(), error = %format!("{error:#}"), "the key file cannot be used");
            Failure::new(Code::Unreadable, "the key file of this node cannot be used; its log says why")
        })?;
        let key = UnboundKey::new(&CHACHA20_POLY1305, &bytes);
        key.map(LessSafeKey::new).map_err(|_| Failure::new(Code::Unreadable, "the key has the wrong length"))
    }
}

/// Reads the key.
fn read(path: &Path) -> anyhow::Result<[u8; KEY_BYTES]> {
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

    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A seed as version 0.2 sealed it.
    fn sealed(key: [u8; KEY_BYTES], owner: &str) -> String {
        let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &key).unwrap());
        let mut text = b"seed".to_vec();
        let nonce = Nonce::assume_unique_for_key([9; NONCE_LEN]);
        key.seal_in_place_append_tag(nonce, Aad::from(owner.as_bytes()), &mut text).unwrap();
        format!("{FORM}{}", BASE64URL_NOPAD.encode(&[&[9; NONCE_LEN][..], &text].concat()))
    }

    #[test]
    fn a_seed_of_an_earlier_version_opens_for_its_owner_with_its_key_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("botfleet.key");
        fs::write(&file, [7; KEY_BYTES]).unwrap();
        let seal = OldSeal::new(Some(file.clone()));
        assert!(seal.open("ada", &sealed([7; 32], "ada")).is_err(), "others may read the file");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(seal.open("ada", &sealed([7; 32], "ada")).unwrap(), b"seed");
        assert!(seal.open("bela", &sealed([7; 32], "ada")).is_err());
        assert!(seal.open("ada", &sealed([8; 32], "ada")).is_err());
        assert_eq!(OldSeal::new(None).open("ada", &sealed([7; 32], "ada")).err().unwrap().code, Code::Unreadable);
    }
}
