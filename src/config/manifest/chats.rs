//! Reads the chats of the manifest. Part of `config`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use botfleet_actors::domain::hours::Hours;
use botfleet_actors::domain::ids::TelegramChatId;
use botfleet_actors::domain::roster::{ChatSpec, Pacing, Physics};
use botfleet_actors::domain::roster::{cool_down, person_per_ten_minutes, stagnation_turns, unheard_max};
use botfleet_actors::domain::strategy::Novelty;
use toml::Table;

use super::bots::Bots;
use super::personas::not_blank;
use super::raw::{RawChat, RawDefaults, RawNovelty, RawPacing, RawPhysics};
use super::strategies::Strategies;
use crate::config::manifest::checks::Checks;

const RETENTION_DAYS: u32 = 30;
const CHAIN_DEPTH_MAX: u32 = 6;
const PAIR_PER_TEN_MINUTES: u32 = 12;
const CHAT_PER_MINUTE: u32 = 20;
const FLEET_PER_MINUTE: u32 = 600;
const CHARS_PER_SECOND: f64 = 14.0;
const TYPING_MAX: Duration = Duration::from_secs(8);
const STALE_AFTER: Duration = Duration::from_mins(2);
const QUIET_TICK: Duration = Duration::from_mins(5);
const DAY: Duration = Duration::from_hours(24);

/// Most messages that a text may be compared with, as a chat remembers 200; `STAGNATION_MAX` is the most turns of
/// stagnation.
const COMPARED_MAX: usize = 200;
const STAGNATION_MAX: u32 = 50;

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
    defaults: &RawDefaults,
    bots: &Bots,
    strategies: &Strategies,
    checks: &mut Checks<'_>,
) -> Vec<ChatSpec> {
    let mut seen = BTreeMap::new();
    let mut ids = BTreeMap::new();
    let mut placed = BTreeSet::new();
    let mut chats = Vec::new();
    for (index, table) in tables.into_iter().enumerate() {
        let place = format!("chats[{index}]");
        let Some(raw) = checks.read::<RawChat>(table, &place) else { continue };
        let name = checks.name(&place, raw.name.clone(), &mut seen);
        let telegram_id = telegram_id(raw.telegram_id, &place, &mut ids, checks);
        let members = members(raw.bots.clone(), &place, bots, checks);
        placed.extend(members.iter().cloned());
        let time_zone = time_zone(&raw, &place, defaults, checks);
        let (days, days_key) = own_or_default(raw.retention_days, defaults.retention_days, &place, "retention_days");
        let retention_days = checks.within(&days_key, days.unwrap_or(RETENTION_DAYS), 0..=3_650, RETENTION_DAYS);
        let physics = physics(&raw.physics, &defaults.physics, &place, checks);
        let (strategy, strategy_key) =
            own_or_default(raw.strategy.clone(), defaults.strategy.clone(), &place, "strategy");
        let strategy = strategies.named(strategy.as_deref(), &strategy_key, checks);
        let quiet_hours = quiet_hours(&raw, &place, defaults, checks);
        let novelty = novelty(&raw.novelty, &defaults.novelty, &place, checks);
        let disclosure = raw.disclosure.or_else(|| defaults.disclosure.clone());
        let pacing = pacing(&raw.pacing, &defaults.pacing, &place, checks);
        let (Some(name), Some(telegram_id)) = (name, telegram_id) else { continue };
        chats.push(ChatSpec {
            name,
            telegram_id,
            bots: members,
            policy: raw.policy.or(defaults.policy).unwrap_or_default(),
            language: raw.language.or(defaults.language).unwrap_or_default(),
            time_zone,
            retention_days,
            topics: not_blank(raw.topics),
            physics,
            pacing,
            on_unknown: raw.on_unknown.or(defaults.on_unknown).unwrap_or_default(),
            strategy,
            quiet_hours,
            novelty,
            consistency: raw.consistency.or(defaults.consistency).unwrap_or_default(),
            disclosure,
        });
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
    id: Option<i64>,
    place: &str,
    ids: &mut BTreeMap<i64, String>,
    checks: &mut Checks<'_>,
) -> Option<TelegramChatId> {
    let key = format!("{place}.telegram_id");
    let Some(id) = id else {
        checks.missing(&key, "the id of a supergroup, as in -1001234567890");
        return None;
    };
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
        checks.warn(&key, what, remedy);
    }
    if let Some(first) = ids.get(&id) {
        checks.fault(key, format!("{id} is the chat of {first} too"), "describe each chat once");
        return None;
    }
    ids.insert(id, place.to_owned());
    Some(TelegramChatId(id))
}

fn members(names: Option<Vec<String>>, place: &str, bots: &Bots, checks: &mut Checks<'_>) -> Vec<String> {
    let key = format!("{place}.bots");
    let Some(names) = names else {
        checks.missing(&key, "name the bots of the chat");
        return Vec::new();
    };
    if names.is_empty() {
        checks.fault(&key, "is empty", "name at least one bot");
    }
    if names.len() > BOTS_PER_GROUP {
        let what = format!("{} bots, and Telegram lets about {BOTS_PER_GROUP} into a group", names.len());
        checks.warn(&key, what, "spread them over several chats");
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

fn time_zone(raw: &RawChat, place: &str, defaults: &RawDefaults, checks: &mut Checks<'_>) -> String {
    let (name, key) = own_or_default(raw.time_zone.clone(), defaults.time_zone.clone(), place, "time_zone");
    let name = name.unwrap_or_else(|| "UTC".to_owned());
    if name.parse::<chrono_tz::Tz>().is_err() {
        let remedy = "write its IANA name, as in Europe/Istanbul";
        checks.fault(key, format!("the time zone {name:?} is unknown"), remedy);
    }
    name
}

/// Returns the hours in which no bot speaks; "none" means no such hours.
fn quiet_hours(raw: &RawChat, place: &str, defaults: &RawDefaults, checks: &mut Checks<'_>) -> Option<Hours> {
    let (hours, key) = own_or_default(raw.quiet_hours.clone(), defaults.quiet_hours.clone(), place, "quiet_hours");
    hours.filter(|hours| hours.trim() != "none").and_then(|hours| checks.hours(key, &hours))
}

fn novelty(own: &RawNovelty, defaults: &RawNovelty, place: &str, checks: &mut Checks<'_>) -> Novelty {
    let built_in = Novelty::default();
    let (limit, limit_key) = own_or_default(own.limit, defaults.limit, place, "novelty.limit");
    let (mine, mine_key) = own_or_default(own.own, defaults.own, place, "novelty.own");
    let (chat, chat_key) = own_or_default(own.chat, defaults.chat, place, "novelty.chat");
    Novelty {
        enabled: own.enabled.or(defaults.enabled).unwrap_or(built_in.enabled),
        limit: checks.within(&limit_key, limit.unwrap_or(built_in.limit), 0.1..=1.0, built_in.limit),
        own: checks.within(&mine_key, mine.unwrap_or(built_in.own), 0..=COMPARED_MAX, built_in.own),
        chat: checks.within(&chat_key, chat.unwrap_or(built_in.chat), 0..=COMPARED_MAX, built_in.chat),
    }
}

fn physics(own: &RawPhysics, defaults: &RawPhysics, place: &str, checks: &mut Checks<'_>) -> Physics {
    let (calm, calm_key) = own_or_default(own.cool_down, defaults.cool_down, place, "physics.cool_down");
    let calm = checks.within(&calm_key, calm.unwrap_or(cool_down()), Duration::ZERO..=DAY, cool_down());
    let (alike, alike_key) =
        own_or_default(own.stagnation_turns, defaults.stagnation_turns, place, "physics.stagnation_turns");
    if alike.is_some_and(|turns| turns == 1 || turns > STAGNATION_MAX) {
        let what = format!("{} is out of bounds", alike.unwrap_or_default());
        checks.fault(alike_key, what, format!("from 2 to {STAGNATION_MAX}, or 0 for no such limit"));
    }
    let limit = |own: Option<u32>, default: Option<u32>, built_in| {
        Some(own.or(default).unwrap_or(built_in)).filter(|limit| *limit > 0)
    };
    Physics {
        chain_depth_max: limit(own.chain_depth_max, defaults.chain_depth_max, CHAIN_DEPTH_MAX),
        pair_per_ten_minutes: limit(own.pair_per_ten_minutes, defaults.pair_per_ten_minutes, PAIR_PER_TEN_MINUTES),
        person_per_ten_minutes: own
            .person_per_ten_minutes
            .or(defaults.person_per_ten_minutes)
            .map_or_else(person_per_ten_minutes, |most| Some(most).filter(|most| *most > 0)),
        chat_per_minute: limit(own.chat_per_minute, defaults.chat_per_minute, CHAT_PER_MINUTE),
        fleet_per_minute: limit(own.fleet_per_minute, defaults.fleet_per_minute, FLEET_PER_MINUTE),
        cool_down: calm,
        stagnation_turns: alike.map_or_else(stagnation_turns, |turns| Some(turns).filter(|turns| *turns > 0)),
        unheard_max: own
            .unheard_max
            .or(defaults.unheard_max)
            .map_or_else(unheard_max, |most| Some(most).filter(|most| *most > 0)),
    }
}

fn pacing(own: &RawPacing, defaults: &RawPacing, place: &str, checks: &mut Checks<'_>) -> Pacing {
    let (speed, speed_key) =
        own_or_default(own.chars_per_second, defaults.chars_per_second, place, "pacing.chars_per_second");
    let (typing, typing_key) = own_or_default(own.typing_max, defaults.typing_max, place, "pacing.typing_max");
    let (stale, stale_key) = own_or_default(own.stale_after, defaults.stale_after, place, "pacing.stale_after");
    let (quiet, quiet_key) = own_or_default(own.quiet_tick, defaults.quiet_tick, place, "pacing.quiet_tick");
    let quiet = Some(quiet.unwrap_or(QUIET_TICK)).filter(|quiet| !quiet.is_zero());
    let seconds = Duration::from_secs;
    Pacing {
        enabled: own.enabled.or(defaults.enabled).unwrap_or(true),
        chars_per_second: checks.within(&speed_key, speed.unwrap_or(CHARS_PER_SECOND), 1.0..=1_000.0, CHARS_PER_SECOND),
        typing_max: checks.within(&typing_key, typing.unwrap_or(TYPING_MAX), Duration::ZERO..=seconds(60), TYPING_MAX),
        stale_after: checks.within(&stale_key, stale.unwrap_or(STALE_AFTER), seconds(1)..=seconds(86_400), STALE_AFTER),
        quiet_tick: quiet.map(|quiet| checks.within(&quiet_key, quiet, seconds(1)..=seconds(7 * 86_400), QUIET_TICK)),
    }
}

/// Returns a chat's own value, or that of `[defaults]`, and the key under which it stands.
fn own_or_default<T>(own: Option<T>, default: Option<T>, place: &str, key: &str) -> (Option<T>, String) {
    if own.is_some() { (own, format!("{place}.{key}")) } else { (default, format!("defaults.{key}")) }
}
