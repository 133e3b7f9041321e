//! Reads the parts of a manifest, and collects their faults. Layer: configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;
use std::path::Path;

use botfleet_actors::domain::hours::Hours;
use secrecy::SecretString;
use toml::{Table, Value};

use crate::config::fault::Fault;
use crate::config::secret::{SecretRef, SecretSource};
use crate::config::table;

/// Input and findings of the checks.
pub(super) struct Checks<'a> {
    pub(super) file: String,
    pub(super) folder: &'a Path,
    pub(super) secrets: &'a dyn SecretSource,
    pub(super) faults: Vec<Fault>,
    pub(super) warnings: Vec<Fault>,
}

impl Checks<'_> {
    pub(super) fn fault(&mut self, key: impl Into<String>, what: impl Into<String>, remedy: impl Into<String>) {
        self.faults.push(Fault::new(&self.file, key, what, remedy));
    }

    pub(super) fn warn(&mut self, key: impl Into<String>, what: impl Into<String>, remedy: impl Into<String>) {
        self.warnings.push(Fault::new(&self.file, key, what, remedy));
    }

    /// Takes a table out of another; an absent one is empty.
    pub(super) fn table(&mut self, from: &mut Table, key: &str) -> Table {
        match from.remove(key) {
            None => Table::new(),
            Some(Value::Table(table)) => table,
            Some(_) => {
                self.fault(key, "is no table", format!("write [{key}]"));
                Table::new()
            }
        }
    }

    /// Takes a list of tables out of another; an absent one is empty.
    pub(super) fn list(&mut self, from: &mut Table, key: &str) -> Vec<Table> {
        let values = match from.remove(key) {
            None => Vec::new(),
            Some(Value::Array(values)) => values,
            Some(_) => {
                self.fault(key, "is no list of tables", format!("write [[{key}]]"));
                Vec::new()
            }
        };
        let mut tables = Vec::new();
        for (place, value) in values.into_iter().enumerate() {
            if let Value::Table(table) = value {
                tables.push(table);
            } else {
                self.fault(format!("{key}[{place}]"), "is no table", format!("write [[{key}]]"));
                tables.push(Table::new());
            }
        }
        tables
    }

    pub(super) fn read<T: serde::de::DeserializeOwned>(&mut self, table: Table, key: &str) -> Option<T> {
        table::read(table, &self.file, key, &mut self.faults)
    }

    /// Returns a value that must be present and not blank.
    pub(super) fn required(&mut self, key: &str, value: Option<String>, remedy: &str) -> Option<String> {
        let value = value.map(|value| value.trim().to_owned());
        match value {
            Some(value) if !value.is_empty() => Some(value),
            Some(_) => {
                self.fault(key, "is empty", remedy);
                None
            }
            None => {
                self.missing(key, remedy);
                None
            }
        }
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

    /// Returns a name that is present, has 1 to 100 characters, none of them a control character, and is new to `seen`.
    pub(super) fn name(
        &mut self,
        place: &str,
        name: Option<String>,
        seen: &mut BTreeMap<String, String>,
    ) -> Option<String> {
        let key = table::join(place, "name");
        let name = self.required(&key, name, "give it a name")?;
        if name.chars().count() > 100 || name.chars().any(char::is_control) {
            self.fault(
                key,
                "is longer than 100 characters or holds control characters",
                "choose a shorter, plain name",
            );
            return None;
        }
        if let Some(first) = seen.get(&name) {
            self.fault(key, format!("the name {name:?} is taken by {first}"), "choose another");
            return None;
        }
        seen.insert(name.clone(), place.to_owned());
        Some(name)
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

    /// Reads a span of hours.
    pub(super) fn hours(&mut self, key: String, text: &str) -> Option<Hours> {
        let hours = Hours::try_from(text.to_owned()).ok();
        if hours.is_none() {
            let remedy = "write \"HH:MM-HH:MM\", as in \"23:00-08:00\"";
            self.fault(key, format!("{text:?} is no span of hours"), remedy);
        }
        hours
    }

    /// Reads a reference to a secret and resolves it.
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
                self.fault(key, what, remedy);
                None
            }
        }
    }
}
