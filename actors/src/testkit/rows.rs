//! Builds rows and operations for tests: every field is set, and a test changes those that it cares about. Part of the
//! testkit.

use std::time::Duration;

use serde_json::json;

use crate::domain::audit::{
    self, AuditEntry, AuditId, AuditObject, AuditPrincipal, ObjectKind, Origin, Phase, PrincipalKind,
};
use crate::domain::commit::operations::{Advance, Claim, Finish, Ingest, Operation, Settle, TurnEnding};
use crate::domain::commit::start::{SendRules, Start};
use crate::domain::decision::{Cause, Decision, OpenTurn, Standing, Verdict};
use crate::domain::hours::Hours;
use crate::domain::ids::{
    AttemptId, BotId, ChatId, ConfigSeq, DecisionNumber, Epoch, InboxId, MessageId, Number, OutboxId, TelegramChatId,
    TelegramUserId, ThreadId, TurnId, UpdateId,
};
use crate::domain::inbox::{Handled, InboxRow, Outcome, OutcomeKind, SentEvent, Source};
use crate::domain::incoming::{Author, AuthorKind, Entity, EntityKind, Media};
use crate::domain::operator_order::{NewOrder, OrderId, OrderTarget, OrderTask};
use crate::domain::outbox::{OnUnknown, OutboxMessage, SendProgress, SendResult};
use crate::domain::roster::{
    BotSpec, ChatPolicy, ChatSpec, DeliveryMode, Generation, Language, ModelRef, Pacing, Persona, Physics, RosterPlan,
};
use crate::domain::silence::Silence;
use crate::domain::stance::{Relationship, Stance};
use crate::domain::strategy::{Consistency, Novelty, Strategy};
use crate::domain::time::Timestamp;
use crate::domain::transcript::{EntryKind, TranscriptEntry};
use crate::domain::turn::{Act, Turn, TurnProgress, Usage};
use crate::domain::window::{WindowKey, WindowRule};

/// Returns the instant `seconds` after the fixed start of all tests.
pub fn at(seconds: u64) -> Timestamp {
    Timestamp::from_secs(1_790_000_000) + Duration::from_secs(seconds)
}

/// A persona.
#[allow(clippy::needless_update, reason = "a further key has its built-in value")]
pub fn persona(name: &str) -> Persona {
    Persona {
        name: name.to_owned(),
        language: Language::En,
        voice: format!("You are {name}, and you say \"hello\" in the morning."),
        style: Some("short".to_owned()),
        interests: vec!["gardens".to_owned(), "çay".to_owned()],
        examples: vec!["Hello!\nHow are you?".to_owned()],
        talkativeness: 0.3,
        nicknames: vec![name.to_uppercase()],
        stances: vec![Stance {
            topic: "tea".to_owned(),
            keywords: vec!["çay".to_owned()],
            position: "Tea is better than coffee.".to_owned(),
            confidence: 0.8,
            reasons: vec!["it keeps calm".to_owned()],
            denials: vec!["coffee is better".to_owned()],
            version: 1,
            cool_down: Duration::from_hours(1),
            ..Stance::default()
        }],
        active_hours: Hours::new(8 * 60, 23 * 60),
        reactions: vec!["👍".to_owned()],
        chars_per_second: Some(9.0),
        ..Persona::default()
    }
}

/// The bot `bot-<n>`, with Telegram id 1000 + n and a persona of its own.
#[allow(clippy::needless_update, reason = "a further key has its built-in value")]
pub fn bot_spec(n: i64) -> BotSpec {
    BotSpec {
        name: format!("bot-{n}"),
        telegram_id: TelegramUserId(1000 + n),
        credential: format!("env:BOT_{n}_TOKEN"),
        persona: persona(&format!("persona-{n}")),
        generation: Generation {
            models: vec![ModelRef { provider: "sim".to_owned(), model: "small".to_owned() }],
            temperature: 0.7,
            max_tokens: 200,
            context_tokens: 2_000,
            context_messages: 30,
            ..Generation::default()
        },
        hourly_cap: Some(12),
        delivery: DeliveryMode::Polling,
        relationships: vec![Relationship { note: Some("old friends".to_owned()), ..Relationship::with("bot-1", 0.5) }],
        ..BotSpec::default()
    }
}

/// The chat `chat-<n>`, with Telegram id -(2000 + n).
#[allow(clippy::needless_update, reason = "a further key has its built-in value")]
pub fn chat_spec(n: i64, bots: &[BotSpec]) -> ChatSpec {
    ChatSpec {
        name: format!("chat-{n}"),
        telegram_id: TelegramChatId(-2000 - n),
        bots: bots.iter().map(|bot| bot.name.clone()).collect(),
        policy: ChatPolicy::Natural,
        language: Language::Tr,
        time_zone: "Europe/Istanbul".to_owned(),
        retention_days: 30,
        topics: vec!["weather".to_owned()],
        physics: Physics {
            chain_depth_max: Some(3),
            pair_per_ten_minutes: Some(6),
            person_per_ten_minutes: Some(9),
            chat_per_minute: None,
            fleet_per_minute: None,
            cool_down: Duration::from_mins(5),
            stagnation_turns: Some(4),
            unheard_max: Some(20),
            ..Physics::default()
        },
        pacing: Pacing {
            enabled: true,
            chars_per_second: 12.5,
            typing_max: Duration::from_secs(8),
            stale_after: Duration::from_mins(2),
            quiet_tick: Some(Duration::from_mins(30)),
            ..Pacing::default()
        },
        on_unknown: OnUnknown::Report,
        strategy: Strategy { reaction: 0.1, ..Strategy::default() },
        quiet_hours: Hours::new(23 * 60, 7 * 60),
        novelty: Novelty { limit: 0.7, ..Novelty::default() },
        consistency: Consistency::Lexical,
        disclosure: Some("I am a bot.".to_owned()),
        ..ChatSpec::default()
    }
}

/// A plan of this many bots and chats; every bot is in every chat.
pub fn plan(bots: i64, chats: i64) -> RosterPlan {
    let bots: Vec<BotSpec> = (1..=bots).map(bot_spec).collect();
    let chats = (1..=chats).map(|n| chat_spec(n, &bots)).collect();
    RosterPlan { bots, chats }
}

/// An update that a bot received, stored under the inbox id `id`.
pub fn update(id: i64, bot: BotId, chat: ChatId, update: i64) -> InboxRow {
    InboxRow {
        id: InboxId(id),
        chat: Some(chat),
        bot,
        source: Source::Update(UpdateId(update)),
        payload: format!("{{\"update_id\": {update}, \"text\": \"\\\"günaydın\\\" \\\\ {id}\"}}"),
        received_at: at(0),
        outcome: None,
        author: None,
    }
}

/// An ingest of rows by a bot; the next offset is the last row's update + 1.
pub fn ingest(bot: BotId, epoch: Epoch, rows: Vec<InboxRow>) -> Operation {
    let next_offset = rows.iter().rev().find_map(|row| match row.source {
        Source::Update(update) => Some(update.0 + 1),
        Source::Sent(_) => None,
    });
    Operation::Ingest(Ingest { bot, epoch, next_offset: next_offset.unwrap_or(1), rows })
}

/// A person.
pub fn person() -> Author {
    Author {
        id: TelegramUserId(77),
        name: "Ayşe".to_owned(),
        username: Some("ayse".to_owned()),
        kind: AuthorKind::Person,
    }
}

/// An entry made from inbox row `inbox`: message number 500 + `number` of the chat with Telegram id -2000 - chat.
pub fn entry(chat: ChatId, number: i64, inbox: i64) -> TranscriptEntry {
    TranscriptEntry {
        chat,
        number: Number(number),
        kind: EntryKind::Message,
        revision: 0,
        telegram_chat: TelegramChatId(-2000 - chat.0),
        message_id: MessageId(500 + number),
        thread: Some(ThreadId(4)),
        reply_to: Some(MessageId(499)),
        author: person(),
        fleet_bot: None,
        text: Some("Merhaba \"dünya\" 🌍\n\\o/".to_owned()),
        entities: vec![
            Entity { kind: EntityKind::TextMention(TelegramUserId(1001)), offset: 0, length: 7 },
            Entity { kind: EntityKind::Other("bold".to_owned()), offset: 8, length: 7 },
        ],
        media: Some(Media { kind: "photo".to_owned(), reference: None, album: None }),
        date: at(1),
        inbox: InboxId(inbox),
        chain_depth: 0,
        root: Number(number),
        by_operator: false,
        deleted_at: None,
    }
}

/// The outcome of a row that became an entry.
pub fn appended(inbox: i64, number: i64, decision: Option<i64>) -> Handled {
    Handled {
        inbox: InboxId(inbox),
        outcome: Outcome::plain(OutcomeKind::Appended),
        number: Some(Number(number)),
        decision: decision.map(DecisionNumber),
    }
}

/// A decision that somebody speaks.
pub fn decision(chat: ChatId, number: i64, cause: Cause) -> Decision {
    Decision {
        chat,
        number: DecisionNumber(number),
        cause,
        seed: u64::MAX - 5,
        at: at(2),
        config_seq: ConfigSeq(1),
        policy: "natural".to_owned(),
        verdict: Verdict::Speak,
        reason: "asked by name".to_owned(),
        standing: Standing {
            first: Number(1),
            last: Number(1),
            absent: vec![BotId(9)],
            silent: vec![(BotId(9), Silence::Paused(at(70))), (BotId(7), Silence::Refused)],
            open: vec![OpenTurn {
                bot: BotId(8),
                turn: Some(TurnId(9)),
                target: Some(Number(1)),
                thread: Some(ThreadId(4)),
                until: at(60),
            }],
            thread: Some(ThreadId(4)),
            topics: true,
            calm_until: Some(at(90)),
            stopped: false,
            ahead_ms: Some(-600_000),
            superseded: true,
            turns_for_author: 2,
        },
        inputs: json!({ "mentions": ["bot-1"], "quiet_for": 1.5 }),
        scores: json!([[1, 0.9]]),
        root: Some(Number(1)),
        chain_depth: 0,
    }
}

/// A queued turn.
pub fn turn(id: i64, chat: ChatId, decision: i64, bot: BotId) -> Turn {
    Turn {
        id: TurnId(id),
        chat,
        decision: DecisionNumber(decision),
        bot,
        ordinal: 0,
        act: Act::Answer,
        target: Some(Number(1)),
        answers_bot: None,
        chain_depth: 1,
        root: Some(Number(1)),
        priority: 0,
        due_at: at(2),
        expires_at: at(100),
        created_at: at(2),
        progress: TurnProgress::queued(),
    }
}

/// A message of a turn; part 0 of 1.
pub fn message(id: i64, turn: &Turn) -> OutboxMessage {
    OutboxMessage {
        id: OutboxId(id),
        turn: turn.id,
        part: 0,
        parts: 1,
        bot: turn.bot,
        chat: turn.chat,
        telegram_chat: TelegramChatId(-2000 - turn.chat.0),
        thread: Some(ThreadId(4)),
        reply_to: Some(MessageId(501)),
        text: "Selam \"millet\"\n👋".to_owned(),
        marks: vec![Entity { kind: EntityKind::Other("bold".to_owned()), offset: 0, length: 5 }],
        answers_bot: turn.answers_bot,
        chain_depth: turn.chain_depth,
        root: turn.root,
        expires_at: turn.expires_at,
        created_at: at(3),
        on_unknown: OnUnknown::Report,
        by_operator: false,
        progress: SendProgress::queued(at(3)),
    }
}

/// A start without limits.
pub fn start(attempt: i64, now: Timestamp) -> Start {
    Start { attempt: AttemptId(attempt), rules: SendRules::default(), now }
}

/// A start under one window.
pub fn start_within(attempt: i64, now: Timestamp, key: WindowKey, limit: u32, length: Duration) -> Start {
    let rules = SendRules { windows: vec![WindowRule { key, limit, length }], ..SendRules::default() };
    Start { attempt: AttemptId(attempt), rules, now }
}

/// The claim of a turn.
pub fn claim(turn: &Turn, epoch: Epoch) -> Operation {
    Operation::Claim(Claim { bot: turn.bot, epoch, turn: turn.id, chat: turn.chat, yields: turn.yields(), now: at(0) })
}

/// The end of a turn.
pub fn finish(turn: &Turn, epoch: Epoch, ending: TurnEnding) -> Operation {
    Operation::Finish(Finish { bot: turn.bot, epoch, turn: turn.id, ending, usage: Some(usage()) })
}

/// An order that a user gave.
pub fn order(id: i64, target: OrderTarget, task: OrderTask, lives: Duration) -> NewOrder {
    order_by("ayse", id, target, task, lives)
}

/// An order that the named user gave.
pub fn order_by(name: &str, id: i64, target: OrderTarget, task: OrderTask, lives: Duration) -> NewOrder {
    let act = AuditEntry {
        id: AuditId(0),
        at: at(0),
        act: audit::Act::Release,
        phase: Phase::Act,
        principal: AuditPrincipal { kind: PrincipalKind::User, id: Some("7".to_owned()), name: name.to_owned() },
        object: AuditObject::new(ObjectKind::Actor, "bot 1"),
        before: None,
        after: None,
        origin: Origin::default(),
    };
    NewOrder::new(OrderId(id), target, task, lives, act)
}

/// The usage of a completion.
pub fn usage() -> Usage {
    Usage {
        provider: "sim".to_owned(),
        model: "small".to_owned(),
        prompt_tokens: 120,
        completion_tokens: 17,
        cached_tokens: 64,
    }
}

/// An advance by one entry made from inbox row `inbox`; the entry gets number `base` + 1.
pub fn advance(chat: ChatId, epoch: Epoch, base: i64, inbox: i64) -> Advance {
    Advance {
        chat,
        epoch,
        base: Number(base),
        entries: vec![entry(chat, base + 1, inbox)],
        handled: vec![appended(inbox, base + 1, None)],
        decisions: Vec::new(),
        turns: Vec::new(),
        superseded: Vec::new(),
        next_tick_at: None,
        absences: Vec::new(),
        calm_until: None,
        disclosed: false,
    }
}

/// The end of an attempt that Telegram accepted as `message_id`, with its event in the chat's inbox as row `inbox`.
pub fn sent(message: &OutboxMessage, attempt: i64, message_id: i64, inbox: i64) -> Operation {
    let event = SentEvent::of(message, MessageId(message_id), at(4));
    Operation::Settle(Settle {
        outbox: message.id,
        attempt: AttemptId(attempt),
        result: SendResult::Sent(MessageId(message_id)),
        event: Some(InboxRow::of_sent(InboxId(inbox), message, &event, at(4))),
        pauses: Vec::new(),
        unsent: None,
    })
}

/// A text of `count` different words, each of four digits and a blank: long, and without repetition.
pub fn distinct_words(count: usize) -> String {
    let words: Vec<String> = (0..count).map(|word| format!("{word:04} ")).collect();
    words.concat()
}
