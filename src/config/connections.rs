//! Addresses of PostgreSQL and Redis, and the secrets in them. Part of `config`. Keeps I12.
//!
//! An address is written in full, or as `env:NAME` or `file:PATH` that holds it. An address behind such a reference may
//! carry a password and is shown nowhere; a password in the clear text of a file is refused.

#![allow(clippy::doc_markdown, reason = "PostgreSQL is a name, not an item")]

use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use super::fault::{Fault, Faults};
use super::secret::{SecretRef, SecretSource};
use super::settings::Config;
use crate::store::settings::Backend;

/// Addresses of the servers of a cluster.
#[derive(Clone, Debug, Default)]
pub struct Connections {
    /// PostgreSQL; absent with SQLite.
    pub postgres: Option<SecretString>,
    /// Password of PostgreSQL, when the address does not hold it.
    pub postgres_password: Option<SecretString>,
    /// Redis; absent without one, and with SQLite, where the only node needs none.
    pub redis: Option<SecretString>,
}

impl Config {
    /// Returns whether several nodes share the store.
    pub fn many_nodes(&self) -> bool {
        self.store.backend == Backend::Postgres
    }

    /// Resolves the references to PostgreSQL and Redis; relative files start at the working folder.
    ///
    /// # Errors
    /// All faults, each with its key; values of secrets are never among them.
    pub fn connections(&self, secrets: &dyn SecretSource) -> Result<Connections, Faults> {
        let mut faults = Vec::new();
        let mut connections = Connections::default();
        if self.many_nodes() {
            let url = self.store.url.as_deref();
            connections.postgres = address("store.url", url, &POSTGRES, secrets, &mut faults);
            connections.postgres_password = self.store.password.as_deref().and_then(|reference| {
                let fault =
                    |(what, remedy): (String, String)| Fault::new("configuration", "store.password", what, remedy);
                follow(reference, secrets).map_err(|error| faults.push(fault(error))).ok()
            });
            let url = self.redis.url.as_ref().map(ExposeSecret::expose_secret);
            connections.redis = address("redis.url", url, &REDIS, secrets, &mut faults);
        }
        Faults(faults).or_ok(connections)
    }

    /// Returns the faults of addresses as they are written, before any secret is read.
    pub(super) fn check_addresses(&self, source: &str) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut check = |key: &str, url: Option<&str>, schemes: &[&str]| {
            let Some(url) = url.filter(|url| !is_reference(url)) else { return };
            match Written::of(url, schemes) {
                Written::Plain => {}
                Written::WithPassword => faults.push(Fault::new(
                    source,
                    key,
                    "holds a password in clear",
                    "write \"env:NAME\" or \"file:PATH\" that holds the address, and count the password as known",
                )),
                Written::Otherwise => faults.push(no_address(source, key, schemes)),
            }
        };
        check("store.url", self.store.url.as_deref(), &POSTGRES);
        check("redis.url", self.redis.url.as_ref().map(ExposeSecret::expose_secret), &REDIS);
        if let Some(reference) = &self.store.password
            && let Err((what, remedy)) = SecretRef::parse(reference, Path::new(""))
        {
            faults.push(Fault::new(source, "store.password", what, remedy));
        }
        let prefix = &self.redis.prefix;
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':');
        if !(1..=64).contains(&prefix.len()) || !prefix.bytes().all(fits) {
            let remedy = "1 to 64 letters, digits, dots, dashes, underscores and colons";
            faults.push(Fault::new(source, "redis.prefix", "is no prefix", remedy));
        }
        faults
    }

    /// Returns the faults of addresses that are missing.
    pub(super) fn check_missing_addresses(&self) -> Vec<Fault> {
        if self.many_nodes() && self.store.url.is_none() {
            let remedy = "write for example url = \"postgres://botfleet@localhost:5432/botfleet\", or \"env:NAME\"";
            return vec![Fault::new("configuration", "store.url", "is missing, and the backend is postgres", remedy)];
        }
        Vec::new()
    }
}

const POSTGRES: [&str; 2] = ["postgres", "postgresql"];
const REDIS: [&str; 4] = ["redis", "rediss", "redis-cluster", "rediss-cluster"];

/// Form of an address in a file.
#[derive(Debug, PartialEq, Eq)]
enum Written {
    Plain,
    WithPassword,
    Otherwise,
}

impl Written {
    fn of(url: &str, schemes: &[&str]) -> Self {
        let Some((scheme, rest)) = url.split_once("://") else { return Self::Otherwise };
        if !schemes.contains(&scheme) || rest.is_empty() || url.contains([' ', '\n']) {
            return Self::Otherwise;
        }
        let user = rest.split('/').next().and_then(|authority| authority.rsplit_once('@')).map(|(user, _)| user);
        if user.is_some_and(|user| user.contains(':')) || rest.contains("password=") {
            return Self::WithPassword;
        }
        Self::Plain
    }
}

fn is_reference(url: &str) -> bool {
    url.starts_with("env:") || url.starts_with("file:")
}

fn no_address(source: &str, key: &str, schemes: &[&str]) -> Fault {
    let remedy = format!("write {}://HOST:PORT/DATABASE, \"env:NAME\" or \"file:PATH\"", schemes[0]);
    Fault::new(source, key, "is no address", remedy)
}

/// Returns the address under a key, with its reference resolved.
fn address(
    key: &str,
    url: Option<&str>,
    schemes: &[&str],
    secrets: &dyn SecretSource,
    faults: &mut Vec<Fault>,
) -> Option<SecretString> {
    let url = url?;
    if !is_reference(url) {
        return Some(SecretString::from(url.to_owned()));
    }
    match follow(url, secrets) {
        Ok(secret) if Written::of(secret.expose_secret(), schemes) != Written::Otherwise => return Some(secret),
        Ok(_) => faults.push(no_address("configuration", key, schemes)),
        Err((what, remedy)) => faults.push(Fault::new("configuration", key, what, remedy)),
    }
    None
}

fn follow(reference: &str, secrets: &dyn SecretSource) -> Result<SecretString, (String, String)> {
    let reference =
        SecretRef::parse(reference, Path::new("")).map_err(|(what, remedy)| (what.to_owned(), remedy.to_owned()))?;
    reference.resolve(secrets).map(|resolved| resolved.secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_an_address_is_seen_wherever_it_stands() {
        let of = |url| Written::of(url, &POSTGRES);
        assert_eq!(of("postgres://bots@db:5432/fleet"), Written::Plain);
        assert_eq!(of("postgres://bots:s3cret@db:5432/fleet"), Written::WithPassword);
        assert_eq!(of("postgres://db/fleet?password=s3cret"), Written::WithPassword);
        assert_eq!(of("redis://db"), Written::Otherwise);
        assert_eq!(of("db:5432"), Written::Otherwise);
    }
}
