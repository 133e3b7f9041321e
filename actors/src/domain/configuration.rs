//! The configuration as a manifest and operators say it: each thing with its origin, and the fields that operators changed. Layer
//! `domain`. Keeps I10, I12.
//!
//! A value stands here as a manifest writes it. A key of a table within a thing is a path: `pacing.burst`. Secrets are
//! references.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::names::names;
use super::roster::{Persona, Roster, RosterPlan};
use super::time::Timestamp;

/// The number of the last changes that are kept, each with its difference.
pub const STEPS_KEPT: i64 = 30;

/// The key of a provider that holds the address.
pub const ADDRESS: &str = "base_url";

/// The keys of a thing with their values.
pub type Keys = BTreeMap<String, Value>;

/// A kind of thing that the configuration holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum ResourceKind {
    /// A provider of models.
    Provider,
    /// A character.
    Persona,
    /// Weights of a director.
    Strategy,
    /// A bot.
    Bot,
    /// A chat.
    Chat,
    /// A limit of what may be spent.
    Budget,
}

names! { ResourceKind {
    Provider = "provider", Persona = "persona", Strategy = "strategy", Bot = "bot", Chat = "chat", Budget = "budget",
} }

/// Says who made a thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum ResourceOrigin {
    /// A manifest: the thing goes when the manifest leaves it out.
    #[default]
    Manifest,
    /// An operator, by the API: no manifest changes or retires it.
    Api,
}

names! { ResourceOrigin { Manifest = "manifest", Api = "api" } }

/// Identifies a thing of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ResourceId {
    /// The kind.
    pub kind: ResourceKind,
    /// The name, unique within its kind.
    pub name: String,
}

impl ResourceId {
    /// Names a thing.
    pub fn new(kind: ResourceKind, name: impl Into<String>) -> Self {
        Self { kind, name: name.into() }
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.as_str(), self.name)
    }
}

/// A thing as a manifest says it.
#[derive(Clone, Debug, PartialEq)]
pub struct Declaration {
    /// The thing.
    pub id: ResourceId,
    /// The keys.
    pub keys: Keys,
    /// Telegram's id of a bot, which its token begins with.
    pub telegram_id: Option<i64>,
}

/// The value that an operator gave a field of a manifest's thing. The manifest's own value stays under it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Override {
    /// The value; null leaves the field out.
    pub value: Value,
    /// The operator.
    pub by: String,
    /// The instant of the change.
    pub at: Timestamp,
}

/// A thing of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resource {
    /// The one who made it.
    pub origin: ResourceOrigin,
    /// The manifest's name, of what a manifest made.
    pub source: String,
    /// The keys, as the manifest or the operator gave them.
    pub keys: Keys,
    /// The fields that operators changed of what a manifest made.
    pub overrides: BTreeMap<String, Override>,
    /// Set when an operator switched it off; bots alone are switched.
    pub disabled: bool,
    /// Telegram's id of a bot, which its token begins with.
    pub telegram_id: Option<i64>,
    /// The addresses of a provider that are the word of whoever owns the machine: they are asked as written, private networks
    /// included. Any other is guarded.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub vouched: BTreeSet<String>,
    /// The place among things of its kind.
    pub place: u32,
    /// The one who changed it last.
    pub by: String,
    /// The instant of the last change.
    pub at: Timestamp,
    /// The number of the configuration that changed it last.
    pub version: i64,
}

impl Resource {
    /// Returns whether two states of a thing say the same, whoever said it and when.
    pub fn says_what(&self, other: &Self) -> bool {
        let said = |thing: &Self| Self { by: String::new(), at: Timestamp::default(), version: 0, ..thing.clone() };
        said(self) == said(other)
    }

    /// Returns the address of a provider that is not the word of whoever owns the machine.
    pub fn guarded_address(&self) -> Option<String> {
        let keys = self.in_force();
        let address = keys.get(ADDRESS)?.as_str()?;
        (!self.vouched.contains(address)).then(|| address.to_owned())
    }

    /// Notes that an address among the keys is the word of whoever owns the machine.
    pub fn vouch_for(&mut self, address: Option<&Value>) {
        self.vouched.extend(address.and_then(Value::as_str).map(str::to_owned));
    }

    /// Forgets the addresses that are neither in force nor under what is.
    pub fn forget_addresses(&mut self) {
        let given = self.keys.get(ADDRESS).into_iter().chain(self.overrides.get(ADDRESS).map(|change| &change.value));
        let given: BTreeSet<&str> = given.filter_map(Value::as_str).collect();
        self.vouched.retain(|address| given.contains(address.as_str()));
    }

    /// Returns the keys in force: the given ones, under what operators changed.
    pub fn in_force(&self) -> Keys {
        let mut keys = self.keys.clone();
        for (field, change) in &self.overrides {
            if change.value.is_null() {
                keys.remove(field);
            } else {
                keys.insert(field.clone(), change.value.clone());
            }
        }
        keys
    }
}

/// The configuration, thing by thing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Configuration {
    /// The number of the last change; 0 before the first.
    pub number: i64,
    /// The things.
    pub resources: BTreeMap<ResourceId, Resource>,
    /// The fingerprint of the manifest that was applied last.
    pub manifest: Option<String>,
}

/// A thing before and after a change; nothing before it was made, and nothing after it went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResourceChange {
    /// The thing.
    #[serde(flatten)]
    pub id: ResourceId,
    /// The thing before.
    pub before: Option<Resource>,
    /// The thing after.
    pub after: Option<Resource>,
}

impl ResourceChange {
    /// Returns whether nothing is said otherwise.
    pub fn is_none(&self) -> bool {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => before.says_what(after),
            (before, after) => before.is_none() && after.is_none(),
        }
    }

    /// Names the fields whose values in force differ.
    pub fn fields(&self) -> Vec<String> {
        let keys = |resource: &Option<Resource>| resource.as_ref().map(Resource::in_force).unwrap_or_default();
        let (before, after) = (keys(&self.before), keys(&self.after));
        let mut fields: Vec<String> = before.keys().chain(after.keys()).cloned().collect();
        fields.sort_unstable();
        fields.dedup();
        fields.retain(|field| before.get(field) != after.get(field));
        let off = |resource: &Option<Resource>| resource.as_ref().is_some_and(|resource| resource.disabled);
        if off(&self.before) != off(&self.after) {
            fields.push("enabled".to_owned());
        }
        fields
    }
}

/// A change of the configuration, with its number.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigStep {
    /// The number.
    pub number: i64,
    /// The instant.
    pub at: Timestamp,
    /// The one who made it.
    pub by: String,
    /// The things that changed.
    pub changes: Vec<ResourceChange>,
}

/// A change of the configuration to be made, with what follows from the configuration after it.
#[derive(Clone, Debug, Default)]
pub struct NewConfiguration {
    /// The number of the configuration that the change was made of. Another one in force refuses the change.
    pub on: i64,
    /// The things that change.
    pub changes: Vec<ResourceChange>,
    /// The fingerprint of the manifest, where one is applied.
    pub manifest: Option<String>,
    /// All bots and chats after the change.
    pub plan: RosterPlan,
    /// All personas after the change, also those that no bot has.
    pub personas: Vec<Persona>,
    /// The author of the change.
    pub by: String,
}

/// The end of a change.
#[derive(Clone, Debug, PartialEq)]
pub enum Configured {
    /// The change is in force under that number.
    InForce(Roster, i64),
    /// Another change was made since, which has that number; nothing was done.
    Moved(i64),
}

/// A revision of a persona.
#[derive(Clone, Debug, PartialEq)]
pub struct PersonaRevision {
    /// The number of the revision, from 1.
    pub revision: i64,
    /// The instant at which it was stored.
    pub at: Timestamp,
    /// The persona.
    pub persona: Persona,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_override_stands_over_the_manifests_value_and_null_leaves_the_field_out() {
        let change = |value| Override { value, by: "ayse".to_owned(), at: Timestamp::default() };
        let keys = Keys::from([("a".to_owned(), json!(1)), ("b".to_owned(), json!(2))]);
        let mut resource = Resource { keys, ..Resource::default() };
        let before = Some(resource.clone());
        resource.overrides.insert("a".to_owned(), change(json!(3)));
        resource.overrides.insert("b".to_owned(), change(Value::Null));
        assert_eq!(resource.in_force(), Keys::from([("a".to_owned(), json!(3))]));
        resource.disabled = true;
        let id = ResourceId::new(ResourceKind::Bot, "Ada");
        let change = ResourceChange { id, before, after: Some(resource) };
        assert_eq!(change.fields(), ["a", "b", "enabled"]);
    }
}
