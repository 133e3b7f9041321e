//! The messages of a chat's actor. Layer `actors`.

use std::sync::Arc;

use ractor::RpcReplyPort;

use crate::actors::chat::shares::Begun;
use crate::actors::chat::snapshot::ChatSnapshot;
use crate::actors::chat::speech::{Speech, Spoken};
use crate::actors::node::committer::CommitResult;
use crate::domain::ids::{BotId, Epoch, InboxId, Number, TelegramChatId};
use crate::domain::inbox::SentEvent;
use crate::domain::incoming::Incoming;
use crate::domain::ownership::Incarnation;
use crate::domain::people::PersonRecord;
use crate::domain::roster::ChatProfile;

/// One inbox row, decoded.
pub struct Delivery {
    /// The id of the row.
    pub inbox: InboxId,
    /// The bot that received or sent the content.
    pub bot: BotId,
    /// The content of the row.
    pub content: Content,
}

/// The content of an inbox row.
#[allow(clippy::large_enum_variant, reason = "nearly all are updates: a box would be one more allocation for each")]
pub enum Content {
    /// An update.
    Update(Incoming),
    /// A message that Telegram accepted.
    Sent(SentEvent),
    /// Nothing, since reading the row panicked.
    Poison,
}

/// The messages that a chat handles.
pub enum ChatMsg {
    /// Handle these rows; permits for them were taken.
    Deliver(Vec<Delivery>),
    /// Look into the store for rows that no hint announced.
    Reconcile,
    /// Rows of another node wait in the store; look soon, and once for all that are announced meanwhile.
    RowsWait,
    /// Forget everything and read the store again.
    Reload,
    /// The time of the chat's tick has come.
    Tick,
    /// A commit ended; with the turns that it would have begun for people.
    Advanced(u64, CommitResult, Vec<Begun>),
    /// The committer has answered everything that was submitted before the chat asked for this.
    CommitsPassed,
    /// Rows of that generation could not be handled, for the given reason.
    RowsFailed(u64, String),
    /// A member's username has become known.
    Named(BotId),
    /// The configuration of bots has changed.
    CastChanged,
    /// Telegram says that the group became this supergroup.
    Migrated(TelegramChatId),
    /// Commit the new id again: the store did not answer.
    StoreMigration(TelegramChatId),
    /// A send into this chat has an unknown result.
    SendUnknown,
    /// A turn found that a budget is spent.
    Spent,
    /// The record of the person who asked for it with that entry, for this bot to tell; `None` if it cannot be read.
    RecordRead(Number, BotId, Option<PersonRecord>),
    /// Telegram says that this bot cannot post here.
    CannotPost(BotId),
    /// This bot can post here again.
    CanPost(BotId),
    /// Hand the chat over to that node, if the chat is still under that epoch.
    HandOver(Epoch, Incarnation),
    /// The hand-over was committed, or not.
    HandedOver(Incarnation, CommitResult),
    /// End at once, if the chat is still under that epoch: it lives elsewhere, or the manifest has dropped it.
    Leave(Epoch),
    /// The configuration of the chat has changed.
    ProfileChanged(Arc<ChatProfile>),
    /// A task of the chat panicked.
    TaskPanicked,
    /// Leave the memory if nothing happened for a long time.
    PassivateIfIdle,
    /// Let a bot say something for an operator, or let an operator take the bot over; the reply tells what came of it.
    Speak(Box<Speech>, RpcReplyPort<Spoken>),
    /// Reply with a snapshot of the chat.
    GetSnapshot(RpcReplyPort<ChatSnapshot>),
}
