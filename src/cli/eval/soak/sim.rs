//! Runs the loop of a soak: people, ticks and what chats make of both, by virtual time. Part of `cli`.
//!
//! Decisions are made by the engine of a chat's owner, and every step is an operation that the judge of the group commit
//! allows: Ingest -> Advance -> Claim -> Finish -> Begin -> Settle -> Advance. The loop draws by seed how long people,
//! models and Telegram take; `speaking` holds what bots do with their turns.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::iter::Peekable;
use std::time::Duration;

use botfleet_actors::actors::chat::reading::{Reading, read_update};
use botfleet_actors::behaviour::note::Note;
use botfleet_actors::domain::commit::operations::{Advance, Ingest, Operation};
use botfleet_actors::domain::ids::{BotId, InboxId, Number, TelegramUserId, TurnId, UpdateId};
use botfleet_actors::domain::inbox::{Handled, InboxRow, Outcome, OutcomeKind, Source};
use botfleet_actors::domain::incoming::{Author, AuthorKind, ChatKind, Event as Told, Incoming, Message};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::domain::transcript::{EntryKind, TranscriptEntry};
use botfleet_world::people::spec::SleepHours;
use botfleet_world::people::{Action, PeopleScript, PeopleSpec, PersonAction, ReplyTo};

use super::args::SoakArgs;
use super::cast::cast;
use super::ledger::{Call, ChatLedger};
use super::mind::{Mind, Task};
use super::room::Room;
use super::rows::{EPOCH, Rows};

/// Monday 2026-11-23, 08:00 on the wall, which is three hours ahead of UTC.
const START: Timestamp = Timestamp::from_secs(1_795_410_000);
pub(super) const WALL_AHEAD_MINUTES: i64 = 180;

/// Something that is about to happen.
pub(super) enum Event {
    Person(PersonAction),
    /// The chat's tick, as it was planned.
    Tick(usize),
    /// A turn is due.
    Begin(TurnId),
    /// The model has answered.
    Answered(TurnId),
    /// That part of the turn's text may be sent.
    Send(TurnId, usize),
    /// Telegram has accepted that part, which is that message of the chat's ledger.
    Arrived(TurnId, usize, usize),
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
    pub(super) now: Timestamp,
    end: Timestamp,
    pub(super) rooms: Vec<Room>,
    pub(super) ledgers: Vec<ChatLedger>,
    people: Peekable<PeopleScript>,
    heap: BinaryHeap<Reverse<Due>>,
    order: u64,
    pub(super) rows: Rows,
    pub(super) tasks: HashMap<TurnId, Task>,
    /// The id given last.
    pub(super) last_id: i64,
    pub(super) mind: Mind,
    pub(super) rng: fastrand::Rng,
    /// Number of turns, by how they ended.
    pub(super) ended: BTreeMap<String, u64>,
    pub(super) decisions: u64,
    by_telegram: HashMap<i64, usize>,
}

impl Soak {
    /// Sets up a soak.
    pub(super) fn new(args: &SoakArgs) -> anyhow::Result<Self> {
        let cast = cast(args);
        let rooms = cast.chats.into_iter().map(|(profile, members)| Room::new(profile, members, START));
        let rooms: Vec<Room> = rooms.collect();
        let spec = PeopleSpec {
            chats: cast.people,
            messages_per_minute_per_chat: args.people_rate,
            sleep: Some(SleepHours { from_hour: 23, to_hour: 8, start_hour: 8 }),
            ..PeopleSpec::default()
        };
        let by_telegram = rooms.iter().enumerate().map(|(at, room)| (room.profile.spec.telegram_id.0, at)).collect();
        let mut soak = Self {
            now: START,
            end: START + Duration::from_secs(args.days * 86_400),
            ledgers: rooms.iter().map(|_| ChatLedger::default()).collect(),
            people: PeopleScript::new(args.seed, spec).peekable(),
            heap: BinaryHeap::new(),
            order: 0,
            rows: Rows::new(&rooms),
            tasks: HashMap::new(),
            last_id: 0,
            mind: Mind::new(args.seed)?,
            rng: fastrand::Rng::with_seed(args.seed ^ 0x736f_616b),
            ended: BTreeMap::new(),
            decisions: 0,
            by_telegram,
            rooms,
        };
        for chat in 0..soak.rooms.len() {
            soak.await_tick(chat);
        }
        soak.next_person();
        Ok(soak)
    }

    /// Returns the share of the time that has passed, 0 to 1.
    pub(super) fn progress(&self) -> f64 {
        self.now.since(START).as_secs_f64() / self.end.since(START).as_secs_f64()
    }

    /// Carries out the next event; returns false at the end.
    ///
    /// # Errors
    /// The judge refuses an operation.
    pub(super) fn step(&mut self) -> anyhow::Result<bool> {
        let Some(Reverse(due)) = self.heap.pop().filter(|Reverse(due)| due.at <= self.end) else {
            return Ok(false);
        };
        self.now = due.at;
        match due.event {
            Event::Person(action) => self.on_person(action)?,
            Event::Tick(chat) => self.on_tick(chat)?,
            Event::Begin(turn) => self.on_begin(turn)?,
            Event::Answered(turn) => self.on_answered(turn)?,
            Event::Send(turn, part) => self.on_send(turn, part)?,
            Event::Arrived(turn, part, said) => self.on_arrived(turn, part, said)?,
        }
        Ok(true)
    }

    pub(super) fn after(&mut self, wait: Duration, event: Event) {
        self.order += 1;
        self.heap.push(Reverse(Due { at: self.now + wait, order: self.order, event }));
    }

    pub(super) fn next_id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }

    fn next_person(&mut self) {
        if let Some(action) = self.people.next() {
            let wait = (START + action.after).since(self.now);
            self.after(wait, Event::Person(action));
        }
    }

    fn on_person(&mut self, action: PersonAction) -> anyhow::Result<()> {
        self.next_person();
        let Some(&chat) = self.by_telegram.get(&action.chat) else {
            return Ok(());
        };
        let room = &self.rooms[chat];
        // Nobody of the fleet hears what is said where no bot is.
        let Some(&heard_by) = room.profile.members.first() else {
            return Ok(());
        };
        let window = &room.memory.window;
        let mut posts = window.iter().rev().filter(|note| note.kind == EntryKind::Message);
        let (text, replied, mentions) = match action.action {
            Action::Post { text, reply, mentions } => {
                (text, reply.and_then(|ReplyTo::Last(back)| posts.nth(back - 1)).cloned(), mentions)
            }
            Action::Answer { answer, within, otherwise } => {
                let said = posts.take(within).find(|note| note.fleet_bot.is_some() && note.text.is_some()).cloned();
                let text =
                    said.as_ref().and_then(|note| note.text.as_deref()).map_or(otherwise, |text| answer.to(text));
                (text, said, None)
            }
            Action::React { .. } => return Ok(()),
        };
        let called = called(room, &text, mentions.as_deref(), replied.as_deref());
        let author = TelegramUserId(action.person);
        let message = Message {
            message_id: room.next_message(),
            date: self.now,
            revision: 0,
            thread: None,
            reply_to: replied.map(|note| note.message_id),
            quoted: None,
            author: Author { id: author, name: Mind::name_of(action.person), username: None, kind: AuthorKind::Person },
            text: Some(text),
            entities: Vec::new(),
            media: None,
            service: false,
        };
        let incoming = Incoming {
            chat: Some(room.profile.spec.telegram_id),
            chat_kind: ChatKind::Supergroup,
            event: Told::Message(message),
        };
        let id = self.next_id();
        let place = self.rooms[chat].profile.id;
        let row = InboxRow {
            id: InboxId(id),
            chat: Some(place),
            bot: heard_by,
            source: Source::Update(UpdateId(id)),
            payload: String::new(),
            received_at: self.now,
            outcome: None,
            author: Some((author, self.now)),
        };
        self.rows.commit(Operation::Ingest(Ingest {
            bot: heard_by,
            epoch: EPOCH,
            next_offset: id + 1,
            rows: vec![row],
        }))?;
        let Reading::Entry(entry, _) = read_update(place, InboxId(id), incoming, |_| None) else {
            return Ok(());
        };
        let number = self.advance(chat, *entry, Some(heard_by))?;
        let ledger = &mut self.ledgers[chat];
        ledger.people.push((number, self.now, author));
        ledger.calls.extend(called.map(|bot| Call { number, at: self.now, author, bot }));
        Ok(())
    }

    fn await_tick(&mut self, chat: usize) {
        if let Some(at) = self.rooms[chat].tick {
            self.after(at.since(self.now), Event::Tick(chat));
        }
    }

    fn on_tick(&mut self, chat: usize) -> anyhow::Result<()> {
        if self.rooms[chat].tick == Some(self.now) {
            self.advance(chat, None, None)?;
        }
        Ok(())
    }

    /// Appends the entry of an inbox row, or wakes the chat where there is none; gives turns to those who speak. Returns
    /// the number of the chat's last entry.
    pub(super) fn advance(
        &mut self,
        chat: usize,
        entry: impl Into<Option<TranscriptEntry>>,
        heard_by: Option<BotId>,
    ) -> anyhow::Result<Number> {
        let (now, last_id) = (self.now, &mut self.last_id);
        let room = &mut self.rooms[chat];
        let base = room.memory.last_number;
        let note = entry.into().map(|entry| room.append(entry));
        let decided = room.decide(note.as_ref(), heard_by, now, || {
            *last_id += 1;
            TurnId(*last_id)
        });
        let (decision, jobs, superseded) =
            decided.map_or_else(Default::default, |decided| (Some(decided.decision), decided.jobs, decided.superseded));
        let handled = note.as_ref().map(|note| Handled {
            inbox: note.entry.inbox,
            outcome: Outcome::plain(OutcomeKind::Appended),
            number: Some(note.number),
            decision: decision.as_ref().map(|decision| decision.number),
        });
        room.tick = room.memory.next_tick(&room.profile, &room.cast, now);
        self.decisions += u64::from(decision.is_some());
        self.rows.commit(Operation::Advance(Advance {
            chat: room.profile.id,
            epoch: EPOCH,
            base,
            entries: note.iter().map(|note| (*note.entry).clone()).collect(),
            handled: handled.into_iter().collect(),
            decisions: decision.into_iter().collect(),
            turns: jobs.iter().map(|job| job.turn.clone()).collect(),
            superseded: superseded.clone(),
            next_tick_at: room.tick,
            absences: Vec::new(),
            calm_until: room.memory.calm_stored(),
            disclosed: room.memory.disclosed,
        }))?;
        let last = room.memory.last_number;
        self.await_tick(chat);
        for turn in superseded {
            if self.tasks.get(&turn).is_some_and(|task| !task.begun) {
                self.end(turn, "superseded");
            }
        }
        for job in jobs {
            let (turn, wait) = (job.turn.id, job.turn.due_at.since(now));
            if let Some(member) = self.rooms[chat].member(job.turn.bot).cloned() {
                self.tasks.insert(turn, Task::new(chat, member, job));
                self.after(wait, Event::Begin(turn));
            }
        }
        Ok(last)
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
