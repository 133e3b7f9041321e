//! Settings of secrets that are given by API: the keys that seal them, and what references by API may name. Part of `config`.
//! Keeps I12.

use std::path::{Component, Path, PathBuf};

use botfleet_actors::domain::keys::keyed;
use botfleet_actors::domain::keys::rule::{group, key};
use secrecy::SecretString;

use super::fault::Fault;
use super::secret::{SecretRef, SecretSource};
use super::settings::Config;
use super::vault::VaultSettings;

keyed! {
    /// Secrets that are given by API: tokens of bots, keys of providers, seeds of one-time codes. They are stored sealed.
    #[derive(Clone, Debug)]
    pub struct SecretSettings {
        /// Places of the keys that seal secrets: `env:NAME` or `file:PATH`, each with 32 bytes as 64 hexadecimal digits or in
        /// base64 (`openssl rand -hex 32`). The first seals, all of them open; every node needs the same. Keep copies of them apart
        /// from those of the database.
        pub keys: Option<Vec<String>> = key(None).secret()
            .unset("with SQLite the file `secrets.key` beside the database, which the first secret makes; with PostgreSQL none: \
                    no secret can be given by API")
            .example("[\"file:/run/secrets/botfleet-2026\"]");
        /// Folder of files that references by API may name.
        pub folder: Option<PathBuf> = key(None).unset("none: `file:` is refused by API").example("\"/run/secrets/bots\"");
        /// Beginning of the names of variables that references by API may name.
        pub prefix: String = key("BOTFLEET_SECRET_".to_owned());
        /// The vault that references may lead to.
        pub vault: VaultSettings = group::<VaultSettings>();
    }
}

impl SecretSettings {
    /// Returns the faults of single values, named under `source`.
    pub(super) fn check_values(&self, source: &str) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (index, reference) in self.keys.iter().flatten().enumerate() {
            if let Err((what, remedy)) = SecretRef::parse(reference, Path::new("")) {
                faults.push(Fault::new(source, format!("secrets.keys[{index}]"), what, remedy));
            }
        }
        if self.prefix.is_empty() {
            let remedy = "write a beginning that no other variable has, as BOTFLEET_SECRET_";
            faults.push(Fault::new(source, "secrets.prefix", "is empty, which would allow every variable", remedy));
        }
        if self.vault.prefix.as_ref().is_some_and(|prefix| !prefix.contains('/')) {
            let remedy = "write the mount and the begin of the path, as kv/bots/";
            faults.push(Fault::new(
                source,
                "secrets.vault.prefix",
                "holds no /, which would allow whole mounts",
                remedy,
            ));
        }
        faults.extend(self.vault.check_values(source));
        faults
    }

    /// Tells whether a reference that came by API may be used: it names a file of the folder or a variable of the prefix, and no
    /// key that seals. Relative paths start at `from`.
    ///
    /// # Errors
    /// The reason why not.
    pub fn confine(&self, reference: &str, from: &Path) -> Result<(), String> {
        if self.seals(reference, from) {
            return Err("it names a key that seals secrets".to_owned());
        }
        match SecretRef::parse(reference, from).map_err(|(what, _)| format!("it {what}"))? {
            SecretRef::Variable(name) if name.starts_with(&self.prefix) => Ok(()),
            SecretRef::Variable(_) => Err(format!("by API a variable must begin with {}", self.prefix)),
            SecretRef::File(path) => self.confine_file(&path),
            SecretRef::Vault { path, .. } => match &self.vault.prefix {
                Some(prefix) if path.starts_with(prefix) => Ok(()),
                Some(prefix) => Err(format!("by API a path of the vault must begin with {prefix}")),
                None => Err("by API no secret of the vault may be named: set secrets.vault.prefix".to_owned()),
            },
        }
    }

    /// Returns whether a reference names a key that seals secrets.
    pub fn seals(&self, reference: &str, from: &Path) -> bool {
        let named = SecretRef::parse(reference, from).ok();
        let is_it =
            |key: &String| key == reference || (named.is_some() && SecretRef::parse(key, Path::new("")).ok() == named);
        self.keys.iter().flatten().any(is_it)
    }

    fn confine_file(&self, path: &Path) -> Result<(), String> {
        let Some(folder) = &self.folder else {
            return Err("by API no file may be named: set secrets.folder".to_owned());
        };
        let climbs = path.components().any(|part| matches!(part, Component::ParentDir));
        let inside = path.strip_prefix(folder).is_ok_and(|rest| !rest.as_os_str().is_empty());
        if climbs || !inside {
            return Err(format!("by API a file must lie in {}", folder.display()));
        }
        Ok(())
    }
}

/// Reads the keys that references lead to; a reference that leads to none is told by its place.
pub fn read_keys(references: &[String], secrets: &dyn SecretSource) -> (Vec<SecretString>, Vec<String>) {
    let (mut keys, mut faults) = (Vec::new(), Vec::new());
    for (index, reference) in references.iter().enumerate() {
        let read = SecretRef::parse(reference, Path::new("")).map_err(|(what, _)| what.to_owned());
        match read.and_then(|reference| reference.resolve(secrets).map_err(|(what, _)| what)) {
            Ok(resolved) => keys.push(resolved.secret),
            Err(what) => faults.push(format!("secrets.keys[{index}]: {what}")),
        }
    }
    (keys, faults)
}

impl Config {
    /// Returns the file of the key that the first secret makes, where no keys are set and the store is a file.
    pub fn secrets_key_file(&self) -> Option<PathBuf> {
        (self.secrets.keys.is_none() && !self.many_nodes()).then(|| self.store.path.with_file_name("secrets.key"))
    }

    /// Tells by which keys secrets are sealed.
    pub fn secrets_are_sealed(&self) -> String {
        match (&self.secrets.keys, self.many_nodes()) {
            (Some(keys), _) => format!("sealed by the first of {} keys that are set", keys.len()),
            (None, false) => "sealed by secrets.key beside the database".to_owned(),
            (None, true) => "cannot be given by API: set secrets.keys".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn i12_references_by_api_stay_within_a_folder_and_a_prefix() {
        let keys = Some(vec!["file:/run/bots/seal".to_owned(), "env:BOTFLEET_SECRET_SEAL".to_owned()]);
        let vault = VaultSettings { prefix: Some("kv/bots/".to_owned()), ..VaultSettings::default() };
        let folder = Some("/run/bots".into());
        let settings = SecretSettings { keys, folder, prefix: "BOTFLEET_SECRET_".to_owned(), vault };
        for fit in
            ["file:/run/bots/ada", "file:/run/bots/more/ada", "env:BOTFLEET_SECRET_ADA", "vault:kv/bots/ada#token"]
        {
            assert_eq!(settings.confine(fit, Path::new("")), Ok(()), "{fit}");
        }
        for unfit in [
            "file:/run/bots/seal",
            "file:/run/bots/./seal",
            "env:BOTFLEET_SECRET_SEAL",
            "file:/run/bots",
            "file:/run/bots/../shadow",
            "file:/run/botsy/ada",
            "file:/etc/shadow",
            "file:ada",
            "env:HOME",
            "env:BOTFLEET__STORE__URL",
            "vault:kv/servers/db#password",
            "vault:kv/bots/../servers/db#password",
            "ada",
            "",
        ] {
            assert!(settings.confine(unfit, Path::new("")).is_err(), "{unfit}");
        }
        let none = SecretSettings { folder: None, ..settings };
        assert!(none.confine("file:/run/bots/ada", Path::new("")).unwrap_err().contains("secrets.folder"));
    }
}
