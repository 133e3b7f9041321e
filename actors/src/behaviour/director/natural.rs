//! Policy `natural`: mentions, replies, names, questions, talkativeness, and silence. Layer `behaviour`; pure.
//!
//! Addressed bots answer people nearly always. Of the others at most one speaks up (now and then two answer a
//! question): the chance that anybody does comes from all their wishes together, who it is from each one's own.
//! The energy of the room rises with people and falls with the fleet's own messages; a chain of bots decays.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::address::{Address, addressed, is_question, is_to_person};
use super::wish::{energy, follow_up, freshness, openings_unanswered, wish};
use super::{Direction, Speaker, TO_BOT, TO_PERSON, UNASKED, reading_time};
use crate::behaviour::scene::{CastMember, Scene};
use crate::domain::text::fold;
use crate::domain::transcript::TranscriptEntry;
use crate::domain::turn::Act;

/// Chance that a bot answers a person who mentioned it or replied to it.
const ADDRESSED_BY_PERSON: f64 = 0.99;

/// Chance that a bot answers a person who named it.
const NAMED_BY_PERSON: f64 = 0.95;

/// What remains of a named bot's chance when another one was mentioned or replied to: it is rather talked about.
const TALKED_ABOUT: f64 = 0.5;

/// Most bots that answer one message, however many it addresses.
const ADDRESSED_MAX: usize = 3;

/// Chance that somebody answers a person's question to the room.
const QUESTION: f64 = 0.97;

/// How far a wish of 1 becomes a chance to answer a person's remark.
const REMARK: f64 = 0.5;

/// What remains of a chance when a person turns to another person.
const BETWEEN_PEOPLE: f64 = 0.35;

/// Least chance to go on with a person who goes on with a bot.
const FOLLOW_UP: f64 = 0.8;

/// Chance that an addressed bot answers a bot at the start of a chain; each step multiplies it by [`CHAIN_DECAY`].
const ADDRESSED_BY_BOT: f64 = 0.9;

/// Chance that another bot joins in at the start of a chain, when all wish to.
const JOINS_BOT: f64 = 0.45;

/// What each step of a chain leaves of a chance.
const CHAIN_DECAY: f64 = 0.8;

/// What each opening that no person took up leaves of the chance of the next, and the least that remains.
const OPENING_DECAY: f64 = 0.85;
const OPENING_MIN: f64 = 0.25;

/// A second bot waits about so much longer, so that the first one's message is there.
const SECOND_WAITS: Duration = Duration::from_secs(3);

/// Who wrote an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Writer {
    Person,
    Fleet,
    /// A bot of somebody else: ours answer it only when it calls them.
    ForeignBot,
}

impl Writer {
    fn of(entry: &TranscriptEntry) -> Self {
        match entry.fleet_bot {
            Some(_) => Self::Fleet,
            None if entry.author.kind.is_person() => Self::Person,
            None => Self::ForeignBot,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Fleet => "bot",
            Self::ForeignBot => "foreign_bot",
        }
    }
}

/// What the chances of one entry depend on.
struct Circumstances<'a> {
    text: &'a str,
    from: Writer,
    question: bool,
    to_person: bool,
    energy: f64,
    /// What the chain's length leaves of a chance.
    decay: f64,
}

impl<'a> Circumstances<'a> {
    fn of(scene: &Scene<'_>, entry: &'a TranscriptEntry) -> Self {
        let text = entry.text.as_deref().unwrap_or_default();
        Self {
            text,
            from: Writer::of(entry),
            question: is_question(text),
            to_person: is_to_person(scene, entry),
            energy: energy(scene),
            decay: CHAIN_DECAY.powi(entry.chain_depth.saturating_sub(1).min(30) as i32),
        }
    }

    fn inputs(&self, entry: &TranscriptEntry, named: &[(&CastMember, Address)]) -> Value {
        let addressed: Map<String, Value> =
            named.iter().map(|(member, how)| (member.profile.spec.name.clone(), json!(how.as_str()))).collect();
        json!({
            "from": self.from.as_str(),
            "question": self.question,
            "to_person": self.to_person,
            "energy": round(self.energy),
            "chain_depth": entry.chain_depth,
            "addressed": addressed,
        })
    }
}

pub(super) fn on_entry(scene: &Scene<'_>, entry: &TranscriptEntry, seed: u64) -> Direction {
    let mut rng = fastrand::Rng::with_seed(seed);
    let circumstances = Circumstances::of(scene, entry);
    let named = addressed(scene, entry);
    let inputs = circumstances.inputs(entry, &named);
    let direction = if !named.is_empty() {
        called(scene, entry, &circumstances, &named, &mut rng)
    } else if circumstances.from == Writer::ForeignBot {
        Direction::silence("a bot of somebody else, and it called none of ours", Some(entry))
    } else {
        volunteers(scene, entry, &circumstances, &mut rng)
    };
    direction.with_inputs(inputs)
}

/// Some bots were addressed: each answers by its own chance.
fn called(
    scene: &Scene<'_>,
    entry: &TranscriptEntry,
    circumstances: &Circumstances<'_>,
    calls: &[(&CastMember, Address)],
    rng: &mut fastrand::Rng,
) -> Direction {
    let from_person = circumstances.from == Writer::Person;
    let surest = calls.first().map(|(_, how)| *how);
    let mut speakers = Vec::new();
    let mut scores = Map::new();
    let mut names = Vec::new();
    for (member, how) in calls {
        let base = match (from_person, how) {
            (true, Address::Mention | Address::Reply) => ADDRESSED_BY_PERSON,
            (true, Address::Name) => NAMED_BY_PERSON,
            (false, _) => ADDRESSED_BY_BOT * circumstances.decay * circumstances.energy,
        };
        let talked_about = *how == Address::Name && surest != Some(Address::Name);
        let chance = if talked_about { base * TALKED_ABOUT } else { base };
        let roll = rng.f64();
        let score = json!({ "chance": round(chance), "roll": round(roll), "addressed": how.as_str() });
        scores.insert(member.profile.spec.name.clone(), score);
        if roll < chance && speakers.len() < ADDRESSED_MAX {
            names.push(member.profile.spec.name.as_str());
            let priority = if from_person { TO_PERSON } else { TO_BOT };
            speakers.push(speaker(scene, member, entry, priority, speakers.len(), rng));
        }
    }
    let reason = if names.is_empty() {
        "the bot that was addressed lets it rest".to_owned()
    } else {
        format!("addressed: {}", names.join(", "))
    };
    Direction::of(speakers, reason, Some(entry)).with_scores(Value::Object(scores))
}

/// Nobody was addressed: one may speak up, sometimes another one too.
fn volunteers(
    scene: &Scene<'_>,
    entry: &TranscriptEntry,
    circumstances: &Circumstances<'_>,
    rng: &mut fastrand::Rng,
) -> Direction {
    let from_person = circumstances.from == Writer::Person;
    let folded = fold(circumstances.text);
    let partner = follow_up(scene, entry);
    let mut wishes: Vec<(&CastMember, f64)> = scene
        .cast
        .iter()
        .filter(|member| entry.fleet_bot != Some(member.profile.id))
        .map(|member| (member, wish(scene, member, entry, &folded, partner)))
        .filter(|(_, wish)| *wish > 0.0)
        .collect();
    let room = 1.0 - wishes.iter().map(|(_, wish)| 1.0 - REMARK * wish.min(1.0)).product::<f64>();
    let lively = circumstances.energy;
    let mut share = match (from_person, circumstances.question) {
        (true, true) => QUESTION,
        (true, false) => room * lively.max(0.7),
        (false, true) => JOINS_BOT * 1.4 * room * circumstances.decay * lively,
        (false, false) => JOINS_BOT * room * circumstances.decay * lively,
    };
    if from_person && circumstances.to_person {
        share *= BETWEEN_PEOPLE;
    } else if from_person && partner.is_some() {
        share = share.max(FOLLOW_UP);
    }
    let second = if from_person && circumstances.question { 0.25 } else { 0.05 } * lively;
    let scores: Map<String, Value> =
        wishes.iter().map(|(member, wish)| (member.profile.spec.name.clone(), json!(round(*wish)))).collect();
    let roll = rng.f64();
    let scores = json!({ "share": round(share), "roll": round(roll), "wishes": scores });
    let mut speakers = Vec::new();
    let mut names = Vec::new();
    if roll < share {
        let count = if rng.f64() < second { 2 } else { 1 };
        let priority = if from_person { TO_PERSON } else { UNASKED };
        while let Some(at) = draw(&wishes, rng).filter(|_| speakers.len() < count) {
            let (member, _) = wishes.remove(at);
            names.push(member.profile.spec.name.as_str());
            speakers.push(speaker(scene, member, entry, priority, speakers.len(), rng));
        }
    }
    let reason = match (names.as_slice(), roll < share) {
        ([], true) => "nobody of the cast speaks unasked".to_owned(),
        ([], false) => "silence: nobody was addressed, and the chance to join in was not taken".to_owned(),
        (names, _) => format!("nobody was addressed; joining in: {}", names.join(", ")),
    };
    Direction::of(speakers, reason, Some(entry)).with_scores(scores)
}

/// The room was quiet: somebody may open a topic, the less likely the more openings no person took up.
pub(super) fn on_tick(scene: &Scene<'_>, seed: u64) -> Direction {
    let mut rng = fastrand::Rng::with_seed(seed);
    let wishes: Vec<(&CastMember, f64)> = scene
        .cast
        .iter()
        .map(|member| (member, member.profile.spec.persona.talkativeness * freshness(scene, member)))
        .filter(|(_, wish)| *wish > 0.0)
        .collect();
    let unanswered = openings_unanswered(scene);
    let chance = OPENING_DECAY.powi(unanswered.min(100) as i32).max(OPENING_MIN);
    let roll = rng.f64();
    let names: Map<String, Value> =
        wishes.iter().map(|(member, wish)| (member.profile.spec.name.clone(), json!(round(*wish)))).collect();
    let inputs = json!({ "openings_unanswered": unanswered });
    let scores = json!({ "chance": round(chance), "roll": round(roll), "wishes": names });
    let chosen = draw(&wishes, &mut rng).filter(|_| roll < chance);
    let direction = match chosen {
        Some(at) => {
            let member = wishes[at].0;
            let bot = member.profile.id;
            let speaker = Speaker {
                bot,
                act: Act::Open { topic: None },
                target: None,
                answers_bot: None,
                priority: UNASKED,
                delay: Duration::ZERO,
            };
            let reason = format!("the room was quiet; {} brings something up", member.profile.spec.name);
            Direction::of(vec![speaker], reason, None)
        }
        None if wishes.is_empty() => Direction::silence("the room is quiet and nobody speaks unasked", None),
        None => Direction::silence("the room is quiet, and so it stays for now", None),
    };
    direction.with_inputs(inputs).with_scores(scores)
}

fn speaker(
    scene: &Scene<'_>,
    member: &CastMember,
    entry: &TranscriptEntry,
    priority: u8,
    before: usize,
    rng: &mut fastrand::Rng,
) -> Speaker {
    let reading = reading_time(scene, entry.text.as_deref().unwrap_or_default(), rng);
    let waits = if reading.is_zero() { Duration::ZERO } else { SECOND_WAITS * before as u32 };
    Speaker {
        bot: member.profile.id,
        act: Act::Answer,
        target: Some(entry.number),
        answers_bot: entry.fleet_bot,
        priority,
        delay: reading + waits,
    }
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
