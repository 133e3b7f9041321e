//! Names the effects that a bot's machines ask for; `perform` carries them out, in order. Layer `actors`.

use std::time::Duration;

use crate::actors::bot::intake::messages::DeliveryReply;
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
use crate::domain::roster::{DeliveryChoice, ModelRef};
use crate::domain::silence::Silence;
use crate::domain::time::Timestamp;
use crate::ports::bus::Hint;
use crate::ports::telegram::{ReceivedUpdate, SendMessage, Shut, WebhookTarget};

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
    /// Read the newest entries of the chat before a typed message is sent, since the conversation may have moved on; the
    /// entries come back with the message's context as `OutboxMsg::LookedAgain`.
    LookAgain(OutboxId, ChatId, Box<Pending>),
    /// Ask a provider; the answer comes as `TurnMsg::Completed`.
    Complete { turn: TurnId, ticket: Ticket, provider: String, call: Call },
    /// Read the end of the chat's transcript; it comes as `TurnMsg::NewsRead`.
    ReadNews(Draft, ChatId),
    /// Ask each question of its model until one of them objects; the result comes as `TurnMsg::Judged`.
    Consult { draft: Draft, questions: Vec<(ModelRef, Question)>, terms: Terms },
    /// Read so many of the bot's own latest texts; they come as `TurnMsg::Recalled`.
    Recall(Ticket, usize),
    /// Set a reaction; the answer comes as `TurnMsg::Reacted`.
    React { turn: TurnId, ticket: Ticket, chat: TelegramChatId, message: MessageId, emoji: String },
    /// Ask Telegram who the token belongs to, or a token that is read anew; the answer comes as `IntakeMsg::Identified`.
    Identify { renew: bool },
    /// Tell this node's chats the bot's username, and the store when it is news to the fleet.
    LearnUsername(String),
    /// Note why the bot is silent everywhere, or that nothing silences it any more.
    Silence(Option<Silence>),
    /// Poll for updates from that offset; the answer comes as `IntakeMsg::Polled`, the end of the connection as
    /// `IntakeMsg::PollClosed`.
    Poll { ticket: Ticket, offset: Option<i64> },
    /// Cancel the open poll.
    CancelPoll,
    /// Store updates with the offset that confirms them, and hand them to their chats; the result comes as
    /// `IntakeMsg::Ingested`. `apart`: one row at a time, since the store refuses them together.
    Ingest { ticket: Ticket, updates: Vec<ReceivedUpdate>, next_offset: i64, apart: bool },
    /// Tell Telegram where to deliver updates; the answer comes as `IntakeMsg::WebhookSet`.
    SetWebhook(Ticket, WebhookTarget),
    /// Tell Telegram to deliver no more updates; the answer comes as `IntakeMsg::WebhookDeleted`.
    DeleteWebhook(Ticket),
    /// Ask Telegram for the state of the webhook; the answer comes as `IntakeMsg::WebhookSeen`.
    LookAtWebhook(Ticket),
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
    /// To the intake whose delivery mode is being changed, and then to whoever asked for the change.
    DeliveryChanged(DeliveryChoice, Option<DeliveryReply>),
    /// To the turn that is being claimed.
    Claimed(TurnId, Ticket),
    /// To the turn that is being ended, with the start of its first message.
    Finished(TurnId, Ticket, Option<(OutboxId, Box<Start>)>),
    /// To the turn that is being given back.
    GivenBack(TurnId),
}
