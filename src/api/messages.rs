//! Messages of chats, and the why of one. Layer `api`.

use botfleet_actors::domain::ids::Number;
use serde::{Deserialize, Serialize};

use super::answer::Json;
use super::chats::ChatCalled;
use super::route::{Call, Example, Method, Nothing, Route};
use crate::operate::failure::{Code, Failure};
use crate::operate::grant::Granted;
use crate::operate::operations::Operations;
use crate::operate::permission::{ReadDecisions, ReadTexts};
use crate::runtime::messages::{EntryView, MessageWhy, Side};

/// Selects a page of a chat's transcript.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
#[serde(deny_unknown_fields, default)]
pub struct MessageFilter {
    /// Entries before this number, newest first; the newest of all without `before` and `after`.
    pub before: Option<i64>,
    /// Entries after this number, oldest first.
    pub after: Option<i64>,
    /// Most entries, 1 to 200; 50 when absent.
    #[cfg_attr(feature = "schema", param(minimum = 1, maximum = 200))]
    pub limit: Option<usize>,
    /// Adds the words, for whoever has the permission `messages:read`.
    pub text: bool,
}

/// A page of a chat's transcript.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MessageList {
    /// The entries.
    pub entries: Vec<EntryView>,
    /// The value of `before`, or of `after` where that was given, for the next page; null on the last page.
    pub next: Option<Number>,
}

/// GET /api/v1/chats/{chat}/messages.
pub struct List;

impl Route for List {
    const NAME: &'static str = "list_messages";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/api/v1/chats/{chat}/messages";
    const SUMMARY: &'static str = "Lists the entries of a chat's transcript, newest first or after a number.";
    const MORE: &'static str = "Entries are messages, edits, reactions, and people who come and go. With `text=true` the words are \
                                added; that somebody read a chat's words stands in the audit once a day.";
    const PROBLEMS: &'static [Code] = &[Code::UnknownChat];
    const EXAMPLE: Example = Example {
        address: "/api/v1/chats/lounge/messages?limit=2",
        body: "",
        answer: r#"{"entries":[{"chat":"lounge","number":12,"kind":"message","message":4712,"reply_to":4711,"at":1790000004000,"chain_depth":1,"author":"bot","bot":"Ada"},{"chat":"lounge","number":11,"kind":"message","message":4711,"at":1790000000000,"chain_depth":0,"author":"person"}],"next":11}"#,
    };
    type Permission = ReadDecisions;
    type Path = ChatCalled;
    type Query = MessageFilter;
    type Body = Nothing;
    type Answer = Json<MessageList>;

    async fn act(
        operations: &Operations,
        by: Granted<ReadDecisions>,
        call: Call<Self>,
    ) -> Result<Json<MessageList>, Failure> {
        let MessageFilter { before, after, limit, text } = call.query;
        let side = match (before, after) {
            (Some(_), Some(_)) => {
                let detail = "before and after exclude one another: give one of them";
                return Err(Failure::new(Code::BadRequest, detail));
            }
            (None, Some(after)) => Side::After(Number(after.max(0))),
            (before, None) => Side::Before(Number(before.unwrap_or(i64::MAX))),
        };
        let texts = text.then(|| by.principal().grant::<ReadTexts>()).transpose()?;
        let page = operations.messages(&by, texts.as_ref(), &call.path.chat, side, limit).await?;
        Ok(Json(MessageList { entries: page.entries, next: page.next }))
    }
}

/// The entry of a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct EntryNumbered {
    /// Name of the chat in the manifest, id in the store, or Telegram's id.
    pub chat: String,
    /// Number of the entry in the chat's transcript.
    pub number: i64,
}

/// Tells how much of a message to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
#[serde(deny_unknown_fields, default)]
pub struct MessageDetail {
    /// Adds the words, for whoever has the permission `messages:read`.
    pub text: bool,
}

/// GET /api/v1/chats/{chat}/messages/{number}.
pub struct Get;

impl Route for Get {
    const NAME: &'static str = "get_message";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/api/v1/chats/{chat}/messages/{number}";
    const SUMMARY: &'static str = "Shows one entry of a chat's transcript with its why.";
    const MORE: &'static str = "`made_by` is the way to a message of the fleet: the decision, the turn with its model and tokens, what the \
                                guards said, and how Telegram took it. `decisions` are those on the entry: who answers it, or why nobody \
                                does. `botfleet why` tells the same.";
    const PROBLEMS: &'static [Code] = &[Code::UnknownChat, Code::UnknownMessage];
    const EXAMPLE: Example = Example {
        address: "/api/v1/chats/lounge/messages/11",
        body: "",
        answer: r#"{"entry":{"chat":"lounge","number":11,"kind":"message","message":4711,"at":1790000000000,"chain_depth":0,"author":"person"},"made_by":null,"decisions":[]}"#,
    };
    type Permission = ReadDecisions;
    type Path = EntryNumbered;
    type Query = MessageDetail;
    type Body = Nothing;
    type Answer = Json<MessageWhy>;

    async fn act(
        operations: &Operations,
        by: Granted<ReadDecisions>,
        call: Call<Self>,
    ) -> Result<Json<MessageWhy>, Failure> {
        let texts = call.query.text.then(|| by.principal().grant::<ReadTexts>()).transpose()?;
        let EntryNumbered { chat, number } = call.path;
        Ok(Json(operations.message(&by, texts.as_ref(), &chat, Number(number)).await?))
    }
}
