//! Reads the bots of the manifest. Part of `config`. Tokens are checked here and never shown (I12).

use std::collections::{BTreeMap, BTreeSet};

use botfleet_actors::domain::ids::TelegramUserId;
use botfleet_actors::domain::roster::{BotSpec, ModelRef, Persona};
use secrecy::{ExposeSecret, SecretString};
use toml::Table;

use super::personas::Personas;
use super::providers::Providers;
use crate::config::manifest::checks::Checks;
use crate::config::reader::Found;
use crate::config::secret::token_id;

/// The sound bots, and the names of all.
pub(super) struct Bots {
    pub specs: Vec<BotSpec>,
    /// Names of all bots, faulty ones included, so that a chat that names a faulty bot is no fault of its own.
    pub names: BTreeSet<String>,
}

/// Checks `[[bots]]`, and the models of `[defaults]`; returns the bots, and their tokens by name.
pub(super) fn check(
    tables: Vec<Table>,
    (defaults, shared): (&Table, &Found),
    personas: &Personas,
    providers: &Providers,
    checks: &mut Checks<'_>,
) -> (Bots, BTreeMap<String, SecretString>) {
    if tables.is_empty() && checks.faults.is_empty() && checks.stored.is_none() {
        checks.warn(
            "bots",
            "the manifest has no bots",
            "add [[bots]], or make bots while the fleet runs: botfleet bot create",
        );
    }
    if let Some((models, key)) = shared.texts("models") {
        chain(&models, key, providers, checks);
    }
    let mut seen = BTreeMap::new();
    let mut ids = BTreeMap::new();
    let mut tokens = BTreeMap::new();
    let mut specs: Vec<BotSpec> = Vec::new();
    let mut relations = Vec::new();
    for (index, table) in tables.into_iter().enumerate() {
        let place = format!("bots[{index}]");
        let (mut spec, found) = checks.file().take::<BotSpec>(table, &place, Some(defaults));
        let name = checks.name(&place, &spec.name, &found, &mut seen);
        relations.extend(check_relationships(&spec, &place, checks));
        let token = token(&spec, &place, &found, &mut ids, checks);
        let persona = persona(&found, personas, checks);
        spec.generation.models = models(&place, &found, providers, checks);
        let (Some(_), Some((id, token)), Some(persona)) = (name, token, persona) else { continue };
        tokens.extend(token.map(|token| (spec.name.clone(), token)));
        (spec.telegram_id, spec.persona) = (TelegramUserId(id), persona);
        specs.push(spec);
    }
    for (key, to) in relations {
        if !to.starts_with('@') && !seen.contains_key(&to) {
            let remedy = "name one of [[bots]], or a person by username, as in \"@ayse\"";
            checks.fault(key, format!("the bot {to:?} is unknown"), remedy);
        }
    }
    (Bots { specs, names: seen.into_keys().collect() }, tokens)
}

/// Returns Telegram's id of a bot, and its token unless the fleet knew the id before.
fn token(
    spec: &BotSpec,
    place: &str,
    found: &Found,
    ids: &mut BTreeMap<i64, String>,
    checks: &mut Checks<'_>,
) -> Option<(i64, Option<SecretString>)> {
    let key = found.place("token")?;
    let known = checks.stored.as_ref().and_then(|stored| stored.telegram_ids.get(&spec.credential).copied());
    let (id, token) = if let Some(id) = known {
        (id, None)
    } else {
        let Some(token) = checks.secret(key, &spec.credential) else {
            // Without its token nobody knows which bot of Telegram it is.
            if checks.stored.is_some() {
                checks.fault(key, "leads to no token on this node", "put the token there first");
            }
            return None;
        };
        let Some(id) = token_id(token.expose_secret()) else {
            let what = "what it leads to has not the form of a bot token";
            let remedy = "copy the whole token that @BotFather gave: digits, a colon, 35 letters or more";
            checks.fault(key, what, remedy);
            return None;
        };
        (id, Some(token))
    };
    if let Some(first) = ids.get(&id) {
        checks.fault(key, format!("leads to a token of the same bot as {first}"), "give each bot its own token");
        return None;
    }
    ids.insert(id, place.to_owned());
    Some((id, token))
}

fn persona(found: &Found, personas: &Personas, checks: &mut Checks<'_>) -> Option<Persona> {
    let (name, key) = found.text("persona")?;
    if let Some(persona) = personas.get(&name) {
        return Some(persona.clone());
    }
    let known: Vec<&str> = personas.keys().map(String::as_str).collect();
    let remedy =
        if known.is_empty() { format!("add [personas.{name}]") } else { format!("personas: {}", known.join(", ")) };
    checks.fault(key, format!("the persona {name:?} is unknown"), remedy);
    None
}

/// Checks a bot's relationships; returns the key and the name of each. The names are looked up when all are known.
fn check_relationships(spec: &BotSpec, place: &str, checks: &mut Checks<'_>) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for (index, relationship) in spec.relationships.iter().enumerate() {
        let key = format!("{place}.relationships[{index}].to");
        let to = relationship.to.clone();
        if to.is_empty() {
            continue;
        }
        if spec.name == to {
            checks.fault(key, "is the bot itself", "name another");
        } else if found.iter().any(|(_, other)| *other == to) {
            checks.fault(key, format!("{to:?} is named twice"), "name it once");
        } else {
            found.push((key, to));
        }
    }
    found
}

fn models(place: &str, found: &Found, providers: &Providers, checks: &mut Checks<'_>) -> Vec<ModelRef> {
    let Some((models, key)) = found.texts("models") else {
        let remedy = "write models = [\"provider\" or \"provider/model\", ...] here or in [defaults]";
        checks.missing(&format!("{place}.models"), remedy);
        return Vec::new();
    };
    chain(&models, key, providers, checks)
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
