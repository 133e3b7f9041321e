//! Events as they happen. Layer `api`.
//!
//! # Source
//! HTML Standard, "Server-sent events".

use botfleet_actors::ports::event::LiveEvent;
use futures::StreamExt;
use serde::Serialize;

use super::answer::Events;
use super::route::{Call, Example, Method, Nothing, Route};
use crate::operate::failure::{Code, Failure};
use crate::operate::grant::Granted;
use crate::operate::operations::Operations;
use crate::operate::permission::ReadFleet;
use crate::operate::watch::Seen;

/// The data of an event.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum EventData {
    /// The event.
    Event(LiveEvent),
    /// The number of events that a slow watcher lost; the event's name is `missed`.
    Missed(u64),
}

/// GET /api/v1/events.
pub struct Watch;

impl Route for Watch {
    const NAME: &'static str = "watch_events";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/api/v1/events";
    const SUMMARY: &'static str = "Streams events from now on.";
    const MORE: &'static str = "Each event is named by its kind. A watcher that does not keep up gets `missed` with the number of lost events.";
    const PROBLEMS: &'static [Code] = &[Code::TooManyWatchers];
    const EXAMPLE: Example = Example {
        address: "/api/v1/events",
        body: "",
        answer: r#"{"at":1790000000000,"node":"n1","kind":"stop_set","subject":"chat lounge"}"#,
    };
    type Permission = ReadFleet;
    type Path = Nothing;
    type Query = Nothing;
    type Body = Nothing;
    type Answer = Events<EventData>;

    async fn act(operations: &Operations, by: Granted<ReadFleet>, _: Call<Self>) -> Result<Events<EventData>, Failure> {
        let named = |seen| match seen {
            Seen::Event(event) => (event.kind.clone(), EventData::Event(event)),
            Seen::Missed(count) => ("missed".to_owned(), EventData::Missed(count)),
        };
        Ok(Events(operations.watch(&by)?.map(named).boxed()))
    }
}
