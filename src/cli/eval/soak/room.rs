//! One chat of a soak: its transcript, and the engine's view of it as a chat's owner keeps it. Part of `cli`.

use std::collections::VecDeque;
use std::sync::Arc;

use botfleet_actors::behaviour::director::direct;
use botfleet_actors::behaviour::director::direction::Direction;
use botfleet_actors::behaviour::director::seed;
use botfleet_actors::behaviour::note::Note;
use botfleet_actors::behaviour::scene::{CastMember, Occasion, Scene};
use botfleet_actors::domain::decision::{OpenTurn, Standing};
use botfleet_actors::domain::ids::{BotId, DecisionNumber, InboxId, MessageId, Number};
use botfleet_actors::domain::incoming::Author;
use botfleet_actors::domain::roster::ChatProfile;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::domain::transcript::{EntryKind, TranscriptEntry};

/// Number of entries that a chat's owner remembers.
const WINDOW: usize = 200;

/// One chat.
pub(super) struct Room {
    pub(super) profile: ChatProfile,
    pub(super) cast: Vec<CastMember>,
    pub(super) window: VecDeque<Arc<Note>>,
    pub(super) transcript: Vec<Arc<TranscriptEntry>>,
    pub(super) open: Vec<OpenTurn>,
    pub(super) calm_until: Option<Timestamp>,
    pub(super) decisions: u64,
    /// Number of the tick planned last; earlier ones are ignored when they come due.
    pub(super) tick: u64,
}

/// A message without a number yet.
pub(super) struct Draft {
    pub(super) author: Author,
    pub(super) fleet_bot: Option<BotId>,
    pub(super) text: String,
    pub(super) reply_to: Option<MessageId>,
    pub(super) kind: EntryKind,
    pub(super) chain_depth: u32,
    pub(super) root: Option<Number>,
}

impl Room {
    pub(super) fn new(profile: ChatProfile, cast: Vec<CastMember>) -> Self {
        Self {
            profile,
            cast,
            window: VecDeque::new(),
            transcript: Vec::new(),
            open: Vec::new(),
            calm_until: None,
            decisions: 0,
            tick: 0,
        }
    }

    /// Appends a message. The entry's number is its Telegram id as well.
    pub(super) fn append(&mut self, draft: Draft, now: Timestamp) -> Arc<Note> {
        let number = Number(self.transcript.len() as i64 + 1);
        let entry = Arc::new(TranscriptEntry {
            chat: self.profile.id,
            number,
            kind: draft.kind,
            revision: if draft.kind == EntryKind::Message { 0 } else { number.0 },
            telegram_chat: self.profile.spec.telegram_id,
            message_id: MessageId(number.0),
            thread: None,
            reply_to: draft.reply_to,
            author: draft.author,
            fleet_bot: draft.fleet_bot,
            text: Some(draft.text),
            entities: Vec::new(),
            media: None,
            date: now,
            inbox: InboxId(number.0),
            chain_depth: draft.chain_depth,
            root: draft.root.unwrap_or(number),
        });
        self.transcript.push(Arc::clone(&entry));
        let note = Arc::new(Note::new(entry));
        self.window.push_back(Arc::clone(&note));
        if self.window.len() > WINDOW {
            self.window.pop_front();
        }
        note
    }

    /// Asks the director, as the chat's owner does.
    pub(super) fn decide(&mut self, occasion: Occasion<'_>, now: Timestamp, soak_seed: u64) -> Option<Direction> {
        self.open.retain(|turn| turn.until > now);
        let standing = Standing {
            first: self.window.front().map_or(Number(0), |note| note.number),
            last: self.window.back().map_or(Number(0), |note| note.number),
            absent: Vec::new(),
            silent: Vec::new(),
            open: self.open.clone(),
            calm_until: self.calm_until,
            stopped: false,
            // Every message is read as it comes.
            ahead_ms: None,
            superseded: false,
            ..Standing::default()
        };
        let scene = Scene {
            chat: &self.profile,
            cast: &self.cast,
            window: &self.window,
            whole: &self.window,
            standing: &standing,
            now,
        };
        let number = DecisionNumber(self.decisions as i64 + 1);
        let direction = direct(&scene, occasion, seed::of(self.profile.id.0 ^ soak_seed as i64, number))?;
        self.decisions += 1;
        self.calm_until = direction.calm_until;
        Some(direction)
    }

    pub(super) fn member(&self, bot: BotId) -> Option<&CastMember> {
        self.cast.iter().find(|member| member.profile.id == bot)
    }

    pub(super) fn by_username(&self, username: &str) -> Option<BotId> {
        self.cast.iter().find(|member| member.username.as_deref() == Some(username)).map(|member| member.profile.id)
    }
}
