//! Reads recorded decisions and turns: statements with the same text for both databases. Layer: adapter.

use std::collections::HashMap;

use botfleet_actors::domain::decision::{Cause, Decision, Verdict};
use botfleet_actors::domain::ids::{ChatId, ConfigSeq, DecisionNumber, Number, TurnId};
use botfleet_actors::domain::outbox::OutboxMessage;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::domain::turn::Turn;
use botfleet_actors::ports::archive::DecisionQuery;
use botfleet_actors::ports::store::StoreError;

use super::columns::{Cells, Columns};

/// Columns that [`decision`] reads.
const DECISION: &str = "chat, number, cause_entry, seed, at, config_seq, policy, verdict, reason, inputs, scores, root, chain_depth, standing";

/// Selects the entry of a message, whichever Telegram id the chat had when the message was sent.
pub(super) const MESSAGE_NUMBER: &str = "\
SELECT max(t.number) FROM chat_alias a JOIN transcript t ON t.telegram_chat = a.telegram_chat_id \
AND t.message_id = $2 AND t.kind = 'message' AND t.chat = a.chat WHERE a.chat = $1";

/// Builds the statement of a query. Its parameters are the chat, the lower bound, the upper bound, the limit, and the
/// entry when the query names one.
pub(super) fn decisions(query: &DecisionQuery) -> String {
    let (of_entry, order) = places(query);
    format!(
        "SELECT {DECISION} FROM decision WHERE chat = $1 AND number > $2 AND number < $3{of_entry} \
         ORDER BY number {order} LIMIT $4"
    )
}

fn places(query: &DecisionQuery) -> (&'static str, &'static str) {
    let of_entry = if query.entry.is_some() { " AND cause_entry = $5" } else { "" };
    (of_entry, if query.ascends() { "ASC" } else { "DESC" })
}

/// Reads a decision.
pub(super) fn decision(row: &dyn Cells) -> Result<Decision, StoreError> {
    let mut columns = Columns::of(row);
    Ok(Decision {
        chat: ChatId(columns.take()?),
        number: DecisionNumber(columns.take()?),
        cause: columns.optional(Number)?.map_or(Cause::Tick, Cause::Entry),
        seed: columns.take::<i64>()?.cast_unsigned(),
        at: Timestamp::from_millis(columns.take()?),
        config_seq: ConfigSeq(columns.take()?),
        policy: columns.take()?,
        verdict: columns.name(Verdict::parse)?,
        reason: columns.take()?,
        inputs: columns.json()?,
        scores: columns.json()?,
        root: columns.optional(Number)?,
        chain_depth: columns.count()?,
        standing: columns.json()?,
    })
}

/// Joins turns with their messages.
pub(super) fn joined(turns: Vec<Turn>, messages: Vec<OutboxMessage>) -> Vec<(Turn, Vec<OutboxMessage>)> {
    let mut of_turns: HashMap<TurnId, Vec<OutboxMessage>> = HashMap::new();
    for message in messages {
        of_turns.entry(message.turn).or_default().push(message);
    }
    let with_messages = |turn: Turn| {
        let messages = of_turns.remove(&turn.id).unwrap_or_default();
        (turn, messages)
    };
    turns.into_iter().map(with_messages).collect()
}
