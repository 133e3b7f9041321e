//! Lets operators speak as bots, take bots over, and delete what bots said. Layer `runtime`. Keeps I4, I14.

use std::time::Duration;

use botfleet_actors::actors::node::committer::CommitError;
use botfleet_actors::domain::audit::AuditEntry;
use botfleet_actors::domain::commit::operations::{Audited, EndTakeover, Operation};
use botfleet_actors::domain::commit::outcome::Refusal;
use botfleet_actors::domain::ids::{BotId, ChatId, MessageId, Number, OutboxId, TurnId};
use botfleet_actors::domain::operator_order::{OperatorOrder, OrderTarget, OrderTask};
use botfleet_actors::domain::outbox::{OutboxMessage, OutboxState};
use botfleet_actors::domain::ownership::LeaseKey;
use botfleet_actors::domain::retraction::{Retraction, RetractionState, Said, Saying};
use botfleet_actors::domain::takeover::{Interventions, Takeover};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::domain::turn::TurnState;
use botfleet_actors::ports::bus::Hint;
use botfleet_actors::ports::store::StoreError;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::fleet::RunningFleet;
use super::orders::OrderError;

/// Time for which whoever said or deleted something waits for Telegram's answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);

/// Shortest and longest wait before the rows are read again.
const LOOK_FIRST: Duration = Duration::from_millis(10);
const LOOK_LAST: Duration = Duration::from_millis(250);

/// Most deletions that are shown.
const RETRACTIONS_TOLD: usize = 200;

/// The fate of what an operator said as a bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Fate {
    /// The message waits for its bot or for a limit, and goes out later unless something forbids it.
    Waiting,
    /// Telegram is being asked.
    Sending,
    /// The message is in the chat.
    Sent,
    /// The message was given up, or Telegram refused it; the reason tells why. It is not in the chat.
    Refused,
    /// Nobody knows whether Telegram has it; it is not sent again.
    Unknown,
}

/// Something that an operator said as a bot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Utterance {
    /// The turn of the bot, by which `botfleet why` and the records name it.
    pub turn: String,
    /// The fate so far.
    pub fate: Fate,
    /// Telegram's id of the message, once sent.
    pub message: Option<MessageId>,
    /// The entry of the transcript, once it is there.
    pub entry: Option<Number>,
    /// Why it was refused, or is late.
    pub reason: Option<String>,
}

/// A bot that an operator has taken over in a chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TakeoverView {
    /// Name of the chat.
    pub chat: String,
    /// Name of the bot.
    pub bot: String,
    /// Name of the operator.
    pub holder: String,
    /// Time at which that operator took it, in milliseconds since 1970.
    pub began_at: Timestamp,
    /// Time at which the take-over ends by itself; each message of the holder puts it off.
    pub until: Timestamp,
}

/// A message of a bot that Telegram may be taking at this moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SendingView {
    /// The message in the outbox.
    pub message: OutboxId,
    /// The turn that made it.
    pub turn: TurnId,
    /// Place of the part in the turn's text, from 0.
    pub part: u32,
    /// Number of parts.
    pub parts: u32,
}

/// State of the deletion of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Deletion {
    /// The fleet has forgotten the words; Telegram is yet to answer.
    Waiting,
    /// The message is gone from the chat.
    Deleted,
    /// The fleet has forgotten the words; Telegram does not delete the message, and people can still read it.
    Refused,
}

/// The deletion of one message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RetractionView {
    /// Telegram's id of the message.
    pub message: MessageId,
    /// Name of the bot.
    pub bot: String,
    /// State.
    pub state: Deletion,
    /// Number of times that Telegram was asked.
    pub tries: u32,
    /// Why Telegram refused, or did not answer.
    pub reason: Option<String>,
    /// Name of whoever ordered it.
    pub by: String,
    /// Time of the order, in milliseconds since 1970.
    pub ordered_at: Timestamp,
    /// Time of the end.
    pub ended_at: Option<Timestamp>,
}

/// Reason why a take-over was not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndError {
    /// Another operator holds the bot.
    Held(String),
    /// Nobody holds it.
    Nobody(String),
    /// The store does not answer now.
    Unavailable(String),
}

impl RunningFleet {
    /// Has a bot say a text of an operator, as an order to the chat.
    ///
    /// # Errors
    /// The same as of [`RunningFleet::order`].
    pub async fn say_as(
        &self,
        (chat, bot): (ChatId, BotId),
        text: String,
        reply_to: Option<Number>,
        act: AuditEntry,
    ) -> Result<OperatorOrder, OrderError> {
        self.order(OrderTarget::Chat(chat), OrderTask::Say { bot, text, reply_to }, act).await
    }

    /// Has an operator take a bot over, as an order to the chat.
    ///
    /// # Errors
    /// The same as of [`RunningFleet::order`].
    pub async fn take_over(
        &self,
        (chat, bot): (ChatId, BotId),
        idle: Duration,
        take: bool,
        act: AuditEntry,
    ) -> Result<OperatorOrder, OrderError> {
        let idle_ms = i64::try_from(idle.as_millis()).unwrap_or(i64::MAX);
        self.order(OrderTarget::Chat(chat), OrderTask::TakeOver { bot, idle_ms, take }, act).await
    }

    /// Ends a take-over; the end, and its entry of the audit, are durable when the call returns. `by` is the holder; without it
    /// the take-over of whoever holds the bot ends.
    ///
    /// # Errors
    /// See [`EndError`].
    pub async fn end_takeover(
        &self,
        (chat, bot): (ChatId, BotId),
        by: Option<&str>,
        entry: AuditEntry,
    ) -> Result<(), EndError> {
        let end = EndTakeover { chat, bot, by: by.map(str::to_owned), now: self.node.clock.now() };
        let act = Audited::operation(Operation::EndTakeover(end), entry);
        match self.node.committer.commit(act).await {
            Ok(_) => {
                self.node.steering.ended(chat, bot);
                self.node.tell([Hint::Interventions]);
                Ok(())
            }
            Err(CommitError::Refused(held @ Refusal::TakenOver(_))) => Err(EndError::Held(held.to_string())),
            Err(CommitError::Refused(Refusal::Conflict(why))) => Err(EndError::Nobody(why)),
            Err(error) => Err(EndError::Unavailable(error.to_string())),
        }
    }

    /// Returns the take-overs of a chat that last.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn takeovers(&self, chat: ChatId) -> Result<Vec<TakeoverView>, StoreError> {
        let now = self.node.clock.now();
        let Interventions { takeovers, .. } = self.node.store.interventions(now).await?;
        let here = takeovers.0.into_values().filter(|takeover| takeover.chat == chat && takeover.holds(now));
        Ok(here.map(|takeover| self.takeover_shown(takeover)).collect())
    }

    fn takeover_shown(&self, Takeover { chat, bot, holder, began_at, until, .. }: Takeover) -> TakeoverView {
        let (chat, bot) = (self.names().of(LeaseKey::Chat(chat)), self.names().of(LeaseKey::Bot(bot)));
        TakeoverView { chat, bot, holder, began_at, until }
    }

    /// Returns the messages of a bot into a chat that Telegram may be taking at this moment.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn sending(&self, chat: ChatId, bot: BotId) -> Result<Vec<SendingView>, StoreError> {
        let sending = self.node.store.sending(bot).await?.into_iter().filter(|message| message.chat == chat);
        let shown = |OutboxMessage { id, turn, part, parts, .. }| SendingView { message: id, turn, part, parts };
        Ok(sending.map(shown).collect())
    }

    /// Waits for the fate of what an operator said, at most [`ANSWERED_WITHIN`] and not while the node stops.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn fate_of(&self, chat: ChatId, turn: TurnId) -> Result<Utterance, StoreError> {
        let until = Instant::now() + ANSWERED_WITHIN;
        let mut pause = LOOK_FIRST;
        loop {
            let seen = self.utterance(chat, turn).await?;
            let rests = match seen.fate {
                Fate::Sent => seen.entry.is_some(),
                Fate::Refused | Fate::Unknown => true,
                Fate::Waiting | Fate::Sending => false,
            };
            if rests || Instant::now() + pause >= until || self.is_stopping() {
                return Ok(seen);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LOOK_LAST);
        }
    }

    async fn utterance(&self, chat: ChatId, turn: TurnId) -> Result<Utterance, StoreError> {
        let named = turn.to_string();
        let of = |fate, reason| Utterance { turn: named.clone(), fate, message: None, entry: None, reason };
        let Some((stored, messages)) = self.node.store.turn(turn).await? else {
            return Ok(of(Fate::Refused, Some("its turn is no longer stored".to_owned())));
        };
        let Some(message) = messages.into_iter().next() else {
            let progress = stored.progress;
            let fate = match progress.state {
                TurnState::Queued | TurnState::Claimed | TurnState::Done => Fate::Waiting,
                TurnState::Dropped | TurnState::Expired | TurnState::Dead => Fate::Refused,
            };
            let late = (progress.state == TurnState::Expired).then(|| "it came too late".to_owned());
            return Ok(of(fate, progress.error.or(late)));
        };
        let (state, message, error) = (message.progress.state, message.progress.message_id, message.progress.error);
        let fate = match state {
            OutboxState::Queued | OutboxState::RetryAt => Fate::Waiting,
            OutboxState::Sending => Fate::Sending,
            OutboxState::Sent => Fate::Sent,
            OutboxState::Rejected | OutboxState::Cancelled => Fate::Refused,
            OutboxState::Unknown => Fate::Unknown,
        };
        let entry = match message {
            Some(message) => self.entry_of(chat, message).await?,
            None => None,
        };
        Ok(Utterance { turn: named, fate, message, entry, reason: error })
    }

    /// Returns what bots of the chat said and an order would delete.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn said(&self, chat: ChatId, saying: Saying, limit: usize) -> Result<Vec<Said>, StoreError> {
        self.node.store.said(chat, &self.bots_of(chat), saying, limit).await
    }

    /// Returns the bots of a chat.
    pub fn bots_of(&self, chat: ChatId) -> Vec<BotId> {
        let known = self.node.directory.known();
        known.chats.get(&chat).map(|chat| chat.members.clone()).unwrap_or_default()
    }

    /// Has messages deleted, as an order to the chat.
    ///
    /// # Errors
    /// The same as of [`RunningFleet::order`].
    pub async fn retract(&self, chat: ChatId, saying: Saying, act: AuditEntry) -> Result<OperatorOrder, OrderError> {
        let task = match saying {
            Saying::Entry(number) => OrderTask::Delete { number },
            Saying::Since(bot, since) => OrderTask::Retract { bot, since },
        };
        self.order(OrderTarget::Chat(chat), task, act).await
    }

    /// Returns the latest deletions of a chat, newest first.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn retractions(&self, chat: ChatId) -> Result<Vec<RetractionView>, StoreError> {
        let all = self.node.store.retractions(chat, RETRACTIONS_TOLD).await?;
        Ok(all.into_iter().map(|one| self.retraction_shown(one)).collect())
    }

    /// Waits for Telegram's answer about a message that is being deleted, for a while; `None` when nothing is known of it.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn deletion_of(&self, chat: ChatId, message: MessageId) -> Result<Option<RetractionView>, StoreError> {
        let until = Instant::now() + ANSWERED_WITHIN;
        let mut pause = LOOK_FIRST;
        loop {
            let found = self.retractions(chat).await?.into_iter().find(|one| one.message == message);
            let waits = found.as_ref().is_none_or(|one| one.state == Deletion::Waiting);
            if !waits || Instant::now() + pause >= until || self.is_stopping() {
                return Ok(found);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LOOK_LAST);
        }
    }

    fn retraction_shown(&self, one: Retraction) -> RetractionView {
        let state = match one.state {
            RetractionState::Waiting => Deletion::Waiting,
            RetractionState::Deleted => Deletion::Deleted,
            RetractionState::Refused => Deletion::Refused,
        };
        RetractionView {
            message: one.message_id,
            bot: self.names().of(LeaseKey::Bot(one.bot)),
            state,
            tries: one.tries,
            reason: one.error,
            by: one.principal,
            ordered_at: one.created_at,
            ended_at: one.ended_at,
        }
    }
}
