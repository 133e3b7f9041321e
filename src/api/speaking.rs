//! Speaking as a bot, and taking bots over. Layer `api`.

use botfleet_actors::domain::ids::Number;
use serde::{Deserialize, Serialize};

use super::answer::{Json, OnceDone};
use super::chats::ChatCalled;
use super::route::{Body, Need, route};
use super::session::{DONE, Done};
use crate::operate::permission::{ReadFleet, Speak};
use crate::operate::speaking::{Begun, Came};
use crate::runtime::speaking::{SendingView, TakeoverView, Utterance};

impl<T> OnceDone<T> {
    /// Answers with what came of an order.
    pub(super) fn that<V>(came: Came<V>, shown: impl FnOnce(V) -> T) -> Self {
        match came {
            Came::To(value) => Self::Done(shown(value)),
            Came::UnderWay(order) => Self::UnderWay(order),
        }
    }
}

/// Something to say as a bot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Words {
    /// Name of the bot in the manifest.
    pub bot: String,
    /// The text, of 1 to 4,096 UTF-16 units.
    #[cfg_attr(feature = "schema", schema(min_length = 1, max_length = 4096))]
    pub text: String,
    /// The entry of the transcript to reply to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Number>,
}

impl Body for Words {
    const NEED: Need = Need::Required;
}

route! {
    /// POST /api/v1/chats/{chat}/say.
    Say = "say": Post "/api/v1/chats/{chat}/say", "Says something as a bot.",
        "Stops, pauses, quiet hours and the limits hold for it as for every message of the bot. The answer comes after up to ten \
         seconds with the fate so far: what waits for a limit goes out later, or is given up.";
    takes Speak;
    path ChatCalled;
    body Words;
    problems UnknownChat UnknownName UnknownMessage CannotSpeak TakenOver Conflict OrderExpired OrderUnknown;
    idempotency Required;
    example "/api/v1/chats/lounge/say" with r#"{"bot":"Ada","text":"Welcome, everybody.","reply_to":7}"#
        => r#"{"turn":"1790000000000001","fate":"sent","message":4711,"entry":8,"reason":null}"#;
    answers OnceDone<Utterance>: |operations, by, call| {
        let Words { bot, text, reply_to } = call.body;
        let came = operations.say(&by, (&call.path.chat, &bot), &text, reply_to).await?;
        Ok(OnceDone::that(came, |utterance| utterance))
    }
}

/// A bot to be taken over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Taking {
    /// Name of the bot in the manifest.
    pub bot: String,
    /// Minutes without a message after which the take-over ends by itself, 1 to 60; 15 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(minimum = 1, maximum = 60))]
    pub idle_minutes: Option<u32>,
    /// Set to take the bot from another operator who holds it, which needs the permission `chats:seize`.
    #[serde(default)]
    pub take: bool,
}

impl Body for Taking {
    const NEED: Need = Need::Required;
}

/// A take-over that has begun.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Taken {
    /// The take-over.
    pub takeover: TakeoverView,
    /// Number of turns of the bot that were cancelled.
    pub cancelled_turns: u32,
    /// Number of messages of the bot that were cancelled.
    pub cancelled_messages: u32,
    /// Messages of the bot that Telegram may be taking all the same.
    pub sending: Vec<SendingView>,
}

impl From<Begun> for Taken {
    fn from(Begun { takeover, turns, messages, sending }: Begun) -> Self {
        Self { takeover, cancelled_turns: turns, cancelled_messages: messages, sending }
    }
}

route! {
    /// POST /api/v1/chats/{chat}/takeover.
    TakeOver = "take_over": Post "/api/v1/chats/{chat}/takeover", "Takes a bot over in a chat.",
        "The bot's own turns and messages there end, and it keeps silent there until it is given back, or its holder has said \
         nothing for the given time. A line of the bot tells the people, unless `takeover_notice` of the chat is off.";
    takes Speak;
    path ChatCalled;
    body Taking;
    problems UnknownChat UnknownName CannotSpeak TakenOver Conflict OrderExpired OrderUnknown;
    example "/api/v1/chats/lounge/takeover" with r#"{"bot":"Ada","idle_minutes":10}"#
        => r#"{"takeover":{"chat":"lounge","bot":"Ada","holder":"bela","began_at":1790000000000,"until":1790000600000},"cancelled_turns":1,"cancelled_messages":0,"sending":[]}"#;
    answers OnceDone<Taken>: |operations, by, call| {
        let Taking { bot, idle_minutes, take } = call.body;
        let take = take.then(|| by.principal().grant()).transpose()?;
        let came = operations.take_over(&by, take.as_ref(), (&call.path.chat, &bot), idle_minutes).await?;
        Ok(OnceDone::that(came, Taken::from))
    }
}

/// The take-overs of a chat.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Takeovers {
    /// The take-overs that last.
    pub takeovers: Vec<TakeoverView>,
}

route! {
    /// GET /api/v1/chats/{chat}/takeover.
    ListTakeovers = "list_takeovers": Get "/api/v1/chats/{chat}/takeover", "Lists the bots of a chat that operators have taken over.";
    takes ReadFleet;
    path ChatCalled;
    problems UnknownChat;
    example "/api/v1/chats/lounge/takeover"
        => r#"{"takeovers":[{"chat":"lounge","bot":"Ada","holder":"bela","began_at":1790000000000,"until":1790000600000}]}"#;
    answers Json<Takeovers>: |operations, by, call| {
        Ok(Json(Takeovers { takeovers: operations.takeovers(&by, &call.path.chat).await? }))
    }
}

/// A bot in a chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct BotInChat {
    /// Name of the chat in the manifest, its id in the store, or Telegram's id.
    pub chat: String,
    /// Name of the bot in the manifest.
    pub bot: String,
}

route! {
    /// DELETE /api/v1/chats/{chat}/takeover/{bot}.
    EndTakeover = "end_takeover": Delete "/api/v1/chats/{chat}/takeover/{bot}", "Gives a bot back.",
        "An admin ends the take-over of whoever holds the bot.";
    takes Speak;
    path BotInChat;
    problems UnknownChat UnknownName TakenOver Conflict;
    example "/api/v1/chats/lounge/takeover/Ada" => r#"{"done":true}"#;
    answers Json<Done>: |operations, by, call| {
        let any = by.principal().grant().ok();
        operations.end_takeover(&by, any.as_ref(), (&call.path.chat, &call.path.bot)).await?;
        Ok(Json(DONE))
    }
}
