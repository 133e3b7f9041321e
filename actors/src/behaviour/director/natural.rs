//! Policy `natural`: mentions, replies, names, questions, talkativeness, and silence. Layer `behaviour`; pure.
//!
//! Each bot gets a chance to speak between 0 and 1; at most one speaks unaddressed (sometimes two answer a question).
//! The energy of the room rises with people and falls with the fleet's own messages.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::address::{Address, addressed, is_question};
use super::{Direction, Speaker, TO_BOT, TO_PERSON, UNASKED, reading_time};
use crate::behaviour::scene::{CastMember, Scene};
use crate::domain::ids::BotId;
use crate::domain::text::fold;
use crate::domain::transcript::{EntryKind, TranscriptEntry};

/// Latest messages that make up the room's energy.
const ENERGY_WINDOW: usize = 12;

/// A bot that just spoke is this much less likely to speak again, falling off over the following messages.
const JUST_SPOKE: f64 = 0.75;

/// Chance that an addressed bot answers a person.
const ADDRESSED_BY_PERSON: f64 = 0.99;

/// Chance that an addressed bot answers a bot at the start of a chain; each step multiplies it by `CHAIN_DECAY`.
const ADDRESSED_BY_BOT: f64 = 0.9;

/// Chance that another bot joins in at the start of a chain.
const JOINS_BOT: f64 = 0.4;

/// What each step of a chain leaves of the chance.
const CHAIN_DECAY: f64 = 0.8;

pub(super) fn on_entry(scene: &Scene<'_>, entry: &TranscriptEntry, seed: u64) -> Direction {
    let mut rng = fastrand::Rng::with_seed(seed);
    let text = entry.text.as_deref().unwrap_or_default();
    let from_person = entry.author.kind.is_person() && entry.fleet_bot.is_none();
    let named = addressed(scene, entry);
    let question = is_question(text);
    let energy = energy(scene);
    let decay = CHAIN_DECAY.powi(entry.chain_depth.saturating_sub(1).min(30) as i32);
    let inputs = json!({
        "from": if from_person { "person" } else { "bot" },
        "question": question,
        "energy": round(energy),
        "chain_depth": entry.chain_depth,
        "addressed": named.iter().map(|(member, how)| json!([member.profile.spec.name, how.as_str()])).collect::<Vec<_>>(),
    });

    if named.is_empty() {
        let share = match (from_person, question) {
            (true, true) => 0.97,
            (true, false) => 0.75 * energy.max(0.6),
            (false, true) => JOINS_BOT * 1.4 * decay * energy,
            (false, false) => JOINS_BOT * decay * energy,
        };
        let second = if from_person && question { 0.25 * energy } else { 0.05 * energy };
        return volunteers(scene, entry, from_person, share, second, &mut rng).with_inputs(inputs);
    }

    let mut speakers = Vec::new();
    let mut scores = Map::new();
    let mut chosen = Vec::new();
    for (member, how) in named {
        let chance = match (from_person, how) {
            (true, Address::Mention | Address::Reply) => ADDRESSED_BY_PERSON,
            (true, Address::Name) => 0.95,
            (false, _) => ADDRESSED_BY_BOT * decay * energy,
        };
        let roll = rng.f64();
        scores.insert(
            member.profile.spec.name.clone(),
            json!({ "chance": round(chance), "roll": round(roll), "addressed": how.as_str() }),
        );
        if roll < chance {
            chosen.push(member.profile.spec.name.as_str());
            speakers.push(speaker(scene, member, entry, from_person, text, &mut rng));
        }
    }
    let reason = if chosen.is_empty() {
        "the bot that was addressed lets it rest".to_owned()
    } else {
        format!("addressed: {}", chosen.join(", "))
    };
    Direction::of(speakers, reason, Some(entry)).with_inputs(inputs).with_scores(Value::Object(scores))
}

/// Nobody was addressed: with chance `share` somebody answers, with chance `second` another one too.
fn volunteers(
    scene: &Scene<'_>,
    entry: &TranscriptEntry,
    from_person: bool,
    share: f64,
    second: f64,
    rng: &mut fastrand::Rng,
) -> Direction {
    let text = entry.text.as_deref().unwrap_or_default();
    let folded = fold(text);
    let mut weights: Vec<(&CastMember, f64)> = scene
        .cast
        .iter()
        .filter(|member| entry.fleet_bot != Some(member.profile.id))
        .map(|member| (member, weight(scene, member, &folded)))
        .filter(|(_, weight)| *weight > 0.0)
        .collect();
    let scores: Map<String, Value> =
        weights.iter().map(|(member, weight)| (member.profile.spec.name.clone(), json!(round(*weight)))).collect();
    let roll = rng.f64();
    let mut speakers = Vec::new();
    let mut names = Vec::new();
    if roll < share {
        let count = if rng.f64() < second { 2 } else { 1 };
        for _ in 0..count {
            let Some(at) = draw(&weights, rng) else {
                break;
            };
            let (member, _) = weights.remove(at);
            names.push(member.profile.spec.name.as_str());
            speakers.push(speaker(scene, member, entry, from_person, text, rng));
        }
    }
    let reason = match (names.as_slice(), roll < share) {
        ([], true) => "nobody of the cast speaks unasked".to_owned(),
        ([], false) => "silence: nobody was addressed, and the chance to join in was not taken".to_owned(),
        (names, _) => format!("nobody was addressed; joining in: {}", names.join(", ")),
    };
    let scores = json!({ "share": round(share), "roll": round(roll), "weights": scores });
    Direction::of(speakers, reason, Some(entry)).with_scores(scores)
}

pub(super) fn on_tick(scene: &Scene<'_>, seed: u64) -> Direction {
    let mut rng = fastrand::Rng::with_seed(seed);
    let weights: Vec<(&CastMember, f64)> = scene
        .cast
        .iter()
        .map(|member| (member, weight(scene, member, "")))
        .filter(|(_, weight)| *weight > 0.0)
        .collect();
    let energy = energy(scene);
    let inputs = json!({ "energy": round(energy) });
    let Some(at) = draw(&weights, &mut rng) else {
        return Direction::silence("the room is quiet and nobody speaks unasked", None).with_inputs(inputs);
    };
    let (member, _) = weights[at];
    let speaker =
        Speaker { bot: member.profile.id, target: None, answers_bot: None, priority: UNASKED, delay: Duration::ZERO };
    let reason = format!("the room was quiet; {} brings something up", member.profile.spec.name);
    Direction::of(vec![speaker], reason, None).with_inputs(inputs)
}

fn speaker(
    scene: &Scene<'_>,
    member: &CastMember,
    entry: &TranscriptEntry,
    from_person: bool,
    text: &str,
    rng: &mut fastrand::Rng,
) -> Speaker {
    Speaker {
        bot: member.profile.id,
        target: Some(entry.number),
        answers_bot: entry.fleet_bot,
        priority: if from_person { TO_PERSON } else { TO_BOT },
        delay: reading_time(scene, text, rng),
    }
}

/// How likely a bot is to be the one who speaks unasked: talkativeness, interests, and how long it has been silent.
fn weight(scene: &Scene<'_>, member: &CastMember, folded: &str) -> f64 {
    let persona = &member.profile.spec.persona;
    if persona.talkativeness <= 0.0 {
        return 0.0;
    }
    let interested = !folded.is_empty() && persona.interests.iter().any(|interest| folded.contains(&fold(interest)));
    let silent_for = messages_since(scene, member.profile.id);
    let freshness = match silent_for {
        Some(messages) => 1.0 - JUST_SPOKE / (1.0 + messages as f64 * 0.5),
        None => 3.0,
    };
    persona.talkativeness * freshness * if interested { 2.5 } else { 1.0 }
}

/// Messages since the bot last spoke in this chat; `None` when it has not lately.
fn messages_since(scene: &Scene<'_>, bot: BotId) -> Option<usize> {
    messages(scene).position(|entry| entry.fleet_bot == Some(bot))
}

/// The latest messages, newest first.
fn messages<'a>(scene: &Scene<'a>) -> impl Iterator<Item = &'a TranscriptEntry> {
    scene.window.iter().rev().map(|entry| &**entry).filter(|entry| entry.kind == EntryKind::Message)
}

/// The room's energy, 0.3 to 1: how many of the latest messages are of people.
fn energy(scene: &Scene<'_>) -> f64 {
    let latest: Vec<bool> = messages(scene).take(ENERGY_WINDOW).map(|entry| entry.author.kind.is_person()).collect();
    if latest.is_empty() {
        return 1.0;
    }
    let people = latest.iter().filter(|person| **person).count() as f64 / latest.len() as f64;
    (0.3 + 1.4 * people).min(1.0)
}

/// An index by weight.
fn draw(weights: &[(&CastMember, f64)], rng: &mut fastrand::Rng) -> Option<usize> {
    let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
    let mut left = rng.f64() * total;
    for (at, (_, weight)) in weights.iter().enumerate() {
        left -= weight;
        if left < 0.0 {
            return Some(at);
        }
    }
    weights.len().checked_sub(1)
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
