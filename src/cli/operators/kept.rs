//! The tokens of sessions that this user of the machine opened. Layer `cli`. Keeps I12.
//!
//! They lie in one file of mode 600, by the address of the fleet: a token that was kept for https goes nowhere else. An API key in
//! `BOTFLEET_API_KEY` goes before them.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};

use crate::runtime::own_file;

/// The variable with an API key.
const KEY_VARIABLE: &str = "BOTFLEET_API_KEY";

/// Returns the token to send to an address.
#[expect(clippy::disallowed_methods, reason = "the key is the caller's, and no setting of the fleet")]
pub(in crate::cli) fn token(address: &str) -> Option<SecretString> {
    if let Ok(key) = env::var(KEY_VARIABLE)
        && !key.is_empty()
    {
        return Some(SecretString::from(key));
    }
    read(&file()?).ok()?.remove(address).map(SecretString::from)
}

/// Keeps the token of a session, or forgets it.
pub(super) fn keep(address: &str, token: Option<&SecretString>) -> anyhow::Result<()> {
    let file = file().context("neither XDG_CONFIG_HOME nor HOME is set, so the session cannot be kept")?;
    write(&file, address, token).with_context(|| format!("{} cannot be written", file.display()))
}

fn file() -> Option<PathBuf> {
    let folder = env::var_os("XDG_CONFIG_HOME").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let folder = folder.or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".config")));
    folder.map(|folder| folder.join("botfleet").join("sessions.json"))
}

fn read(file: &Path) -> io::Result<BTreeMap<String, String>> {
    match fs::read(file) {
        Ok(text) => Ok(serde_json::from_slice(&text).unwrap_or_default()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error),
    }
}

fn write(file: &Path, address: &str, token: Option<&SecretString>) -> io::Result<()> {
    let mut kept = read(file)?;
    match token {
        Some(token) => kept.insert(address.to_owned(), token.expose_secret().to_owned()),
        None => kept.remove(address),
    };
    if let Some(folder) = file.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    own_file::replace(file, &serde_json::to_vec(&kept)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn each_address_has_its_token_in_a_file_of_ones_own() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("botfleet/sessions.json");
        write(&file, "one:1", Some(&SecretString::from("a"))).unwrap();
        write(&file, "two:2", Some(&SecretString::from("b"))).unwrap();
        write(&file, "one:1", None).unwrap();
        assert_eq!(read(&file).unwrap(), BTreeMap::from([("two:2".to_owned(), "b".to_owned())]));
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    }
}
