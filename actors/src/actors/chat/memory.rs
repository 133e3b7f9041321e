//! The end of a transcript in memory. Layer `actors`.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

use super::albums::Albums;
use crate::behaviour::note::Note;
use crate::behaviour::window::Window;
use crate::domain::decision::OpenTurn;
use crate::domain::ids::{BotId, DecisionNumber, InboxId, MessageId, Number, TelegramChatId, ThreadId};
use crate::domain::time::Timestamp;
use crate::domain::transcript::{EntryKey, EntryKind, TranscriptEntry};
use crate::ports::store::ChatMemory;

/// How many times the window's length is remembered by key only, to know late copies without the store.
const KEYS_PER_ENTRY: usize = 8;

/// Of how many copies for each entry of the window it is remembered that they were decided on.
const HEARD_PER_ENTRY: usize = 4;

/// A key, and when what it stands for happened.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Remembered(EntryKey, Timestamp);

/// A set that forgets its oldest members.
struct Ring<T> {
    members: HashSet<T>,
    order: VecDeque<T>,
    most: usize,
}

impl<T: Copy + Eq + Hash> Ring<T> {
    fn new(most: usize) -> Self {
        Self { members: HashSet::new(), order: VecDeque::new(), most }
    }

    /// Adds `member`; returns the forgotten one.
    fn insert(&mut self, member: T) -> Option<T> {
        if !self.members.insert(member) {
            return None;
        }
        self.order.push_back(member);
        if self.order.len() <= self.most {
            return None;
        }
        let oldest = self.order.pop_front();
        if let Some(oldest) = &oldest {
            self.members.remove(oldest);
        }
        oldest
    }
}

/// What is known of the keys that are remembered no more: up to there only the store can tell a late copy.
#[derive(Default)]
struct Forgotten {
    /// The highest message id, for each id that Telegram gave the chat: a migration numbers anew.
    messages: HashMap<TelegramChatId, MessageId>,
    /// The latest date of edits and reactions, which have no order of their own.
    changes: Option<Timestamp>,
    /// A commit was refused: only the store knows anything.
    doubted: bool,
}

impl Forgotten {
    fn add(&mut self, key: &EntryKey, date: Timestamp) {
        match key.kind {
            EntryKind::Message | EntryKind::Member => {
                let highest = self.messages.entry(key.telegram_chat).or_insert(key.message_id);
                *highest = (*highest).max(key.message_id);
            }
            EntryKind::Edit | EntryKind::Reaction => self.changes = self.changes.max(Some(date)),
        }
    }

    fn may_hold(&self, key: &EntryKey, date: Timestamp) -> bool {
        self.doubted
            || match key.kind {
                EntryKind::Message | EntryKind::Member => {
                    self.messages.get(&key.telegram_chat).is_some_and(|highest| key.message_id <= *highest)
                }
                EntryKind::Edit | EntryKind::Reaction => self.changes.is_some_and(|latest| date <= latest),
            }
    }
}

/// What a chat remembers.
pub struct Memory {
    /// The end of the transcript: what was said, and what became of it.
    pub window: Window,
    /// Number of the last entry, committed or under way.
    pub last_number: Number,
    /// Number of the last decision, committed or under way.
    pub last_decision: DecisionNumber,
    /// Turns of the chat that have not ended yet, as far as this owner knows.
    pub open: Vec<OpenTurn>,
    /// Loop physics keep it quiet until then.
    pub calm_until: Option<Timestamp>,
    /// The same for single forum topics; after a restart the latest of these holds for all of them.
    pub calm_topics: BTreeMap<Option<ThreadId>, Timestamp>,
    /// People here have been told that they talk to an AI.
    pub disclosed: bool,
    pub(super) albums: Albums,
    /// Which bots' copies of which entries the director of policy `every` has seen.
    heard: Ring<(Number, BotId)>,
    entries_max: usize,
    numbers: HashMap<EntryKey, Number>,
    keys: Ring<Remembered>,
    forgotten: Forgotten,
    handled: Ring<InboxId>,
}

impl Memory {
    /// Memory as loaded from the store at `now`.
    pub fn new(loaded: ChatMemory, entries_max: usize, rows_max: usize, now: Timestamp) -> Self {
        let mut memory = Self {
            window: Window::default(),
            last_number: Number(0),
            last_decision: loaded.last_decision,
            open: Vec::new(),
            calm_until: loaded.calm_until,
            calm_topics: BTreeMap::new(),
            disclosed: loaded.disclosed,
            albums: Albums::default(),
            heard: Ring::new(entries_max * HEARD_PER_ENTRY),
            entries_max,
            numbers: HashMap::new(),
            keys: Ring::new(entries_max * KEYS_PER_ENTRY),
            forgotten: Forgotten::default(),
            handled: Ring::new(rows_max * 2),
        };
        if loaded.last_number.0 > loaded.recent.len() as i64 {
            let latest = loaded.recent.iter().map(|entry| entry.date).max();
            memory.forgotten.changes = latest.max(Some(now));
            memory.forgotten.messages.extend(loaded.highest);
        }
        for entry in loaded.recent {
            memory.append(entry);
        }
        memory.last_number = loaded.last_number;
        memory
    }

    /// Appends an entry, numbered by the caller.
    pub fn append(&mut self, entry: Arc<TranscriptEntry>) {
        self.append_note(Note::new(entry));
    }

    /// Appends an entry, numbered by the caller, with what is known of it.
    pub fn append_note(&mut self, note: Note) {
        let entry = &note.entry;
        let key = entry.key();
        self.last_number = entry.number;
        self.numbers.insert(key, entry.number);
        if let Some(Remembered(old, date)) = self.keys.insert(Remembered(key, entry.date)) {
            self.numbers.remove(&old);
            self.forgotten.add(&old, date);
        }
        self.window.push(Arc::new(note), self.entries_max);
    }

    /// Whether what is remembered is of several forum topics, as far as it matters: a chat without any pays nothing.
    pub fn has_topics(&self) -> bool {
        self.window.has_topics()
    }

    /// The window as one topic sees it.
    pub fn window_of(&self, thread: Option<ThreadId>) -> Cow<'_, VecDeque<Arc<Note>>> {
        if self.has_topics() {
            Cow::Owned(self.window.iter().filter(|note| note.thread == thread).cloned().collect())
        } else {
            Cow::Borrowed(&*self.window)
        }
    }

    /// The topic that was last alive: where a quiet chat wakes.
    pub fn lively_topic(&self) -> Option<ThreadId> {
        if !self.has_topics() {
            return None;
        }
        self.window.iter().rev().find(|note| note.kind == EntryKind::Message)?.thread
    }

    /// Until when a topic calms down.
    pub fn calm_in(&self, thread: Option<ThreadId>) -> Option<Timestamp> {
        self.calm_until.max(self.calm_topics.get(&thread).copied())
    }

    /// A topic calms down until then, or as long as it did; what lies before `now` is over.
    pub fn calms_down(&mut self, thread: Option<ThreadId>, until: Option<Timestamp>, now: Timestamp) {
        if self.has_topics() {
            if let Some(until) = until {
                self.calm_topics.insert(thread, until);
                self.calm_until = self.calm_until.map(|chat| chat.min(until));
            }
            self.calm_topics.retain(|_, until| *until > now);
        } else {
            self.calm_until = until.or(self.calm_until);
        }
        self.calm_until = self.calm_until.filter(|until| *until > now);
    }

    /// What survives a restart of all that.
    pub fn calm_stored(&self) -> Option<Timestamp> {
        self.calm_until.max(self.calm_topics.values().max().copied())
    }

    /// The turns that the chat waits for now; what it waited for in vain is forgotten.
    pub fn open_at(&mut self, now: Timestamp) -> Vec<OpenTurn> {
        self.open.retain(|turn| turn.until > now);
        self.open.clone()
    }

    /// A bot's copy of an entry is about to be decided on; false when one was before: Telegram may bring a message to a
    /// bot twice, as two updates.
    pub fn hears(&mut self, number: Number, bot: BotId) -> bool {
        let new = !self.heard.members.contains(&(number, bot));
        self.heard.insert((number, bot));
        new
    }

    /// A bot has spoken: its turn that was open longest is open no more.
    pub fn has_spoken(&mut self, bot: BotId) {
        if let Some(at) = self.open.iter().position(|turn| turn.bot == bot) {
            self.open.remove(at);
        }
    }

    /// The entry of that key, if it is remembered.
    pub fn number_of(&self, key: &EntryKey) -> Option<Number> {
        self.numbers.get(key).copied()
    }

    /// Whether only the store can tell if there is an entry of a key that is not remembered; `date` is that of what asks.
    pub fn may_have_forgotten(&self, key: &EntryKey, date: Timestamp) -> bool {
        self.forgotten.may_hold(key, date)
    }

    /// A commit was refused: until one succeeds, the store is asked for every key.
    pub fn doubt(&mut self, doubted: bool) {
        self.forgotten.doubted = doubted;
    }

    /// The remembered entry with that number.
    pub fn entry(&self, number: Number) -> Option<&Arc<Note>> {
        self.window.entry(number)
    }

    /// Notes that a row was taken in hand; false when it was before.
    pub fn take_in_hand(&mut self, row: InboxId) -> bool {
        let new = !self.handled.members.contains(&row);
        self.handled.insert(row);
        new
    }
}
