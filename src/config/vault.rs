//! Settings of a vault that references may lead to. Part of `config`. Keeps I12.

use std::path::Path;
use std::time::Duration;

use botfleet_actors::domain::keys::keyed;
use botfleet_actors::domain::keys::rule::key;
use secrecy::SecretString;

use super::fault::Fault;
use super::secret::{SecretRef, SecretSource};

keyed! {
    /// A vault with the API of HashiCorp Vault and OpenBao, whose secrets of version 2 references may name as
    /// `vault:MOUNT/PATH#FIELD`. It is reached at the start; afterwards the last values count while it is away.
    #[derive(Clone, Debug)]
    pub struct VaultSettings {
        /// Address, as `https://vault.internal:8200`.
        pub address: Option<String> = key(None).unset("none").example("\"https://vault.internal:8200\"");
        /// Namespace.
        pub namespace: Option<String> = key(None).unset("none").example("\"bots\"");
        /// Place of the token: `env:NAME` or `file:PATH`. It is renewed.
        pub token: Option<String> = key(None).secret().unset("none").example("\"file:/run/secrets/vault-token\"");
        /// Place of the role's id, for `AppRole` instead of a token.
        pub role_id: Option<String> = key(None).secret().unset("none").example("\"env:VAULT_ROLE_ID\"");
        /// Place of the secret of that role.
        pub secret_id: Option<String> = key(None).secret().unset("none").example("\"file:/run/secrets/vault-secret-id\"");
        /// Interval at which new versions are looked for.
        pub every: Duration = key(Duration::from_mins(1)).within(Duration::from_secs(1)..=Duration::from_hours(1));
        /// Beginning of the paths that references by API may name.
        pub prefix: Option<String> = key(None).unset("none: `vault:` is refused by API").example("\"kv/bots/\"");
    }
}

/// The way to a vault.
#[derive(Clone)]
pub struct VaultAccess {
    /// The address.
    pub address: String,
    /// The namespace.
    pub namespace: Option<String>,
    /// The proof.
    pub login: VaultLogin,
}

/// The proof that a vault takes.
#[derive(Clone)]
pub enum VaultLogin {
    /// A token.
    Token(SecretString),
    /// A role, whose token is fetched.
    AppRole {
        /// The role.
        role_id: SecretString,
        /// Its secret.
        secret_id: SecretString,
    },
}

impl VaultSettings {
    /// Returns the faults of single values, named under `source`.
    pub(super) fn check_values(&self, source: &str) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self
            .address
            .as_ref()
            .is_some_and(|address| !address.starts_with("https://") && !address.starts_with("http://"))
        {
            let remedy = "write it as https://vault.internal:8200";
            faults.push(Fault::new(source, "secrets.vault.address", "is no http or https address", remedy));
        }
        for (name, reference) in [("token", &self.token), ("role_id", &self.role_id), ("secret_id", &self.secret_id)] {
            let Some(reference) = reference else { continue };
            let key = format!("secrets.vault.{name}");
            match SecretRef::parse(reference, Path::new("")) {
                Ok(SecretRef::Vault { .. }) => {
                    faults.push(Fault::new(
                        source,
                        key,
                        "lies in the vault itself",
                        "write \"env:NAME\" or \"file:PATH\"",
                    ));
                }
                Ok(_) => {}
                Err((what, remedy)) => faults.push(Fault::new(source, key, what, remedy)),
            }
        }
        faults
    }
}

impl VaultSettings {
    /// Returns the way to the vault; `None` when none is set.
    ///
    /// # Errors
    /// The reason why there is no proof, without its value.
    pub fn access(&self, secrets: &dyn SecretSource) -> Result<Option<VaultAccess>, String> {
        let Some(address) = self.address.clone() else { return Ok(None) };
        let read = |name: &str, reference: &str| {
            let named = |what: &str| format!("secrets.vault.{name}: {what}");
            let reference = SecretRef::parse(reference, Path::new("")).map_err(|(what, _)| named(what))?;
            reference.resolve(secrets).map(|resolved| resolved.secret).map_err(|(what, _)| named(&what))
        };
        let login = match (&self.token, &self.role_id, &self.secret_id) {
            (Some(token), None, None) => VaultLogin::Token(read("token", token)?),
            (None, Some(role_id), Some(secret_id)) => {
                VaultLogin::AppRole { role_id: read("role_id", role_id)?, secret_id: read("secret_id", secret_id)? }
            }
            _ => return Err("secrets.vault: name a token, or a role_id with its secret_id".to_owned()),
        };
        Ok(Some(VaultAccess { address, namespace: self.namespace.clone(), login }))
    }
}
