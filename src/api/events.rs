//! The stream of events, as server-sent events and as a WebSocket. Layer `api`.
//!
//! # Source
//! HTML Standard, "Server-sent events"; RFC 6455.

use botfleet_actors::ports::event::LiveEvent;
use botfleet_actors::ports::store::QueueDepths;
use serde::{Deserialize, Serialize};

use super::answer::{Events, Socket};
use super::route::{Call, Example, Method, Nothing, Route};
use crate::operate::failure::{Code, Failure};
use crate::operate::grant::Granted;
use crate::operate::operations::Operations;
use crate::operate::permission::{ReadFleet, ReadTexts};
use crate::operate::watch::StreamAsked;
use crate::runtime::messages::EntryView;
use crate::runtime::stream::views::{
    AlertsNow, AuditNews, ClusterNow, DecisionNews, HealthNow, StreamDropped, StreamReset, StreamStart, TypingNow,
};

/// The data of an event.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum EventData {
    /// An entry of a chat's transcript: a message came, was sent, was edited. Event `entry`.
    Entry(EntryView),
    /// Event `decision`.
    Decision(DecisionNews),
    /// Event `audit`.
    Audit(AuditNews),
    /// Event `typing`.
    Typing(TypingNow),
    /// Event `health`.
    Health(HealthNow),
    /// Event `alerts`.
    Alerts(AlertsNow),
    /// Event `cluster`.
    Cluster(ClusterNow),
    /// Event `queues`.
    Queues(QueueDepths),
    /// Event `start`.
    Start(StreamStart),
    /// Event `reset`.
    Reset(StreamReset),
    /// Event `dropped`.
    Dropped(StreamDropped),
    /// A live event, which is named by its kind.
    Live(LiveEvent),
}

/// A message of the WebSocket.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SocketMessage {
    /// Name of the event.
    pub event: String,
    /// The cursor; absent for what has no place in the history.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The data.
    pub data: EventData,
}

/// Selects a part of the stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
#[serde(deny_unknown_fields, default)]
pub struct StreamFilter {
    /// The chats, by name or id, with commas between; all within reach when absent, if these are 50 at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chats: Option<String>,
    /// The id of the last event that was received; the header `Last-Event-ID` goes before it.
    #[cfg_attr(feature = "schema", param(max_length = 4096))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Adds the words of messages, for whoever has the permission `messages:read`.
    pub text: bool,
}

/// Opens the stream for a call.
async fn opened(
    operations: &Operations,
    by: &Granted<ReadFleet>,
    filter: StreamFilter,
    last: Option<String>,
) -> Result<futures::stream::BoxStream<'static, crate::runtime::stream::frame::Sent>, Failure> {
    let texts = filter.text.then(|| by.principal().grant::<ReadTexts>()).transpose()?;
    let names = filter.chats.as_deref().unwrap_or_default().split(',').map(str::trim);
    let chats = names.filter(|name| !name.is_empty()).map(str::to_owned).collect();
    operations.watch(by, texts, StreamAsked { chats, after: last.or(filter.after) }).await
}

/// GET /api/v1/events.
pub struct Watch;

impl Route for Watch {
    const NAME: &'static str = "watch_events";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/api/v1/events";
    const SUMMARY: &'static str = "Streams what happens.";
    const MORE: &'static str = "\
History (`entry`, `decision`, `audit`) has an id: whoever comes back with the last one, as `Last-Event-ID`, misses nothing and gets \
nothing twice, on any node. Who was away for more than 2,000 numbers of a chat gets `reset` and then the newest 50. State (`typing`, \
`health`, `alerts`, `cluster`, `queues`) comes as it is at first, then when it changes. Live events are named by their kind and may be \
lost. A reader that does not keep up gets `dropped`, and the stream ends. With `text=true` the words of messages are added; that somebody \
reads a chat's words stands in the audit once a day. Whoever reaches a part of the fleet gets the history and `typing` of their chats.";
    const PROBLEMS: &'static [Code] = &[Code::TooManyWatchers, Code::UnknownChat];
    const EXAMPLE: Example = Example {
        address: "/api/v1/events",
        body: "",
        answer: r#"{"chat":"lounge","number":12,"kind":"message","message":4712,"reply_to":4711,"at":1790000004000,"chain_depth":1,"author":"bot","bot":"Ada"}"#,
    };
    type Permission = ReadFleet;
    type Path = Nothing;
    type Query = StreamFilter;
    type Body = Nothing;
    type Answer = Events<EventData>;

    async fn act(
        operations: &Operations,
        by: Granted<ReadFleet>,
        call: Call<Self>,
    ) -> Result<Events<EventData>, Failure> {
        Ok(Events::of(opened(operations, &by, call.query, call.last_event).await?))
    }
}

/// GET /api/v1/ws/dashboard.
pub struct Dashboard;

impl Route for Dashboard {
    const NAME: &'static str = "watch_dashboard";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/api/v1/ws/dashboard";
    const SUMMARY: &'static str = "Streams what happens over a WebSocket.";
    const MORE: &'static str = "\
The same stream as `/api/v1/events`: each event is a text message, and `after` resumes. A browser sends its cookie, and must be on a page \
of this very address (`Origin`); a program sends `authorization`. What the client sends is not read. Nothing that proves who one is \
belongs into the address.";
    const PROBLEMS: &'static [Code] = &[Code::TooManyWatchers, Code::UnknownChat, Code::UpgradeNeeded];
    const EXAMPLE: Example = Example {
        address: "/api/v1/ws/dashboard",
        body: "",
        answer: r#"{"event":"entry","id":"3:12.9,a:4","data":{"chat":"lounge","number":12,"kind":"message","message":4712,"at":1790000004000,"chain_depth":1,"author":"bot","bot":"Ada"}}"#,
    };
    type Permission = ReadFleet;
    type Path = Nothing;
    type Query = StreamFilter;
    type Body = Nothing;
    type Answer = Socket<SocketMessage>;

    async fn act(
        operations: &Operations,
        by: Granted<ReadFleet>,
        call: Call<Self>,
    ) -> Result<Socket<SocketMessage>, Failure> {
        Ok(Socket::of(opened(operations, &by, call.query, call.last_event).await?))
    }
}
