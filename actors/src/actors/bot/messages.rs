//! The messages of a bot's actor. Layer `actors`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ractor::RpcReplyPort;
use tokio::time::Instant;

use crate::actors::bot::intake::messages::IntakeMsg;
use crate::actors::bot::outbox::messages::OutboxMsg;
use crate::actors::bot::snapshot::BotSnapshot;
use crate::actors::bot::turns::messages::TurnMsg;
use crate::actors::node::committer::CommitResult;
use crate::actors::orders::doubt::{Administrators, Doubt};
use crate::behaviour::job::TurnJob;
use crate::domain::ids::{ChatId, Epoch, TelegramChatId};
use crate::domain::ownership::Incarnation;
use crate::domain::pause::Pause;
use crate::domain::roster::{BotProfile, DeliveryChoice};
use crate::ports::telegram::{BotApi, TelegramError};

/// The messages that a bot handles.
pub enum BotMsg {
    /// Read the bot's state from the store.
    Load,
    /// The answer to `Load`.
    Loaded(Loaded),
    /// Look after messages that other incarnations are still sending for the bot.
    LookAfterAbandoned,
    /// The number of messages that other incarnations are still sending; `None` when the store did not answer.
    AbandonedLeft(Option<u64>),
    /// Hand the bot over to that node, if the bot is still under that epoch.
    HandOver(Epoch, Incarnation),
    /// The hand-over was committed, or not.
    HandedOver(CommitResult),
    /// End at once, if the bot is still under that epoch: another node owns it.
    Leave(Epoch),
    /// The manifest has dropped the bot.
    Retire,
    /// The node may not act.
    Suspend,
    /// The node may act again.
    Resume,
    /// The configuration of the bot has changed; a new token brings a new client of Telegram.
    ProfileChanged(Arc<BotProfile>, Option<Arc<dyn BotApi>>),
    /// The clock jumped ahead: store pauses anew.
    ClockStepped,
    /// Turns wait in the store.
    TurnsWait,
    /// A message about intake.
    Intake(IntakeMsg),
    /// Take these turns.
    Turns(Vec<TurnJob>),
    /// Look into the store for work that no hint announced.
    Reconcile,
    /// A message about turns.
    Turn(TurnMsg),
    /// Somebody's words were removed, or are about to be: forget texts that may hold them.
    WordsRemoved,
    /// Delete messages, as operators ordered.
    Retract,
    /// A round of deletions ended; nothing more is to be asked before that time, if Telegram said so.
    Retracted(Option<Instant>),
    /// A message for the outbox.
    Outbox(OutboxMsg),
    /// Telegram answered 429 to a call that sends no message, in a chat or outside all chats.
    Limited(Option<ChatId>, Duration),
    /// Find out whether the bot can write again in a chat that was closed to it.
    TryChat(ChatId),
    /// The answer to `TryChat`.
    ChatTried(ChatId, Result<(), TelegramError>),
    /// A person lifted the pauses that Telegram asked the bot for; that is stored.
    PausesLifted,
    /// Leave these chats, which are not in the manifest.
    LeaveChats(BTreeSet<TelegramChatId>),
    /// Somebody gave an order in a chat and may lack the right: ask Telegram who administers the chat.
    Doubted(Doubt),
    /// The answer to `Doubted`.
    Ranked(Doubt, Administrators),
    /// Stop taking updates and beginning turns; finish what is under way.
    Quiesce,
    /// Give back claimed turns that have not ended.
    GiveBack,
    /// Begin no further send: sends under way are settled, the rest stays in the store.
    HoldSends,
    /// A task of the bot panicked.
    TaskPanicked,
    /// Reply with a snapshot of the bot.
    GetSnapshot(RpcReplyPort<BotSnapshot>),
}

/// The state that a bot reads from the store when it starts.
pub struct Loaded {
    /// Pauses that Telegram asked for.
    pub(super) pauses: Vec<Pause>,
    /// Offset and delivery mode; `None` when the profile has them.
    pub(super) stands: Option<(Option<i64>, Option<DeliveryChoice>)>,
    /// The bot's latest texts, oldest first; `None` where no chat compares them, or the store did not answer.
    pub(super) said: Option<Vec<String>>,
}
