//! Events as they happen. Layer `operate`. Keeps I9.

use std::sync::Arc;
use std::time::Duration;

use botfleet_actors::ports::event::LiveEvent;
use futures::StreamExt;
use futures::stream::{BoxStream, unfold};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::failure::{Code, Failure};
use super::grant::Granted;
use super::operations::Operations;
use super::permission::ReadFleet;
use crate::runtime::events::WATCHERS_MAX;
use crate::runtime::fleet::RunningFleet;

/// Interval at which a stream checks whether the process is stopping.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What a watcher sees.
#[derive(Clone, Debug)]
pub enum Seen {
    /// An event.
    Event(LiveEvent),
    /// The watcher did not keep up, and lost this many events.
    Missed(u64),
}

struct Watcher {
    events: Receiver<LiveEvent>,
    fleet: Arc<RunningFleet>,
    _room: OwnedSemaphorePermit,
}

impl Operations {
    /// Streams events from now on, until the process stops.
    ///
    /// # Errors
    /// `TooManyWatchers`; `OutOfReach` for whoever reaches a part of the fleet alone.
    pub fn watch(&self, by: &Granted<ReadFleet>) -> Result<BoxStream<'static, Seen>, Failure> {
        by.everything()?;
        let full = |_| Failure::new(Code::TooManyWatchers, format!("{WATCHERS_MAX} watch already"));
        let room = Arc::clone(&self.fleet.events.room).try_acquire_owned().map_err(full)?;
        let watcher = Watcher { events: self.fleet.events.watch(), fleet: Arc::clone(&self.fleet), _room: room };
        let stream = unfold(watcher, |mut watcher| async move {
            let seen = watcher.next().await?;
            Some((seen, watcher))
        });
        Ok(stream.boxed())
    }
}

impl Watcher {
    /// Returns what is seen next, or `None` when the process is stopping, so that no stream holds up its end.
    async fn next(&mut self) -> Option<Seen> {
        loop {
            if self.fleet.is_stopping() {
                return None;
            }
            match tokio::time::timeout(LOOK_EVERY, self.events.recv()).await {
                Ok(Ok(event)) => return Some(Seen::Event(event)),
                Ok(Err(RecvError::Lagged(missed))) => return Some(Seen::Missed(missed)),
                Ok(Err(RecvError::Closed)) => return None,
                Err(_) => {}
            }
        }
    }
}
