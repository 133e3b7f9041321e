//! Reads the lines of the outcomes from rows of both databases. Layer: adapter.

use botfleet_actors::domain::ids::{
    ChatId, DecisionNumber, InboxId, MessageId, Number, OutboxId, TelegramChatId, TelegramUserId, TurnId,
};
use botfleet_actors::domain::inbox::{OutcomeKind, SentEvent};
use botfleet_actors::domain::outbox::OutboxState;
use botfleet_actors::domain::turn::TurnState;
use botfleet_actors::ports::store::{OutcomeMessage, OutcomeRecord, StoreError};

use super::columns::{Cells, Columns, is_sent, unreadable};

/// The key of a decision.
pub(super) type DecisionKey = (ChatId, DecisionNumber);

/// Reads the line of an inbox row, with the decision that the row led to.
pub(super) fn inbox_record(row: &dyn Cells) -> Result<(InboxId, Option<DecisionKey>, OutcomeRecord), StoreError> {
    let mut columns = Columns::of(row);
    let id = InboxId(columns.take()?);
    let chat = columns.optional(ChatId)?;
    let decision = columns.optional(DecisionNumber)?;
    let sent = columns.name(is_sent)?;
    let source_id: i64 = columns.take()?;
    let event: Option<SentEvent> =
        columns.take::<Option<&str>>()?.and_then(|payload| serde_json::from_str(payload).ok());
    let bot_id = columns.optional(TelegramUserId)?;
    let outcome = match columns.take::<Option<&str>>()? {
        Some(name) => Some(OutcomeKind::parse(name).ok_or_else(|| unreadable("outcome", name))?),
        None => None,
    };
    let record = OutcomeRecord {
        source: if sent { "sent" } else { "update" }.to_owned(),
        bot_id,
        update_id: (!sent).then_some(source_id),
        outcome: OutcomeRecord::outcome_name(outcome),
        reason: columns.take()?,
        number: columns.optional(Number)?,
        chat_id: {
            let known = columns.optional(TelegramChatId)?;
            event.as_ref().map(|event| event.chat).or(known)
        },
        message_id: {
            let known = columns.optional(MessageId)?;
            event.as_ref().map(|event| event.message_id).or(known)
        },
        decision,
        turns: Vec::new(),
    };
    Ok((id, chat.zip(decision), record))
}

/// Reads the line of a decision that no row caused.
pub(super) fn tick_record(row: &dyn Cells) -> Result<(DecisionKey, OutcomeRecord), StoreError> {
    let mut columns = Columns::of(row);
    let key = (ChatId(columns.take()?), DecisionNumber(columns.take()?));
    let record = OutcomeRecord {
        source: "tick".to_owned(),
        bot_id: None,
        update_id: None,
        chat_id: columns.optional(TelegramChatId)?,
        message_id: None,
        outcome: columns.take()?,
        reason: columns.take()?,
        number: None,
        decision: Some(key.1),
        turns: Vec::new(),
    };
    Ok((key, record))
}

/// A turn within a line: its decision, its id, its bot and its state.
pub(super) type TurnLine = (DecisionKey, TurnId, TelegramUserId, TurnState);

/// Reads a turn.
pub(super) fn turn_line(row: &dyn Cells) -> Result<TurnLine, StoreError> {
    let mut columns = Columns::of(row);
    Ok((
        (ChatId(columns.take()?), DecisionNumber(columns.take()?)),
        TurnId(columns.take()?),
        columns.optional(TelegramUserId)?.unwrap_or(TelegramUserId(0)),
        columns.name(TurnState::parse)?,
    ))
}

/// Reads a message of a turn.
pub(super) fn message_line(row: &dyn Cells) -> Result<(TurnId, OutcomeMessage), StoreError> {
    let mut columns = Columns::of(row);
    Ok((
        TurnId(columns.take()?),
        OutcomeMessage {
            id: OutboxId(columns.take()?).to_string(),
            part: columns.count()?,
            chat_id: TelegramChatId(columns.take()?),
            state: columns.name(OutboxState::parse)?,
            message_id: columns.optional(MessageId)?,
        },
    ))
}
