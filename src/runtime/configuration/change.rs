//! Makes, changes and removes one thing of the configuration. Layer `runtime`. Pure. Keeps I12.

use botfleet_actors::domain::configuration::{
    ADDRESS, Configuration, Keys, Override, Resource, ResourceChange, ResourceId, ResourceKind, ResourceOrigin,
};
use botfleet_actors::domain::time::Timestamp;
use serde_json::{Map, Value};

use super::reference::{self, Places};
use crate::config::manifest::declared::{budget_name, paths};

/// Reason why a thing was not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// There is no such thing.
    #[error("there is no {0}")]
    Unknown(ResourceId),
    /// The name is taken.
    #[error("{id} exists: {whose}")]
    Taken {
        /// The thing.
        id: ResourceId,
        /// The one to whom the thing belongs.
        whose: String,
    },
    /// The thing has another version than the one that the caller read.
    #[error("{0} was changed since")]
    Stale(ResourceId),
    /// A manifest made the thing, and would make it again.
    #[error("{id} stands in {source_name}: take it out there and apply that, or switch it off")]
    OfManifest {
        /// The thing.
        id: ResourceId,
        /// The manifest.
        source_name: String,
    },
    /// The field is as its manifest says, or the thing is an operator's.
    #[error("{field} of {id} is not overridden")]
    NotOverridden {
        /// The thing.
        id: ResourceId,
        /// The field.
        field: String,
    },
    /// The name is missing, too long, or holds what names do not hold.
    #[error("name: give 1 to 100 characters, none of them a control character, a slash or a blank at an end")]
    BadName,
    /// A name among the keys.
    #[error("keys.name: a thing has its name beside its keys, and keeps it")]
    KeepsName,
    /// A budget is made of what its name says.
    #[error("{0}: what a budget limits is its name; delete it and make another")]
    NamesBudget(String),
    /// A reference leads to a place that is not for operators.
    #[error("{key}: {why}")]
    BadReference {
        /// The key.
        key: String,
        /// The reason why the place is refused.
        why: String,
    },
    /// The address of a provider may not be asked.
    #[error("base_url: the address {0}")]
    BadAddress(String),
    /// A provider goes to another address with its old keys.
    #[error("the provider gets another address: give its key anew, as api_key or keys")]
    KeysNeeded,
    /// Bots alone are switched on and off.
    #[error("only bots are switched on and off")]
    NoSwitch,
}

/// The author of a change, with the instant.
#[derive(Clone, Copy, Debug)]
pub struct Author<'a> {
    /// The operator.
    pub by: &'a str,
    /// The instant.
    pub at: Timestamp,
    /// Set when it is the word of whoever owns the machine.
    pub own_word: bool,
    /// The places that operators may name.
    pub(in crate::runtime) places: &'a Places,
}

/// Changes of a thing; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Keys with other values; null leaves a key out.
    pub keys: Map<String, Value>,
    /// Set to switch a bot on, unset to switch it off.
    pub enabled: Option<bool>,
    /// Fields to be given back to the manifest.
    pub back: Vec<String>,
}

/// Makes a thing.
///
/// # Errors
/// `Taken`, `BadName`, `BadReference`.
pub(in crate::runtime) fn create(
    now: &Configuration,
    kind: ResourceKind,
    name: Option<&str>,
    keys: &Map<String, Value>,
    author: Author<'_>,
) -> Result<ResourceChange, ChangeError> {
    let mut keys = paths(kind, keys);
    keys.retain(|_, value| !value.is_null());
    let name = match kind {
        ResourceKind::Budget => budget_name(&keys),
        _ => name.unwrap_or_default().to_owned(),
    };
    if !is_name(&name) || name.contains('/') {
        return Err(ChangeError::BadName);
    }
    check_keys(kind, &keys, author)?;
    let id = ResourceId { kind, name };
    if let Some(thing) = now.resources.get(&id) {
        return Err(ChangeError::Taken { id, whose: whose(thing) });
    }
    let place = now.resources.iter().filter(|(id, _)| id.kind == kind).map(|(_, thing)| thing.place).max();
    let place = place.map_or(0, |last| last.saturating_add(1));
    let (origin, by, at) = (ResourceOrigin::Api, author.by.to_owned(), author.at);
    let said = keys.get(ADDRESS).cloned().filter(|_| author.own_word);
    let mut after = Resource { origin, keys, place, by, at, ..Resource::default() };
    after.vouch_for(said.as_ref());
    Ok(ResourceChange { id, before: None, after: Some(after) })
}

/// Checks keys that came by the API, but for their values.
fn check_keys(kind: ResourceKind, keys: &Keys, author: Author<'_>) -> Result<(), ChangeError> {
    if kind != ResourceKind::Budget && keys.contains_key("name") {
        return Err(ChangeError::KeepsName);
    }
    reference::check(kind, keys, author.places, author.own_word)
}

/// Returns whether a thing may have a name.
pub(super) fn is_name(name: &str) -> bool {
    name.trim() == name && !name.is_empty() && name.chars().count() <= 100 && !name.contains(char::is_control)
}

fn whose(thing: &Resource) -> String {
    match thing.origin {
        ResourceOrigin::Manifest => format!("it stands in {}", thing.source),
        ResourceOrigin::Api => format!("{} made it by the API", thing.by),
    }
}

/// Returns the thing, if it has the version that the caller read.
fn found<'a>(now: &'a Configuration, id: &ResourceId, version: Option<i64>) -> Result<&'a Resource, ChangeError> {
    let thing = now.resources.get(id).ok_or_else(|| ChangeError::Unknown(id.clone()))?;
    if version.is_some_and(|version| version != thing.version) {
        return Err(ChangeError::Stale(id.clone()));
    }
    Ok(thing)
}

/// Changes a thing: what an operator made in its own keys, what a manifest made by overrides.
///
/// # Errors
/// `Unknown`, `Stale`, `BadReference`, `KeysNeeded`, `NamesBudget`, `NoSwitch`, `NotOverridden`.
pub(in crate::runtime) fn change(
    now: &Configuration,
    id: &ResourceId,
    version: Option<i64>,
    wanted: &Wanted,
    author: Author<'_>,
) -> Result<ResourceChange, ChangeError> {
    let before = found(now, id, version)?;
    let keys = paths(id.kind, &wanted.keys);
    check_keys(id.kind, &keys, author)?;
    reference::check_destination(id.kind, &before.in_force(), &keys)?;
    let mut after = Resource { by: author.by.to_owned(), at: author.at, ..before.clone() };
    for field in &wanted.back {
        if after.overrides.remove(field).is_none() {
            return Err(ChangeError::NotOverridden { id: id.clone(), field: field.clone() });
        }
    }
    if author.own_word {
        after.vouch_for(keys.get(ADDRESS));
    }
    for (path, value) in keys {
        set(&mut after, path, value, author);
    }
    after.forget_addresses();
    if id.kind == ResourceKind::Budget && budget_name(&after.in_force()) != id.name {
        return Err(ChangeError::NamesBudget(id.name.clone()));
    }
    if let Some(enabled) = wanted.enabled {
        if id.kind != ResourceKind::Bot {
            return Err(ChangeError::NoSwitch);
        }
        after.disabled = !enabled;
    }
    // Another token may be of another bot.
    if after.in_force().get("token") != before.in_force().get("token") {
        after.telegram_id = None;
    }
    Ok(ResourceChange { id: id.clone(), before: Some(before.clone()), after: Some(after) })
}

/// Gives a field a value.
fn set(thing: &mut Resource, path: String, value: Value, Author { by, at, .. }: Author<'_>) {
    let own = |keys: &Keys| keys.get(&path).cloned().unwrap_or_default();
    match thing.origin {
        ResourceOrigin::Manifest if own(&thing.keys) == value => drop(thing.overrides.remove(&path)),
        ResourceOrigin::Manifest => {
            thing.overrides.insert(path, Override { value, by: by.to_owned(), at });
        }
        ResourceOrigin::Api if value.is_null() => drop(thing.keys.remove(&path)),
        ResourceOrigin::Api => drop(thing.keys.insert(path, value)),
    }
}

/// Removes a thing that an operator made.
///
/// # Errors
/// `Unknown`, `Stale`, `OfManifest`.
pub(in crate::runtime) fn remove(
    now: &Configuration,
    id: &ResourceId,
    version: Option<i64>,
) -> Result<ResourceChange, ChangeError> {
    let before = found(now, id, version)?;
    if before.origin == ResourceOrigin::Manifest {
        return Err(ChangeError::OfManifest { id: id.clone(), source_name: before.source.clone() });
    }
    Ok(ResourceChange { id: id.clone(), before: Some(before.clone()), after: None })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::LazyLock;

    use serde_json::json;

    use super::super::merge::after;
    use super::*;

    static PLACES: LazyLock<Places> = LazyLock::new(Places::default);

    fn author() -> Author<'static> {
        Author { by: "ayse", at: Timestamp::from_millis(7), own_word: false, places: &PLACES }
    }

    fn object(value: Value) -> Map<String, Value> {
        if let Value::Object(fields) = value { fields } else { Map::new() }
    }

    fn wanted(keys: Value) -> Wanted {
        Wanted { keys: object(keys), ..Wanted::default() }
    }

    fn of_manifest() -> (Configuration, ResourceId) {
        let id = ResourceId::new(ResourceKind::Chat, "lounge");
        let keys = Keys::from([("pacing.burst".to_owned(), json!("2s"))]);
        let thing = Resource { keys, source: "fleet.toml".to_owned(), version: 3, ..Resource::default() };
        (Configuration { resources: [(id.clone(), thing)].into(), ..Configuration::default() }, id)
    }

    #[test]
    fn what_a_manifest_made_is_changed_by_an_override_that_can_be_given_back() {
        let (now, id) = of_manifest();
        let change = |now: &Configuration, wanted: &Wanted| change(now, &id, None, wanted, author());
        let changed = change(&now, &wanted(json!({ "pacing": { "burst": "1s" } }))).unwrap();
        assert_eq!(changed.fields(), ["pacing.burst"]);
        let then = after(&now, &[changed]);
        let thing = &then.resources[&id];
        assert_eq!((&thing.keys["pacing.burst"], &thing.in_force()["pacing.burst"]), (&json!("2s"), &json!("1s")));
        assert_eq!(thing.overrides["pacing.burst"].by, "ayse");
        let back = Wanted { back: vec!["pacing.burst".to_owned()], ..Wanted::default() };
        let given = change(&then, &back).unwrap().after.unwrap();
        assert!(given.overrides.is_empty() && given.in_force() == given.keys);
        assert!(matches!(change(&now, &back), Err(ChangeError::NotOverridden { .. })));
        let same = change(&then, &wanted(json!({ "pacing": { "burst": "2s" } }))).unwrap().after.unwrap();
        assert!(same.overrides.is_empty(), "the manifest's own value is no override");
    }

    #[test]
    fn a_version_that_is_over_and_a_thing_of_a_manifest_are_refused() {
        let (now, id) = of_manifest();
        assert_eq!(change(&now, &id, Some(2), &Wanted::default(), author()), Err(ChangeError::Stale(id.clone())));
        assert!(remove(&now, &id, Some(3)).unwrap_err().to_string().contains("fleet.toml"));
        let taken = create(&now, ResourceKind::Chat, Some("lounge"), &Map::new(), author()).unwrap_err();
        assert!(taken.to_string().contains("it stands in fleet.toml"), "{taken}");
        let other = ResourceId::new(ResourceKind::Chat, "other");
        assert_eq!(remove(&now, &other, None), Err(ChangeError::Unknown(other)));
    }

    #[test]
    fn a_thing_keeps_its_name_and_a_change_that_says_the_same_is_none() {
        let (now, id) = of_manifest();
        let named = change(&now, &id, None, &wanted(json!({ "name": "other" })), author());
        assert_eq!(named, Err(ChangeError::KeepsName));
        let same = change(&now, &id, None, &wanted(json!({ "pacing": { "burst": "2s" } })), author()).unwrap();
        assert!(same.is_none());
        let other = change(&now, &id, None, &wanted(json!({ "pacing": { "burst": "3s" } })), author()).unwrap();
        assert!(!other.is_none());
    }

    #[test]
    fn a_budget_is_named_by_what_it_limits() {
        let keys = object(json!({ "scope": "bot", "unit": "tokens", "per": "day", "limit": 5, "name": "Ada" }));
        let made = create(&Configuration::default(), ResourceKind::Budget, None, &keys, author()).unwrap();
        assert_eq!(made.id.name, "bot-tokens-day-Ada");
        let now = after(&Configuration::default(), std::slice::from_ref(&made));
        assert!(change(&now, &made.id, None, &wanted(json!({ "limit": 6 })), author()).is_ok());
        let other = change(&now, &made.id, None, &wanted(json!({ "per": "hour" })), author());
        assert!(matches!(other, Err(ChangeError::NamesBudget(_))));
    }
}
