//! Settings of the audit: the key that signs its blocks. Part of `config`. Keeps I12.

use std::path::{Path, PathBuf};

use botfleet_actors::domain::keys::keyed;
use botfleet_actors::domain::keys::rule::key;
use secrecy::{ExposeSecret, SecretString};

use super::fault::Fault;
use super::secret::{SecretRef, SecretSource};
use super::settings::Config;

keyed! {
    /// The audit of what operators do.
    #[derive(Clone, Debug)]
    pub struct AuditSettings {
        /// Place of the secret, at least 32 characters, that signs the audit's blocks: `env:NAME` or `file:PATH`, the same on
        /// every node. Keep a copy of it where the database's owner has no access.
        pub key: Option<String> = key(None).secret()
            .unset("with SQLite the file `audit.key` beside the database, which the first start makes; with PostgreSQL none: \
                    blocks are not signed")
            .example("\"file:/run/secrets/botfleet-audit\"");
    }
}

/// Least length of the secret: shorter ones can be guessed.
const KEY_MIN: usize = 32;

impl AuditSettings {
    /// Returns the faults of single values, named under `source`.
    pub(super) fn check_values(&self, source: &str) -> Vec<Fault> {
        let wrong = self.key.as_ref().and_then(|reference| SecretRef::parse(reference, Path::new("")).err());
        wrong.map(|(what, remedy)| Fault::new(source, "audit.key", what, remedy)).into_iter().collect()
    }
}

impl Config {
    /// Returns the secret that signs the audit's blocks, or `None` when none is set.
    ///
    /// # Errors
    /// The reason why the secret cannot be read, without its value.
    pub fn audit_secret(&self, secrets: &dyn SecretSource) -> Result<Option<SecretString>, String> {
        let Some(reference) = self.audit.key.as_deref() else { return Ok(None) };
        let named = |what: &str, remedy: &str| format!("audit.key {what}: {remedy}");
        let reference = SecretRef::parse(reference, Path::new("")).map_err(|(what, remedy)| named(what, remedy))?;
        let secret = reference.resolve(secrets).map_err(|(what, remedy)| named(&what, &remedy))?.secret;
        if secret.expose_secret().len() < KEY_MIN {
            return Err(format!("audit.key is shorter than {KEY_MIN} characters"));
        }
        Ok(Some(secret))
    }

    /// Returns the file of the key that the first start on SQLite makes.
    pub fn audit_key_file(&self) -> PathBuf {
        self.store.path.with_file_name("audit.key")
    }

    /// Tells whether the audit's blocks are signed, and by which key.
    pub fn audit_is_signed(&self) -> &'static str {
        match (&self.audit.key, self.many_nodes()) {
            (Some(_), _) => "signed by the key that is set",
            (None, false) => "signed by audit.key beside the database",
            (None, true) => "not signed: set audit.key",
        }
    }
}
