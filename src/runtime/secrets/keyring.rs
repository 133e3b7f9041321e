//! The keys of a node that seal secrets: where they lie, and the file that the first secret makes. Layer `runtime`. Keeps I12.
//!
//! The file holds a key a line, the newest first. It is written whole under another name and then put in place, so that a crash
//! leaves the old file or the new one.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::{Context, bail};
use ring::rand::SystemRandom;
use secrecy::ExposeSecret;
use secrecy::zeroize::Zeroizing;

use crate::config::secret::ProcessSecrets;
use crate::config::secrets::read_keys;
use crate::config::settings::Config;
use crate::sealing::key::{KeyRing, SealingKey};

/// Largest file of keys.
const FILE_MAX_BYTES: u64 = 64 * 1024;

/// Place of the keys.
enum Source {
    /// References of the settings.
    Named(Vec<String>),
    /// The file beside an embedded database.
    File(PathBuf),
    /// No place: many nodes, and no setting.
    Nowhere,
}

/// The keys of a node.
pub(super) struct Keys {
    source: Source,
    ring: RwLock<Arc<KeyRing>>,
}

impl Keys {
    /// Finds the keys. A key that cannot be read is told in the log, and the node goes on without it.
    pub(super) fn find(config: &Config) -> Self {
        let source = match (&config.secrets.keys, config.secrets_key_file()) {
            (Some(named), _) => Source::Named(named.clone()),
            (None, Some(file)) => Source::File(file),
            (None, None) => Source::Nowhere,
        };
        let keys = Self { source, ring: RwLock::default() };
        keys.read_again();
        keys
    }

    /// Returns the keys.
    pub(super) fn ring(&self) -> Arc<KeyRing> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns whether the node makes its keys itself.
    pub(super) fn are_own(&self) -> bool {
        matches!(self.source, Source::File(_))
    }

    /// Reads the keys again; returns whether they changed. Keys that cannot be read at present stay as they were.
    pub(super) fn read_again(&self) -> bool {
        let read = match &self.source {
            Source::Nowhere => return false,
            Source::Named(references) => of_references(references),
            Source::File(path) => of_file(path).map(KeyRing::of),
        };
        match read {
            Ok(ring) => self.put(ring),
            Err(error) => {
                tracing::error!(error = %format!("{error:#}"), "a key for secrets cannot be read, the keys stay as they were");
                false
            }
        }
    }

    /// Makes a key that seals from now on, in the node's own file; the older keys go on opening.
    pub(super) fn make(&self) -> anyhow::Result<()> {
        let Source::File(path) = &self.source else { bail!("the keys are named in secrets.keys: make one there") };
        let mut keys = vec![SealingKey::new(&SystemRandom::new())?];
        keys.extend(of_file(path)?);
        write(path, &keys)?;
        self.put(KeyRing::of(keys));
        Ok(())
    }

    /// Takes a key out of the node's own file; keys that the settings name stay where they are.
    pub(super) fn drop_key(&self, id: &str) -> anyhow::Result<()> {
        let Source::File(path) = &self.source else { return Ok(()) };
        let keys: Vec<SealingKey> = of_file(path)?.into_iter().filter(|key| key.id() != id).collect();
        write(path, &keys)?;
        self.put(KeyRing::of(keys));
        Ok(())
    }

    fn put(&self, ring: KeyRing) -> bool {
        let mut held = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        let changed = held.ids() != ring.ids();
        *held = Arc::new(ring);
        changed
    }
}

/// Reads the keys that references lead to. A node without one of them works with the others.
fn of_references(references: &[String]) -> anyhow::Result<KeyRing> {
    let (texts, faults) = read_keys(references, &ProcessSecrets);
    for fault in &faults {
        tracing::error!(fault, "a key for secrets is missing: what it sealed stays sealed here");
    }
    let keys: Result<Vec<_>, _> = texts.iter().map(|text| SealingKey::read(text.expose_secret())).collect();
    Ok(KeyRing::of(keys.context("secrets.keys: what one of them leads to")?))
}

/// Reads the file; a file that is not there holds no key.
fn of_file(path: &Path) -> anyhow::Result<Vec<SealingKey>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        file => file.with_context(|| format!("{} cannot be opened", path.display()))?,
    };
    let mode = file.metadata()?.mode();
    if mode & 0o077 != 0 {
        bail!("{} has mode {:o}, and others may read it; run chmod 600", path.display(), mode & 0o777);
    }
    let mut text = Zeroizing::new(String::new());
    file.take(FILE_MAX_BYTES).read_to_string(&mut text).with_context(|| path.display().to_string())?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let keys: Result<Vec<_>, _> = lines.map(SealingKey::read).collect();
    keys.with_context(|| format!("{}: a line", path.display()))
}

/// Writes the file for its owner alone.
fn write(path: &Path, keys: &[SealingKey]) -> anyhow::Result<()> {
    let mut text = Zeroizing::new(String::new());
    for key in keys {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", *key.write());
    }
    let draft = path.with_extension("key.unfinished");
    let _ = fs::remove_file(&draft);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    // The name itself must outlive a power cut too: what the key seals is worth nothing without it.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all().with_context(|| folder.display().to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn own(path: &Path) -> Keys {
        let keys = Keys { source: Source::File(path.to_owned()), ring: RwLock::default() };
        keys.read_again();
        keys
    }

    #[test]
    fn an_own_key_is_made_for_its_owner_alone_and_older_ones_go_on_opening() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.key");
        let keys = own(&path);
        assert!(keys.ring().first().is_none() && !path.exists(), "no key is made before the first secret");
        keys.make().unwrap();
        let first = keys.ring().ids();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        keys.make().unwrap();
        let both = keys.ring().ids();
        assert_eq!((both.len(), &both[1..]), (2, &first[..]));
        assert_eq!(own(&path).ring().ids(), both);
        keys.drop_key(&first[0]).unwrap();
        assert_eq!(own(&path).ring().ids(), both[..1]);
    }

    #[test]
    fn a_file_that_others_may_read_is_not_used_and_keys_in_memory_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.key");
        let keys = own(&path);
        keys.make().unwrap();
        let ids = keys.ring().ids();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(!keys.read_again() && keys.make().is_err());
        assert_eq!(keys.ring().ids(), ids);
        assert!(own(&path).ring().first().is_none());
    }
}
