//! The manifest thing by thing, as the fleet stores it; and the stored things as a manifest again. Part of `config`. Keeps
//! I12.
//!
//! A stored thing has its keys as a manifest writes them, with `[defaults]` in their places. A key of a table within it is a
//! path, as `pacing.burst`, so that one key can be changed alone. The checks of a file and of what is stored are the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use botfleet_actors::domain::configuration::{Configuration, Declaration, Keys, ResourceId, ResourceKind};
use botfleet_actors::domain::keys::describe::{Description, Holds};
use botfleet_actors::domain::roster::{BotSpec, ChatSpec, Persona, RosterPlan};
use botfleet_actors::domain::strategy::Strategy;
use ring::digest;
use serde_json::{Map, Value as Json};
use toml::{Table, Value};

use super::budgets::Budget;
use super::checks::Stored;
use super::entry::ProviderEntry;
use super::{LoadedManifest, Manifest};
use crate::config::fault::{Fault, Faults};
use crate::config::secret::SecretSource;

/// The name of the stored configuration in faults.
const STORED: &str = "configuration";

/// Written in the place of a secret, or of a reference to one.
const MASK: &str = "***";

/// Describes the keys of a kind of thing.
pub fn description(kind: ResourceKind) -> Description {
    match kind {
        ResourceKind::Provider => Description::of::<ProviderEntry>(),
        ResourceKind::Persona => Description::of::<Persona>(),
        ResourceKind::Strategy => Description::of::<Strategy>(),
        ResourceKind::Bot => Description::of::<BotSpec>(),
        ResourceKind::Chat => Description::of::<ChatSpec>(),
        ResourceKind::Budget => Description::of::<Budget>(),
    }
}

/// The table of a manifest that holds a kind of thing.
const fn table_of(kind: ResourceKind) -> &'static str {
    match kind {
        ResourceKind::Provider => "providers",
        ResourceKind::Persona => "personas",
        ResourceKind::Strategy => "strategies",
        ResourceKind::Bot => "bots",
        ResourceKind::Chat => "chats",
        ResourceKind::Budget => "budgets",
    }
}

/// Returns whether a manifest holds things of a kind in tables by name.
const fn is_named(kind: ResourceKind) -> bool {
    matches!(kind, ResourceKind::Persona | ResourceKind::Strategy)
}

/// Returns the name of a budget, which its keys make: owner, unit and period.
pub fn budget_name(keys: &Keys) -> String {
    let part = |key: &str| keys.get(key).and_then(Json::as_str);
    let parts = ["scope", "unit", "per"].map(|key| part(key).unwrap_or("?"));
    parts.into_iter().chain(part("name")).collect::<Vec<_>>().join("-")
}

/// Returns the paths of the keys in an object.
pub fn paths(kind: ResourceKind, object: &Map<String, Json>) -> Keys {
    let mut keys = Keys::new();
    flatten(object, &description(kind), "", &mut keys);
    keys
}

fn flatten(object: &Map<String, Json>, description: &Description, prefix: &str, into: &mut Keys) {
    for (key, value) in object {
        let path = format!("{prefix}{key}");
        let holds = description.keys.iter().find(|known| known.name == key).map(|known| &known.holds);
        match (holds, value) {
            (Some(Holds::Table(inner)), Json::Object(table)) => flatten(table, inner, &format!("{path}."), into),
            _ => drop(into.insert(path, value.clone())),
        }
    }
}

/// Returns the object that paths stand for.
fn object(keys: &Keys) -> Map<String, Json> {
    let mut object = Map::new();
    for (path, value) in keys {
        let mut at = &mut object;
        let mut parts = path.split('.').peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                at.insert(part.to_owned(), value.clone());
                break;
            }
            // A value where a table belongs stays, and is a fault of its own.
            match at.entry(part).or_insert_with(|| Json::Object(Map::new())) {
                Json::Object(inner) => at = inner,
                _ => break,
            }
        }
    }
    object
}

/// Takes a sound manifest apart.
pub(super) fn declare(manifest: &Table, plan: &RosterPlan) -> Vec<Declaration> {
    let json = |table: &Table| match serde_json::to_value(table) {
        Ok(Json::Object(object)) => object,
        _ => Map::new(),
    };
    let defaults = manifest.get("defaults").and_then(Value::as_table).map(json).unwrap_or_default();
    let ids: BTreeMap<&str, i64> = plan.bots.iter().map(|bot| (bot.name.as_str(), bot.telegram_id.0)).collect();
    let mut declared = Vec::new();
    for kind in ResourceKind::ALL {
        let shared: BTreeSet<&str> = description(kind).shared().keys.iter().map(|key| key.name).collect();
        let mut of_defaults = defaults.clone();
        of_defaults.retain(|key, _| shared.contains(key.as_str()));
        let of_defaults = paths(kind, &of_defaults);
        let mut add = |name: Option<String>, object: Map<String, Json>| {
            let mut keys = of_defaults.clone();
            keys.extend(paths(kind, &object));
            let name = match (name, kind) {
                (Some(name), _) => name,
                (None, ResourceKind::Budget) => budget_name(&keys),
                (None, _) => match keys.remove("name") {
                    Some(Json::String(name)) => name.trim().to_owned(),
                    _ => return,
                },
            };
            let telegram_id = ids.get(name.as_str()).copied().filter(|_| kind == ResourceKind::Bot);
            declared.push(Declaration { id: ResourceId { kind, name }, keys, telegram_id });
        };
        match manifest.get(table_of(kind)) {
            Some(Value::Array(things)) => {
                things.iter().filter_map(Value::as_table).for_each(|thing| add(None, json(thing)));
            }
            Some(Value::Table(things)) => {
                let things = things.iter().filter_map(|(name, thing)| Some((name, thing.as_table()?)));
                things.for_each(|(name, thing)| add(Some(name.clone()), json(thing)));
            }
            _ => {}
        }
    }
    declared
}

/// Returns the fingerprint of a manifest: another one says something else, or its tokens are of other bots.
pub fn fingerprint(declared: &[Declaration]) -> String {
    let mut hash = digest::Context::new(&digest::SHA256);
    for Declaration { id, keys, telegram_id } in declared {
        hash.update(format!("{id}\n{telegram_id:?}\n").as_bytes());
        // What was read as JSON can be written.
        hash.update(serde_json::to_string(keys).unwrap_or_default().as_bytes());
        hash.update(b"\n");
    }
    data_encoding::HEXLOWER.encode(hash.finish().as_ref())
}

/// A stored configuration, checked.
#[derive(Debug)]
pub struct StoredManifest {
    /// The configuration as a manifest. Bots that are switched off are left out.
    pub manifest: LoadedManifest,
    /// Telegram's ids of all bots, by name.
    pub telegram_ids: BTreeMap<String, i64>,
}

/// Reads a stored configuration as a manifest.
///
/// # Errors
/// All faults, each with the thing and its key.
pub fn read(
    configuration: &Configuration,
    folder: &Path,
    secrets: &dyn SecretSource,
) -> Result<StoredManifest, Faults> {
    let mut table = Table::new();
    let mut places: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut faults = Vec::new();
    let mut things: Vec<_> = configuration.resources.iter().collect();
    things.sort_by_key(|(id, thing)| (id.kind, thing.place, &id.name));
    let mut stored = Stored::default();
    for (id, thing) in things {
        let keys = thing.in_force();
        if let (Some(telegram), Some(Json::String(token))) = (thing.telegram_id, keys.get("token")) {
            stored.telegram_ids.insert(token.clone(), telegram);
        }
        let mut object = object(&keys);
        if !is_named(id.kind) && id.kind != ResourceKind::Budget {
            object.insert("name".to_owned(), Json::String(id.name.clone()));
        }
        let Ok(thing) = Value::try_from(Json::Object(object)) else {
            faults.push(Fault::new(
                STORED,
                id.to_string(),
                "holds a value that no manifest can hold",
                "write it otherwise",
            ));
            continue;
        };
        let of_kind = table_of(id.kind);
        if is_named(id.kind) {
            let named = table.entry(of_kind).or_insert_with(|| Value::Table(Table::new()));
            if let Some(named) = named.as_table_mut() {
                named.insert(id.name.clone(), thing);
            }
        } else {
            places.entry(of_kind).or_default().push(&id.name);
            let list = table.entry(of_kind).or_insert_with(|| Value::Array(Vec::new()));
            if let Some(list) = list.as_array_mut() {
                list.push(thing);
            }
        }
    }
    Faults(faults).or_ok(())?;
    let manifest = Manifest { file: STORED.to_owned(), table };
    let mut manifest = manifest.check(folder, secrets, Some(stored)).map_err(|faults| named(faults, &places))?;
    manifest.warnings = named(Faults(manifest.warnings), &places).0;
    let telegram_ids = manifest.plan.bots.iter().map(|bot| (bot.name.clone(), bot.telegram_id.0)).collect();
    leave_out_disabled(configuration, &mut manifest.plan);
    for entry in &mut manifest.providers {
        let id = ResourceId::new(ResourceKind::Provider, &entry.name);
        entry.guarded = configuration.resources.get(&id).is_some_and(|thing| thing.guarded_address().is_some());
    }
    Ok(StoredManifest { manifest, telegram_ids })
}

/// Names things in faults by their names instead of their places.
fn named(faults: Faults, places: &BTreeMap<&str, Vec<&str>>) -> Faults {
    let name = |mut fault: Fault| {
        let Some((table, rest)) = fault.key.split_once('[') else { return fault };
        let Some((index, rest)) = rest.split_once(']') else { return fault };
        let name = index.parse::<usize>().ok().and_then(|index| places.get(table)?.get(index).copied());
        if let Some(name) = name {
            fault.key = format!("{} {name}{}", table.trim_end_matches('s'), rest.replacen('.', ": ", 1));
        }
        fault
    };
    Faults(faults.0.into_iter().map(name).collect())
}

/// Takes bots that are switched off out of a plan, and chats that have no other.
fn leave_out_disabled(configuration: &Configuration, plan: &mut RosterPlan) {
    let is_off = |name: &str| {
        let id = ResourceId::new(ResourceKind::Bot, name);
        configuration.resources.get(&id).is_some_and(|bot| bot.disabled)
    };
    plan.bots.retain(|bot| !is_off(&bot.name));
    for chat in &mut plan.chats {
        chat.bots.retain(|bot| !is_off(bot));
    }
    plan.chats.retain(|chat| !chat.bots.is_empty());
}

/// Returns a thing as operators see it: all its keys, those that are not given with their built-in values, and a mask for
/// each secret.
pub fn shown(kind: ResourceKind, keys: &Keys) -> Map<String, Json> {
    let mut shown = by_description(&description(kind), &object(keys));
    if !is_named(kind) && kind != ResourceKind::Budget {
        shown.remove("name");
    }
    shown
}

fn by_description(description: &Description, given: &Map<String, Json>) -> Map<String, Json> {
    let value = |key: &botfleet_actors::domain::keys::describe::Described| match &key.holds {
        Holds::Value { default, .. } => match given.get(key.name) {
            Some(_) if key.facts.secret => Json::from(MASK),
            given => given.unwrap_or(default).clone(),
        },
        Holds::Table(_) if key.facts.unset.is_some() && !given.contains_key(key.name) => Json::Null,
        Holds::Table(inner) => {
            let none = Map::new();
            Json::Object(by_description(inner, given.get(key.name).and_then(Json::as_object).unwrap_or(&none)))
        }
        Holds::List(_) => given.get(key.name).cloned().unwrap_or_else(|| Json::Array(Vec::new())),
        Holds::Named(_) => given.get(key.name).cloned().unwrap_or_else(|| Json::Object(Map::new())),
    };
    description.keys.iter().map(|key| (key.name.to_owned(), value(key))).collect()
}

/// Returns the keys of a stored revision of a persona that differ from their built-in values.
pub fn persona_keys(persona: &Persona) -> Keys {
    let json = |persona: &Persona| serde_json::to_value(persona).unwrap_or_default();
    let built_in = json(&Persona { name: persona.name.clone(), ..Persona::default() });
    let Json::Object(mut object) = json(persona) else { return Keys::new() };
    object.retain(|key, value| built_in.get(key.as_str()) != Some(value));
    object.into_iter().collect()
}

/// Returns keys whose tables are paths, however they were written.
pub fn normal(kind: ResourceKind, keys: &Keys) -> Keys {
    paths(kind, &object(keys))
}

/// Returns a value of a key as operators see it.
pub fn shown_value(kind: ResourceKind, path: &str, value: &Json) -> Json {
    if is_secret(kind, path) && !value.is_null() { Json::from(MASK) } else { value.clone() }
}

/// Returns whether a key holds a secret, or a reference to one.
pub fn is_secret(kind: ResourceKind, path: &str) -> bool {
    description(kind).keys.iter().any(|key| key.name == path && key.facts.secret)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use botfleet_actors::domain::configuration::Resource;
    use serde_json::json;

    use super::*;
    use crate::config::secret::GivenSecrets;

    const FLEET: &str = r#"
        [defaults]
        models = ["local"]
        pacing = { burst = "2s", typing_max = "5s" }
        [[providers]]
        name = "local"
        kind = "ollama"
        model = "m"
        prices = { "gpt-4.1" = { prompt = 2.0, completion = 8.0 } }
        [personas.ada]
        voice = "You are Ada."
        [[bots]]
        name = "Ada"
        token = "env:ADA"
        persona = "ada"
        [[bots]]
        name = "Bela"
        token = "env:BELA"
        persona = "ada"
        hourly_cap = 3
        [[chats]]
        name = "lounge"
        telegram_id = -1001234567890
        bots = ["Ada", "Bela"]
        pacing = { burst = "1s" }
        [[budgets]]
        scope = "bot"
        unit = "tokens"
        per = "day"
        limit = 1000
    "#;

    fn secrets() -> GivenSecrets {
        let token = |id: i64| format!("{id}:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
        GivenSecrets(BTreeMap::from([("ADA".to_owned(), token(11)), ("BELA".to_owned(), token(12))]))
    }

    fn stored(manifest: &LoadedManifest) -> Configuration {
        let resource = |(place, declared): (usize, &Declaration)| {
            let Declaration { id, keys, telegram_id } = declared.clone();
            let place = u32::try_from(place).unwrap();
            (id, Resource { keys, telegram_id, place, ..Resource::default() })
        };
        let resources = manifest.declared.iter().enumerate().map(resource).collect();
        Configuration { resources, ..Configuration::default() }
    }

    fn read_back(configuration: &Configuration) -> Result<StoredManifest, Faults> {
        read(configuration, Path::new(""), &GivenSecrets::default())
    }

    #[test]
    fn a_manifest_taken_apart_and_put_together_says_the_same_without_its_tokens() {
        let manifest = Manifest::read(FLEET, "fleet.toml", &secrets()).unwrap();
        let again = read_back(&stored(&manifest)).unwrap();
        assert_eq!(again.manifest.plan, manifest.plan);
        assert_eq!(again.manifest.budgets, manifest.budgets);
        assert_eq!(again.manifest.personas, manifest.personas);
        assert_eq!(again.manifest.providers[0].settings.prices, manifest.providers[0].settings.prices);
        assert_eq!(again.telegram_ids, BTreeMap::from([("Ada".to_owned(), 11), ("Bela".to_owned(), 12)]));
        assert_eq!(manifest.plan.chats[0].pacing.typing_max.as_secs(), 5, "of [defaults]");
        assert_eq!(manifest.plan.chats[0].pacing.burst.as_secs(), 1);
        let names: Vec<String> = manifest.declared.iter().map(|declared| declared.id.to_string()).collect();
        let all = ["provider local", "persona ada", "bot Ada", "bot Bela", "chat lounge", "budget bot-tokens-day"];
        assert_eq!(names, all);
    }

    #[test]
    fn a_bot_that_is_switched_off_is_in_no_chat_and_faults_name_things() {
        let manifest = Manifest::read(FLEET, "fleet.toml", &secrets()).unwrap();
        let mut configuration = stored(&manifest);
        let thing = |kind, name: &str| ResourceId::new(kind, name);
        configuration.resources.get_mut(&thing(ResourceKind::Bot, "Ada")).unwrap().disabled = true;
        let off = read_back(&configuration).unwrap().manifest.plan;
        assert_eq!((off.bots.len(), off.chats[0].bots.clone()), (1, vec!["Bela".to_owned()]));
        let bela = configuration.resources.get_mut(&thing(ResourceKind::Bot, "Bela")).unwrap();
        bela.keys.insert("hourly_cap".to_owned(), json!("many"));
        let chat = configuration.resources.get_mut(&thing(ResourceKind::Chat, "lounge")).unwrap();
        chat.keys.insert("pacing".to_owned(), json!(5));
        let faults = read_back(&configuration).unwrap_err().to_string();
        assert!(faults.contains("bot Bela: hourly_cap"), "{faults}");
        assert!(faults.contains("chat lounge: pacing: is no table"), "{faults}");
    }

    #[test]
    fn every_key_is_shown_and_no_secret() {
        let manifest = Manifest::read(FLEET, "fleet.toml", &secrets()).unwrap();
        let bela = &manifest.declared[3];
        let bela = shown(ResourceKind::Bot, &bela.keys);
        assert_eq!(
            (&bela["token"], &bela["hourly_cap"], &bela["temperature"]),
            (&json!("***"), &json!(3), &json!(0.8))
        );
        let chat = shown(ResourceKind::Chat, &manifest.declared[4].keys);
        assert_eq!((&chat["pacing"]["burst"], &chat["pacing"]["enabled"]), (&json!("1s"), &json!(true)));
    }

    #[test]
    fn another_token_of_another_bot_is_another_manifest() {
        let one = Manifest::read(FLEET, "f", &secrets()).unwrap();
        let mut other = one.declared.clone();
        assert_eq!(fingerprint(&one.declared), fingerprint(&other));
        other[2].telegram_id = Some(99);
        assert_ne!(fingerprint(&one.declared), fingerprint(&other));
    }
}
