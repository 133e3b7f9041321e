//! Policy `natural`: mentions, replies, names, links, questions, wishes, and silence. Layer `behaviour`; pure.
//!
//! Addressed bots answer people nearly always. Of the others one speaks up, now and then two: the chance that anybody
//! does comes from all their wishes together, the choice from each one's own. The energy of the room rises with
//! messages of people and falls with those of bots; chances fall along a chain of bots. All weights are the chat's
//! strategy.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::address::{Address, addressed, is_question, is_to_person, replied_to};
use super::burst;
use super::disagree::words;
use super::energy::energy;
use super::factors::{Subject, Wish, closeness};
use super::filters::{Filter, of_called, of_called_by_bot, of_unasked};
use super::gate::{clock, is_calm};
use super::lately::{Said, by_bot, follow_up};
use super::reaction::perhaps;
use super::thread::{BELIEVED, Link, link, speakers_in_thread};
use crate::behaviour::director::direction::{
    Direction, Speaker, TO_BOT, TO_PERSON, UNASKED, draw, reading_time, round,
};
use crate::behaviour::note::Note;
use crate::behaviour::physics::limits::{between, shortened};
use crate::behaviour::scene::{CastMember, Scene};
use crate::domain::decision::OpenTurn;
use crate::domain::ids::BotId;
use crate::domain::names::names;
use crate::domain::transcript::TranscriptEntry;
use crate::domain::turn::Act;

/// Factor on the chance to join in when a bot asks a question.
const BOTS_QUESTION: f64 = 1.4;

/// Chances that a second bot joins in on a question of a person, and on anything else, in a lively room.
const SECOND_ON_QUESTION: f64 = 0.25;
const SECOND: f64 = 0.05;

/// Least share of the chance to answer a person's remark that a tired room leaves.
const TIRED: f64 = 0.7;

/// Highest chance that a called bot answers a bot, however close they are.
const TO_BOT_MAX: f64 = 0.9;

/// Share of that chance that remains after each message between the two in ten minutes.
const PAIR_TIRES: f64 = 0.85;

/// Extra wait for each bot that speaks before, whose message is to be there by then; and the most that count.
const NEXT_WAITS: Duration = Duration::from_secs(3);
const WAITS_MAX: u32 = 3;

/// Kind of an entry's author.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Writer {
    Person,
    Fleet,
    /// A bot outside the fleet: the fleet's bots answer it only when it calls them.
    ForeignBot,
}

names! { Writer { Person = "person", Fleet = "bot", ForeignBot = "foreign_bot" } }

impl Writer {
    fn of(entry: &TranscriptEntry) -> Self {
        match entry.fleet_bot {
            Some(_) => Self::Fleet,
            None if entry.author.kind.is_person() => Self::Person,
            None => Self::ForeignBot,
        }
    }
}

/// Facts that the chances of one entry depend on.
pub(super) struct Circumstances<'a> {
    from: Writer,
    question: bool,
    to_person: bool,
    energy: f64,
    /// Share of a chance that the chain's length leaves.
    decay: f64,
    /// Minute of the day by the chat's clock.
    pub(super) minute: u16,
    /// The message that the entry answers, when Telegram does not tell one.
    link: Option<Link<'a>>,
    in_thread: Vec<BotId>,
    said: HashMap<BotId, Said>,
}

impl<'a> Circumstances<'a> {
    /// Gathers the facts of an entry; `calls` tells whether the entry calls bots.
    fn of(scene: &Scene<'a>, entry: &Note, minute: u16, calls: bool) -> Self {
        let from = Writer::of(entry);
        let reply = replied_to(scene, entry);
        let implicit = from == Writer::Person && !calls && reply.is_none() && entry.text.is_some();
        let link = implicit.then(|| link(scene, entry)).flatten();
        let believed = link.as_ref().filter(|link| link.probability >= BELIEVED).map(|link| link.to);
        let person = believed.filter(|to| to.fleet_bot.is_none() && to.author.id != entry.author.id);
        let depth = entry.chain_depth.saturating_sub(1).min(30) as i32;
        let question = is_question(entry.text.as_deref().unwrap_or_default());
        Self {
            from,
            question,
            to_person: is_to_person(scene, entry, calls) || person.is_some(),
            energy: energy(scene),
            decay: scene.chat.spec.strategy.chain_decay.powi(depth),
            minute,
            in_thread: speakers_in_thread(scene, entry, reply.or(believed)),
            link,
            said: by_bot(scene),
        }
    }

    /// Returns the bot whose message this one most likely answers, as called by a link.
    fn linked(&self, scene: &Scene<'a>) -> Option<(&'a CastMember, Address)> {
        let link = self.link.as_ref().filter(|link| link.probability >= BELIEVED)?;
        let bot = link.to.fleet_bot?;
        scene.cast.iter().find(|member| member.profile.id == bot).map(|member| (member, Address::Link))
    }

    fn inputs(&self, scene: &Scene<'_>, entry: &Note, calls: &[(&CastMember, Address)]) -> Value {
        let addressed: Map<String, Value> =
            calls.iter().map(|(member, how)| (member.profile.spec.name.clone(), json!(how.as_str()))).collect();
        let mut inputs = json!({
            "from": self.from.as_str(),
            "question": self.question,
            "to_person": self.to_person,
            "energy": round(self.energy),
            "chain_depth": entry.chain_depth,
            "addressed": addressed,
            "hour": clock(self.minute),
        });
        if let Some(link) = &self.link {
            inputs["link"] = json!([link.to.number, round(link.probability)]);
        }
        if !scene.standing.open.is_empty() {
            inputs["open"] = json!(scene.standing.open.len());
        }
        if is_calm(scene) {
            inputs["calm"] = json!(true);
        }
        inputs
    }
}

pub(super) fn on_entry(scene: &Scene<'_>, entry: &Note, minute: u16, seed: u64) -> Direction {
    let mut rng = fastrand::Rng::with_seed(seed);
    let lines = burst::earlier(scene, entry);
    let waiting: Vec<OpenTurn> =
        scene.standing.open.iter().filter(|turn| burst::answers(turn, &lines)).copied().collect();
    let standing = burst::without(scene.standing, &lines);
    let scene = &Scene { standing: &standing, ..*scene };
    let mut calls = addressed(scene, entry);
    for call in lines.iter().flat_map(|line| addressed(scene, line)) {
        if !calls.iter().any(|(member, _)| member.profile.id == call.0.profile.id) {
            calls.push(call);
        }
    }
    let circumstances = Circumstances::of(scene, entry, minute, !calls.is_empty());
    if calls.is_empty() && !circumstances.to_person {
        calls.extend(circumstances.linked(scene));
    }
    let inputs = circumstances.inputs(scene, entry, &calls);
    let mut direction = if !calls.is_empty() {
        called(scene, entry, &circumstances, &calls, &mut rng)
    } else if let Some(speakers) = goes_on(scene, entry, &waiting, &mut rng) {
        Direction::of(speakers, "the person goes on, and so does who was to answer", Some(entry))
    } else if circumstances.from == Writer::ForeignBot {
        Direction::silence("a bot of somebody else, and it called none of ours", Some(entry))
    } else {
        volunteers(scene, entry, &circumstances, &mut rng)
    };
    let decided = std::mem::take(&mut direction.inputs);
    if circumstances.from == Writer::Person {
        if direction.speakers.is_empty() {
            direction = perhaps(scene, entry, &circumstances, direction, &mut rng);
        }
        if let Some(until) = scene.standing.calm_until.filter(|_| is_calm(scene)) {
            direction.calm_until = Some(shortened(until, scene.now, !calls.is_empty()));
        }
    }
    let reaction = std::mem::take(&mut direction.inputs);
    let mut direction = direction.with_inputs(merged(inputs, [decided, reaction]));
    if !lines.is_empty() {
        direction.goes_on_from = lines.iter().map(|line| line.number).collect();
        direction.inputs["lines"] = json!(lines.len() + 1);
    }
    direction
}

/// Returns those who were to answer the earlier lines of a burst, as speakers to its last line.
fn goes_on(scene: &Scene<'_>, entry: &Note, waiting: &[OpenTurn], rng: &mut fastrand::Rng) -> Option<Vec<Speaker>> {
    let members = waiting.iter().filter_map(|turn| scene.cast.iter().find(|member| member.profile.id == turn.bot));
    let speakers: Vec<Speaker> =
        members.enumerate().map(|(before, member)| speaker(scene, member, entry, TO_PERSON, before, rng)).collect();
    (!speakers.is_empty()).then_some(speakers)
}

/// Merges the keys of all into one object.
fn merged(mut inputs: Value, more: [Value; 2]) -> Value {
    if let Some(inputs) = inputs.as_object_mut() {
        for value in more {
            if let Value::Object(keys) = value {
                inputs.extend(keys);
            }
        }
    }
    inputs
}

/// Decides when bots were addressed: each answers by its own chance.
fn called(
    scene: &Scene<'_>,
    entry: &Note,
    circumstances: &Circumstances<'_>,
    calls: &[(&CastMember, Address)],
    rng: &mut fastrand::Rng,
) -> Direction {
    let from_person = circumstances.from == Writer::Person;
    let mut speakers = Vec::new();
    let mut scores = Map::new();
    let mut names = Vec::new();
    let mut pair_spent = false;
    for (member, how) in calls {
        let said = circumstances.said.get(&member.profile.id);
        let filter = if from_person {
            of_called(member, said)
        } else {
            of_called_by_bot(scene, member, said, entry, circumstances.minute)
        };
        let chance = chance_of_called(scene, entry, circumstances, calls, (member, *how));
        let roll = rng.f64();
        let mut score = json!({ "chance": round(chance), "roll": round(roll), "addressed": how.as_str() });
        pair_spent |= filter == Some(Filter::Pair);
        if let Some(filter) = filter {
            score["filtered"] = json!(filter.as_str());
        }
        scores.insert(member.profile.spec.name.clone(), score);
        if filter.is_none() && roll < chance && speakers.len() < scene.chat.spec.strategy.addressed_max {
            names.push(member.profile.spec.name.as_str());
            let priority = if from_person { TO_PERSON } else { TO_BOT };
            speakers.push(speaker(scene, member, entry, priority, speakers.len(), rng));
        }
    }
    let occupied = !from_person && !scene.standing.open.is_empty();
    if occupied {
        speakers.clear();
    }
    let reason = match names.as_slice() {
        [] if pair_spent => "the two bots have said enough to one another for ten minutes".to_owned(),
        [] => "the bot that was addressed lets it rest".to_owned(),
        _ if occupied => "somebody is about to speak already, so a bot's call waits".to_owned(),
        names => format!("addressed: {}", names.join(", ")),
    };
    Direction::of(speakers, reason, Some(entry)).with_scores(Value::Object(scores))
}

fn chance_of_called(
    scene: &Scene<'_>,
    entry: &Note,
    circumstances: &Circumstances<'_>,
    calls: &[(&CastMember, Address)],
    (member, how): (&CastMember, Address),
) -> f64 {
    let strategy = &scene.chat.spec.strategy;
    if circumstances.from != Writer::Person {
        let chance = strategy.addressed_by_bot * circumstances.decay * circumstances.energy;
        let said = entry.fleet_bot.map_or(0, |author| between(scene, author, member.profile.id));
        let tired = PAIR_TIRES.powi(said.saturating_sub(1).min(30) as i32);
        return (chance * closeness(scene, member, entry)).min(TO_BOT_MAX) * tired;
    }
    let surest = calls.first().map(|(_, how)| *how);
    match how {
        Address::Mention | Address::Reply => strategy.addressed_by_person,
        Address::Name if surest == Some(Address::Name) && !circumstances.to_person => strategy.named_by_person,
        Address::Name => strategy.named_by_person * strategy.talked_about,
        Address::Link => {
            let probability = circumstances.link.as_ref().map_or(0.0, |link| link.probability);
            (strategy.addressed_by_person * probability).max(strategy.follow_up)
        }
    }
}

/// Decides when nobody was addressed: one bot may speak up, sometimes another one too.
fn volunteers(
    scene: &Scene<'_>,
    entry: &Note,
    circumstances: &Circumstances<'_>,
    rng: &mut fastrand::Rng,
) -> Direction {
    let strategy = &scene.chat.spec.strategy;
    let from_person = circumstances.from == Writer::Person;
    let said_words: Vec<&str> = words(entry.folded()).collect();
    let partner = follow_up(scene, entry).filter(|_| !circumstances.to_person);
    let in_thread = &circumstances.in_thread;
    let subject =
        Subject { entry: Some(&**entry), words: &said_words, partner, in_thread, minute: circumstances.minute };
    let mut scores = Map::new();
    let mut wishes: Vec<(&CastMember, f64)> = Vec::new();
    for member in scene.cast {
        let said = circumstances.said.get(&member.profile.id);
        let wish = Wish::of(scene, member, said, &subject);
        let mut record = wish.record();
        // The bot that the person goes on with need not cool down.
        let filter = of_unasked(scene, member, said, Some(&**entry), circumstances.minute)
            .filter(|filter| *filter != Filter::CoolDown || partner != Some(member.profile.id));
        match filter {
            Some(filter) => record["filtered"] = json!(filter.as_str()),
            None if wish.total > 0.0 => wishes.push((member, wish.total)),
            None => {}
        }
        scores.insert(member.profile.spec.name.clone(), record);
    }
    let room = 1.0 - wishes.iter().map(|(_, wish)| 1.0 - strategy.remark * wish.min(1.0)).product::<f64>();
    let lively = circumstances.energy;
    let mut share = match (from_person, circumstances.question) {
        (true, true) => strategy.question,
        (true, false) => room * lively.max(TIRED),
        (false, true) => strategy.joins_bot * BOTS_QUESTION * room * circumstances.decay * lively,
        (false, false) => strategy.joins_bot * room * circumstances.decay * lively,
    };
    if from_person && circumstances.to_person {
        share *= strategy.between_people;
    } else if from_person && partner.is_some() {
        share = share.max(strategy.follow_up);
    }
    let asked = from_person && circumstances.question && !circumstances.to_person;
    let waits = if asked {
        None
    } else if !scene.standing.open.is_empty() {
        Some("silence: somebody is about to speak already")
    } else if is_calm(scene) {
        Some("silence: the chat calms down, and nobody was addressed")
    } else {
        None
    };
    let second = if from_person && circumstances.question { SECOND_ON_QUESTION } else { SECOND } * lively;
    let roll = rng.f64();
    let mut speakers = Vec::new();
    let mut names = Vec::new();
    if roll < share && waits.is_none() {
        let count = if rng.f64() < second { 2 } else { 1 };
        let priority = if from_person { TO_PERSON } else { UNASKED };
        while let Some(at) = draw(wishes.iter().map(|(_, wish)| *wish), rng).filter(|_| speakers.len() < count) {
            let (member, _) = wishes.remove(at);
            names.push(member.profile.spec.name.as_str());
            speakers.push(speaker(scene, member, entry, priority, speakers.len(), rng));
        }
    }
    let reason = match (names.as_slice(), waits) {
        ([], Some(waits)) => waits.to_owned(),
        ([], None) if roll < share => "nobody of the cast speaks unasked".to_owned(),
        ([], None) => "silence: nobody was addressed, and the chance to join in was not taken".to_owned(),
        (names, _) => format!("nobody was addressed; joining in: {}", names.join(", ")),
    };
    Direction::of(speakers, reason, Some(entry))
        .with_scores(Value::Object(scores))
        .with_inputs(json!({ "share": round(share), "roll": round(roll) }))
}

fn speaker(
    scene: &Scene<'_>,
    member: &CastMember,
    entry: &Note,
    priority: u8,
    before: usize,
    rng: &mut fastrand::Rng,
) -> Speaker {
    let reading = reading_time(scene, entry.text.as_deref().unwrap_or_default(), rng);
    let ahead = (before + scene.standing.open.len()).min(WAITS_MAX as usize) as u32;
    let waits = if reading.is_zero() { Duration::ZERO } else { NEXT_WAITS * ahead };
    // A person may not have said everything yet.
    let pacing = &scene.chat.spec.pacing;
    let quiet = if pacing.enabled && entry.author.kind.is_person() { pacing.burst } else { Duration::ZERO };
    Speaker {
        bot: member.profile.id,
        act: Act::Answer,
        target: Some(entry.number),
        answers_bot: entry.fleet_bot,
        priority,
        delay: reading.max(quiet) + waits,
    }
}
