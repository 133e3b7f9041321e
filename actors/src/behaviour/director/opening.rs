//! Openings: a bot brings up a subject in a quiet room. Layer `behaviour`; pure.

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
use crate::domain::turn::Act;

/// Factor on the chance of an opening for each one that no person took up, and the least chance.
const OPENING_DECAY: f64 = 0.85;
const OPENING_MIN: f64 = 0.25;

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
    let subject = Subject { entry: None, words: &[], partner: None, in_thread: &[] };
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
                act: Act::Open { topic: topic(scene, member, rng.u64(..)), thread: scene.standing.thread },
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

fn topic(scene: &Scene<'_>, member: &CastMember, seed: u64) -> Option<String> {
    let lately: Vec<&str> = messages(scene).take(LATELY).map(Note::folded).collect();
    let interests = &member.profile.spec.persona.interests;
    Keyword.select(&QuietRoom { topics: &scene.chat.spec.topics, interests, lately: &lately }, seed)
}
