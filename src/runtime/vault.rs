//! Secrets of a vault, as the process knows them: read at the start, and looked at again now and then. Layer `runtime`. Keeps
//! I12.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;

use secrecy::{ExposeSecret, SecretString};

use crate::config::secret::{ProcessSecrets, SecretFile, SecretSource, vault_place};
use crate::config::settings::Config;
use crate::config::vault::{VaultAccess, VaultLogin};
use crate::vault::client::{Login, VaultClient, VaultError};

/// The place of a value: the path of a secret, and a field.
type VaultPlace = (String, String);

/// The last values that a vault told.
pub struct VaultBook {
    client: VaultClient,
    known: RwLock<BTreeMap<VaultPlace, SecretString>>,
}

impl VaultBook {
    /// Opens the book of the settings' vault; `None` where none is set.
    ///
    /// # Errors
    /// The reason why there is no way to it, without a secret.
    pub fn of(config: &Config) -> Result<Option<Arc<Self>>, String> {
        let Some(VaultAccess { address, namespace, login }) = config.secrets.vault.access(&ProcessSecrets)? else {
            return Ok(None);
        };
        let login = match login {
            VaultLogin::Token(token) => Login::Token(token),
            VaultLogin::AppRole { role_id, secret_id } => Login::AppRole { role_id, secret_id },
        };
        let client = VaultClient::new(&address, namespace, login).map_err(|error| error.to_string())?;
        Ok(Some(Arc::new(Self { client, known: RwLock::default() })))
    }

    /// Returns the last value that a reference led to; `None` for a reference to another place, or one that was not read yet.
    pub fn latest(&self, reference: &str) -> Option<SecretString> {
        let place = vault_place(reference)?;
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(&place).cloned()
    }

    /// Takes over a value that was read from the vault at the start.
    pub fn note(&self, reference: &str, value: SecretString) {
        if let Some(place) = vault_place(reference) {
            self.known.write().unwrap_or_else(PoisonError::into_inner).insert(place, value);
        }
    }

    /// Reads what a reference leads to now; returns whether it is another value than the last time. The last value stays
    /// while the vault is away.
    ///
    /// # Errors
    /// The reason why it was not read.
    pub async fn look(&self, reference: &str) -> Result<bool, VaultError> {
        let Some((path, field)) = vault_place(reference) else { return Ok(false) };
        let read = self.client.read(&path, &field).await?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let (value, place) = (bare(&read.value).to_owned(), (path, field));
        let changed = known.get(&place).is_none_or(|before| before.expose_secret() != value);
        known.insert(place, value.into());
        Ok(changed)
    }

    /// Renews the proof when that is due.
    ///
    /// # Errors
    /// The reason why it was not renewed.
    pub async fn keep(&self) -> Result<(), VaultError> {
        self.client.keep().await
    }

    /// Returns the last value of a place; one that was never read is read now, and kept.
    fn last_or_read(&self, path: &str, field: &str) -> Result<String, String> {
        let place = (path.to_owned(), field.to_owned());
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&place).cloned();
        if let Some(value) = known {
            return Ok(value.expose_secret().to_owned());
        }
        let value = bare(&self.read_now(path, field)?).to_owned();
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(place, value.clone().into());
        Ok(value)
    }

    /// Reads a value for code that does not wait: in a thread of its own, within the bound of a request.
    fn read_now(&self, path: &str, field: &str) -> Result<String, String> {
        let read = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| error.to_string())?;
            runtime.block_on(self.client.read(path, field)).map_err(|error| error.to_string())
        };
        let read = thread::scope(|scope| scope.spawn(read).join());
        let read = read.unwrap_or_else(|_| Err("the vault could not be asked".to_owned()))?;
        Ok(read.value)
    }
}

/// Returns a value without the blanks and line breaks around it.
fn bare(value: &str) -> &str {
    value.trim()
}

/// The process's environment and files, and the vault of the settings.
#[derive(Clone, Default)]
pub struct SecretSources {
    /// The vault, where one is set.
    pub vault: Option<Arc<VaultBook>>,
}

impl SecretSources {
    /// Finds the sources of the settings.
    ///
    /// # Errors
    /// The reason why there is no way to the vault, without a secret.
    pub fn of(config: &Config) -> Result<Self, String> {
        Ok(Self { vault: VaultBook::of(config)? })
    }
}

impl SecretSource for SecretSources {
    fn variable(&self, name: &str) -> Option<String> {
        ProcessSecrets.variable(name)
    }

    fn file(&self, path: &std::path::Path) -> std::io::Result<SecretFile> {
        ProcessSecrets.file(path)
    }

    fn vault(&self, path: &str, field: &str) -> Result<String, String> {
        match &self.vault {
            Some(vault) => vault.last_or_read(path, field),
            None => Err("no vault is set: see secrets.vault.address".to_owned()),
        }
    }
}
