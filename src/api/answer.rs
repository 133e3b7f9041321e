//! Answers: one JSON value, lines of them, or events. Layer `api`.

use std::marker::PhantomData;

use futures::StreamExt;
use futures::stream::BoxStream;
use secrecy::SecretString;
use serde::Serialize;

use super::schema::Described;
use crate::operate::failure::{Code, Failure};
use crate::operate::orders::Ordered;
use crate::runtime::orders::OrderView;
use crate::runtime::stream::frame::Sent;

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One JSON value.
    Json,
    /// A JSON value a line, as long as there are more.
    Lines,
    /// Server-sent events, each with a JSON value, until the client leaves or the node stops.
    Events,
    /// The same as messages of a WebSocket.
    Socket,
}

impl Form {
    /// Returns the media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json | Self::Socket => "application/json",
            Self::Lines => "application/x-ndjson",
            Self::Events => "text/event-stream",
        }
    }
}

/// An answer, written.
pub struct Written {
    /// The content.
    pub content: Content,
    /// The version of what is shown, as `ETag`.
    pub version: Option<i64>,
    /// The change of the caller's cookie.
    pub cookie: Option<Cookie>,
}

/// The content of an answer.
pub enum Content {
    /// One JSON value.
    Json(Vec<u8>),
    /// The order is under way: the path of the order, and the order as JSON.
    Accepted(String, Vec<u8>),
    /// Lines, in pieces.
    Lines(BoxStream<'static, Result<Vec<u8>, Failure>>),
    /// Events.
    Events(BoxStream<'static, Sent>),
}

impl From<Content> for Written {
    fn from(content: Content) -> Self {
        Self { content, version: None, cookie: None }
    }
}

/// A change of the cookie that holds a session.
pub enum Cookie {
    /// The token of a new session.
    Set(SecretString),
    /// None from now on.
    Clear,
}

/// The answer of a route.
pub trait Answer: Send {
    /// The value, or the value of each line or event.
    type Item: Serialize + Described;
    /// The form.
    const FORM: Form;
    /// Set when the answer may be 202 with an order that is under way.
    const MAY_WAIT: bool = false;
    /// Set when the version of what is shown goes along, as `ETag`.
    const VERSIONED: bool = false;

    /// Writes the answer.
    ///
    /// # Errors
    /// `Unreadable` when a value cannot be written as JSON.
    fn written(self) -> Result<Written, Failure>;
}

/// One JSON value.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<T: Serialize + Described + Send> Answer for Json<T> {
    type Item = T;
    const FORM: Form = Form::Json;

    fn written(self) -> Result<Written, Failure> {
        json(&self.0)
    }
}

/// One JSON value with the version of what it shows.
#[derive(Clone, Copy, Debug)]
pub struct Versioned<T> {
    /// The value.
    pub value: T,
    /// The version.
    pub version: i64,
}

impl<T: Serialize + Described + Send> Answer for Versioned<T> {
    type Item = T;
    const FORM: Form = Form::Json;
    const VERSIONED: bool = true;

    fn written(self) -> Result<Written, Failure> {
        Ok(Written { version: Some(self.version), ..json(&self.value)? })
    }
}

/// One JSON value, and a change of the cookie that holds the caller's session.
pub struct WithCookie<T> {
    /// The value.
    pub value: T,
    /// The change.
    pub cookie: Option<Cookie>,
}

impl<T: Serialize + Described + Send> Answer for WithCookie<T> {
    type Item = T;
    const FORM: Form = Form::Json;

    fn written(self) -> Result<Written, Failure> {
        Ok(Written { cookie: self.cookie, ..json(&self.value)? })
    }
}

fn json(value: &impl Serialize) -> Result<Written, Failure> {
    serde_json::to_vec(value).map(|json| Content::Json(json).into()).map_err(|error| unwritable(&error))
}

/// One JSON value once an order is carried out, or the order while it is under way.
#[derive(Clone, Debug)]
pub enum OnceDone<T> {
    /// The value.
    Done(T),
    /// The order.
    UnderWay(Box<OrderView>),
}

impl<T> OnceDone<T> {
    /// Answers with `value` when the order is carried out.
    pub(super) fn of(ordered: Ordered, value: T) -> Self {
        match ordered {
            Ordered::Done(_) => Self::Done(value),
            Ordered::UnderWay(order) => Self::UnderWay(order),
        }
    }
}

impl<T: Serialize + Described + Send> Answer for OnceDone<T> {
    type Item = T;
    const FORM: Form = Form::Json;
    const MAY_WAIT: bool = true;

    fn written(self) -> Result<Written, Failure> {
        match self {
            Self::Done(value) => Json(value).written(),
            Self::UnderWay(order) => {
                let json = serde_json::to_vec(&order).map_err(|error| unwritable(&error))?;
                Ok(Content::Accepted(format!("/api/v1/orders/{}", order.id), json).into())
            }
        }
    }
}

/// A JSON value a line, in pages.
pub struct Lines<T>(pub BoxStream<'static, Result<Vec<T>, Failure>>);

impl<T: Serialize + Described + Send + 'static> Answer for Lines<T> {
    type Item = T;
    const FORM: Form = Form::Lines;

    fn written(self) -> Result<Written, Failure> {
        let write = |page: Result<Vec<T>, Failure>| {
            let mut lines = Vec::new();
            for value in page? {
                serde_json::to_writer(&mut lines, &value).map_err(|error| unwritable(&error))?;
                lines.push(b'\n');
            }
            Ok(lines)
        };
        Ok(Content::Lines(self.0.map(write).boxed()).into())
    }
}

/// Events with a JSON value each. They come rendered; the type says for the documents what their data is.
pub struct Events<T> {
    events: BoxStream<'static, Sent>,
    item: PhantomData<fn() -> T>,
}

impl<T> Events<T> {
    /// Answers with events.
    pub(super) fn of(events: BoxStream<'static, Sent>) -> Self {
        Self { events, item: PhantomData }
    }
}

impl<T: Serialize + Described> Answer for Events<T> {
    type Item = T;
    const FORM: Form = Form::Events;

    fn written(self) -> Result<Written, Failure> {
        Ok(Content::Events(self.events).into())
    }
}

/// Events as messages of a WebSocket.
pub struct Socket<T>(Events<T>);

impl<T> Socket<T> {
    /// Answers with events.
    pub(super) fn of(events: BoxStream<'static, Sent>) -> Self {
        Self(Events::of(events))
    }
}

impl<T: Serialize + Described> Answer for Socket<T> {
    type Item = T;
    const FORM: Form = Form::Socket;

    fn written(self) -> Result<Written, Failure> {
        Ok(Content::Events(self.0.events).into())
    }
}

fn unwritable(error: &serde_json::Error) -> Failure {
    tracing::error!(%error, "an answer could not be written");
    Failure::new(Code::Unreadable, "the answer could not be written; the log of the node says why")
}
