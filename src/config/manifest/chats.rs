//! Reads the chats of the manifest. Part of `config`.

use std::collections::{BTreeMap, BTreeSet};

use botfleet_actors::domain::ids::TelegramChatId;
use botfleet_actors::domain::roster::ChatSpec;
use toml::Table;

use super::bots::Bots;
use super::providers::Providers;
use super::strategies::Strategies;
use crate::config::manifest::checks::Checks;
use crate::config::reader::Found;

/// Upper bound of the ids of supergroups, which lie below it.
///
/// # Source
/// core.telegram.org/api/bots/ids, "Supergroups and channels".
const SUPERGROUPS_BELOW: i64 = -1_000_000_000_000;

/// Number of bots that a group takes, about.
const BOTS_PER_GROUP: usize = 20;

/// Checks `[[chats]]`.
pub(super) fn check(
    tables: Vec<Table>,
    defaults: &Table,
    (bots, providers): (&Bots, &Providers),
    strategies: &Strategies,
    checks: &mut Checks<'_>,
) -> Vec<ChatSpec> {
    let mut seen = BTreeMap::new();
    let mut ids = BTreeMap::new();
    let mut placed = BTreeSet::new();
    let mut chats = Vec::new();
    for (index, table) in tables.into_iter().enumerate() {
        let place = format!("chats[{index}]");
        let is_own = table.get("conduct").and_then(|conduct| conduct.get("model")).is_some();
        let model_key = format!("{}.conduct.model", if is_own { &place } else { "defaults" });
        let (mut spec, found) = checks.file().take::<ChatSpec>(table, &place, Some(defaults));
        let name = checks.name(&place, &spec.name, &found, &mut seen);
        let telegram_id = telegram_id(spec.telegram_id.0, &place, &found, &mut ids, checks);
        spec.bots = members(spec.bots, &found, bots, checks);
        placed.extend(spec.bots.iter().cloned());
        check_time_zone(&spec.time_zone, &found, checks);
        let (strategy, key) = found.text("strategy").unzip();
        spec.strategy = strategies.named(strategy.as_deref(), key.unwrap_or_default(), checks);
        if let Some(model) = &mut spec.conduct.model {
            match providers.model(model) {
                Ok(found) => *model = format!("{}/{}", found.provider, found.model),
                Err((what, remedy)) => checks.fault(model_key, what, remedy),
            }
        }
        if name.is_some() && telegram_id.is_some() {
            chats.push(spec);
        }
    }
    for (index, bot) in bots.specs.iter().enumerate() {
        if checks.faults.is_empty() && !placed.contains(&bot.name) {
            let what = format!("the bot {:?} is in no chat", bot.name);
            checks.warn(format!("bots[{index}]"), what, "it will poll, and leave what it hears unanswered");
        }
    }
    chats
}

fn telegram_id(
    id: i64,
    place: &str,
    found: &Found,
    ids: &mut BTreeMap<i64, String>,
    checks: &mut Checks<'_>,
) -> Option<TelegramChatId> {
    let key = found.place("telegram_id")?;
    if id >= 0 {
        let what = format!("{id} is a private chat or a user, and bots converse in supergroups only");
        checks.fault(key, what, "write the id of a supergroup, which begins with -100");
        return None;
    }
    if id >= SUPERGROUPS_BELOW {
        let what =
            format!("{id} is a basic group, where every bot sees other message ids: nothing is read or said there");
        let remedy = "make the group's history visible to new members, which turns it into a supergroup; \
                      its new id is then learned while the fleet runs";
        checks.warn(key, what, remedy);
    }
    if let Some(first) = ids.get(&id) {
        checks.fault(key, format!("{id} is the chat of {first} too"), "describe each chat once");
        return None;
    }
    ids.insert(id, place.to_owned());
    Some(TelegramChatId(id))
}

fn members(names: Vec<String>, found: &Found, bots: &Bots, checks: &mut Checks<'_>) -> Vec<String> {
    let Some(key) = found.place("bots") else { return Vec::new() };
    if names.is_empty() {
        checks.fault(key, "is empty", "name at least one bot");
    }
    if names.len() > BOTS_PER_GROUP {
        let what = format!("{} bots, and Telegram lets about {BOTS_PER_GROUP} into a group", names.len());
        checks.warn(key, what, "spread them over several chats");
    }
    let mut members: Vec<String> = Vec::new();
    for (index, name) in names.into_iter().enumerate() {
        let key = format!("{key}[{index}]");
        if !bots.names.contains(&name) {
            checks.fault(key, format!("the bot {name:?} is unknown"), "name one of [[bots]]");
        } else if members.contains(&name) {
            checks.fault(key, format!("the bot {name:?} is named twice"), "name it once");
        } else {
            members.push(name);
        }
    }
    members
}

fn check_time_zone(name: &str, found: &Found, checks: &mut Checks<'_>) {
    if let (Some(key), Err(_)) = (found.place("time_zone"), name.parse::<chrono_tz::Tz>()) {
        let remedy = "write its IANA name, as in Europe/Istanbul";
        checks.fault(key, format!("the time zone {name:?} is unknown"), remedy);
    }
}
