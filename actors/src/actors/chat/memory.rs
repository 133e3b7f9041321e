//! Keeps the end of a transcript in memory. Layer `actors`.

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

/// Keys that are remembered for each entry of the window's length, to know late copies without the store.
const KEYS_PER_ENTRY: usize = 8;

/// Copies that were decided on and are remembered, for each entry of the window's length.
const HEARD_PER_ENTRY: usize = 4;

/// A key, and the time of the event that it stands for.
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

/// The limits of the forgotten keys: up to there only the store can tell a late copy.
#[derive(Default)]
struct Forgotten {
    /// The highest forgotten message id, for each id that Telegram gave the chat: a migration numbers anew.
    messages: HashMap<TelegramChatId, MessageId>,
    /// The latest date of forgotten edits and reactions, which have no order of their own.
    changes: Option<Timestamp>,
    /// True when a commit was refused: only the store knows anything.
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

/// The memory of a chat.
pub struct Memory {
    /// The end of the transcript: messages, and what became of them.
    pub window: Window,
    /// Number of the last entry, committed or under way.
    pub last_number: Number,
    /// Number of the last decision, committed or under way.
    pub last_decision: DecisionNumber,
    /// Turns of the chat that have not ended, as far as this owner knows.
    pub open: Vec<OpenTurn>,
    /// The time until which loop physics keep the chat quiet.
    pub calm_until: Option<Timestamp>,
    /// The same for single forum topics; after a restart the latest of these times holds for all topics.
    pub calm_topics: BTreeMap<Option<ThreadId>, Timestamp>,
    /// True when people here have been told that they talk to an AI.
    pub disclosed: bool,
    pub(super) albums: Albums,
    /// The bots' copies of entries that the director of policy `every` has seen.
    heard: Ring<(Number, BotId)>,
    entries_max: usize,
    numbers: HashMap<EntryKey, Number>,
    keys: Ring<Remembered>,
    forgotten: Forgotten,
    handled: Ring<InboxId>,
}

impl Memory {
    /// Creates the memory of a chat as loaded from the store at `now`.
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

    /// Appends a note, whose entry is numbered by the caller.
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

    /// Returns whether any entry of the window is in a forum topic: a chat without topics pays nothing for them.
    pub fn has_topics(&self) -> bool {
        self.window.has_topics()
    }

    /// Returns the window as one topic sees it.
    pub fn window_of(&self, thread: Option<ThreadId>) -> Cow<'_, VecDeque<Arc<Note>>> {
        if self.has_topics() {
            Cow::Owned(self.window.iter().filter(|note| note.thread == thread).cloned().collect())
        } else {
            Cow::Borrowed(&*self.window)
        }
    }

    /// Returns the topic of the last message: a quiet chat wakes there.
    pub fn lively_topic(&self) -> Option<ThreadId> {
        if !self.has_topics() {
            return None;
        }
        self.window.iter().rev().find(|note| note.kind == EntryKind::Message)?.thread
    }

    /// Returns the time until which a topic calms down.
    pub fn calm_in(&self, thread: Option<ThreadId>) -> Option<Timestamp> {
        self.calm_until.max(self.calm_topics.get(&thread).copied())
    }

    /// Calms a topic down until `until`, or as long as before; times before `now` are over.
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

    /// Returns the time that survives a restart: the latest of the chat and all its topics.
    pub fn calm_stored(&self) -> Option<Timestamp> {
        self.calm_until.max(self.calm_topics.values().max().copied())
    }

    /// Returns the turns that the chat still waits for; forgets those that it waited for in vain.
    pub fn open_at(&mut self, now: Timestamp) -> Vec<OpenTurn> {
        self.open.retain(|turn| turn.until > now);
        self.open.clone()
    }

    /// Notes that a bot's copy of an entry is decided on. Returns false when one was before: Telegram may bring a
    /// message to a bot twice, as two updates.
    pub fn hears(&mut self, number: Number, bot: BotId) -> bool {
        let new = !self.heard.members.contains(&(number, bot));
        self.heard.insert((number, bot));
        new
    }

    /// Notes that a bot has spoken: its turn that was open longest is closed.
    pub fn has_spoken(&mut self, bot: BotId) {
        if let Some(at) = self.open.iter().position(|turn| turn.bot == bot) {
            self.open.remove(at);
        }
    }

    /// Returns the number of the entry of that key, if the key is remembered.
    pub fn number_of(&self, key: &EntryKey) -> Option<Number> {
        self.numbers.get(key).copied()
    }

    /// Returns whether only the store can tell if a forgotten key has an entry; `date` is that of the asking row.
    pub fn may_have_forgotten(&self, key: &EntryKey, date: Timestamp) -> bool {
        self.forgotten.may_hold(key, date)
    }

    /// Sets whether the store is asked for every key: from a refused commit until one succeeds.
    pub fn doubt(&mut self, doubted: bool) {
        self.forgotten.doubted = doubted;
    }

    /// Returns the remembered entry with that number.
    pub fn entry(&self, number: Number) -> Option<&Arc<Note>> {
        self.window.entry(number)
    }

    /// Notes that a row was taken in hand; returns false when it was before.
    pub fn take_in_hand(&mut self, row: InboxId) -> bool {
        let new = !self.handled.members.contains(&row);
        self.handled.insert(row);
        new
    }
}
