//! Names the effects that a bot's machines ask for; `perform` carries them out, in order. Layer `actors`.

use std::time::Duration;

use crate::actors::bot::messages::BotMsg;
use crate::actors::bot::ticket::Ticket;
use crate::actors::bot::turns::messages::Draft;
use crate::actors::chat::messages::Delivery;
use crate::actors::provider::call::Call;
use crate::actors::provider::consult::Terms;
use crate::behaviour::interruption::Pending;
use crate::behaviour::novelty::guard::Said;
use crate::behaviour::stances::question::Question;
use crate::domain::commit::operations::Operation;
use crate::domain::commit::start::Start;
use crate::domain::ids::{AttemptId, ChatId, MessageId, OutboxId, TelegramChatId, ThreadId, TurnId};
use crate::domain::roster::ModelRef;
use crate::domain::time::Timestamp;
use crate::ports::bus::Hint;
use crate::ports::telegram::{SendMessage, Shut};

/// An effect that a machine asks for.
#[allow(clippy::large_enum_variant, reason = "nearly all are commits: a box would be one more allocation for each")]
pub(super) enum Effect {
    /// Commit the operation; its result goes there.
    Commit(Operation, Then),
    /// Send the bot that message after a while.
    After(Duration, BotMsg),
    /// Tell whom it concerns, on this node or another.
    Tell(Hint),
    /// Leave this node, since a write was refused: somebody else owns the bot.
    Fenced,
    /// Send a message; the answer comes as `OutboxMsg::Answered`.
    Send(OutboxId, AttemptId, SendMessage),
    /// Show "typing" for so long.
    Type { chat: ChatId, telegram: TelegramChatId, thread: Option<ThreadId>, left: Duration },
    /// End "typing" in that chat, or everywhere.
    EndTyping(Option<ChatId>),
    /// Hand the event of a message that Telegram accepted to its chat.
    Deliver(OutboxId, ChatId, Delivery),
    /// Read the end of the chat's transcript; it comes as `OutboxMsg::LookedAgain`.
    LookAgain(OutboxId, ChatId, Box<Pending>),
    /// Ask a provider; the answer comes as `TurnMsg::Completed`.
    Complete { turn: TurnId, ticket: Ticket, provider: String, call: Call },
    /// Read the end of the chat's transcript; it comes as `TurnMsg::NewsRead`.
    ReadNews(Draft, ChatId),
    /// Ask a model whether the text contradicts a position; the answer comes as `TurnMsg::StancesChecked`.
    Consult { draft: Draft, model: ModelRef, question: Question, terms: Terms },
    /// Read so many of the bot's own latest texts; they come as `TurnMsg::Recalled`.
    Recall(Ticket, usize),
    /// Set a reaction; the answer comes as `TurnMsg::Reacted`.
    React { turn: TurnId, ticket: Ticket, chat: TelegramChatId, message: MessageId, emoji: String },
    /// Note a text that the bot says, for the other bots of the node.
    Said(Said),
    /// Note that work waits for the store, and the reason.
    StoreWaits(&'static str, String),
    /// Note a pause that Telegram asked for, in that chat or everywhere.
    Pause(Option<ChatId>, Timestamp),
    /// Note that Telegram let the bot write nothing there.
    Shut(ChatId, Option<ThreadId>, Shut),
    /// Find out whether the bot can write again in that chat.
    Try(ChatId),
    /// Learn the new id of a group that became a supergroup.
    Migrate(ChatId, TelegramChatId),
    /// Forget a text that nobody has seen: the bot may still say it.
    Unsay(String),
    /// Note that a turn or a message waited so long beyond its time.
    Waited(Duration),
    /// Note that Telegram answered a send, and the reason when it was refused.
    Answered(Option<String>),
    /// Note that a message was sent there.
    Spoke(ChatId, Option<ThreadId>),
    /// Note that a message was sent by an owner that has left.
    Sent,
}

/// Where the result of a commit goes.
pub(super) enum Then {
    /// To nobody.
    Nobody,
    /// Into the log when it failed.
    Log(&'static str),
    /// To the message whose send is being begun.
    Begun(OutboxId, AttemptId),
    /// To the message whose attempt is being settled.
    Settled(OutboxId),
    /// To the turn that is being claimed.
    Claimed(TurnId, Ticket),
    /// To the turn that is being ended, with the start of its first message.
    Finished(TurnId, Ticket, Option<(OutboxId, Box<Start>)>),
    /// To the turn that is being given back.
    GivenBack(TurnId),
}
