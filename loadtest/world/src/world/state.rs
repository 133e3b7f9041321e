//! Holds the state of a world: bots with their queues, chats with their members and messages.
//!
//! Layer: world; plain data behind the world's only lock, which is never held across an await.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Map, Value};
use tokio::sync::oneshot;

use super::event::{Author, ChatMessage};
use super::late::Late;
use super::limits::Limiter;
use super::queue::UpdateQueue;
use super::shut::Shut;
use super::spec::{BotSpec, ChatKind, ChatSpec, PersonSpec, WorldSpec};
use super::text::Formatted;
use super::webhook::Webhook;

/// The number of messages kept for each chat; older ones are forgotten and count as deleted.
const KEPT_MESSAGES: usize = 20_000;

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) rng: fastrand::Rng,
    pub(crate) tokens: HashMap<String, i64>,
    pub(crate) bots: BTreeMap<i64, BotState>,
    pub(crate) people: BTreeMap<i64, PersonSpec>,
    pub(crate) chats: BTreeMap<i64, ChatState>,
    pub(crate) files: HashMap<String, StoredFile>,
    pub(crate) limiter: Limiter,
    /// The blocked bots: pairs of the person who blocks and the bot.
    pub(crate) blocks: HashSet<(i64, i64)>,
    pub(crate) late: Late,
    pub(crate) next_send: u64,
    pub(crate) next_poll: u64,
    pub(crate) last_activity: Instant,
}

/// The reason why an idle poll ends before its time.
#[derive(Debug)]
pub(crate) enum Wake {
    Updates,
    Conflict(std::time::Duration, &'static str),
    Unauthorized,
}

/// The one poll of a bot that waits for updates.
#[derive(Debug)]
pub(crate) struct IdlePoll {
    pub(crate) poll: u64,
    pub(crate) wake: oneshot::Sender<Wake>,
}

#[derive(Debug)]
pub(crate) struct BotState {
    pub(crate) spec: BotSpec,
    pub(crate) updates: UpdateQueue,
    pub(crate) idle: Option<IdlePoll>,
    pub(crate) open_polls: u32,
    pub(crate) last_poll_end: Option<Instant>,
    pub(crate) ever_polled: bool,
    pub(crate) previous_poll: Option<(i64, Instant)>,
    pub(crate) next_conflict: Option<Instant>,
    pub(crate) webhook: Option<Webhook>,
    pub(crate) commands: HashMap<(String, String), Value>,
    pub(crate) descriptions: HashMap<String, String>,
    pub(crate) logged_out: Option<Instant>,
    pub(crate) revoked: bool,
    next_local_id: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Creator,
    Admin,
    Member,
    /// A member who may not write.
    Restricted,
    Left,
    Kicked,
}

impl Standing {
    pub(crate) fn is_present(self) -> bool {
        !matches!(self, Self::Left | Self::Kicked)
    }

    pub(crate) fn is_admin(self) -> bool {
        matches!(self, Self::Creator | Self::Admin)
    }
}

#[derive(Debug)]
pub(crate) struct ChatState {
    pub(crate) id: i64,
    pub(crate) title: String,
    pub(crate) kind: ChatKind,
    pub(crate) members: BTreeMap<i64, Standing>,
    pub(crate) messages: BTreeMap<i64, StoredMessage>,
    pub(crate) topics: BTreeMap<i64, String>,
    pub(crate) last_bot: Option<i64>,
    pub(crate) migrated_to: Option<i64>,
    /// The reason why bots cannot write in the chat, if they cannot.
    pub(crate) shut: Option<Shut>,
    /// The topics in which bots cannot write, each with the reason.
    pub(crate) shut_topics: BTreeMap<i64, Shut>,
    next_message_id: i64,
    /// For basic groups: maps a bot and a message id of the world to the bot's own id; `global` maps back.
    local: HashMap<(i64, i64), i64>,
    global: HashMap<(i64, i64), i64>,
}

#[derive(Debug, Clone)]
pub(crate) struct Quote {
    pub(crate) text: String,
    pub(crate) position: usize,
}

#[derive(Debug, Clone)]
pub(crate) struct StoredMessage {
    pub(crate) id: i64,
    pub(crate) at_ms: i64,
    /// The person or bot that wrote the message.
    pub(crate) author: Author,
    pub(crate) language: Option<String>,
    /// True when an anonymous administrator posted the message in the group's name.
    pub(crate) anonymous: bool,
    pub(crate) body: Formatted,
    pub(crate) reply_to: Option<i64>,
    /// The author of the message replied to, kept in case that message is deleted.
    pub(crate) reply_to_author: Option<i64>,
    pub(crate) quote: Option<Quote>,
    pub(crate) topic: Option<i64>,
    /// The first message of the chain of replies, which supergroups show as a thread.
    pub(crate) thread_root: Option<i64>,
    pub(crate) service: Option<Map<String, Value>>,
    pub(crate) photo: Option<Value>,
    /// The differences from a plain message.
    pub(crate) odd: Odd,
    pub(crate) edited_ms: Option<i64>,
    pub(crate) reactions: BTreeMap<i64, String>,
}

/// How a message differs from a plain one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Odd {
    pub(crate) extra: Map<String, Value>,
    pub(crate) without: Vec<String>,
    pub(crate) unnumbered: bool,
    pub(crate) only: Option<Vec<i64>>,
}

/// A file that a bot uploaded.
#[derive(Debug, Clone)]
pub(crate) struct StoredFile {
    pub(crate) owner: i64,
    pub(crate) path: String,
    pub(crate) bytes: bytes::Bytes,
    pub(crate) sizes: Value,
}

impl State {
    pub(crate) fn new(spec: &WorldSpec) -> Self {
        let mut rng = fastrand::Rng::with_seed(spec.seed);
        let bots = spec.bots.iter().map(|bot| (bot.id, BotState::new(bot.clone(), &mut rng))).collect();
        let mut state = Self {
            tokens: spec.bots.iter().map(|b| (b.token.clone(), b.id)).collect(),
            bots,
            people: spec.people.iter().map(|p| (p.id, p.clone())).collect(),
            chats: BTreeMap::new(),
            files: HashMap::new(),
            limiter: Limiter::new(spec.limits),
            blocks: HashSet::new(),
            late: Late::default(),
            next_send: 0,
            next_poll: 0,
            last_activity: Instant::now(),
            rng,
        };
        for chat in &spec.chats {
            state.chats.insert(chat.id, ChatState::new(chat));
        }
        state
    }

    pub(crate) fn bot_author(&self, bot: i64) -> Option<Author> {
        let spec = &self.bots.get(&bot)?.spec;
        Some(Author { id: spec.id, name: spec.first_name.clone(), is_bot: true, username: Some(spec.username.clone()) })
    }

    pub(crate) fn author(&self, id: i64) -> Option<Author> {
        if let Some(person) = self.people.get(&id) {
            return Some(Author {
                id,
                name: person.first_name.clone(),
                is_bot: false,
                username: person.username.clone(),
            });
        }
        self.bot_author(id)
    }

    /// Returns a bot's own id of a message. In a basic group the id is assigned when it is first needed.
    pub(crate) fn local_id(&mut self, chat: i64, bot: i64, message_id: i64) -> i64 {
        let Some(chat) = self.chats.get_mut(&chat) else {
            return message_id;
        };
        if chat.kind != ChatKind::Basic {
            return message_id;
        }
        if let Some(known) = chat.local.get(&(bot, message_id)) {
            return *known;
        }
        let Some(owner) = self.bots.get_mut(&bot) else {
            return message_id;
        };
        owner.next_local_id += 1;
        chat.local.insert((bot, message_id), owner.next_local_id);
        chat.global.insert((bot, owner.next_local_id), message_id);
        owner.next_local_id
    }
}

impl BotState {
    pub(crate) fn new(spec: BotSpec, rng: &mut fastrand::Rng) -> Self {
        Self {
            updates: UpdateQueue::new(rng),
            idle: None,
            open_polls: 0,
            last_poll_end: None,
            ever_polled: false,
            previous_poll: None,
            next_conflict: None,
            webhook: None,
            commands: HashMap::new(),
            descriptions: HashMap::new(),
            logged_out: None,
            revoked: false,
            // Bots of one basic group have different message ids from the start.
            next_local_id: rng.i64(0..1000),
            spec,
        }
    }

    /// Ends the waiting poll, if there is one.
    pub(crate) fn wake(&mut self, reason: Wake) {
        if let Some(idle) = self.idle.take() {
            // The receiver may have gone; its updates stay queued.
            let _ = idle.wake.send(reason);
        }
    }
}

impl ChatState {
    pub(crate) fn new(spec: &ChatSpec) -> Self {
        let mut members: BTreeMap<i64, Standing> =
            spec.bots.iter().chain(&spec.people).map(|id| (*id, Standing::Member)).collect();
        let creator = spec.admins.iter().find(|id| spec.people.contains(id));
        for admin in &spec.admins {
            let standing = if Some(admin) == creator { Standing::Creator } else { Standing::Admin };
            members.insert(*admin, standing);
        }
        Self {
            id: spec.id,
            title: spec.title.clone(),
            kind: spec.kind,
            members,
            messages: BTreeMap::new(),
            topics: BTreeMap::new(),
            last_bot: None,
            migrated_to: None,
            shut: None,
            shut_topics: BTreeMap::new(),
            next_message_id: 1,
            local: HashMap::new(),
            global: HashMap::new(),
        }
    }

    pub(crate) fn is_present(&self, id: i64) -> bool {
        self.members.get(&id).is_some_and(|s| s.is_present())
    }

    pub(crate) fn is_admin(&self, id: i64) -> bool {
        self.members.get(&id).is_some_and(|s| s.is_admin())
    }

    pub(crate) fn take_message_id(&mut self) -> i64 {
        let id = self.next_message_id;
        self.next_message_id += 1;
        id
    }

    pub(crate) fn keep(&mut self, message: StoredMessage) {
        self.messages.insert(message.id, message);
        if self.messages.len() > KEPT_MESSAGES {
            self.messages.pop_first();
        }
    }

    /// Returns the world's id of the message that a bot knows under its own id.
    pub(crate) fn world_id(&self, bot: i64, local: i64) -> Option<i64> {
        if self.kind == ChatKind::Basic { self.global.get(&(bot, local)).copied() } else { Some(local) }
    }

    pub(crate) fn shown_author(&self, message: &StoredMessage) -> Author {
        if message.anonymous {
            Author { id: self.id, name: self.title.clone(), is_bot: false, username: None }
        } else {
            message.author.clone()
        }
    }

    pub(crate) fn shown(&self, message: &StoredMessage) -> ChatMessage {
        let text = match &message.service {
            Some(service) => service.keys().next().cloned().unwrap_or_default(),
            None => message.body.text.clone(),
        };
        ChatMessage {
            chat: self.id,
            message_id: message.id,
            author: self.shown_author(message),
            text,
            reply_to: message.reply_to,
            thread: message.topic,
            at_ms: message.at_ms,
        }
    }
}

/// The content of an update, shared by all bots that get the same content.
pub(crate) type Body = Arc<str>;
