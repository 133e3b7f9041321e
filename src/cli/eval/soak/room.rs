//! One chat of a soak: its transcript, and the memory that a chat's owner keeps of it. Part of `cli`.

use std::sync::Arc;

use botfleet_actors::actors::chat::engine::{Decided, Question};
use botfleet_actors::actors::chat::memory::Memory;
use botfleet_actors::actors::chat::settings::ChatSettings;
use botfleet_actors::behaviour::note::Note;
use botfleet_actors::behaviour::scene::{CastMember, Occasion};
use botfleet_actors::domain::decision::Standing;
use botfleet_actors::domain::ids::{BotId, ConfigSeq, MessageId, Number, TurnId};
use botfleet_actors::domain::roster::ChatProfile;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::domain::transcript::TranscriptEntry;
use botfleet_actors::ports::store::ChatMemory;

/// One chat.
pub(super) struct Room {
    pub(super) profile: ChatProfile,
    pub(super) cast: Vec<CastMember>,
    pub(super) memory: Memory,
    pub(super) transcript: Vec<Arc<TranscriptEntry>>,
    /// The time of the tick planned last; earlier plans are ignored when they come due.
    pub(super) tick: Option<Timestamp>,
}

impl Room {
    pub(super) fn new(profile: ChatProfile, cast: Vec<CastMember>, now: Timestamp) -> Self {
        let ChatSettings { window_entries, rows_waiting, .. } = ChatSettings::default();
        let memory = Memory::new(ChatMemory::default(), window_entries.get(), rows_waiting.get(), now);
        let tick = memory.next_tick(&profile, &cast, now);
        Self { profile, cast, memory, transcript: Vec::new(), tick }
    }

    /// Returns Telegram's id of the next message: its number in the transcript as well.
    pub(super) fn next_message(&self) -> MessageId {
        MessageId(self.memory.last_number.0 + 1)
    }

    /// Appends an entry as the next one.
    pub(super) fn append(&mut self, mut entry: TranscriptEntry) -> Arc<Note> {
        entry.number = Number(self.memory.last_number.0 + 1);
        if entry.root == Number(0) {
            entry.root = entry.number;
        }
        let entry = Arc::new(entry);
        self.transcript.push(Arc::clone(&entry));
        let note = Arc::new(Note::new(Arc::clone(&entry)));
        self.memory.append(entry);
        note
    }

    /// Asks the director about an entry, or about the chat's tick.
    pub(super) fn decide(
        &mut self,
        entry: Option<&Arc<Note>>,
        heard_by: Option<BotId>,
        now: Timestamp,
        turn_id: impl FnMut() -> TurnId,
    ) -> Option<Decided> {
        let question = Question {
            chat: &self.profile,
            cast: &self.cast,
            occasion: entry.map_or(Occasion::Tick, |entry| Occasion::Entry { entry, heard_by }),
            at: entry,
            standing: Standing::default(),
            config_seq: ConfigSeq(0),
            now,
        };
        self.memory.decide(question, turn_id)
    }

    pub(super) fn member(&self, bot: BotId) -> Option<&CastMember> {
        self.cast.iter().find(|member| member.profile.id == bot)
    }

    pub(super) fn by_username(&self, username: &str) -> Option<BotId> {
        self.cast.iter().find(|member| member.username.as_deref() == Some(username)).map(|member| member.profile.id)
    }
}
