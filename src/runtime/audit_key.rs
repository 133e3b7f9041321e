//! Finds the key that signs the audit, and makes it at the first start on SQLite. Layer `runtime`. Keeps I12.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, bail};
use botfleet_actors::domain::chain::AuditKey;
use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretString};

use super::own_file;
use crate::config::secret::SecretSource;
use crate::config::settings::Config;

/// Bytes of a key that is made here, written as hexadecimal digits.
const KEY_BYTES: usize = 32;

/// Largest file of a key.
const FILE_MAX_BYTES: u64 = 1024;

/// Returns the key: of the settings, or of the file beside an SQLite database; `None` on PostgreSQL without a setting.
///
/// # Errors
/// When the secret cannot be read, or the file neither be read nor made.
pub(super) fn audit_key(config: &Config, secrets: &dyn SecretSource) -> anyhow::Result<Option<AuditKey>> {
    if let Some(secret) = config.audit_secret(secrets).map_err(anyhow::Error::msg)? {
        return Ok(Some(key_of(&secret)));
    }
    if config.many_nodes() {
        return Ok(None);
    }
    let path = config.audit_key_file();
    let secret = beside(&path).with_context(|| format!("the key of the audit, {}", path.display()))?;
    Ok(Some(key_of(&secret)))
}

/// Returns the key that a secret stands for.
fn key_of(secret: &SecretString) -> AuditKey {
    let hash = digest::digest(&digest::SHA256, secret.expose_secret().as_bytes());
    let mut key = [0; 32];
    key.copy_from_slice(hash.as_ref());
    AuditKey(key)
}

/// Reads the file, or makes it for its owner alone.
fn beside(path: &Path) -> anyhow::Result<SecretString> {
    match File::open(path) {
        Ok(file) => read(&file, path),
        Err(error) if error.kind() == ErrorKind::NotFound => make(path),
        Err(error) => Err(error.into()),
    }
}

fn read(file: &File, path: &Path) -> anyhow::Result<SecretString> {
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        tracing::warn!(file = %path.display(), "other users may use the key of the audit; chmod 600 it");
    }
    let mut text = String::new();
    file.take(FILE_MAX_BYTES).read_to_string(&mut text)?;
    let text = text.trim();
    if text.len() < KEY_BYTES {
        bail!("it holds no key; put the file back as it was");
    }
    Ok(SecretString::from(text.to_owned()))
}

fn make(path: &Path) -> anyhow::Result<SecretString> {
    let mut bytes = [0; KEY_BYTES];
    SystemRandom::new().fill(&mut bytes).map_err(|_| anyhow::anyhow!("the system gives no random numbers"))?;
    let mut text = String::with_capacity(2 * KEY_BYTES + 1);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.push('\n');
    own_file::create(path, text.as_bytes())?;
    // Another process may have made it at this moment, and then that one counts.
    read(&File::open(path)?, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.key");
        let made = beside(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let found = beside(&path).unwrap();
        assert_eq!(found.expose_secret(), made.expose_secret());
        assert_ne!(key_of(&found).0, key_of(&SecretString::from("x".repeat(64))).0);
        std::fs::write(&path, "short\n").unwrap();
        assert!(beside(&path).is_err(), "another key would not do");
    }
}
