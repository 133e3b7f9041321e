//! Lays another manifest over the stored configuration. Layer `runtime`. Pure.
//!
//! Three states are compared: the manifest that made the stored things, the things as they are, and the new manifest. Only
//! what a manifest made is changed and retired. What operators made stays, and so does a field that an operator changed, unless
//! the manifest now says something else about that very field.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use botfleet_actors::domain::configuration::{
    Configuration, Declaration, Override, Resource, ResourceChange, ResourceId, ResourceOrigin,
};
use botfleet_actors::domain::time::Timestamp;
use serde_json::Value;

use crate::config::manifest::declared::shown_value;

/// Something that keeps a manifest from being applied.
#[derive(Clone, Debug, PartialEq)]
pub enum Clash {
    /// The manifest names a thing twice.
    Twice {
        /// The thing.
        id: ResourceId,
        /// The manifest.
        source: String,
    },
    /// An operator made a thing of that name.
    MadeByApi {
        /// The thing.
        id: ResourceId,
        /// The manifest.
        source: String,
        /// The operator.
        by: String,
    },
    /// An operator changed the field, and the manifest changes it too.
    Overridden {
        /// The thing.
        id: ResourceId,
        /// The field.
        field: String,
        /// The manifest.
        source: String,
        /// The operator's change.
        change: Override,
        /// The manifest's value before, and now.
        was: Value,
        /// The manifest's value now.
        is: Value,
    },
}

impl fmt::Display for Clash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Twice { id, source } => write!(f, "{id} stands in {source} twice; name it once"),
            Self::MadeByApi { id, source, by } => write!(
                f,
                "{id} stands in {source} and was made by the API ({by}); give one of them another name, or delete the \
                 one of the API: botfleet {} delete {:?}",
                id.kind.as_str(),
                id.name
            ),
            Self::Overridden { id, field, source, change, was, is } => {
                let shown = |value: &Value| shown_value(id.kind, field, value);
                write!(
                    f,
                    "{id}: {field} was changed to {} by {}, and {source} changes it from {} to {}; give it back with \
                     botfleet {} change {:?} --back {field}, or take the change out of {source}",
                    shown(&change.value),
                    change.by,
                    shown(was),
                    shown(is),
                    id.kind.as_str(),
                    id.name
                )
            }
        }
    }
}

/// Returns the changes that a manifest makes.
///
/// # Errors
/// Everything that stands in the way.
pub(in crate::runtime) fn merge(
    now: &Configuration,
    manifest: &[Declaration],
    source: &str,
    (by, at): (&str, Timestamp),
) -> Result<Vec<ResourceChange>, Vec<Clash>> {
    let (mut changes, mut clashes, mut said) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (place, declared) in manifest.iter().enumerate() {
        if !said.insert(&declared.id) {
            clashes.push(Clash::Twice { id: declared.id.clone(), source: source.to_owned() });
            continue;
        }
        let before = now.resources.get(&declared.id);
        if let Some(before) = before.filter(|before| before.origin == ResourceOrigin::Api) {
            let (id, source, by) = (declared.id.clone(), source.to_owned(), before.by.clone());
            clashes.push(Clash::MadeByApi { id, source, by });
            continue;
        }
        let place = u32::try_from(place).unwrap_or(u32::MAX);
        let overrides = kept(before, declared, source, &mut clashes);
        let (by, source) = (by.to_owned(), source.to_owned());
        let Declaration { id, keys, telegram_id } = declared.clone();
        let same = |before: &&Resource| {
            before.keys == keys && before.overrides == overrides && before.telegram_id == telegram_id
        };
        if before.as_ref().is_some_and(same) {
            continue;
        }
        let after = match before.cloned() {
            Some(before) => Resource { source, keys, overrides, telegram_id, by, at, ..before },
            None => Resource { source, keys, telegram_id, place, by, at, ..Resource::default() },
        };
        changes.push(ResourceChange { id, before: before.cloned(), after: Some(after) });
    }
    let retired =
        now.resources.iter().filter(|(id, thing)| thing.origin == ResourceOrigin::Manifest && !said.contains(id));
    changes.extend(retired.map(|(id, thing)| ResourceChange {
        id: id.clone(),
        before: Some(thing.clone()),
        after: None,
    }));
    if clashes.is_empty() { Ok(changes) } else { Err(clashes) }
}

/// Returns the overrides that stay: those whose field the manifest leaves as it was. One that says what the manifest now says
/// too has done its work.
fn kept(
    before: Option<&Resource>,
    declared: &Declaration,
    source: &str,
    clashes: &mut Vec<Clash>,
) -> BTreeMap<String, Override> {
    let mut kept = BTreeMap::new();
    let Some(before) = before else { return kept };
    for (field, change) in &before.overrides {
        let value = |keys: &botfleet_actors::domain::configuration::Keys| keys.get(field).cloned().unwrap_or_default();
        let (was, is) = (value(&before.keys), value(&declared.keys));
        if was == is {
            kept.insert(field.clone(), change.clone());
        } else if is != change.value {
            clashes.push(Clash::Overridden {
                id: declared.id.clone(),
                field: field.clone(),
                source: source.to_owned(),
                change: change.clone(),
                was,
                is,
            });
        }
    }
    kept
}

/// Returns the configuration after changes.
pub(in crate::runtime) fn after(now: &Configuration, changes: &[ResourceChange]) -> Configuration {
    let mut after = now.clone();
    for change in changes {
        match &change.after {
            Some(thing) => drop(after.resources.insert(change.id.clone(), thing.clone())),
            None => drop(after.resources.remove(&change.id)),
        }
    }
    after
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use botfleet_actors::domain::configuration::{Keys, ResourceKind};
    use serde_json::json;

    use super::*;

    const WHEN: (&str, Timestamp) = ("ayse", Timestamp::from_millis(7));

    fn bot(name: &str, cap: i64) -> Declaration {
        let keys = Keys::from([("hourly_cap".to_owned(), json!(cap)), ("token".to_owned(), json!("env:A"))]);
        Declaration { id: ResourceId::new(ResourceKind::Bot, name), keys, telegram_id: Some(cap) }
    }

    fn applied(now: &Configuration, manifest: &[Declaration]) -> Configuration {
        after(now, &merge(now, manifest, "fleet.toml", WHEN).unwrap())
    }

    fn overridden(cap: i64) -> Configuration {
        let mut now = applied(&Configuration::default(), &[bot("Ada", 1), bot("Bela", 1)]);
        let ada = now.resources.get_mut(&ResourceId::new(ResourceKind::Bot, "Ada")).unwrap();
        let change = Override { value: json!(cap), by: "bela".to_owned(), at: WHEN.1 };
        ada.overrides.insert("hourly_cap".to_owned(), change);
        now
    }

    fn cap(of: &Configuration) -> Value {
        of.resources[&ResourceId::new(ResourceKind::Bot, "Ada")].in_force()["hourly_cap"].clone()
    }

    #[test]
    fn a_manifest_makes_changes_and_retires_only_what_a_manifest_made() {
        let mut now = applied(&Configuration::default(), &[bot("Ada", 1), bot("Bela", 1)]);
        let cem = ResourceId::new(ResourceKind::Bot, "Cem");
        let made = Resource { origin: ResourceOrigin::Api, by: "ayse".to_owned(), ..Resource::default() };
        now.resources.insert(cem.clone(), made);
        let then = applied(&now, &[bot("Ada", 2)]);
        let names: Vec<&str> = then.resources.keys().map(|id| id.name.as_str()).collect();
        assert_eq!((names, cap(&then)), (vec!["Ada", "Cem"], json!(2)));
        let clashes = merge(&now, &[bot("Cem", 1)], "fleet.toml", WHEN).unwrap_err();
        let twice = merge(&now, &[bot("Ada", 1), bot("Ada", 1)], "fleet.toml", WHEN).unwrap_err();
        assert!(matches!(twice.as_slice(), [Clash::Twice { .. }]), "{twice:?}");
        let told = clashes[0].to_string();
        assert!(told.contains("bot Cem stands in fleet.toml") && told.contains("API (ayse)"), "{told}");
    }

    #[test]
    fn an_override_stays_until_the_manifest_changes_that_very_field() {
        let now = overridden(9);
        assert_eq!(merge(&now, &[bot("Ada", 1), bot("Bela", 1)], "f", WHEN), Ok(Vec::new()));
        let mut other = bot("Ada", 1);
        other.keys.insert("temperature".to_owned(), json!(0.5));
        assert_eq!(cap(&applied(&now, &[other])), json!(9), "another field changed");
        let clashes = merge(&now, &[bot("Ada", 3)], "f", WHEN).unwrap_err();
        let told = clashes[0].to_string();
        assert!(told.contains("hourly_cap was changed to 9 by bela, and f changes it from 1 to 3"), "{told}");
        let same = applied(&now, &[bot("Ada", 9)]);
        assert_eq!(cap(&same), json!(9));
        assert!(same.resources.values().all(|thing| thing.overrides.is_empty()), "the manifest took it over");
    }

    #[test]
    fn no_reference_of_a_secret_is_told() {
        let mut now = overridden(9);
        let ada = now.resources.get_mut(&ResourceId::new(ResourceKind::Bot, "Ada")).unwrap();
        let change = Override { value: json!("env:B"), by: "bela".to_owned(), at: WHEN.1 };
        ada.overrides.insert("token".to_owned(), change);
        let mut other = bot("Ada", 1);
        other.keys.insert("token".to_owned(), json!("env:C"));
        let told = merge(&now, &[other], "f", WHEN).unwrap_err()[0].to_string();
        assert!(!told.contains("env:") && told.contains("***"), "{told}");
    }
}
