//! Computes what another manifest would change. Layer `runtime`. Pure.

use std::collections::{BTreeMap, BTreeSet};

use botfleet_actors::domain::roster::{Roster, RosterPlan};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The changes, by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RosterDiff {
    /// Bots.
    pub bots: Changes,
    /// Chats.
    pub chats: Changes,
    /// Personas of bots.
    pub personas: Changes,
}

/// The changes among things of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Changes {
    /// Names that are new.
    pub added: Vec<String>,
    /// Names with the keys that differ.
    pub changed: Vec<Changed>,
    /// Names that the manifest leaves out; their stored data stays, unused.
    pub left_out: Vec<String>,
}

/// A thing that is described otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Changed {
    /// Name of the thing.
    pub name: String,
    /// The keys that differ.
    pub keys: Vec<String>,
}

impl RosterDiff {
    /// Returns whether nothing changes.
    pub fn is_empty(&self) -> bool {
        [&self.bots, &self.chats, &self.personas].into_iter().all(|changes| *changes == Changes::default())
    }

    /// Compares `plan` with what is stored.
    pub fn between(stored: &Roster, plan: &RosterPlan) -> Self {
        let bots_now = stored.bots.values().map(|bot| &bot.spec);
        let chats_now = stored.chats.values().map(|chat| &chat.spec);
        Self {
            personas: Changes::between(
                &named(bots_now.clone().map(|bot| (&bot.persona.name, &bot.persona))),
                &named(plan.bots.iter().map(|bot| (&bot.persona.name, &bot.persona))),
            ),
            bots: Changes::between(
                &named(bots_now.map(|bot| (&bot.name, bot))),
                &named(plan.bots.iter().map(|bot| (&bot.name, bot))),
            ),
            chats: Changes::between(
                &named(chats_now.map(|chat| (&chat.name, chat))),
                &named(plan.chats.iter().map(|chat| (&chat.name, chat))),
            ),
        }
    }
}

/// Maps each name to the keys that describe the thing; a persona of several bots appears once.
fn named<'a, T: Serialize + 'a>(things: impl Iterator<Item = (&'a String, &'a T)>) -> BTreeMap<String, Value> {
    things.map(|(name, thing)| (name.clone(), serde_json::to_value(thing).unwrap_or_default())).collect()
}

impl Changes {
    fn between(now: &BTreeMap<String, Value>, then: &BTreeMap<String, Value>) -> Self {
        let mut changes = Self::default();
        for (name, described) in then {
            match now.get(name) {
                None => changes.added.push(name.clone()),
                Some(before) if before != described => {
                    changes.changed.push(Changed { name: name.clone(), keys: differing(before, described) });
                }
                Some(_) => {}
            }
        }
        changes.left_out = now.keys().filter(|name| !then.contains_key(*name)).cloned().collect();
        changes
    }
}

fn differing(before: &Value, after: &Value) -> Vec<String> {
    let keys = [before, after].into_iter().filter_map(Value::as_object).flat_map(serde_json::Map::keys);
    let keys: BTreeSet<&String> = keys.collect();
    keys.into_iter().filter(|key| before.get(key.as_str()) != after.get(key.as_str())).cloned().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn things(things: &[(&str, i32)]) -> BTreeMap<String, Value> {
        things.iter().map(|(name, style)| ((*name).to_owned(), json!({ "name": name, "style": style }))).collect()
    }

    #[test]
    fn a_difference_names_what_is_new_changed_and_left_out() {
        let changes = Changes::between(
            &things(&[("Ada", 1), ("Baran", 1), ("Cem", 1)]),
            &things(&[("Ada", 1), ("Baran", 2), ("Deniz", 1)]),
        );
        assert_eq!(changes.added, ["Deniz"]);
        assert_eq!(changes.changed, [Changed { name: "Baran".into(), keys: vec!["style".into()] }]);
        assert_eq!(changes.left_out, ["Cem"]);
    }

    #[test]
    fn the_same_manifest_changes_nothing() {
        assert!(RosterDiff::between(&Roster::default(), &RosterPlan::default()).is_empty());
    }
}
