//! Reads the parts of a manifest, and collects their faults. Layer: configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;
use std::path::Path;

use secrecy::SecretString;

use crate::config::fault::Fault;
use crate::config::reader::{File, Found};
use crate::config::secret::{SecretRef, SecretSource};

/// Input and findings of the checks.
pub(super) struct Checks<'a> {
    pub(super) file: String,
    pub(super) folder: &'a Path,
    pub(super) secrets: &'a dyn SecretSource,
    pub(super) faults: Vec<Fault>,
    pub(super) warnings: Vec<Fault>,
    /// Facts that the fleet knows already of what it has stored; nothing while a file is read.
    pub(super) stored: Option<Stored>,
}

/// Facts about a stored configuration, which another node may have checked.
#[derive(Debug, Default)]
pub(super) struct Stored {
    /// Telegram's ids of bots, by the references of their tokens.
    pub(super) telegram_ids: BTreeMap<String, i64>,
}

impl Checks<'_> {
    pub(super) fn fault(&mut self, key: impl Into<String>, what: impl Into<String>, remedy: impl Into<String>) {
        self.faults.push(Fault::new(&self.file, key, what, remedy));
    }

    pub(super) fn warn(&mut self, key: impl Into<String>, what: impl Into<String>, remedy: impl Into<String>) {
        self.warnings.push(Fault::new(&self.file, key, what, remedy));
    }

    /// Returns the manifest as a file whose tables are read.
    pub(super) fn file(&mut self) -> File<'_> {
        File { name: &self.file, faults: &mut self.faults }
    }

    /// Notes that a key is missing, unless it was taken out for another fault.
    pub(super) fn missing(&mut self, key: &str, remedy: &str) {
        if !self.faults.iter().any(|fault| fault.key.starts_with(key)) {
            self.fault(key, "is missing", remedy);
        }
    }

    /// Returns the faults in the order in which they were found. A fault of `[defaults]`, which each bot meets, is
    /// returned once.
    pub(super) fn distinct_faults(&mut self) -> Vec<Fault> {
        let mut seen = BTreeSet::new();
        self.faults.drain(..).filter(|fault| seen.insert(fault.clone())).collect()
    }

    /// Returns a sound name that has 1 to 100 characters, none of them a control character, and is new to `seen`.
    pub(super) fn name(
        &mut self,
        place: &str,
        name: &str,
        found: &Found,
        seen: &mut BTreeMap<String, String>,
    ) -> Option<String> {
        let key = found.place("name")?;
        if name.chars().count() > 100 || name.chars().any(char::is_control) {
            self.fault(
                key,
                "is longer than 100 characters or holds control characters",
                "choose a shorter, plain name",
            );
            return None;
        }
        if let Some(first) = seen.get(name) {
            self.fault(key, format!("the name {name:?} is taken by {first}"), "choose another");
            return None;
        }
        seen.insert(name.to_owned(), place.to_owned());
        Some(name.to_owned())
    }

    /// Returns the value if it lies in the range; otherwise notes a fault and returns the default.
    pub(super) fn within<T>(&mut self, key: &str, value: T, range: RangeInclusive<T>, default: T) -> T
    where
        T: PartialOrd + fmt::Debug,
    {
        if range.contains(&value) {
            return value;
        }
        self.fault(
            key,
            format!("{value:?} is out of bounds"),
            format!("from {:?} to {:?}", range.start(), range.end()),
        );
        default
    }

    /// Reads a reference to a secret and resolves it. In a stored configuration a secret that this node does not find is no
    /// fault: another node may have it.
    pub(super) fn secret(&mut self, key: &str, reference: &str) -> Option<SecretString> {
        let reference = match SecretRef::parse(reference, self.folder) {
            Ok(reference) => reference,
            Err((what, remedy)) => {
                self.fault(key, what, remedy);
                return None;
            }
        };
        match reference.resolve(self.secrets) {
            Ok(resolved) => {
                if let Some(warning) = resolved.warning {
                    self.warn(key, warning, "");
                }
                Some(resolved.secret)
            }
            Err((what, remedy)) => {
                if self.stored.is_some() {
                    self.warn(key, what, remedy);
                } else {
                    self.fault(key, what, remedy);
                }
                None
            }
        }
    }
}
