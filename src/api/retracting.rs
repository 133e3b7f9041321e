//! Deleting what bots said. Layer `api`.

use botfleet_actors::domain::ids::Number;
use botfleet_actors::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::answer::{Json, OnceDone};
use super::chats::ChatCalled;
use super::route::{Body, Need, route};
use crate::operate::permission::DeleteMessages;
use crate::runtime::speaking::RetractionView;

/// A message of a chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct MessageOf {
    /// Name of the chat in the manifest, its id in the store, or Telegram's id.
    pub chat: String,
    /// The entry of the transcript.
    pub number: i64,
}

route! {
    /// DELETE /api/v1/chats/{chat}/messages/{number}.
    DeleteMessage = "delete_message": Delete "/api/v1/chats/{chat}/messages/{number}", "Deletes a message of a bot.",
        "The fleet forgets the words at once: the entry keeps its number and the mark of the deletion, and no prompt holds it. \
         Telegram deletes messages of the last 48 hours, and older ones for a bot that may delete messages in the chat. Where \
         it refuses, people can still read the message. A lost answer of Telegram is asked for again.";
    takes DeleteMessages;
    path MessageOf;
    problems UnknownChat UnknownMessage Conflict OrderExpired OrderUnknown;
    example "/api/v1/chats/lounge/messages/8"
        => r#"{"message":4711,"bot":"Ada","state":"deleted","tries":1,"reason":null,"by":"bela","ordered_at":1790000000000,"ended_at":1790000000090}"#;
    answers OnceDone<RetractionView>: |operations, by, call| {
        let came = operations.delete_message(&by, &call.path.chat, Number(call.path.number)).await?;
        Ok(OnceDone::that(came, |deletion| deletion))
    }
}

/// The messages that are to be deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Retracting {
    /// Name of the bot in the manifest; every bot of the chat when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bot: Option<String>,
    /// The time from which on messages go, in milliseconds since 1970.
    #[cfg_attr(feature = "schema", schema(minimum = 0))]
    pub since: Timestamp,
    /// Set to count the messages, and delete none.
    #[serde(default)]
    pub dry_run: bool,
}

impl Body for Retracting {
    const NEED: Need = Need::Required;
}

/// The messages that are being deleted, or would be.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Retracted {
    /// Number of messages.
    pub messages: usize,
    /// Number of those that are 48 hours old: Telegram deletes them only for a bot that may delete messages in the chat.
    pub too_old: usize,
    /// Set when there are more than one call deletes: call again.
    pub more: bool,
    /// Set when they were counted alone.
    pub dry_run: bool,
}

route! {
    /// POST /api/v1/chats/{chat}/retract.
    Retract = "retract": Post "/api/v1/chats/{chat}/retract", "Deletes what a bot, or every bot, said in a chat from a time on.",
        "As many as 500 messages, the oldest first. The fleet forgets the words at once; Telegram is asked message by message. \
         Notices of the fleet about itself stay.";
    takes DeleteMessages;
    path ChatCalled;
    body Retracting;
    problems UnknownChat UnknownName Conflict OrderExpired OrderUnknown;
    example "/api/v1/chats/lounge/retract" with r#"{"bot":"Ada","since":1790000000000,"dry_run":true}"#
        => r#"{"messages":3,"too_old":0,"more":false,"dry_run":true}"#;
    answers OnceDone<Retracted>: |operations, by, call| {
        let Retracting { bot, since, dry_run } = call.body;
        let came = operations.retract(&by, &call.path.chat, bot.as_deref(), since, dry_run).await?;
        Ok(OnceDone::that(came, |counted| Retracted {
            messages: counted.messages,
            too_old: counted.too_old,
            more: counted.more,
            dry_run,
        }))
    }
}

/// Deletions of a chat.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Retractions {
    /// The latest 200, newest first.
    pub retractions: Vec<RetractionView>,
}

route! {
    /// GET /api/v1/chats/{chat}/retractions.
    List = "list_retractions": Get "/api/v1/chats/{chat}/retractions", "Lists the latest deletions of a chat, with Telegram's answers.",
        "Deletions that are over are shown for two days or longer.";
    takes DeleteMessages;
    path ChatCalled;
    problems UnknownChat;
    example "/api/v1/chats/lounge/retractions"
        => r#"{"retractions":[{"message":4711,"bot":"Ada","state":"refused","tries":1,"reason":"rejected (400): Bad Request: message can't be deleted","by":"bela","ordered_at":1790000000000,"ended_at":1790000000090}]}"#;
    answers Json<Retractions>: |operations, by, call| {
        Ok(Json(Retractions { retractions: operations.retractions(&by, &call.path.chat).await? }))
    }
}
