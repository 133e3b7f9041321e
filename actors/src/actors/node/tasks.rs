//! Runs outside calls of one actor in tracked tasks, which report back by messages. Layer `actors`.
//!
//! Tasks end with their actor. A task that panicked raises its actor's alarm, so that the actor fails and is restarted
//! from the store instead of waiting for a message that will never come (I7).

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use tokio::task::{AbortHandle, JoinSet};

/// The tasks of one actor.
pub struct Tasks {
    running: JoinSet<()>,
    alarm: Arc<dyn Fn() + Send + Sync>,
}

/// The error of an actor one of whose tasks panicked.
#[derive(Debug, thiserror::Error)]
#[error("a task of the actor panicked")]
pub struct TaskPanicked;

impl Tasks {
    /// Creates an empty set of tasks; `alarm` tells the actor that one of them panicked.
    pub fn new(alarm: impl Fn() + Send + Sync + 'static) -> Self {
        Self { running: JoinSet::new(), alarm: Arc::new(alarm) }
    }

    /// Starts a task that ends with the actor.
    pub fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        while self.running.try_join_next().is_some() {}
        let alarm = Arc::clone(&self.alarm);
        self.running.spawn(async move {
            if AssertUnwindSafe(task).catch_unwind().await.is_err() {
                alarm();
            }
        })
    }
}
