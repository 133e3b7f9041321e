//! Reads the bots of the manifest. Part of `config`. Tokens are checked here and never shown (I12).

use std::collections::{BTreeMap, BTreeSet};

use botfleet_actors::domain::ids::TelegramUserId;
use botfleet_actors::domain::roster::{BotSpec, Generation, ModelRef, Persona};
use botfleet_actors::domain::stance::Relationship;
use secrecy::{ExposeSecret, SecretString};
use toml::Table;

use super::personas::Personas;
use super::providers::Providers;
use super::raw::{RawBot, RawDefaults};
use crate::config::manifest::checks::Checks;
use crate::config::secret::token_id;

/// Most messages of a bot in an hour, unless set.
const HOURLY_CAP: u32 = 12;
const TEMPERATURE: f64 = 0.8;
const MAX_TOKENS: u32 = 400;
const CONTEXT_TOKENS: u32 = 3_000;
const CONTEXT_MESSAGES: usize = 40;

/// The sound bots, and the names of all.
pub(super) struct Bots {
    pub specs: Vec<BotSpec>,
    /// Names of all bots, faulty ones included, so that a chat that names a faulty bot is no fault of its own.
    pub names: BTreeSet<String>,
}

/// Checks `[[bots]]`; returns the bots, and their tokens by name.
pub(super) fn check(
    tables: Vec<Table>,
    defaults: &RawDefaults,
    personas: &Personas,
    providers: &Providers,
    checks: &mut Checks<'_>,
) -> (Bots, BTreeMap<String, SecretString>) {
    if tables.is_empty() && checks.faults.is_empty() {
        checks.fault("bots", "the manifest has no bots", "add at least one [[bots]]");
    }
    let default_models = defaults.models.as_deref().map(|models| chain(models, "defaults.models", providers, checks));
    let mut seen = BTreeMap::new();
    let mut ids = BTreeMap::new();
    let mut tokens = BTreeMap::new();
    let mut specs: Vec<BotSpec> = Vec::new();
    let mut relations = Vec::new();
    for (index, table) in tables.into_iter().enumerate() {
        let place = format!("bots[{index}]");
        let Some(raw) = checks.read::<RawBot>(table, &place) else { continue };
        let name = checks.name(&place, raw.name.clone(), &mut seen);
        let related = relationships(&raw, &place, name.as_deref(), checks);
        relations.extend(related.iter().cloned().map(|(key, relationship)| (key, relationship.to)));
        let token = token(&raw, &place, &mut ids, checks);
        let persona = persona(&raw, &place, personas, checks);
        let models = match &raw.models {
            Some(models) => Some(chain(models, &format!("{place}.models"), providers, checks)),
            None => default_models.clone(),
        };
        if models.is_none() {
            let remedy = "write models = [\"provider\" or \"provider/model\", ...] here or in [defaults]";
            checks.missing(&format!("{place}.models"), remedy);
        }
        let generation = generation(&raw, models.unwrap_or_default(), &place, defaults, checks);
        let hourly_cap = raw.hourly_cap.or(defaults.hourly_cap).unwrap_or(HOURLY_CAP);
        let (Some(name), Some((id, token)), Some(persona)) = (name, token, persona) else { continue };
        tokens.insert(name.clone(), token);
        let credential = raw.token.unwrap_or_default();
        let hourly_cap = Some(hourly_cap).filter(|cap| *cap > 0);
        let delivery = raw.delivery.or(defaults.delivery).unwrap_or_default();
        let telegram_id = TelegramUserId(id);
        specs.push(BotSpec {
            name,
            telegram_id,
            credential,
            persona,
            generation,
            hourly_cap,
            delivery,
            relationships: related.into_iter().map(|(_, relationship)| relationship).collect(),
        });
    }
    for (key, to) in relations {
        if !to.starts_with('@') && !seen.contains_key(&to) {
            let remedy = "name one of [[bots]], or a person by username, as in \"@ayse\"";
            checks.fault(key, format!("the bot {to:?} is unknown"), remedy);
        }
    }
    (Bots { specs, names: seen.into_keys().collect() }, tokens)
}

fn token(
    raw: &RawBot,
    place: &str,
    ids: &mut BTreeMap<i64, String>,
    checks: &mut Checks<'_>,
) -> Option<(i64, SecretString)> {
    let key = format!("{place}.token");
    let Some(reference) = &raw.token else {
        checks.missing(&key, "write \"env:NAME\" or \"file:PATH\"");
        return None;
    };
    let token = checks.secret(&key, reference)?;
    let Some(id) = token_id(token.expose_secret()) else {
        let what = "what it leads to has not the form of a bot token";
        checks.fault(key, what, "copy the whole token that @BotFather gave: digits, a colon, 35 letters or more");
        return None;
    };
    if let Some(first) = ids.get(&id) {
        checks.fault(key, format!("leads to a token of the same bot as {first}"), "give each bot its own token");
        return None;
    }
    ids.insert(id, place.to_owned());
    Some((id, token))
}

fn persona(raw: &RawBot, place: &str, personas: &Personas, checks: &mut Checks<'_>) -> Option<Persona> {
    let key = format!("{place}.persona");
    let name = checks.required(&key, raw.persona.clone(), "name one of [personas.NAME]")?;
    if let Some(persona) = personas.get(&name) {
        return persona.clone();
    }
    let known: Vec<&str> = personas.keys().map(String::as_str).collect();
    let remedy =
        if known.is_empty() { format!("add [personas.{name}]") } else { format!("personas: {}", known.join(", ")) };
    checks.fault(key, format!("the persona {name:?} is unknown"), remedy);
    None
}

/// Returns the relationships of a bot called `own`, each with the key of its `to`. Those names are looked up when all
/// are known.
fn relationships(raw: &RawBot, place: &str, own: Option<&str>, checks: &mut Checks<'_>) -> Vec<(String, Relationship)> {
    let mut found: Vec<(String, Relationship)> = Vec::new();
    for (index, raw) in raw.relationships.iter().enumerate() {
        let place = format!("{place}.relationships[{index}]");
        let key = format!("{place}.to");
        let to = checks.required(&key, raw.to.clone(), "name a bot, or a person by username, as in \"@ayse\"");
        let affinity_key = format!("{place}.affinity");
        if raw.affinity.is_none() {
            checks.missing(&affinity_key, "from -1.0 (cannot stand) to 1.0 (very close)");
        }
        let affinity = checks.within(&affinity_key, raw.affinity.unwrap_or(0.0), -1.0..=1.0, 0.0);
        let Some(to) = to else { continue };
        if own == Some(to.as_str()) {
            checks.fault(key, "is the bot itself", "name another");
        } else if found.iter().any(|(_, other)| other.to == to) {
            checks.fault(key, format!("{to:?} is named twice"), "name it once");
        } else {
            let note = raw.note.clone().filter(|note| !note.trim().is_empty());
            found.push((key, Relationship { to, affinity, note }));
        }
    }
    found
}

/// Reads a chain of models.
fn chain(models: &[String], key: &str, providers: &Providers, checks: &mut Checks<'_>) -> Vec<ModelRef> {
    if models.is_empty() {
        checks.fault(key, "is empty", "name at least one provider");
    }
    let mut chain = Vec::new();
    for (index, text) in models.iter().enumerate() {
        match providers.model(text) {
            Ok(model) => chain.push(model),
            Err((what, remedy)) => checks.fault(format!("{key}[{index}]"), what, remedy),
        }
    }
    chain
}

fn generation(
    raw: &RawBot,
    models: Vec<ModelRef>,
    place: &str,
    defaults: &RawDefaults,
    checks: &mut Checks<'_>,
) -> Generation {
    let key = |own: bool, key: &str| if own { format!("{place}.{key}") } else { format!("defaults.{key}") };
    let temperature = raw.temperature.or(defaults.temperature).unwrap_or(TEMPERATURE);
    let max_tokens = raw.max_tokens.or(defaults.max_tokens).unwrap_or(MAX_TOKENS);
    let context_tokens = raw.context_tokens.or(defaults.context_tokens).unwrap_or(CONTEXT_TOKENS);
    let context_messages = raw.context_messages.or(defaults.context_messages).unwrap_or(CONTEXT_MESSAGES);
    let temperature_key = key(raw.temperature.is_some(), "temperature");
    let max_key = key(raw.max_tokens.is_some(), "max_tokens");
    let tokens_key = key(raw.context_tokens.is_some(), "context_tokens");
    let messages_key = key(raw.context_messages.is_some(), "context_messages");
    Generation {
        models,
        temperature: checks.within(&temperature_key, temperature, 0.0..=2.0, TEMPERATURE),
        max_tokens: checks.within(&max_key, max_tokens, 1..=32_768, MAX_TOKENS),
        context_tokens: checks.within(&tokens_key, context_tokens, 256..=1_000_000, CONTEXT_TOKENS),
        context_messages: checks.within(&messages_key, context_messages, 1..=500, CONTEXT_MESSAGES),
    }
}
