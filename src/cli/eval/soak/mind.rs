//! Plays the model's side of a soak: prompt, simulated model, firewall, guards. Part of `cli`.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use botfleet_actors::behaviour::firewall::{self, Clean, Speaker};
use botfleet_actors::behaviour::generator::{Generator, Stage};
use botfleet_actors::behaviour::interruption::{Pending, Reconsidered, reconsider};
use botfleet_actors::behaviour::job::TurnJob;
use botfleet_actors::behaviour::novelty::guard::Said;
use botfleet_actors::behaviour::objection::Objection;
use botfleet_actors::behaviour::review::{Context, Review, raise, review};
use botfleet_actors::behaviour::scene::CastMember;
use botfleet_actors::domain::ids::BotId;
use botfleet_actors::domain::outbox::OutboxMessage;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::domain::transcript::TranscriptEntry;
use botfleet_actors::domain::turn::Act;
use botfleet_actors::ports::llm::Role;
use botfleet_world::provider::smalltalk::Talker;

use super::room::Room;

/// Names of people in Turkish chats, by their place in the chat.
const PEOPLE: [&str; 6] = ["Ayşe", "Mehmet", "Selin", "Burak", "Ebru", "Tolga"];
const PEOPLE_EN: [&str; 6] = ["Tom", "Alice", "Henry", "Grace", "Oscar", "Ivy"];

/// Number of texts kept back by the firewall that ends a turn.
const KEPT_BACK_MAX: u32 = 2;

/// Number of last entries of the transcript that are searched for news.
const NEWS_MAX: usize = 60;

/// Number of texts remembered of a bot, and of the fleet.
const SAID_MAX: usize = 400;

/// A turn under way.
pub(super) struct Task {
    /// Place of the chat among the chats.
    pub(super) place: usize,
    /// The bot.
    pub(super) member: CastMember,
    /// The turn and its context.
    pub(super) job: TurnJob,
    /// The turn is claimed.
    pub(super) begun: bool,
    /// The messages that the text made.
    pub(super) messages: Vec<OutboxMessage>,
    /// Answers that the firewall kept back.
    kept_back: u32,
    /// Verdicts for which answers were not said.
    objections: Vec<Objection>,
}

impl Task {
    pub(super) fn new(place: usize, member: CastMember, job: TurnJob) -> Self {
        Self { place, member, job, begun: false, messages: Vec::new(), kept_back: 0, objections: Vec::new() }
    }
}

/// The result of a review.
pub(super) enum Thought {
    /// The text may be said.
    Say(String),
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

    /// Asks the model, and reviews the answer as a bot does.
    pub(super) fn think(&mut self, room: &Room, task: &mut Task, now: Timestamp) -> Thought {
        if let Act::Say { text, .. } = &task.job.turn.act {
            return Thought::Say(text.clone());
        }
        let Clean { text, claim, .. } = match self.answer(room, task, now) {
            Ok(clean) => clean,
            Err(reason) => {
                task.kept_back += 1;
                return if task.kept_back < KEPT_BACK_MAX { Thought::Again } else { Thought::Drop(reason) };
            }
        };
        let (pending, tail) = news(room, task);
        let window = &room.memory.window;
        task.job.window.extend(window.iter().filter(|note| note.number > pending.seen).cloned());
        let bot = task.job.turn.bot;
        let (fleet, _) = self.fleet.as_slices();
        let usernames: Vec<&str> = room.cast.iter().filter_map(|member| member.username.as_deref()).collect();
        let context = Context {
            bot: &task.member.profile,
            username: task.member.username.as_deref(),
            usernames: &usernames,
            chat: Some(&room.profile.spec),
            claim,
            news: Some((&pending, &tail)),
            window: &task.job.window,
            target: task.job.target.as_deref(),
            objections: &task.objections,
            own: self.own.get(&bot).map(Vec::as_slice).unwrap_or_default(),
            fleet,
            now,
        };
        match review(text, &context) {
            // No model is asked about stances here.
            Review::Say(text) | Review::Consult(text, _) => {
                self.said(bot, &text);
                Thought::Say(text)
            }
            Review::Object(objected) => {
                let label = objected.objection.label();
                if raise(&mut task.objections, objected.objection) {
                    Thought::Again
                } else {
                    Thought::Drop(label.to_owned())
                }
            }
            Review::Drop(reason) => Thought::Drop(format!("interruption: {reason}")),
        }
    }

    /// Returns the model's answer when the answer passes the firewall.
    fn answer(&mut self, room: &Room, task: &Task, now: Timestamp) -> Result<Clean, String> {
        let (job, member) = (&task.job, &task.member);
        let cast_names: Vec<String> = room.cast.iter().map(|member| member.profile.spec.name.clone()).collect();
        let target_bot = job.target.as_ref().and_then(|target| room.member(target.fleet_bot?));
        let stage = Stage {
            bot: &member.profile,
            username: member.username.as_deref(),
            chat: &room.profile,
            cast_names: &cast_names,
            window: &job.window,
            target: job.target.as_deref(),
            target_bot: target_bot.map(|member| member.profile.spec.name.as_str()),
            act: &job.turn.act,
            objections: &task.objections,
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
            .map_err(|breach| format!("firewall: {}", breach.kind.as_str()))
    }

    /// Returns the reason why a typed message is not sent after all.
    pub(super) fn reconsider(room: &Room, task: &Task) -> Option<String> {
        if let Act::Say { .. } = task.job.turn.act {
            return None;
        }
        let (pending, tail) = news(room, task);
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

/// Returns the facts about a turn's answer, and the end of the transcript.
fn news(room: &Room, task: &Task) -> (Pending, Vec<Arc<TranscriptEntry>>) {
    let pending = task.job.pending(&task.member.profile, task.member.username.as_deref(), room.profile.spec.language);
    let tail = room.memory.window.iter().rev().take(NEWS_MAX).rev().map(|note| Arc::clone(&note.entry)).collect();
    (pending, tail)
}
