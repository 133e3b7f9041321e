//! The manifest: bots, personas, chats and providers, as `fleet.toml` describes them. Part of `config`.
//!
//! | file | holds |
//! |---|---|
//! | `raw` | the tables as they are written |
//! | `providers`, `personas`, `bots`, `chats`, `budgets` | the checks of each kind, and their results |
//! | `strategies` | the directors' weights by name, of which each chat takes one |
//! | `reactions` | the emoji that Telegram takes as a bot's reaction |
//!
//! Reading goes on after a fault, so that all of them are reported at once, each with its key and a remedy.

mod bots;
mod budgets;
mod chats;
mod personas;
mod providers;
mod raw;
mod reactions;
pub mod strategies;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use botfleet_actors::actors::provider::settings::ProviderSettings;
use botfleet_actors::domain::allowance::BudgetSpec;
use botfleet_actors::domain::hours::Hours;
use botfleet_actors::domain::roster::RosterPlan;
use secrecy::SecretString;
use toml::{Table, Value};

use super::fault::{Fault, Faults};
use super::secret::{SecretRef, SecretSource};
use super::table;
use crate::llm::settings::{Parameter, ProviderKind, Roles};

/// A checked manifest, with its secrets at hand.
#[derive(Debug)]
pub struct LoadedManifest {
    /// Bots and chats.
    pub plan: RosterPlan,
    /// Tokens by the bot's name.
    pub tokens: BTreeMap<String, SecretString>,
    /// Providers in the order of the manifest.
    pub providers: Vec<ProviderEntry>,
    /// Limits of what may be spent on models.
    pub budgets: Vec<BudgetSpec>,
    /// Settings that are allowed, but should be looked at.
    pub warnings: Vec<Fault>,
    /// Folder at which relative paths of secrets start.
    pub folder: PathBuf,
}

/// A provider of models.
#[derive(Debug)]
pub struct ProviderEntry {
    /// Name in the manifest; unique.
    pub name: String,
    /// API that the provider speaks.
    pub kind: ProviderKind,
    /// Address; `None` for the kind's usual one.
    pub base_url: Option<String>,
    /// Keys; none if the provider needs none.
    pub api_keys: Vec<SecretString>,
    /// The model of bots that name the provider alone.
    pub model: Option<String>,
    /// Set when answers are streamed.
    pub stream: bool,
    /// Roles that the models take, until a refusal teaches otherwise.
    pub roles: Roles,
    /// Parameters that are never sent to the provider.
    pub omit: Vec<Parameter>,
    /// Most time for DNS, TCP and TLS together.
    pub connect_timeout: Duration,
    /// Most time until the first part of a streamed answer.
    pub first_token_timeout: Duration,
    /// Settings of the provider's actor, such as its limits.
    pub settings: ProviderSettings,
}

/// A manifest's text, read but not checked.
pub struct Manifest {
    file: String,
    table: Table,
}

impl Manifest {
    /// Reads and checks a manifest; relative paths of secrets start at the manifest's folder.
    ///
    /// # Errors
    /// All faults, each with its key; values of secrets are never among them (I12).
    pub fn load(path: &Path, secrets: &dyn SecretSource) -> Result<LoadedManifest, Faults> {
        let table = table::read_file(path).map_err(|mut fault| {
            if fault.key.is_empty() {
                "copy config/fleet.example.toml there, or name another file with --manifest"
                    .clone_into(&mut fault.remedy);
            }
            Faults(vec![fault])
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self { file: path.display().to_string(), table }.check(folder, secrets)
    }

    /// Checks a manifest given as text; faults name it `file`.
    ///
    /// # Errors
    /// All faults, each with its key.
    pub fn read(text: &str, file: &str, secrets: &dyn SecretSource) -> Result<LoadedManifest, Faults> {
        let table = table::parse(text, file).map_err(|fault| Faults(vec![fault]))?;
        Self { file: file.to_owned(), table }.check(Path::new(""), secrets)
    }

    fn check(mut self, folder: &Path, secrets: &dyn SecretSource) -> Result<LoadedManifest, Faults> {
        let mut checks = Checks { file: self.file, folder, secrets, faults: Vec::new(), warnings: Vec::new() };
        let defaults = checks.table(&mut self.table, "defaults");
        let defaults = checks.read(defaults, "defaults").unwrap_or_default();
        let providers = checks.list(&mut self.table, "providers");
        let personas = checks.table(&mut self.table, "personas");
        let bots = checks.list(&mut self.table, "bots");
        let chats = checks.list(&mut self.table, "chats");
        let budgets = checks.list(&mut self.table, "budgets");
        let strategies = checks.table(&mut self.table, "strategies");
        for key in self.table.keys() {
            checks.fault(
                key,
                "unknown key",
                "known keys: defaults, providers, personas, strategies, bots, chats, budgets",
            );
        }

        let providers = providers::check(providers, &mut checks);
        let personas = personas::check(personas, &mut checks);
        let (bots, tokens) = bots::check(bots, &defaults, &personas, &providers, &mut checks);
        let strategies = strategies::check(strategies, &mut checks);
        let chats = chats::check(chats, &defaults, &bots, &strategies, &mut checks);

        let plan = RosterPlan { bots: bots.specs, chats };
        let providers = providers.entries;
        let folder = folder.to_owned();
        let budgets = budgets::check(budgets, (&plan.bots, &plan.chats), &providers, &mut checks);
        let faults = Faults(checks.distinct_faults());
        faults.or_ok(LoadedManifest { plan, tokens, providers, budgets, warnings: checks.warnings, folder })
    }
}

/// Input and findings of the checks.
struct Checks<'a> {
    file: String,
    folder: &'a Path,
    secrets: &'a dyn SecretSource,
    faults: Vec<Fault>,
    warnings: Vec<Fault>,
}

impl Checks<'_> {
    fn fault(&mut self, key: impl Into<String>, what: impl Into<String>, remedy: impl Into<String>) {
        self.faults.push(Fault::new(&self.file, key, what, remedy));
    }

    fn warn(&mut self, key: impl Into<String>, what: impl Into<String>, remedy: impl Into<String>) {
        self.warnings.push(Fault::new(&self.file, key, what, remedy));
    }

    /// Takes a table out of another; an absent one is empty.
    fn table(&mut self, from: &mut Table, key: &str) -> Table {
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
    fn list(&mut self, from: &mut Table, key: &str) -> Vec<Table> {
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

    fn read<T: serde::de::DeserializeOwned>(&mut self, table: Table, key: &str) -> Option<T> {
        table::read(table, &self.file, key, &mut self.faults)
    }

    /// Returns a value that must be present and not blank.
    fn required(&mut self, key: &str, value: Option<String>, remedy: &str) -> Option<String> {
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
    fn missing(&mut self, key: &str, remedy: &str) {
        if !self.faults.iter().any(|fault| fault.key.starts_with(key)) {
            self.fault(key, "is missing", remedy);
        }
    }

    /// Returns the faults in the order in which they were found. A fault of `[defaults]`, which each bot meets, is
    /// returned once.
    fn distinct_faults(&mut self) -> Vec<Fault> {
        let mut seen = BTreeSet::new();
        self.faults.drain(..).filter(|fault| seen.insert(fault.clone())).collect()
    }

    /// Returns a name that is present, has 1 to 100 characters, none of them a control character, and is new to `seen`.
    fn name(&mut self, place: &str, name: Option<String>, seen: &mut BTreeMap<String, String>) -> Option<String> {
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
    fn within<T>(&mut self, key: &str, value: T, range: RangeInclusive<T>, default: T) -> T
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
    fn hours(&mut self, key: String, text: &str) -> Option<Hours> {
        let hours = Hours::try_from(text.to_owned()).ok();
        if hours.is_none() {
            let remedy = "write \"HH:MM-HH:MM\", as in \"23:00-08:00\"";
            self.fault(key, format!("{text:?} is no span of hours"), remedy);
        }
        hours
    }

    /// Reads a reference to a secret and resolves it.
    fn secret(&mut self, key: &str, reference: &str) -> Option<SecretString> {
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
