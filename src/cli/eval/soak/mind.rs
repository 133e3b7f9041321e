//! The bot's side of a soak: prompt, simulated model, guards, typing. Part of `cli`.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use botfleet_actors::behaviour::director::energy::energy;
use botfleet_actors::behaviour::director::lately::openings_unanswered;
use botfleet_actors::behaviour::firewall;
use botfleet_actors::behaviour::generator::{Generator, Stage};
use botfleet_actors::behaviour::pacing::typing_time;
use botfleet_actors::behaviour::rhythm::{Rhythm, next_tick};
use botfleet_actors::behaviour::salutation::salute;
use botfleet_actors::behaviour::scene::Scene;
use botfleet_actors::domain::decision::Standing;
use botfleet_actors::domain::ids::BotId;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::domain::turn::Act;
use botfleet_actors::ports::llm::Role;
use botfleet_loadtest::provider::smalltalk::Talker;

use super::room::Room;
use super::sim::Turn;

/// Names of people by their last digit.
const PEOPLE: [&str; 6] = ["Ayşe", "Mehmet", "Selin", "Burak", "Ebru", "Tolga"];
const PEOPLE_EN: [&str; 6] = ["Tom", "Alice", "Henry", "Grace", "Oscar", "Ivy"];

/// Times that a model is asked for one turn.
const ASKED_MAX: u32 = 2;

/// What came of an answer.
pub(super) enum Thought {
    /// It may be said, after so much typing.
    Say { text: String, typing: Duration },
    /// The model is asked once more.
    Again,
    /// It is given up.
    Drop(String),
}

/// What all bots share.
pub(super) struct Mind {
    generator: Generator,
    talker: Talker,
    /// The last texts of each bot.
    recent: HashMap<BotId, VecDeque<String>>,
}

impl Mind {
    pub(super) fn new(seed: u64) -> anyhow::Result<Self> {
        Ok(Self { generator: Generator::new()?, talker: Talker::new(seed), recent: HashMap::new() })
    }

    pub(super) fn name_of(&self, person: i64) -> String {
        let (chat, at) = ((person - 1) / 10, ((person - 1) % 10) as usize);
        let names = if chat % 2 == 0 { &PEOPLE } else { &PEOPLE_EN };
        names[at % names.len()].to_owned()
    }

    /// When a quiet chat wakes.
    pub(super) fn next_tick(&self, room: &Room, now: Timestamp, seed: u64) -> Option<Duration> {
        let pace = room.profile.spec.pacing.quiet_tick?;
        let standing = Standing::default();
        let scene = Scene { chat: &room.profile, cast: &room.cast, window: &room.window, standing: &standing, now };
        let rhythm = Rhythm {
            pace,
            time_zone: &room.profile.spec.time_zone,
            quiet_hours: room.profile.spec.quiet_hours,
            energy: energy(&scene),
            unanswered: openings_unanswered(&scene),
        };
        Some(next_tick(&rhythm, now, seed ^ room.tick).since(now))
    }

    /// Asks the model and inspects what it says.
    pub(super) fn think(&mut self, room: &mut Room, turn: &mut Turn, now: Timestamp, seed: u64) -> Thought {
        let Some(member) = room.member(turn.bot).cloned() else {
            return Thought::Drop("no such bot".to_owned());
        };
        if let Act::Say { text } = &turn.act {
            return Thought::Say { text: text.clone(), typing: Duration::ZERO };
        }
        let cast_names: Vec<String> = room.cast.iter().map(|member| member.profile.spec.name.clone()).collect();
        let stage = Stage {
            bot: &member.profile,
            username: member.username.as_deref(),
            chat: &room.profile,
            cast_names: &cast_names,
            window: &turn.window,
            target: turn.target.as_ref().map(|note| &*note.entry),
            seed,
        };
        let Ok(request) = self.generator.request(&stage, "small-talk") else {
            return Thought::Drop("prompt".to_owned());
        };
        let prompt = request.messages.iter().map(|message| {
            let role = match message.role {
                Role::System => "system",
                Role::User => "user",
                Role::Assistant => "assistant",
            };
            (role, message.content.as_str())
        });
        let answer = self.talker.reply(prompt);
        let recent: Vec<&str> = self.recent.get(&turn.bot).into_iter().flatten().map(String::as_str).collect();
        match firewall::inspect(&answer, &request, &recent, &member.profile.spec.name) {
            Ok(text) => {
                let text = match &turn.target {
                    Some(target) => {
                        salute(&text, &member.profile, member.username.as_deref(), target, &turn.window, now)
                    }
                    None => text,
                };
                Thought::Say { typing: typing_time(&text, &room.profile.spec.pacing, seed), text }
            }
            Err(_) if turn.asked < ASKED_MAX => Thought::Again,
            Err(breach) => Thought::Drop(format!("firewall: {}", breach.kind.label())),
        }
    }

    /// Why a message that was typed is not sent after all.
    pub(super) fn reconsider(&self, _room: &Room, _turn: &Turn, _now: Timestamp) -> Option<String> {
        None
    }

    pub(super) fn said(&mut self, bot: BotId, text: &str) {
        let recent = self.recent.entry(bot).or_default();
        recent.push_back(text.to_owned());
        if recent.len() > 100 {
            recent.pop_front();
        }
    }
}
