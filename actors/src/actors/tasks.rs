//! Tracked tasks of one actor: outside calls run here and come back as messages. Layer `actors`.
//!
//! Tasks end with their actor. A task that panicked is reported, so that its actor fails and is restarted from the
//! store instead of waiting for a message that will never come (I7).

use tokio::task::{AbortHandle, JoinSet};

/// The tasks of one actor.
#[derive(Default)]
pub struct Tasks(JoinSet<()>);

/// A task panicked.
#[derive(Debug, thiserror::Error)]
#[error("task panicked: {0}")]
pub struct TaskPanicked(String);

impl Tasks {
    /// Starts a task that ends with the actor.
    pub fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        self.0.spawn(task)
    }

    /// Forgets the tasks that are done.
    ///
    /// # Errors
    /// When one of them panicked.
    pub fn reap(&mut self) -> Result<(), TaskPanicked> {
        while let Some(ended) = self.0.try_join_next() {
            match ended {
                Err(error) if error.is_panic() => return Err(TaskPanicked(error.to_string())),
                _ => {}
            }
        }
        Ok(())
    }

    /// Tasks under way.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is under way.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
