//! Converts rows to JSON arrays for the group commit; each value's place is its column in the statements of `write`.
//! Layer: adapter.

use botfleet_actors::domain::commit::rows::ChatChange;
use botfleet_actors::domain::decision::{Cause, Decision, Standing};
use botfleet_actors::domain::ids::{
    AttemptId, BotId, ChatId, DecisionNumber, Epoch, InboxId, MessageId, Number, OutboxId, TelegramChatId, ThreadId,
    TurnId,
};
use botfleet_actors::domain::inbox::{Handled, InboxRow};
use botfleet_actors::domain::incoming::{Author, Entity, Media};
use botfleet_actors::domain::outbox::{OutboxMessage, OutboxState, SendProgress};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::domain::transcript::{EntryKind, TranscriptEntry};
use botfleet_actors::domain::turn::{Act, Turn, TurnProgress, TurnState};
use serde::Serialize;
use serde_json::Value;

use crate::store::loaded::source_key;

/// A new inbox row.
#[derive(Serialize)]
pub(super) struct NewInboxRow<'a>(
    InboxId,
    Option<ChatId>,
    BotId,
    &'static str,
    i64,
    &'a str,
    Timestamp,
    Option<&'static str>,
    Option<&'a str>,
);

impl<'a> NewInboxRow<'a> {
    pub(super) fn of(row: &'a InboxRow) -> Self {
        let (bot, source, source_id) = source_key(row.bot, row.source);
        let outcome = row.outcome.as_ref();
        Self(
            row.id,
            row.chat,
            bot,
            source,
            source_id,
            &row.payload,
            row.received_at,
            outcome.map(|outcome| outcome.kind.as_str()),
            outcome.and_then(|outcome| outcome.reason.as_deref()),
        )
    }
}

/// The outcome of an inbox row.
#[derive(Serialize)]
pub(super) struct HandledRow<'a>(InboxId, &'static str, Option<&'a str>, Option<Number>, Option<DecisionNumber>);

impl<'a> HandledRow<'a> {
    pub(super) fn of(handled: &'a Handled) -> Self {
        let Handled { inbox, outcome, number, decision } = handled;
        Self(*inbox, outcome.kind.as_str(), outcome.reason.as_deref(), *number, *decision)
    }
}

/// A chat's new state.
#[derive(Serialize)]
pub(super) struct ChatRow(ChatId, Number, Option<DecisionNumber>, Option<Timestamp>, Option<Timestamp>, u8);

impl ChatRow {
    pub(super) fn of(chat: ChatId, change: &ChatChange, last_decision: Option<DecisionNumber>) -> Self {
        Self(
            chat,
            change.last_number,
            last_decision,
            change.next_tick_at,
            change.calm_until,
            u8::from(change.disclosed),
        )
    }
}

/// A new transcript entry.
#[derive(Serialize)]
pub(super) struct EntryRow<'a>(
    ChatId,
    Number,
    EntryKind,
    i64,
    TelegramChatId,
    MessageId,
    Option<ThreadId>,
    Option<MessageId>,
    &'a Author,
    Option<BotId>,
    Option<&'a str>,
    &'a [Entity],
    Option<&'a Media>,
    Timestamp,
    InboxId,
    u32,
    Number,
);

impl<'a> EntryRow<'a> {
    pub(super) fn of(entry: &'a TranscriptEntry) -> Self {
        Self(
            entry.chat,
            entry.number,
            entry.kind,
            entry.revision,
            entry.telegram_chat,
            entry.message_id,
            entry.thread,
            entry.reply_to,
            &entry.author,
            entry.fleet_bot,
            entry.text.as_deref(),
            &entry.entities,
            entry.media.as_ref(),
            entry.date,
            entry.inbox,
            entry.chain_depth,
            entry.root,
        )
    }
}

/// A new decision.
#[derive(Serialize)]
pub(super) struct DecisionRow<'a>(
    ChatId,
    DecisionNumber,
    Option<Number>,
    i64,
    Timestamp,
    i64,
    &'a str,
    &'static str,
    &'a str,
    &'a Value,
    &'a Value,
    Option<Number>,
    u32,
    &'a Standing,
);

impl<'a> DecisionRow<'a> {
    pub(super) fn of(decision: &'a Decision) -> Self {
        Self(
            decision.chat,
            decision.number,
            match decision.cause {
                Cause::Entry(number) => Some(number),
                Cause::Tick => None,
            },
            decision.seed.cast_signed(),
            decision.at,
            decision.config_seq.0,
            &decision.policy,
            decision.verdict.as_str(),
            &decision.reason,
            &decision.inputs,
            &decision.scores,
            decision.root,
            decision.chain_depth,
            &decision.standing,
        )
    }
}

/// A new turn.
#[derive(Serialize)]
pub(super) struct TurnRow<'a>(
    TurnId,
    ChatId,
    DecisionNumber,
    BotId,
    u32,
    Option<Number>,
    Option<BotId>,
    u32,
    Option<Number>,
    u8,
    Timestamp,
    Timestamp,
    Timestamp,
    TurnState,
    u32,
    Option<Epoch>,
    Option<&'a str>,
    Option<&'a str>,
    Option<&'a str>,
    Option<u32>,
    Option<u32>,
    Option<&'a Act>,
);

impl<'a> TurnRow<'a> {
    pub(super) fn of(turn: &'a Turn, progress: &'a TurnProgress) -> Self {
        let TurnMove(_, state, attempts, claimed_epoch, error, provider, model, prompt, completion) =
            TurnMove::of(turn.id, progress);
        Self(
            turn.id,
            turn.chat,
            turn.decision,
            turn.bot,
            turn.ordinal,
            turn.target,
            turn.answers_bot,
            turn.chain_depth,
            turn.root,
            turn.priority,
            turn.due_at,
            turn.expires_at,
            turn.created_at,
            state,
            attempts,
            claimed_epoch,
            error,
            provider,
            model,
            prompt,
            completion,
            Some(&turn.act).filter(|act| **act != Act::Answer),
        )
    }
}

/// The changed columns of a turn.
#[derive(Serialize)]
pub(super) struct TurnMove<'a>(
    TurnId,
    TurnState,
    u32,
    Option<Epoch>,
    Option<&'a str>,
    Option<&'a str>,
    Option<&'a str>,
    Option<u32>,
    Option<u32>,
);

impl<'a> TurnMove<'a> {
    pub(super) fn of(id: TurnId, progress: &'a TurnProgress) -> Self {
        let usage = progress.usage.as_ref();
        Self(
            id,
            progress.state,
            progress.attempts,
            progress.claimed_epoch,
            progress.error.as_deref(),
            usage.map(|usage| usage.provider.as_str()),
            usage.map(|usage| usage.model.as_str()),
            usage.map(|usage| usage.prompt_tokens),
            usage.map(|usage| usage.completion_tokens),
        )
    }
}

/// A new message.
#[derive(Serialize)]
pub(super) struct OutboxRow<'a>(
    OutboxId,
    TurnId,
    u32,
    u32,
    BotId,
    ChatId,
    TelegramChatId,
    Option<ThreadId>,
    Option<MessageId>,
    &'a str,
    Option<BotId>,
    u32,
    Option<Number>,
    Timestamp,
    Timestamp,
    OutboxState,
    u32,
    Option<AttemptId>,
    Option<Epoch>,
    Timestamp,
    Option<MessageId>,
    Option<&'a str>,
    &'static str,
);

impl<'a> OutboxRow<'a> {
    pub(super) fn of(message: &'a OutboxMessage, progress: &'a SendProgress) -> Self {
        Self(
            message.id,
            message.turn,
            message.part,
            message.parts,
            message.bot,
            message.chat,
            message.telegram_chat,
            message.thread,
            message.reply_to,
            &message.text,
            message.answers_bot,
            message.chain_depth,
            message.root,
            message.expires_at,
            message.created_at,
            progress.state,
            progress.attempts,
            progress.attempt,
            progress.claimed_epoch,
            progress.due_at,
            progress.message_id,
            progress.error.as_deref(),
            message.on_unknown.as_str(),
        )
    }
}

/// The changed columns of a message.
#[derive(Serialize)]
pub(super) struct OutboxMove<'a>(
    OutboxId,
    OutboxState,
    u32,
    Option<AttemptId>,
    Option<Epoch>,
    Timestamp,
    Option<MessageId>,
    Option<&'a str>,
);

impl<'a> OutboxMove<'a> {
    pub(super) fn of(id: OutboxId, progress: &'a SendProgress) -> Self {
        Self(
            id,
            progress.state,
            progress.attempts,
            progress.attempt,
            progress.claimed_epoch,
            progress.due_at,
            progress.message_id,
            progress.error.as_deref(),
        )
    }
}
