//! GET /api/v1/events: streams events as they happen. Layer `admin`. Keeps I9.
//!
//! # Source
//! HTML Standard, "Server-sent events".

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use botfleet_actors::ports::event::LiveEvent;
use futures::Stream;
use futures::stream::unfold;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::edge::Edge;
use super::problem::Problem;
use crate::runtime::events::WATCHERS_MAX;
use crate::runtime::fleet::RunningFleet;

/// Interval of the empty comments that keep proxies from closing a quiet stream.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(15);

/// Interval at which a stream checks whether the process is stopping.
const LOOK_EVERY: Duration = Duration::from_millis(250);

struct Watcher {
    events: Receiver<LiveEvent>,
    fleet: Arc<RunningFleet>,
    _room: OwnedSemaphorePermit,
}

/// Streams events from now on. A watcher that does not keep up gets an event `missed` with the number of lost events.
pub(super) async fn get(
    State(edge): State<Edge>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let full = |_| Problem::too_many("too_many_watchers", format!("{WATCHERS_MAX} watch already"));
    let room = Arc::clone(&edge.fleet.events.room).try_acquire_owned().map_err(full)?;
    let watcher = Watcher { events: edge.fleet.events.watch(), fleet: edge.fleet, _room: room };
    let stream = unfold(watcher, |mut watcher| async move {
        let event = watcher.next().await?;
        Some((Ok(event), watcher))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(HEARTBEAT_EVERY)))
}

impl Watcher {
    /// Returns the next event, or `None` when the process is stopping, so that no stream holds up its end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if self.fleet.is_stopping() {
                return None;
            }
            match tokio::time::timeout(LOOK_EVERY, self.events.recv()).await {
                Ok(Ok(event)) => return shown(&event),
                Ok(Err(RecvError::Lagged(missed))) => {
                    return Some(Event::default().event("missed").data(missed.to_string()));
                }
                Ok(Err(RecvError::Closed)) => return None,
                Err(_) => {}
            }
        }
    }
}

fn shown(event: &LiveEvent) -> Option<Event> {
    // The kind may come from another version; a line break in it would end the field.
    let kind: String = event.kind.chars().filter(|c| !c.is_control()).collect();
    Event::default().event(kind).json_data(event).ok()
}
