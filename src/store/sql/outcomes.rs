//! Pages through the outcomes: where everything came from and what became of it. Layer: adapter. Keeps I3: each inbox
//! row is one line.
//!
//! A page is read in one snapshot by at most four statements, whatever its size.

use std::collections::{BTreeSet, HashMap};

use botfleet_actors::domain::ids::{
    ChatId, DecisionNumber, InboxId, MessageId, Number, OutboxId, TelegramChatId, TelegramUserId, TurnId,
};
use botfleet_actors::domain::inbox::{OutcomeKind, SentEvent, Source};
use botfleet_actors::ports::outcomes::{OutcomeCursor, OutcomeMessage, OutcomeRecord, OutcomeTurn};

use super::text::statements;
use super::values::{Rows, values};
use crate::store::engine::{Reads, Run, Work};
use crate::store::fault::Fault;
use crate::store::rows::part::columns;

statements! {
    ROWS "outcome_rows" = "\
SELECT i.id, i.chat, i.decision, i.source, i.source_id, CASE i.source WHEN 'sent' THEN i.payload END, b.telegram_id, \
i.outcome, i.reason, i.number, coalesce(t.telegram_chat, c.telegram_id), t.message_id \
FROM inbox i LEFT JOIN bot b ON b.id = i.bot LEFT JOIN chat c ON c.id = i.chat \
LEFT JOIN transcript t ON t.chat = i.chat AND t.number = i.number \
WHERE i.id > $1 ORDER BY i.id LIMIT $2";
    TICKS "outcome_ticks" = "\
SELECT d.chat, d.number, c.telegram_id, d.verdict, d.reason FROM decision d LEFT JOIN chat c ON c.id = d.chat \
WHERE d.cause_entry IS NULL AND (d.chat, d.number) > ($1, $2) ORDER BY d.chat, d.number LIMIT $3";
    TURNS "outcome_turns" = "\
SELECT t.chat, t.decision, t.id, b.telegram_id, t.state FROM `rows 1 chat, decision` \
`CROSS JOIN|JOIN` turn t ON t.chat = r.chat AND t.decision = r.decision \
LEFT JOIN bot b ON b.id = t.bot ORDER BY t.ordinal, t.id";
    MESSAGES "outcome_messages" = "\
SELECT turn, id, part, telegram_chat, state, message_id FROM outbox WHERE turn `among 1` ORDER BY turn, part";
}

/// The key of a decision.
type DecisionKey = (ChatId, DecisionNumber);

type Page = Vec<(Option<DecisionKey>, OutcomeRecord)>;

/// An inbox row with what became of it. The columns are those of [`ROWS`].
struct Line {
    id: InboxId,
    chat: Option<ChatId>,
    decision: Option<DecisionNumber>,
    source: Source,
    event: Option<String>,
    bot: Option<TelegramUserId>,
    outcome: Option<OutcomeKind>,
    reason: Option<String>,
    number: Option<Number>,
    telegram_chat: Option<TelegramChatId>,
    message_id: Option<MessageId>,
}

columns!(Line { id, chat, decision, source, event, bot, outcome, reason, number, telegram_chat, message_id });

impl Line {
    /// Returns the decision that the row led to, and the record. A sent message is where its event says.
    fn record(self) -> (Option<DecisionKey>, OutcomeRecord) {
        let event = self.event.and_then(|event| serde_json::from_str::<SentEvent>(&event).ok());
        let update = self.source.update();
        let record = OutcomeRecord {
            source: self.source.kind().to_owned(),
            bot_id: self.bot,
            update_id: update.map(|update| update.0),
            chat_id: event.as_ref().map(|event| event.chat).or(self.telegram_chat),
            message_id: event.as_ref().map(|event| event.message_id).or(self.message_id),
            outcome: OutcomeRecord::outcome_name(self.outcome),
            reason: self.reason,
            number: self.number,
            decision: self.decision,
            turns: Vec::new(),
        };
        (self.chat.zip(self.decision), record)
    }
}

/// Returns the next page and where it ends.
pub(crate) async fn page(
    db: &impl Reads,
    cursor: OutcomeCursor,
    limit: usize,
) -> Result<(Vec<OutcomeRecord>, OutcomeCursor), Fault> {
    let mut look = db.look().await?;
    let (mut page, mut next) = (Page::new(), cursor);
    if cursor.tick.is_none() {
        let after = cursor.inbox.map_or(i64::MIN, |inbox| inbox.0);
        for line in look.fetch::<Line>(&ROWS, values![after, limit]).await? {
            next.inbox = Some(line.id);
            page.push(line.record());
        }
    }
    if page.is_empty() {
        let (chat, number) = cursor.tick.map_or((i64::MIN, 0), |(chat, number)| (chat.0, number.0));
        let ticks: Vec<(DecisionKey, _, _, _)> = look.fetch(&TICKS, values![chat, number, limit]).await?;
        for (decision, chat, verdict, reason) in ticks {
            next.tick = Some(decision);
            page.push((Some(decision), OutcomeRecord::of_tick(decision.1, chat, verdict, reason)));
        }
    }
    let mut turns = turns(&mut look, &page).await?;
    look.commit().await?;
    let records = page
        .into_iter()
        .map(|(decision, record)| OutcomeRecord {
            turns: decision.and_then(|decision| turns.get_mut(&decision)).cloned().unwrap_or_default(),
            ..record
        })
        .collect();
    Ok((records, next))
}

async fn turns<R: Run>(look: &mut R, page: &Page) -> Result<HashMap<DecisionKey, Vec<OutcomeTurn>>, Fault> {
    let decisions: BTreeSet<DecisionKey> = page.iter().filter_map(|(decision, _)| *decision).collect();
    let mut turns: HashMap<DecisionKey, Vec<OutcomeTurn>> = HashMap::new();
    if decisions.is_empty() {
        return Ok(turns);
    }
    let lines: Vec<(DecisionKey, TurnId, Option<TelegramUserId>, _)> =
        look.fetch(&TURNS, values![Rows::of(R::DATABASE, decisions)]).await?;
    let mut messages = messages(look, lines.iter().map(|(_, turn, ..)| turn.0).collect()).await?;
    for (decision, turn, bot, state) in lines {
        let (bot_id, messages) = (bot.unwrap_or(TelegramUserId(0)), messages.remove(&turn).unwrap_or_default());
        turns.entry(decision).or_default().push(OutcomeTurn { id: turn.to_string(), bot_id, state, messages });
    }
    Ok(turns)
}

async fn messages(look: &mut impl Run, turns: Vec<i64>) -> Result<HashMap<TurnId, Vec<OutcomeMessage>>, Fault> {
    let mut messages: HashMap<TurnId, Vec<OutcomeMessage>> = HashMap::new();
    let found: Vec<(TurnId, OutboxId, _, _, _, _)> = look.fetch(&MESSAGES, values![turns]).await?;
    for (turn, id, part, chat_id, state, message_id) in found {
        let message = OutcomeMessage { id: id.to_string(), part, chat_id, state, message_id };
        messages.entry(turn).or_default().push(message);
    }
    Ok(messages)
}
