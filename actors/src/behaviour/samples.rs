//! A cast, a chat and messages for the tests of this layer.

use std::sync::Arc;
use std::time::Duration;

use crate::behaviour::note::Note;
use crate::behaviour::scene::CastMember;
use crate::domain::ids::{BotId, ChatId, InboxId, MessageId, Number, TelegramChatId, TelegramUserId};
use crate::domain::incoming::{Author, AuthorKind};
use crate::domain::roster::{
    BotProfile, BotSpec, ChatPolicy, ChatProfile, ChatSpec, Generation, Language, ModelRef, Pacing, Persona, Physics,
};
use crate::domain::time::Timestamp;
use crate::domain::transcript::{EntryKind, TranscriptEntry};

/// A bot of the cast.
#[allow(clippy::needless_update, reason = "a further key has its built-in value")]
pub(crate) fn bot(id: i64, name: &str) -> CastMember {
    let persona = Persona {
        name: name.to_lowercase(),
        language: Language::Tr,
        interests: vec!["çay".to_owned()],
        talkativeness: 0.6,
        nicknames: vec![format!("{name} abi")],
        ..Persona::default()
    };
    let generation = Generation {
        models: vec![ModelRef { provider: "p".to_owned(), model: "m".to_owned() }],
        temperature: 0.7,
        max_tokens: 100,
        context_tokens: 2000,
        context_messages: 10,
        ..Generation::default()
    };
    let spec = BotSpec {
        name: name.to_owned(),
        telegram_id: TelegramUserId(7000 + id),
        credential: "env:X".to_owned(),
        persona,
        generation,
        hourly_cap: None,
        ..BotSpec::default()
    };
    let profile = BotProfile::new(BotId(id), spec);
    CastMember { profile: Arc::new(profile), username: Some(format!("{}_bot", name.to_lowercase())) }
}

/// A chat without limits but chains of six, and without pacing.
#[allow(clippy::needless_update, reason = "a further key has its built-in value")]
pub(crate) fn chat(policy: ChatPolicy, cast: &[CastMember]) -> ChatProfile {
    ChatProfile {
        id: ChatId(1),
        spec: ChatSpec {
            name: "oda".to_owned(),
            telegram_id: TelegramChatId(-1001),
            policy,
            language: Language::Tr,
            physics: Physics {
                pair_per_ten_minutes: None,
                person_per_ten_minutes: None,
                chat_per_minute: None,
                fleet_per_minute: None,
                cool_down: Duration::ZERO,
                stagnation_turns: None,
                unheard_max: None,
                ..Physics::default()
            },
            pacing: Pacing {
                enabled: false,
                chars_per_second: 10.0,
                typing_max: Duration::from_secs(5),
                stale_after: Duration::from_mins(1),
                quiet_tick: None,
                ..Pacing::default()
            },
            ..ChatSpec::default()
        },
        members: cast.iter().map(|member| member.profile.id).collect(),
    }
}

/// The note of an entry.
pub(crate) fn noted(entry: &TranscriptEntry) -> Note {
    Note::new(Arc::new(entry.clone()))
}

/// A message of a person called Ayşe, or of a bot, which ends a chain of at least one.
pub(crate) fn says(number: i64, author: Option<&CastMember>, text: &str, depth: u32) -> TranscriptEntry {
    let person = Author { id: TelegramUserId(1), name: "Ayşe".to_owned(), username: None, kind: AuthorKind::Person };
    let bot_author = |member: &CastMember| Author {
        id: member.profile.spec.telegram_id,
        name: member.profile.spec.name.clone(),
        username: None,
        kind: AuthorKind::Bot,
    };
    TranscriptEntry {
        chat: ChatId(1),
        number: Number(number),
        kind: EntryKind::Message,
        revision: 0,
        telegram_chat: TelegramChatId(-1001),
        message_id: MessageId(number),
        thread: None,
        reply_to: None,
        author: author.map_or(person, bot_author),
        fleet_bot: author.map(|member| member.profile.id),
        text: Some(text.to_owned()),
        entities: Vec::new(),
        media: None,
        date: Timestamp::from_secs(number),
        inbox: InboxId(number),
        chain_depth: depth.max(u32::from(author.is_some())),
        root: Number(number),
        by_operator: false,
        deleted_at: None,
    }
}
