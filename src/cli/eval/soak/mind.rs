//! Plays the bot's side of a soak: prompt, simulated model, guards, typing. Part of `cli`.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use botfleet_actors::behaviour::director::energy::energy;
use botfleet_actors::behaviour::director::lately::openings_unanswered;
use botfleet_actors::behaviour::firewall::{self, Clean, Speaker};
use botfleet_actors::behaviour::generator::{Generator, Stage};
use botfleet_actors::behaviour::identity::Claim;
use botfleet_actors::behaviour::interruption::{Pending, Reconsidered, reconsider};
use botfleet_actors::behaviour::novelty::guard::{Lately, NoveltyGuard, Repeat, Said};
use botfleet_actors::behaviour::objection::Objection;
use botfleet_actors::behaviour::pacing::typing_time;
use botfleet_actors::behaviour::rhythm::{Rhythm, next_tick};
use botfleet_actors::behaviour::salutation::salute;
use botfleet_actors::behaviour::scene::{CastMember, Scene};
use botfleet_actors::behaviour::stances::contradiction::contradicts;
use botfleet_actors::domain::decision::Standing;
use botfleet_actors::domain::ids::{BotId, Number};
use botfleet_actors::domain::strategy::Consistency;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::domain::turn::Act;
use botfleet_actors::ports::llm::Role;
use botfleet_loadtest::provider::smalltalk::Talker;

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
        if let Some(objection) = claim.map(Claim::objection)
            && (objection.is_fatal() || !turn.objections.contains(&objection))
        {
            return object(turn, objection);
        }
        let news = Self::news(room, member, turn);
        turn.window.extend(room.window.iter().filter(|note| note.number > news.seen).cloned());
        match news.verdict {
            Reconsidered::Drop(reason) => return Thought::Drop(format!("interruption: {reason}")),
            Reconsidered::Rewrite(_) if !turn.objections.contains(&Objection::News) => {
                return object(turn, Objection::News);
            }
            _ => {}
        }
        let text = match &turn.target {
            Some(target) if room.profile.spec.strategy.salutation => {
                salute(&text, &member.profile, member.username.as_deref(), target, &turn.window, now)
            }
            _ => text,
        };
        if self.is_news(room, turn, &text).is_err() {
            return object(turn, Objection::Repeat { of: text });
        }
        let persona = &member.profile.spec.persona;
        if room.profile.spec.consistency != Consistency::Off
            && let Some(stance) = persona.stances.iter().find(|stance| contradicts(&text, stance))
        {
            return object(turn, Objection::Contradiction { position: stance.position.clone() });
        }
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

    /// Returns the last entry that the bot knew, and the verdict of later ones on its answer.
    fn news(room: &Room, member: &CastMember, turn: &Turn) -> News {
        let target = turn.target.as_ref().map(|note| Arc::clone(&note.entry));
        let (username, spoken) = (member.username.as_deref(), room.profile.spec.language);
        let pending = Pending::of(&member.profile, username, spoken, target, &turn.window, Some(Number(0)));
        let pending = Pending { after_others: turn.after_others, ..pending };
        let tail: Vec<_> = room.window.iter().rev().take(NEWS_MAX).rev().map(|note| Arc::clone(&note.entry)).collect();
        News { seen: pending.seen, verdict: reconsider(&pending, &tail) }
    }

    fn is_news(&self, room: &Room, turn: &Turn, text: &str) -> Result<(), Repeat> {
        let own = self.own.get(&turn.bot).map(Vec::as_slice).unwrap_or_default();
        let (fleet, _) = self.fleet.as_slices();
        let lately = Lately { bot: turn.bot, own, chat: &turn.window, fleet };
        NoveltyGuard(&room.profile.spec.novelty).check(text, &lately)
    }

    /// Returns the reason why a typed message is not sent after all.
    pub(super) fn reconsider(room: &Room, turn: &Turn) -> Option<String> {
        if let Act::Say { .. } = turn.act {
            return None;
        }
        match Self::news(room, room.member(turn.bot)?, turn).verdict {
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

/// The verdict of entries that came meanwhile.
struct News {
    /// The last entry that the bot knew.
    seen: Number,
    verdict: Reconsidered,
}

/// Has the model asked once more for each kind of verdict; at the second of a kind the answer is given up.
fn object(turn: &mut Turn, objection: Objection) -> Thought {
    if turn.objections.iter().any(|other| other.is_like(&objection)) {
        return Thought::Drop(objection.label().to_owned());
    }
    turn.objections.push(objection);
    turn.tries = 0;
    Thought::Again
}
