//! Explains recorded decisions of a chat, with their results, in plain words for operators. Layer `runtime`.
//!
//! Everything is read from the store, so any node can explain any chat.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use botfleet_actors::behaviour::explain::explanation::{Case, explain};
use botfleet_actors::domain::decision::{Cause, Decision};
use botfleet_actors::domain::ids::{BotId, ChatId, DecisionNumber, MessageId, Number};
use botfleet_actors::domain::outbox::{OutboxMessage, OutboxState};
use botfleet_actors::domain::transcript::TranscriptEntry;
use botfleet_actors::domain::turn::{Act, Turn, TurnState};
use botfleet_actors::ports::archive::{Archive, DecisionQuery};
use botfleet_actors::ports::store::StoreError;
use serde::{Deserialize, Serialize};

use super::fleet::RunningFleet;

/// Most entries between the first and the last cause that are read at once.
const SPAN: i64 = 1_000;

/// Options of an explanation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Telling {
    /// Adds the turns with their messages' fates.
    pub turns: bool,
    /// Adds the beginning of the message.
    pub text: bool,
}

/// A decision, explained.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DecisionView {
    /// The record.
    #[serde(flatten)]
    pub decision: Decision,
    /// The seed as text, since it exceeds what JSON readers keep exactly.
    pub seed_text: String,
    /// Telegram's id of the message that asked for the decision.
    pub message: Option<MessageId>,
    /// The explanation in plain words, line by line.
    pub explanation: Vec<String>,
    /// The turns of the decision, where they are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turns: Option<Vec<TurnView>>,
}

/// A turn of a decision.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TurnView {
    /// Id of the turn, as text.
    pub id: String,
    /// The bot's name, or its number when the manifest does not name the bot.
    pub bot: String,
    /// The turn's task: `answer`, `open`, `say` or `react`.
    pub act: Cow<'static, str>,
    /// The entry to answer.
    pub target: Option<Number>,
    /// Wait before the turn, in milliseconds.
    pub delay_ms: u64,
    /// State of the turn.
    pub state: TurnState,
    /// Reason why the turn ended, or failed last.
    pub error: Option<String>,
    /// Provider that answered.
    #[serde(default)]
    pub provider: Option<String>,
    /// Model that answered.
    #[serde(default)]
    pub model: Option<String>,
    /// Tokens that the turn's completion used, those of the prompt included.
    pub tokens: Option<u32>,
    /// Tokens of the prompt that the provider had kept from earlier ones: a part of `tokens`.
    pub cached_tokens: Option<u32>,
    /// Messages of the turn.
    pub messages: Vec<MessageView>,
}

/// A message of a turn.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MessageView {
    /// Number of the part.
    pub part: u32,
    /// State of the message.
    pub state: OutboxState,
    /// Telegram's id of the message.
    pub message: Option<MessageId>,
}

impl RunningFleet {
    /// Returns the chat of that name in the configuration, or of that id: the store's own, or Telegram's in the
    /// configuration.
    pub fn chat_called(&self, name_or_id: &str) -> Option<ChatId> {
        self.chat_named(name_or_id).or_else(|| {
            let id: i64 = name_or_id.parse().ok()?;
            let known = self.node.directory.known();
            let ours = known.chats.contains_key(&ChatId(id)).then_some(ChatId(id));
            ours.or_else(|| known.chats.values().find(|chat| chat.spec.telegram_id.0 == id).map(|chat| chat.id))
        })
    }

    /// Returns all chats of the configuration.
    pub fn all_chats(&self) -> Vec<ChatId> {
        self.node.directory.known().chats.keys().copied().collect()
    }

    /// Returns the number of a message's entry.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn entry_of(&self, chat: ChatId, message: MessageId) -> Result<Option<Number>, StoreError> {
        self.node.store.message_number(chat, message).await
    }

    /// Returns decisions of a chat, explained.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn decisions(
        &self,
        chat: ChatId,
        query: &DecisionQuery,
        telling: Telling,
    ) -> Result<Vec<DecisionView>, StoreError> {
        let known = self.node.directory.known();
        let names = known.bots.values().map(|bot| (bot.id, bot.spec.name.clone())).collect();
        explained(&*self.node.store, chat, query, &names, telling).await
    }
}

async fn explained(
    archive: &(impl Archive + ?Sized),
    chat: ChatId,
    query: &DecisionQuery,
    names: &BTreeMap<BotId, String>,
    telling: Telling,
) -> Result<Vec<DecisionView>, StoreError> {
    let decisions = archive.decisions(chat, query).await?;
    let numbers: Vec<DecisionNumber> = decisions.iter().map(|decision| decision.number).collect();
    let mut turns: HashMap<DecisionNumber, Vec<(Turn, Vec<OutboxMessage>)>> = HashMap::new();
    for (turn, messages) in archive.turns_of(chat, &numbers).await? {
        turns.entry(turn.decision).or_default().push((turn, messages));
    }
    let causes = causes(archive, chat, &decisions).await?;
    let view = |decision: Decision| {
        let turns = turns.remove(&decision.number).unwrap_or_default();
        let cause = match decision.cause {
            Cause::Entry(number) => causes.get(&number).map(|entry| &**entry),
            Cause::Tick => None,
        };
        let told = Case { decision: &decision, turns: &turns, names, cause, text: telling.text };
        let explanation = explain(&told).lines;
        DecisionView {
            seed_text: decision.seed.to_string(),
            message: cause.map(|entry| entry.message_id),
            turns: telling
                .turns
                .then(|| turns.iter().map(|(turn, messages)| turn_view(turn, messages, names)).collect()),
            explanation,
            decision,
        }
    };
    Ok(decisions.into_iter().map(view).collect())
}

/// Returns the entries that asked for these decisions, as far as they are still stored.
async fn causes(
    archive: &(impl Archive + ?Sized),
    chat: ChatId,
    decisions: &[Decision],
) -> Result<HashMap<Number, Arc<TranscriptEntry>>, StoreError> {
    let asked = |decision: &Decision| match decision.cause {
        Cause::Entry(number) => Some(number),
        Cause::Tick => None,
    };
    let mut numbers: Vec<Number> = decisions.iter().filter_map(asked).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let mut found = HashMap::new();
    let mut rest = numbers.as_slice();
    while let Some(first) = rest.first() {
        let together = rest.partition_point(|number| number.0 < first.0 + SPAN);
        let last = rest[together - 1];
        let most = usize::try_from(last.0 - first.0 + 1).unwrap_or(1);
        for entry in archive.entries(chat, *first, most).await? {
            found.insert(entry.number, entry);
        }
        rest = &rest[together..];
    }
    Ok(found)
}

fn turn_view(turn: &Turn, messages: &[OutboxMessage], names: &BTreeMap<BotId, String>) -> TurnView {
    let usage = turn.progress.usage.as_ref();
    TurnView {
        id: turn.id.to_string(),
        bot: names.get(&turn.bot).cloned().unwrap_or_else(|| turn.bot.to_string()),
        act: match turn.act {
            Act::Answer => "answer",
            Act::Open { .. } => "open",
            Act::Say { .. } => "say",
            Act::React { .. } => "react",
        }
        .into(),
        target: turn.target,
        delay_ms: u64::try_from(turn.due_at.since(turn.created_at).as_millis()).unwrap_or(u64::MAX),
        state: turn.progress.state,
        error: turn.progress.error.clone(),
        provider: usage.map(|usage| usage.provider.clone()),
        model: usage.map(|usage| usage.model.clone()),
        tokens: usage.map(|usage| usage.prompt_tokens.saturating_add(usage.completion_tokens)),
        cached_tokens: usage.map(|usage| usage.cached_tokens),
        messages: messages
            .iter()
            .map(|message| MessageView {
                part: message.part,
                state: message.progress.state,
                message: message.progress.message_id,
            })
            .collect(),
    }
}
