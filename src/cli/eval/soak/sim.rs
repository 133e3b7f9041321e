//! Runs the loop of a soak: people, ticks, turns and sends by virtual time. Part of `cli`.
//!
//! The loop follows the steps of the actors, without actors: director -> reading -> model -> guards -> typing -> limits
//! -> transcript. Where the actors use chance or the store, the loop draws by seed or keeps it in memory.
//!
//! This file is longer than others, so that all steps of a turn are in one place.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::iter::Peekable;
use std::sync::Arc;
use std::time::Duration;

use botfleet_actors::behaviour::director::direction::Direction;
use botfleet_actors::behaviour::note::Note;
use botfleet_actors::behaviour::objection::Objection;
use botfleet_actors::behaviour::physics::send_rules;
use botfleet_actors::behaviour::scene::Occasion;
use botfleet_actors::domain::decision::OpenTurn;
use botfleet_actors::domain::ids::{BotId, Number, TelegramUserId};
use botfleet_actors::domain::incoming::{Author, AuthorKind};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::domain::transcript::EntryKind;
use botfleet_actors::domain::turn::Act;
use botfleet_actors::domain::window::{Window, WindowKey};
use botfleet_world::people::spec::SleepHours;
use botfleet_world::people::{Action, PeopleScript, PeopleSpec, PersonAction, ReplyTo};

use super::args::SoakArgs;
use super::cast::cast;
use super::ledger::{Call, ChatLedger, Said};
use super::mind::{Mind, Thought};
use super::room::{Draft, Room};

/// Monday 2026-11-23, 08:00 on the wall, which is three hours ahead of UTC.
const START: Timestamp = Timestamp::from_secs(1_795_410_000);
pub(super) const WALL_AHEAD_MINUTES: i64 = 180;

/// Most messages that Telegram lets a bot send into one group in a minute.
const PER_CHAT_PER_MINUTE: std::num::NonZeroU32 = std::num::NonZeroU32::MIN.saturating_add(19);

/// Label of a turn whose message reached the chat.
const SAID: &str = "said";

/// A turn under way.
pub(super) struct Turn {
    pub(super) chat: usize,
    pub(super) bot: BotId,
    pub(super) act: Act,
    pub(super) target: Option<Arc<Note>>,
    /// Set when the bot was chosen to speak after others.
    pub(super) after_others: bool,
    /// Entries of the chat that the bot knows, oldest first.
    pub(super) window: Vec<Arc<Note>>,
    pub(super) answers_bot: Option<BotId>,
    pub(super) chain_depth: u32,
    pub(super) root: Option<Number>,
    pub(super) expires_at: Timestamp,
    pub(super) text: String,
    /// Answers that failed the firewall since the last objection.
    pub(super) tries: u32,
    /// Verdicts for which answers were not said.
    pub(super) objections: Vec<Objection>,
}

enum Event {
    Person(PersonAction),
    Tick(usize, u64),
    Ask(usize),
    Answered(usize),
    Send(usize),
    Arrived(usize),
}

struct Due {
    at: Timestamp,
    order: u64,
    event: Event,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// A soak under way.
pub(super) struct Soak {
    seed: u64,
    now: Timestamp,
    end: Timestamp,
    pub(super) rooms: Vec<Room>,
    pub(super) ledgers: Vec<ChatLedger>,
    people: Peekable<PeopleScript>,
    heap: BinaryHeap<Reverse<Due>>,
    order: u64,
    turns: HashMap<usize, Turn>,
    next_turn: usize,
    windows: HashMap<WindowKey, Window>,
    mind: Mind,
    rng: fastrand::Rng,
    /// Number of turns, by how they ended.
    pub(super) ended: BTreeMap<String, u64>,
    pub(super) decisions: u64,
    by_telegram: HashMap<i64, usize>,
}

impl Soak {
    /// Sets up a soak.
    pub(super) fn new(args: &SoakArgs) -> anyhow::Result<Self> {
        let cast = cast(args);
        let rooms: Vec<Room> = cast.chats.into_iter().map(|(profile, members)| Room::new(profile, members)).collect();
        let spec = PeopleSpec {
            chats: cast.people,
            messages_per_minute_per_chat: args.people_rate,
            sleep: Some(SleepHours { from_hour: 23, to_hour: 8, start_hour: 8 }),
            ..PeopleSpec::default()
        };
        let by_telegram = rooms.iter().enumerate().map(|(at, room)| (room.profile.spec.telegram_id.0, at)).collect();
        let mut soak = Self {
            seed: args.seed,
            now: START,
            end: START + Duration::from_secs(args.days * 86_400),
            ledgers: rooms.iter().map(|_| ChatLedger::default()).collect(),
            people: PeopleScript::new(args.seed, spec).peekable(),
            heap: BinaryHeap::new(),
            order: 0,
            turns: HashMap::new(),
            next_turn: 0,
            windows: HashMap::new(),
            mind: Mind::new(args.seed)?,
            rng: fastrand::Rng::with_seed(args.seed ^ 0x736f_616b),
            ended: BTreeMap::new(),
            decisions: 0,
            by_telegram,
            rooms,
        };
        for chat in 0..soak.rooms.len() {
            soak.plan_tick(chat);
        }
        soak.next_person();
        Ok(soak)
    }

    /// Returns the share of the time that has passed, 0 to 1.
    pub(super) fn progress(&self) -> f64 {
        self.now.since(START).as_secs_f64() / self.end.since(START).as_secs_f64()
    }

    /// Carries out the next event; returns false at the end.
    pub(super) fn step(&mut self) -> bool {
        let Some(Reverse(due)) = self.heap.pop() else {
            return false;
        };
        if due.at > self.end {
            return false;
        }
        self.now = due.at;
        match due.event {
            Event::Person(action) => self.on_person(action),
            Event::Tick(chat, tick) => self.on_tick(chat, tick),
            Event::Ask(turn) => self.on_ask(turn),
            Event::Answered(turn) => self.on_answered(turn),
            Event::Send(turn) => self.on_send(turn),
            Event::Arrived(turn) => self.on_arrived(turn),
        }
        true
    }

    fn after(&mut self, wait: Duration, event: Event) {
        self.order += 1;
        self.heap.push(Reverse(Due { at: self.now + wait, order: self.order, event }));
    }

    fn next_person(&mut self) {
        if let Some(action) = self.people.next() {
            let wait = (START + action.after).since(self.now);
            self.after(wait, Event::Person(action));
        }
    }

    fn on_person(&mut self, action: PersonAction) {
        self.next_person();
        let Some(&chat) = self.by_telegram.get(&action.chat) else {
            return;
        };
        let Action::Post { text, reply, mentions } = action.action else {
            return;
        };
        let now = self.now;
        let name = Mind::name_of(action.person);
        let room = &mut self.rooms[chat];
        let posts: Vec<&Arc<Note>> =
            room.window.iter().rev().filter(|note| note.kind == EntryKind::Message).take(8).collect();
        let replied = reply.and_then(|ReplyTo::Last(back)| posts.get(back - 1).map(|note| Arc::clone(note)));
        let called = called(room, &text, mentions.as_deref(), replied.as_deref());
        let author = Author { id: TelegramUserId(action.person), name, username: None, kind: AuthorKind::Person };
        let reply_to = replied.map(|note| note.message_id);
        let draft =
            Draft { author, fleet_bot: None, text, reply_to, kind: EntryKind::Message, chain_depth: 0, root: None };
        let note = room.append(draft, now);
        let ledger = &mut self.ledgers[chat];
        ledger.people.push((note.number, now));
        if let Some(bot) = called {
            ledger.calls.push(Call { number: note.number, at: now, bot });
        }
        self.plan_tick(chat);
        let heard_by = self.rooms[chat].profile.members.first().copied();
        self.decide(chat, Occasion::Entry { entry: &note, heard_by }, Some(&note));
    }

    fn plan_tick(&mut self, chat: usize) {
        let room = &mut self.rooms[chat];
        room.tick += 1;
        let tick = room.tick;
        if let Some(wait) = Mind::next_tick(&self.rooms[chat], self.now, self.seed) {
            self.after(wait, Event::Tick(chat, tick));
        }
    }

    fn on_tick(&mut self, chat: usize, tick: u64) {
        if self.rooms[chat].tick != tick {
            return;
        }
        self.decide(chat, Occasion::Tick, None);
        self.plan_tick(chat);
    }

    fn decide(&mut self, chat: usize, occasion: Occasion<'_>, at: Option<&Arc<Note>>) {
        let Some(direction) = self.rooms[chat].decide(occasion, self.now, self.seed) else {
            return;
        };
        self.decisions += 1;
        let Direction { speakers, chain_depth, root, .. } = direction;
        for (at_place, speaker) in speakers.into_iter().enumerate() {
            let room = &mut self.rooms[chat];
            let target = speaker.target.and_then(|number| {
                at.filter(|note| note.number == number)
                    .or_else(|| room.window.iter().find(|note| note.number == number))
                    .cloned()
            });
            let expires_at = self.now + speaker.delay + room.profile.spec.pacing.stale_after;
            room.open.push(OpenTurn { bot: speaker.bot, target: speaker.target, thread: None, until: expires_at });
            let turn = Turn {
                chat,
                bot: speaker.bot,
                act: speaker.act,
                target,
                after_others: at_place > 0,
                window: room.window.iter().cloned().collect(),
                answers_bot: speaker.answers_bot,
                chain_depth,
                root,
                expires_at,
                text: String::new(),
                tries: 1,
                objections: Vec::new(),
            };
            self.next_turn += 1;
            self.turns.insert(self.next_turn, turn);
            self.after(speaker.delay, Event::Ask(self.next_turn));
        }
    }

    fn end(&mut self, serial: usize, why: &str) {
        if let Some(turn) = self.turns.remove(&serial) {
            *self.ended.entry(why.to_owned()).or_default() += 1;
            if why != SAID {
                self.mind.unsay(turn.bot, &turn.text);
            }
            let target = turn.target.map(|note| note.number);
            let open = &mut self.rooms[turn.chat].open;
            if let Some(at) = open.iter().position(|open| open.bot == turn.bot && open.target == target) {
                open.remove(at);
            }
        }
    }

    fn on_ask(&mut self, serial: usize) {
        let Some(turn) = self.turns.get_mut(&serial) else {
            return;
        };
        if let Act::React { .. } = turn.act {
            self.ledgers[turn.chat].reactions += 1;
            return self.end(serial, "reacted");
        }
        let thinking = Duration::from_millis(600 + self.rng.u64(..2_900));
        self.after(thinking, Event::Answered(serial));
    }

    fn on_answered(&mut self, serial: usize) {
        let Some(turn) = self.turns.get_mut(&serial) else {
            return;
        };
        if turn.expires_at <= self.now {
            return self.end(serial, "expired");
        }
        match self.mind.think(&self.rooms[turn.chat], turn, self.now, self.seed ^ serial as u64) {
            Thought::Say { text, typing } => {
                turn.text = text;
                self.after(typing, Event::Send(serial));
            }
            Thought::Again => self.after(Duration::ZERO, Event::Ask(serial)),
            Thought::Drop(why) => self.end(serial, &why),
        }
    }

    fn on_send(&mut self, serial: usize) {
        let Some(turn) = self.turns.get_mut(&serial) else {
            return;
        };
        let room = &self.rooms[turn.chat];
        if let Some(why) = Mind::reconsider(room, turn) {
            return self.end(serial, &why);
        }
        let Some(member) = room.member(turn.bot) else {
            return;
        };
        let rules = send_rules(&room.profile, &member.profile, turn.answers_bot, Some(PER_CHAT_PER_MINUTE));
        if rules.chain_depth_max.is_some_and(|most| turn.chain_depth > most) {
            return self.end(serial, "chain too deep");
        }
        if turn.expires_at <= self.now {
            return self.end(serial, "stale");
        }
        let full = rules.windows.iter().filter_map(|rule| {
            let until = self.windows.get(&rule.key)?.full_until(rule, self.now)?;
            Some((until, rule.key))
        });
        if let Some((until, key)) = full.max_by_key(|(until, _)| *until) {
            if until >= turn.expires_at {
                let name = key.name();
                let kind = name.split(':').next().unwrap_or_default().to_owned();
                return self.end(serial, &format!("limit of {kind}"));
            }
            let wait = until.since(self.now);
            return self.after(wait, Event::Send(serial));
        }
        for rule in &rules.windows {
            self.windows.entry(rule.key).or_default().count(rule, self.now);
        }
        let said = Said {
            number: Number(0),
            at: self.now,
            bot: turn.bot,
            target: turn.target.as_ref().map(|note| note.number),
            answers_bot: turn.answers_bot,
            text: turn.text.clone(),
        };
        let latency = Duration::from_millis(60 + self.rng.u64(..200));
        self.ledgers[turn.chat].said.push(said);
        self.after(latency, Event::Arrived(serial));
    }

    fn on_arrived(&mut self, serial: usize) {
        let Some(turn) = self.turns.get_mut(&serial) else {
            return;
        };
        let (chat, bot) = (turn.chat, turn.bot);
        let room = &mut self.rooms[chat];
        let Some(member) = room.member(bot) else {
            return;
        };
        let author = Author {
            id: member.profile.spec.telegram_id,
            name: member.profile.spec.name.clone(),
            username: member.username.clone(),
            kind: AuthorKind::Bot,
        };
        let draft = Draft {
            author,
            fleet_bot: Some(bot),
            text: turn.text.clone(),
            reply_to: turn.target.as_ref().map(|note| note.message_id),
            kind: EntryKind::Message,
            chain_depth: turn.chain_depth,
            root: turn.root,
        };
        let note = room.append(draft, self.now);
        let target = turn.target.as_ref().map(|note| note.number);
        let said = self.ledgers[chat].said.iter_mut().rev();
        if let Some(said) = said.take(64).find(|said| said.number.0 == 0 && said.bot == bot && said.target == target) {
            said.number = note.number;
        }
        self.end(serial, SAID);
        self.plan_tick(chat);
        self.decide(chat, Occasion::Entry { entry: &note, heard_by: None }, Some(&note));
    }
}

/// Returns the bot that the people's script meant to call: mentioned, replied to, or named in a question.
fn called(room: &Room, text: &str, mentions: Option<&str>, replied: Option<&Note>) -> Option<BotId> {
    if let Some(bot) = mentions.and_then(|username| room.by_username(username)) {
        return Some(bot);
    }
    if let Some(bot) = replied.and_then(|note| note.fleet_bot) {
        return Some(bot);
    }
    if replied.is_some() || !text.contains('?') {
        return None;
    }
    let mut named = room.cast.iter().filter(|member| {
        let name = &member.profile.spec.name;
        text.match_indices(name.as_str()).any(|(at, _)| {
            !text[..at].ends_with(char::is_alphanumeric) && !text[at + name.len()..].starts_with(char::is_alphanumeric)
        })
    });
    let first = named.next()?;
    named.next().is_none().then_some(first.profile.id)
}
