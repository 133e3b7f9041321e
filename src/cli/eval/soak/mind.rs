//! Plays the bot's side of a soak: prompt, simulated model, guards, typing. Part of `cli`.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use botfleet_actors::behaviour::director::energy::energy;
use botfleet_actors::behaviour::director::lately::openings_unanswered;
use botfleet_actors::behaviour::firewall::{self, Clean, Speaker};
use botfleet_actors::behaviour::generator::{Generator, Stage};
use botfleet_actors::behaviour::interruption::{Pending, Reconsidered, reconsider};
use botfleet_actors::behaviour::novelty::guard::Said;
use botfleet_actors::behaviour::objection::Objection;
use botfleet_actors::behaviour::pacing::typing_time;
use botfleet_actors::behaviour::review::{Context, Review, raise, review};
use botfleet_actors::behaviour::rhythm::{Rhythm, next_tick};
use botfleet_actors::behaviour::scene::{CastMember, Scene};
use botfleet_actors::domain::decision::Standing;
use botfleet_actors::domain::ids::{BotId, Number};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::domain::transcript::TranscriptEntry;
use botfleet_actors::domain::turn::Act;
use botfleet_actors::ports::llm::Role;
use botfleet_world::provider::smalltalk::Talker;

use super::room::Room;
use super::sim::Turn;

/// Names of people in Turkish chats, by their place in the chat.
const PEOPLE: [&str; 6] = ["Ayşe", "Mehmet", "Selin", "Burak", "Ebru", "Tolga"];
const PEOPLE_EN: [&str; 6] = ["Tom", "Alice", "Henry", "Grace", "Oscar", "Ivy"];

/// Most times that a model is asked for an answer that passes the firewall.
const TRIES_MAX: u32 = 2;

/// Number of last entries of the transcript that are searched for news.
const NEWS_MAX: usize = 60;

/// Number of texts remembered of a bot, and of the fleet.
const SAID_MAX: usize = 400;

/// The result of a review.
pub(super) enum Thought {
    /// The text may be said, after so much typing.
    Say { text: String, typing: Duration },
    /// The model has to be asked once more.
    Again,
    /// The answer is given up, with the reason.
    Drop(String),
}

/// State that all bots share.
pub(super) struct Mind {
    generator: Generator,
    talker: Talker,
    /// The last texts of each bot, oldest first.
    own: HashMap<BotId, Vec<Said>>,
    /// The last texts of all bots, oldest first.
    fleet: VecDeque<(BotId, Said)>,
}

impl Mind {
    pub(super) fn new(seed: u64) -> anyhow::Result<Self> {
        Ok(Self {
            generator: Generator::new()?,
            talker: Talker::new(seed),
            own: HashMap::new(),
            fleet: VecDeque::new(),
        })
    }

    pub(super) fn name_of(person: i64) -> String {
        let (chat, at) = ((person - 1) / 10, ((person - 1) % 10) as usize);
        let names = if chat % 2 == 0 { &PEOPLE } else { &PEOPLE_EN };
        names[at % names.len()].to_owned()
    }

    /// Returns the time until a quiet chat wakes.
    pub(super) fn next_tick(room: &Room, now: Timestamp, seed: u64) -> Option<Duration> {
        let pace = room.profile.spec.pacing.quiet_tick?;
        let standing = Standing::default();
        let scene = Scene {
            chat: &room.profile,
            cast: &room.cast,
            window: &room.window,
            whole: &room.window,
            standing: &standing,
            now,
        };
        let rhythm = Rhythm {
            pace,
            time_zone: &room.profile.spec.time_zone,
            quiet_hours: room.profile.spec.quiet_hours,
            energy: energy(&scene),
            unanswered: openings_unanswered(&scene),
        };
        Some(next_tick(&rhythm, now, seed ^ room.tick).since(now))
    }

    /// Asks the model, and reviews the answer as a bot does.
    pub(super) fn think(&mut self, room: &Room, turn: &mut Turn, now: Timestamp, seed: u64) -> Thought {
        let Some(member) = room.member(turn.bot) else {
            return Thought::Drop("no such bot".to_owned());
        };
        if let Act::Say { text } = &turn.act {
            return Thought::Say { text: text.clone(), typing: Duration::ZERO };
        }
        let Clean { text, claim } = match self.answer(room, member, turn, now) {
            Ok(clean) => clean,
            Err(_) if turn.tries < TRIES_MAX => {
                turn.tries += 1;
                return Thought::Again;
            }
            Err(reason) => return Thought::Drop(reason),
        };
        let (pending, tail) = Self::news(room, member, turn);
        turn.window.extend(room.window.iter().filter(|note| note.number > pending.seen).cloned());
        let (fleet, _) = self.fleet.as_slices();
        let context = Context {
            bot: &member.profile,
            username: member.username.as_deref(),
            chat: Some(&room.profile.spec),
            claim,
            news: Some((&pending, &tail)),
            window: &turn.window,
            target: turn.target.as_ref().map(|note| &*note.entry),
            objections: &turn.objections,
            own: self.own.get(&turn.bot).map(Vec::as_slice).unwrap_or_default(),
            fleet,
            now,
        };
        let text = match review(text, &context) {
            // No model is asked about stances here.
            Review::Say(text) | Review::Consult(text, _) => text,
            Review::Object(objected) => return object(turn, objected.objection),
            Review::Drop(reason) => return Thought::Drop(format!("interruption: {reason}")),
        };
        let persona = &member.profile.spec.persona;
        let typing = typing_time(&text, &room.profile.spec.pacing, persona.chars_per_second, seed);
        self.said(turn.bot, &text);
        Thought::Say { typing, text }
    }

    /// Returns the model's answer when the answer passes the firewall.
    fn answer(&mut self, room: &Room, member: &CastMember, turn: &Turn, now: Timestamp) -> Result<Clean, String> {
        let cast_names: Vec<String> = room.cast.iter().map(|member| member.profile.spec.name.clone()).collect();
        let target_bot = turn.target.as_ref().and_then(|note| room.member(note.fleet_bot?));
        let stage = Stage {
            bot: &member.profile,
            username: member.username.as_deref(),
            chat: &room.profile,
            cast_names: &cast_names,
            window: &turn.window,
            target: turn.target.as_ref().map(|note| &*note.entry),
            target_bot: target_bot.map(|member| member.profile.spec.name.as_str()),
            act: &turn.act,
            objections: &turn.objections,
            now,
        };
        let request = self.generator.request(&stage, "small-talk").map_err(|error| format!("prompt: {error}"))?;
        let prompt = request.messages.iter().map(|message| {
            let role = match message.role {
                Role::System => "system",
                Role::User => "user",
                Role::Assistant => "assistant",
            };
            (role, message.content.as_str())
        });
        let answer = self.talker.reply(prompt);
        // The novelty guard looks for repeats.
        let speaker = Speaker { name: &member.profile.spec.name, username: member.username.as_deref() };
        firewall::inspect(&answer, &request, &[], speaker)
            .map_err(|breach| format!("firewall: {}", breach.kind.label()))
    }

    /// Returns the facts about a turn's answer, and the end of the transcript.
    fn news(room: &Room, member: &CastMember, turn: &Turn) -> (Pending, Vec<Arc<TranscriptEntry>>) {
        let target = turn.target.as_ref().map(|note| Arc::clone(&note.entry));
        let (username, spoken) = (member.username.as_deref(), room.profile.spec.language);
        let pending = Pending::of(&member.profile, username, spoken, target, &turn.window, Some(Number(0)));
        let pending = Pending { after_others: turn.after_others, ..pending };
        let tail = room.window.iter().rev().take(NEWS_MAX).rev().map(|note| Arc::clone(&note.entry)).collect();
        (pending, tail)
    }

    /// Returns the reason why a typed message is not sent after all.
    pub(super) fn reconsider(room: &Room, turn: &Turn) -> Option<String> {
        if let Act::Say { .. } = turn.act {
            return None;
        }
        let (pending, tail) = Self::news(room, room.member(turn.bot)?, turn);
        match reconsider(&pending, &tail) {
            Reconsidered::Drop(reason) => Some(format!("interruption: {reason}")),
            _ => None,
        }
    }

    /// Forgets a text that was given up before anybody saw it.
    pub(super) fn unsay(&mut self, bot: BotId, text: &str) {
        let own = self.own.entry(bot).or_default();
        if let Some(at) = own.iter().rposition(|said| &*said.text == text) {
            own.remove(at);
        }
    }

    /// Remembers a text that a bot is about to say.
    fn said(&mut self, bot: BotId, text: &str) {
        let said = Said::new(text);
        if self.fleet.len() >= SAID_MAX {
            self.fleet.pop_front();
        }
        self.fleet.push_back((bot, said.clone()));
        self.fleet.make_contiguous();
        let own = self.own.entry(bot).or_default();
        if own.len() >= SAID_MAX {
            own.drain(..SAID_MAX / 2);
        }
        own.push(said);
    }
}

/// Has the model asked once more for each kind of objection; at the second of a kind the answer is given up.
fn object(turn: &mut Turn, objection: Objection) -> Thought {
    let label = objection.label();
    if !raise(&mut turn.objections, objection) {
        return Thought::Drop(label.to_owned());
    }
    turn.tries = 0;
    Thought::Again
}
