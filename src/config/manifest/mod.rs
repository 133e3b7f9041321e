//! The manifest: bots, personas, chats and providers, as `fleet.toml` describes them. Part of `config`.
//!
//! | file | holds |
//! |---|---|
//! | `entry` | the keys of a provider; those of all else stand with their types in `domain` |
//! | `providers`, `personas`, `bots`, `chats`, `budgets` | what no single key shows: names, references, secrets |
//! | `strategies` | the directors' weights by name, of which each chat takes one |
//! | `reactions` | the emoji that Telegram takes as a bot's reaction |
//!
//! Reading goes on after a fault, so that all of them are reported at once, each with its key and a remedy.

mod bots;
pub(super) mod budgets;
mod chats;
mod checks;
pub mod entry;
mod personas;
mod providers;
mod reactions;
pub mod strategies;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use botfleet_actors::domain::allowance::BudgetSpec;
use botfleet_actors::domain::roster::{BotSpec, ChatSpec, RosterPlan};
use secrecy::SecretString;
use toml::Table;

use super::described;
use super::fault::{Fault, Faults};
use super::secret::SecretSource;
use super::table;
use crate::config::manifest::checks::Checks;
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
    /// Folder at which relative paths of secrets start.
    pub folder: PathBuf,
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
        faults.or_ok(LoadedManifest { plan, tokens, providers, budgets, warnings: checks.warnings, folder })
    }
}
