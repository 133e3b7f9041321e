//! Openings: a bot brings up a subject in a quiet room. Layer `behaviour`; pure.

use std::ops::Range;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::energy::energy;
use super::factors::{Subject, Wish};
use super::filters::of_unasked;
use super::gate::clock;
use super::lately::{by_bot, messages, openings_unanswered};
use crate::behaviour::director::direction::{Direction, Speaker, UNASKED, draw, round};
use crate::behaviour::note::Note;
use crate::behaviour::scene::{CastMember, Scene};
use crate::behaviour::topics::keyword::Keyword;
use crate::behaviour::topics::selector::{QuietRoom, TopicSelector};
use crate::domain::ids::Number;
use crate::domain::turn::Act;

/// Factor on the chance of an opening for each one that no person took up, and the least chance.
const OPENING_DECAY: f64 = 0.85;
const OPENING_MIN: f64 = 0.25;

/// Share of openings that come back to something that a person said so long ago, in so many words at least.
const RECALLS: f64 = 0.4;
const RECALLED_AGO: Range<Duration> = Duration::from_hours(1)..Duration::from_hours(20);
const RECALLED_WORDS: usize = 5;

/// Number of latest messages whose topics do not come up again.
const LATELY: usize = 30;

/// Decides in a quiet room: a bot may open a topic, the less likely the more openings no person took up.
pub(super) fn on_tick(scene: &Scene<'_>, minute: u16, seed: u64) -> Direction {
    let mut rng = fastrand::Rng::with_seed(seed);
    let unanswered = openings_unanswered(scene);
    let mut inputs =
        json!({ "hour": clock(minute), "energy": round(energy(scene)), "openings_unanswered": unanswered });
    if !scene.standing.open.is_empty() {
        inputs["open"] = json!(scene.standing.open.len());
        return Direction::silence("somebody is about to speak already", None).with_inputs(inputs);
    }
    let said = by_bot(scene);
    let subject = Subject { entry: None, words: &[], partner: None, in_thread: &[], minute };
    let mut scores = Map::new();
    let mut wishes: Vec<(&CastMember, f64)> = Vec::new();
    for member in scene.cast {
        let of_bot = said.get(&member.profile.id);
        let wish = Wish::of(scene, member, of_bot, &subject);
        let mut record = wish.record();
        match of_unasked(scene, member, of_bot, None, minute) {
            Some(filter) => record["filtered"] = json!(filter.as_str()),
            None if wish.total > 0.0 => wishes.push((member, wish.total)),
            None => {}
        }
        scores.insert(member.profile.spec.name.clone(), record);
    }
    let chance = OPENING_DECAY.powi(unanswered.min(100) as i32).max(OPENING_MIN);
    let roll = rng.f64();
    (inputs["chance"], inputs["roll"]) = (json!(round(chance)), json!(round(roll)));
    let chosen = draw(wishes.iter().map(|(_, wish)| *wish), &mut rng).filter(|_| roll < chance);
    let direction = match chosen {
        Some(at) => {
            let member = wishes[at].0;
            let reason = format!("the room was quiet; {} brings something up", member.profile.spec.name);
            let speaker = Speaker {
                bot: member.profile.id,
                act: Act::Open {
                    topic: topic(scene, member, rng.u64(..)),
                    thread: scene.standing.thread,
                    recalls: recalled(scene, seed),
                },
                target: None,
                answers_bot: None,
                priority: UNASKED,
                delay: Duration::ZERO,
            };
            Direction::of(vec![speaker], reason, None)
        }
        None if wishes.is_empty() => Direction::silence("the room is quiet and nobody speaks unasked", None),
        None => Direction::silence("the room is quiet, and so it stays for now", None),
    };
    direction.with_inputs(inputs).with_scores(Value::Object(scores))
}

/// Returns something that a person said some hours ago, and since the last opening, for a bot to come back to:
/// sometimes, where there is such a thing.
fn recalled(scene: &Scene<'_>, seed: u64) -> Option<Number> {
    // A draw of its own: the others stay what they were.
    let mut rng = fastrand::Rng::with_seed(seed.rotate_left(32));
    let is_opening = |note: &&Note| note.fleet_bot.is_some() && note.root == note.number && !note.is_notice();
    let opened = messages(scene).find(is_opening).map_or(Number(0), |note| note.number);
    let then = |note: &&Note| {
        let ago = scene.now.since(note.date);
        let text = note.text.as_deref().unwrap_or_default();
        let says_much = text.split_whitespace().count() >= RECALLED_WORDS;
        note.number > opened
            && note.author.kind.is_person()
            && note.thread == scene.standing.thread
            && says_much
            && RECALLED_AGO.contains(&ago)
    };
    let said: Vec<Number> = messages(scene).filter(then).map(|note| note.number).collect();
    rng.choice(said).filter(|_| rng.f64() < RECALLS)
}

fn topic(scene: &Scene<'_>, member: &CastMember, seed: u64) -> Option<String> {
    let lately: Vec<&str> = messages(scene).take(LATELY).map(Note::folded).collect();
    let interests = &member.profile.spec.persona.interests;
    Keyword.select(&QuietRoom { topics: &scene.chat.spec.topics, interests, lately: &lately }, seed)
}
