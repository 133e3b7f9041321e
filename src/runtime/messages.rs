//! Messages of chats for operators: pages of the transcript, and one message with its why. Layer `runtime`.
//!
//! Everything is read from the store, so any node shows any chat.

use std::sync::Arc;

use botfleet_actors::domain::decision::Cause;
use botfleet_actors::domain::ids::{ChatId, DecisionNumber, MessageId, Number, TelegramUserId, ThreadId};
use botfleet_actors::domain::incoming::AuthorKind;
use botfleet_actors::domain::ownership::LeaseKey;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::domain::transcript::{EntryKind, TranscriptEntry};
use botfleet_actors::ports::archive::DecisionQuery;
use botfleet_actors::ports::store::StoreError;
use serde::{Deserialize, Serialize};

use super::cluster_view::Names;
use super::fleet::RunningFleet;
use super::reasons::{DecisionView, Telling};
use super::stream::discretion::{Discretion, words_of};

/// Most entries on a page.
pub const MESSAGES_MAX: usize = 200;

/// Most decisions that are shown as the why of one message: policy `every` decides once for each copy.
const WHYS_MAX: usize = 20;

/// An entry of a chat's transcript.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EntryView {
    /// Name of the chat in the manifest, or its id.
    pub chat: String,
    /// Place of the entry in the transcript.
    pub number: Number,
    /// Kind of the entry.
    pub kind: EntryKind,
    /// Telegram's id of the message that the entry records or is about.
    pub message: MessageId,
    /// Forum topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread: Option<ThreadId>,
    /// Telegram's id of the message that this one replies to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MessageId>,
    /// Date by Telegram.
    pub at: Timestamp,
    /// Length of the chain of bot messages that ends here; 0 for people and notices.
    pub chain_depth: u32,
    /// Kind of the author.
    pub author: AuthorKind,
    /// Name of the bot of this fleet that wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bot: Option<String>,
    /// The words; absent without the permission `messages:read`, and when they were removed or may not be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<WordsView>,
}

/// The words of an entry, and who said them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WordsView {
    /// Telegram's id of the author.
    pub author: TelegramUserId,
    /// Name of the author as people see it.
    pub name: String,
    /// Username of the author, without `@`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Kind of the media besides the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media: Option<String>,
}

impl EntryView {
    /// Shows an entry, with its words or without.
    pub(super) fn of(entry: &TranscriptEntry, names: &Names, words: bool) -> Self {
        let told = words && words_of(entry).is_some();
        Self {
            chat: names.of(LeaseKey::Chat(entry.chat)),
            number: entry.number,
            kind: entry.kind,
            message: entry.message_id,
            thread: entry.thread,
            reply_to: entry.reply_to,
            at: entry.date,
            chain_depth: entry.chain_depth,
            author: entry.author.kind,
            bot: entry.fleet_bot.map(|bot| names.of(LeaseKey::Bot(bot))),
            words: told.then(|| WordsView {
                author: entry.author.id,
                name: entry.author.name.clone(),
                username: entry.author.username.clone(),
                text: entry.text.clone(),
                media: entry.media.as_ref().map(|media| media.kind.clone()),
            }),
        }
    }
}

/// One message with its why.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MessageWhy {
    /// The entry.
    pub entry: EntryView,
    /// The decision and turn that made the message, where a bot of this fleet wrote it and they are still stored.
    pub made_by: Option<MadeBy>,
    /// The decisions on the message, newest first: who answers it, or why nobody does.
    pub decisions: Vec<DecisionView>,
}

/// The way to a message of the fleet.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MadeBy {
    /// Id of the turn, as text: one of the turns of the decision.
    pub turn: String,
    /// Place of the message among the messages of its turn, from 0.
    pub part: u32,
    /// The decision, with its turns and how their messages ended.
    pub decision: DecisionView,
}

/// The end of the transcript that a page begins at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The newest entries before this number come first.
    Before(Number),
    /// The oldest entries after this number come first.
    After(Number),
}

impl RunningFleet {
    /// Returns a page of a chat's transcript: one statement, whatever the page.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn messages(
        &self,
        chat: ChatId,
        side: Side,
        limit: usize,
        words: bool,
    ) -> Result<Vec<EntryView>, StoreError> {
        let limit = limit.min(MESSAGES_MAX);
        let entries = match side {
            Side::Before(number) => {
                let upto = Number(number.0.saturating_sub(1));
                let mut entries = self.node.store.transcript(chat, upto, limit).await?;
                entries.reverse();
                entries
            }
            Side::After(number) => self.node.store.entries(chat, Number(number.0.saturating_add(1)), limit).await?,
        };
        let discretion = if words { self.discretion().await? } else { Discretion::default() };
        let names = Names::of_directory(&self.node.directory);
        Ok(entries.iter().map(|entry| EntryView::of(entry, &names, words && may_tell(entry, &discretion))).collect())
    }

    /// Returns one entry with its why; `None` when it is not stored.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn message_why(
        &self,
        chat: ChatId,
        number: Number,
        words: bool,
    ) -> Result<Option<MessageWhy>, StoreError> {
        let found = self.node.store.entries(chat, number, 1).await?.pop();
        let Some(entry) = found.filter(|entry| entry.number == number) else { return Ok(None) };
        let telling = Telling { turns: true, text: words };
        let about = DecisionQuery { entry: Some(number), limit: WHYS_MAX, ..DecisionQuery::default() };
        let decisions = self.decisions(chat, &about, telling).await?;
        let made_by = self.made_by(&entry, telling).await?;
        let discretion = if words { self.discretion().await? } else { Discretion::default() };
        let names = Names::of_directory(&self.node.directory);
        let entry = EntryView::of(&entry, &names, words && may_tell(&entry, &discretion));
        Ok(Some(MessageWhy { entry, made_by, decisions }))
    }

    async fn made_by(&self, entry: &TranscriptEntry, telling: Telling) -> Result<Option<MadeBy>, StoreError> {
        let Some(bot) = entry.fleet_bot.filter(|_| entry.kind == EntryKind::Message) else { return Ok(None) };
        let store = &self.node.store;
        let Some(message) = store.sent_as(bot, entry.telegram_chat, entry.message_id, entry.date).await? else {
            return Ok(None);
        };
        let Some((turn, _)) = store.turn(message.turn).await? else { return Ok(None) };
        let before = Some(DecisionNumber(turn.decision.0.saturating_add(1)));
        let query = DecisionQuery { before, limit: 1, ..DecisionQuery::default() };
        let decision = self.decisions(entry.chat, &query, telling).await?.pop();
        let decision = decision.filter(|made| made.decision.number == turn.decision);
        Ok(decision.map(|decision| MadeBy { turn: turn.id.to_string(), part: message.part, decision }))
    }

    /// Returns whose words may not be told, as of now.
    pub(super) async fn discretion(&self) -> Result<Discretion, StoreError> {
        let here = self.node.people.rights();
        // The end of a removal has no number of its own.
        let known = if here.pending.is_empty() { here.seq } else { -1 };
        let stored = self.node.store.rights(known).await?.map_or_else(|| Arc::clone(&here), Arc::new);
        Ok(Discretion([stored, here]))
    }
}

fn may_tell(entry: &TranscriptEntry, discretion: &Discretion) -> bool {
    words_of(entry).is_some_and(|words| !discretion.withholds(words))
}

/// Returns the entry that a decision is about.
pub(super) fn cause_of(cause: Cause) -> Option<Number> {
    match cause {
        Cause::Entry(number) => Some(number),
        Cause::Tick => None,
    }
}
