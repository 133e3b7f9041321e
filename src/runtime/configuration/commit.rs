//! Checks a change of the configuration as a whole, and puts it in force. Layer `runtime`. Keeps I8, I10, I12.

use std::path::PathBuf;
use std::sync::Arc;

use botfleet_actors::actors::fleet::messages::FleetMsg;
use botfleet_actors::domain::audit::AuditEntry;
use botfleet_actors::domain::configuration::{
    ConfigStep, Configuration, Configured, Declaration, NewConfiguration, PersonaRevision, Resource, ResourceChange,
    ResourceId, ResourceKind, STEPS_KEPT,
};
use botfleet_actors::domain::ids::ConfigSeq;
use botfleet_actors::domain::roster::BotSpec;
use botfleet_actors::ports::bus::{Audience, BusMessage};
use botfleet_actors::ports::configurations::Configurations;
use botfleet_actors::ports::event::EventKind;
use botfleet_actors::ports::store::StoreError;
use serde_json::{Value, json};

use super::back::back;
use super::change::{self, Author, ChangeError, Wanted, is_name};
use super::merge::{Clash, after, merge};
use super::reference::{self, Places};
use super::view::{RosterDiff, difference_of, field_changes};
use crate::config::fault::Faults;
use crate::config::manifest::declared::{self, StoredManifest};
use crate::outbound::guard::Guard;
use crate::runtime::fleet::RunningFleet;
use crate::runtime::vault::SecretSources;

/// The number of times that a change is made anew when another one came first.
const TRIES: usize = 5;

/// The stored configuration of a running node.
pub(in crate::runtime) struct Stored {
    pub(in crate::runtime) store: Arc<dyn Configurations>,
    /// The folder at which relative paths of secrets start.
    pub(in crate::runtime) folder: PathBuf,
    /// The sources of secrets.
    pub(in crate::runtime) sources: SecretSources,
    /// The places that operators may name for secrets.
    pub(in crate::runtime) places: Places,
    /// The guard of addresses that come by API.
    pub(in crate::runtime) guard: Arc<Guard>,
}

/// Reason why the configuration was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The thing does not allow the change.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// The manifest would undo what operators did.
    #[error("{}", listed(.0))]
    Clashes(Vec<Clash>),
    /// The configuration would not be sound.
    #[error("{}", listed(&.0.0))]
    Faults(Faults),
    /// Another change came first.
    #[error("the configuration is number {number} by now: {}", told(.steps))]
    Moved {
        /// The number in force.
        number: i64,
        /// The changes since.
        steps: Vec<ConfigStep>,
    },
    /// The number is not among those that are kept.
    #[error("configuration {0} is not kept; the last {STEPS_KEPT} are: botfleet config list")]
    NotKept(i64),
    /// The configuration came from a version that did not store its origin.
    #[error("the configuration in force was stored by an earlier version: apply its manifest once (botfleet apply)")]
    NoOrigin,
    /// The store does not answer, or refuses the bots and chats.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Joins what is wrong, one a line.
fn listed<T: ToString>(all: &[T]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Tells changes, one a line.
fn told(steps: &[ConfigStep]) -> String {
    let told = steps.iter().map(|step| format!("\n{} by {}: {}", step.number, step.by, difference_of(&step.changes)));
    told.collect()
}

/// A change that is asked for.
pub struct Asked<'a> {
    /// The one who asks.
    pub by: &'a str,
    /// Set when nothing shall be done, only told.
    pub dry_run: bool,
    /// The number of the configuration that the caller saw; another one in force refuses the change.
    pub on: Option<i64>,
    /// Set when it is the word of whoever owns the machine: a manifest's places of secrets, and addresses, then count as written.
    pub own_word: bool,
    /// The entry of the audit.
    pub entry: AuditEntry,
}

/// The end of a change.
#[derive(Debug)]
pub struct Committed {
    /// The number of the configuration in force.
    pub number: i64,
    /// The changes that were made; in a dry run those that would be.
    pub changes: Vec<ResourceChange>,
    /// Secrets that this node does not find.
    pub warnings: Vec<String>,
}

/// A manifest to be applied.
pub struct Applied<'a> {
    /// The things.
    pub declared: &'a [Declaration],
    /// The name.
    pub source: &'a str,
}

impl Stored {
    /// Checks the configuration after changes, and completes them with Telegram's ids of bots.
    ///
    /// # Errors
    /// The faults.
    pub(super) fn check(&self, now: &Configuration, changes: &mut [ResourceChange]) -> Result<StoredManifest, Faults> {
        let checked = declared::read(&after(now, changes), &self.folder, &self.sources)?;
        for change in changes.iter_mut().filter(|change| change.id.kind == ResourceKind::Bot) {
            if let Some(bot) = &mut change.after {
                bot.telegram_id = checked.telegram_ids.get(&change.id.name).copied();
            }
        }
        Ok(checked)
    }
}

impl RunningFleet {
    /// Returns the configuration as it is said.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn configuration(&self) -> Result<Configuration, StoreError> {
        self.configuration.store.configuration().await
    }

    /// Returns the last changes before a number, newest first.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn config_steps(&self, before: Option<i64>, limit: usize) -> Result<Vec<ConfigStep>, StoreError> {
        self.configuration.store.config_steps(before, limit).await
    }

    /// Returns the revisions of a persona, newest first.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn persona_revisions(&self, name: &str, limit: usize) -> Result<Vec<PersonaRevision>, StoreError> {
        self.configuration.store.persona_revisions(name, limit).await
    }

    /// Applies a manifest: makes, changes and retires what manifests made, and nothing else.
    ///
    /// # Errors
    /// `Clashes`, `Faults`, `Moved`, `Store`.
    pub async fn apply(&self, manifest: &Applied<'_>, asked: Asked<'_>) -> Result<Committed, ConfigError> {
        let (by, at, own_word) = (asked.by, asked.entry.at, asked.own_word);
        let normal = |declared: &Declaration| {
            let mut keys = declared::normal(declared.id.kind, &declared.keys);
            if declared.id.kind != ResourceKind::Budget {
                keys.remove("name");
            }
            Declaration { keys, ..declared.clone() }
        };
        let mut declared: Vec<Declaration> = manifest.declared.iter().map(normal).collect();
        for budget in declared.iter_mut().filter(|declared| declared.id.kind == ResourceKind::Budget) {
            budget.id.name = declared::budget_name(&budget.keys);
        }
        if !declared.iter().all(|declared| is_name(&declared.id.name)) {
            return Err(ChangeError::BadName.into());
        }
        let fingerprint = declared::fingerprint(&declared);
        let make = |now: &Configuration| {
            let mut changes = merge(now, &declared, manifest.source, (by, at)).map_err(ConfigError::Clashes)?;
            if !own_word {
                let places = &self.configuration.places;
                let in_force = |bot: &Resource| self.has_token(bot);
                changes.iter().try_for_each(|change| reference::check_change(change, places, in_force))?;
            }
            reference::note_addresses(&mut changes, own_word);
            Ok(changes)
        };
        self.commit(asked, Some(fingerprint), make).await
    }

    /// Makes a thing.
    ///
    /// # Errors
    /// `Change`, `Faults`, `NoOrigin`, `Store`.
    pub async fn create_resource(
        &self,
        kind: ResourceKind,
        name: Option<&str>,
        keys: &serde_json::Map<String, Value>,
        asked: Asked<'_>,
    ) -> Result<Committed, ConfigError> {
        let author = self.author(&asked);
        self.commit(asked, None, |now| Ok(vec![change::create(now, kind, name, keys, author)?])).await
    }

    /// Changes a thing of that version.
    ///
    /// # Errors
    /// `Change`, `Faults`, `NoOrigin`, `Store`.
    pub async fn change_resource(
        &self,
        id: &ResourceId,
        version: Option<i64>,
        wanted: &Wanted,
        asked: Asked<'_>,
    ) -> Result<Committed, ConfigError> {
        let author = self.author(&asked);
        self.commit(asked, None, |now| Ok(vec![change::change(now, id, version, wanted, author)?])).await
    }

    /// Removes a thing of that version, which an operator made.
    ///
    /// # Errors
    /// `Change`, `Faults`, `NoOrigin`, `Store`.
    pub async fn remove_resource(
        &self,
        id: &ResourceId,
        version: Option<i64>,
        asked: Asked<'_>,
    ) -> Result<Committed, ConfigError> {
        self.commit(asked, None, |now| Ok(vec![change::remove(now, id, version)?])).await
    }

    /// Makes the configuration as it was under an earlier number.
    ///
    /// # Errors
    /// `NotKept`, `Faults`, `Moved`, `Store`.
    pub async fn go_back(&self, number: i64, asked: Asked<'_>) -> Result<Committed, ConfigError> {
        let kept = usize::try_from(STEPS_KEPT).unwrap_or(usize::MAX);
        let steps = self.config_steps(None, kept).await?;
        // The changes were made of these steps: another step since refuses them.
        let asked = Asked { on: asked.on.or(Some(steps.first().map_or(0, |step| step.number))), ..asked };
        self.commit(asked, None, |now| back(now, &steps, number).ok_or(ConfigError::NotKept(number))).await
    }

    /// Makes a change of the configuration in force, checks what comes of it, and stores it. When another change came first
    /// the change is made anew, unless the caller named the number that it saw.
    async fn commit(
        &self,
        asked: Asked<'_>,
        manifest: Option<String>,
        make: impl Fn(&Configuration) -> Result<Vec<ResourceChange>, ConfigError> + Send,
    ) -> Result<Committed, ConfigError> {
        let mut moved = 0;
        for _ in 0..TRIES {
            let now = self.configuration().await?;
            if let Some(on) = asked.on.filter(|on| *on != now.number) {
                return Err(self.moved(on, now.number).await?);
            }
            let has_bots = !self.node.directory.known().bots.is_empty();
            if now.resources.is_empty() && manifest.is_none() && has_bots {
                return Err(ConfigError::NoOrigin);
            }
            let mut changes = make(&now)?;
            let checked = self.configuration.check(&now, &mut changes).map_err(ConfigError::Faults)?;
            changes.retain(|change| !change.is_none());
            reference::judge_addresses(&changes, &self.configuration.guard).await?;
            let warnings = warnings(&checked, &changes);
            let same_manifest = manifest.is_none() || manifest == now.manifest;
            if asked.dry_run || (changes.is_empty() && same_manifest) {
                return Ok(Committed { number: now.number, changes, warnings });
            }
            let mut entry = asked.entry.clone().with_after(match changes.as_slice() {
                [_] => json!({ "fields": field_changes(&changes) }),
                changes => json!(RosterDiff::of(changes)),
            });
            entry.set_before(json!({ "config_seq": now.number }));
            let new = NewConfiguration {
                on: now.number,
                changes: changes.clone(),
                manifest: manifest.clone(),
                plan: checked.manifest.plan,
                personas: checked.manifest.personas,
                by: asked.by.to_owned(),
            };
            match self.configuration.store.configure(&new, self.node.clock.now(), Some(&entry)).await? {
                Configured::InForce(roster, number) => {
                    self.tell_of(roster.config_seq, asked.by);
                    return Ok(Committed { number, changes, warnings });
                }
                Configured::Moved(number) => moved = number,
            }
            if let Some(on) = asked.on {
                return Err(self.moved(on, moved).await?);
            }
        }
        Err(ConfigError::Moved { number: moved, steps: Vec::new() })
    }

    /// Returns whether the configuration in force names the token of a bot already.
    fn has_token(&self, bot: &Resource) -> bool {
        let keys = bot.in_force();
        let token = keys.get("token").and_then(Value::as_str);
        let is_it = |spec: &BotSpec| (Some(spec.telegram_id.0), Some(&*spec.credential)) == (bot.telegram_id, token);
        self.node.directory.known().bots.values().any(|known| is_it(&known.spec))
    }

    fn author<'a>(&'a self, asked: &Asked<'a>) -> Author<'a> {
        Author { by: asked.by, at: asked.entry.at, own_word: asked.own_word, places: &self.configuration.places }
    }

    /// Tells what was changed since the number that a caller saw.
    async fn moved(&self, on: i64, number: i64) -> Result<ConfigError, StoreError> {
        let kept = usize::try_from(STEPS_KEPT).unwrap_or(usize::MAX);
        let mut steps = self.config_steps(None, kept).await?;
        steps.retain(|step| step.number > on);
        Ok(ConfigError::Moved { number, steps })
    }

    /// Has all nodes read the configuration.
    fn tell_of(&self, config_seq: ConfigSeq, by: &str) {
        self.node.bus.publish(Audience::Everybody, BusMessage::ConfigurationChanged(config_seq));
        let _ = self.actor.cast(FleetMsg::ReadRoster);
        self.node.announce(EventKind::ConfigurationApplied, config_seq.to_string());
        tracing::warn!(config.seq = %config_seq, by, "control: another configuration");
    }
}

/// Returns the warnings about things that change.
fn warnings(checked: &StoredManifest, changes: &[ResourceChange]) -> Vec<String> {
    let of = |key: &str| changes.iter().any(|change| key.starts_with(&format!("{}: ", change.id)));
    checked.manifest.warnings.iter().filter(|fault| of(&fault.key)).map(ToString::to_string).collect()
}
