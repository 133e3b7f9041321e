//! The manifest: bots, personas, chats and providers, as `fleet.toml` describes them. Part of `config`.
//!
//! | file | holds |
//! |---|---|
//! | `entry` | the keys of a provider; those of all else stand with their types in `domain` |
//! | `providers`, `personas`, `bots`, `chats`, `budgets` | what no single key shows: names, references, secrets |
//! | `declared` | the manifest thing by thing, as the fleet stores it, and read back from there |
//! | `strategies` | the directors' weights by name, of which each chat takes one |
//! | `reactions` | the emoji that Telegram takes as a bot's reaction |
//!
//! Reading goes on after a fault, so that all of them are reported at once, each with its key and a remedy.

mod bots;
pub(super) mod budgets;
mod chats;
mod checks;
pub mod declared;
pub mod entry;
mod personas;
mod providers;
mod reactions;
pub mod strategies;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use botfleet_actors::domain::allowance::BudgetSpec;
use botfleet_actors::domain::configuration::Declaration;
use botfleet_actors::domain::roster::{BotSpec, ChatSpec, Persona, RosterPlan};
use secrecy::SecretString;
use toml::Table;

use super::described;
use super::fault::{Fault, Faults};
use super::secret::SecretSource;
use super::table;
use crate::config::manifest::checks::{Checks, Stored};
use crate::config::manifest::entry::ProviderEntry;

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
    /// All personas, also those that no bot has.
    pub personas: Vec<Persona>,
    /// The manifest thing by thing, with `[defaults]` in their places.
    pub declared: Vec<Declaration>,
    /// Name of the file; empty without a manifest.
    pub source: String,
    /// Folder at which relative paths of secrets start.
    pub folder: PathBuf,
}

impl LoadedManifest {
    /// Returns what a fleet without a manifest begins with: everything comes by the API. Relative paths of secrets start at
    /// the folder.
    pub fn none(folder: &Path) -> Self {
        Self {
            plan: RosterPlan::default(),
            tokens: BTreeMap::new(),
            providers: Vec::new(),
            budgets: Vec::new(),
            warnings: Vec::new(),
            personas: Vec::new(),
            declared: Vec::new(),
            source: String::new(),
            folder: folder.to_owned(),
        }
    }
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
        Self { file: path.display().to_string(), table }.check(folder, secrets, None)
    }

    /// Checks a manifest given as text; faults name it `file`.
    ///
    /// # Errors
    /// All faults, each with its key.
    pub fn read(text: &str, file: &str, secrets: &dyn SecretSource) -> Result<LoadedManifest, Faults> {
        let table = table::parse(text, file).map_err(|fault| Faults(vec![fault]))?;
        Self { file: file.to_owned(), table }.check(Path::new(""), secrets, None)
    }

    fn check(
        mut self,
        folder: &Path,
        secrets: &dyn SecretSource,
        stored: Option<Stored>,
    ) -> Result<LoadedManifest, Faults> {
        let written = stored.is_none().then(|| self.table.clone());
        let mut checks = Checks { file: self.file, folder, secrets, faults: Vec::new(), warnings: Vec::new(), stored };
        let mut file = checks.file();
        let [defaults, personas, strategies] =
            ["defaults", "personas", "strategies"].map(|key| file.table_of(&mut self.table, key, key));
        let [providers, bots, chats, budgets] =
            ["providers", "bots", "chats", "budgets"].map(|key| file.list_of(&mut self.table, key, key));
        let shared = file.check_defaults::<BotSpec, ChatSpec>(&defaults);
        for key in self.table.keys() {
            let known: Vec<_> = described::manifest().keys.iter().map(|known| known.name).collect();
            checks.fault(key, "unknown key", format!("known keys: {}", known.join(", ")));
        }

        let providers = providers::check(providers, &mut checks);
        let personas = personas::check(personas, &mut checks);
        let (bots, tokens) = bots::check(bots, (&defaults, &shared), &personas, &providers, &mut checks);
        let strategies = strategies::check(strategies, &mut checks);
        let chats = chats::check(chats, &defaults, (&bots, &providers), &strategies, &mut checks);

        let plan = RosterPlan { bots: bots.specs, chats };
        let providers = providers.entries;
        let folder = folder.to_owned();
        let budgets = budgets::check(budgets, (&plan.bots, &plan.chats), &providers, &mut checks);
        let faults = Faults(checks.distinct_faults());
        let declared = written.map(|written| declared::declare(&written, &plan)).unwrap_or_default();
        let personas = personas.into_values().collect();
        let (warnings, source) = (checks.warnings, checks.file);
        faults.or_ok(LoadedManifest { plan, tokens, providers, budgets, warnings, personas, declared, source, folder })
    }
}
