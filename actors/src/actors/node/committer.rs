//! Group commit: one commit in flight per node, gathering the operations that arrive in the meantime. Layer `actors`.
//!
//! Operations that somebody waits for are committed at once, or right after the commit that is under way. Operations that
//! nobody waits for are kept back for as long as they have patience, so that they share a commit with what comes; whatever
//! is committed takes all of them along. Operations are judged in the order of their submission, so a dependent operation may be
//! submitted before the one it depends on is durable. Effects wait for their own commit.
//!
//! Some operations go ahead of the rest. Stops, people's rights and lifted pauses do, since control has a lane ahead of
//! all work (I9). The ends of attempts to send and the pauses that Telegram asks for do, since everything they depend
//! on is durable: after a crash, an end still waiting would be unknown (I4), and a pause still waiting would be
//! forgotten.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};
use tokio::time;

use crate::actors::node::vitals::{StoreSigns, Write};
use crate::domain::commit::operations::{Operation, Receive};
use crate::domain::commit::outcome::{Applied, Refusal};
use crate::domain::commit::rule::Priority;
use crate::ports::metrics;
use crate::ports::store::Store;

/// How long a caller that got `Unavailable` waits before asking the store again.
pub const STORE_RETRY: Duration = Duration::from_millis(500);

/// Largest number of operations in one transaction: bounds its latency.
const BATCH_MAX: usize = 512;

/// Queue length above which sources of work must wait (I9).
const SATURATED: usize = 8 * BATCH_MAX;

/// Why an operation was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// The operation was refused and dropped out of its batch.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store could not write; nothing was done.
    #[error("store unavailable: {0}")]
    Unavailable(String),
}

/// The result of an operation.
pub type CommitResult = Result<Applied, CommitError>;

type Done = Box<dyn FnOnce(CommitResult) + Send>;

#[derive(Default)]
struct Lanes {
    ahead: VecDeque<(Operation, Done)>,
    work: VecDeque<(Operation, Done)>,
    /// The time by which the queue is committed.
    due: Option<time::Instant>,
    /// Nobody commits any more.
    ended: bool,
    #[cfg(feature = "testkit")]
    hasty: bool,
}

impl Lanes {
    fn len(&self) -> usize {
        self.ahead.len() + self.work.len()
    }

    /// Returns whether the queue is now due earlier than before.
    fn hurries(&mut self, patience: Duration) -> bool {
        let now = time::Instant::now();
        #[cfg(feature = "testkit")]
        let patience = if self.hasty { Duration::ZERO } else { patience };
        let due = if self.len() < BATCH_MAX { now + patience } else { now };
        let earlier = self.due.is_none_or(|before| due < before);
        if earlier {
            self.due = Some(due);
        }
        earlier
    }
}

/// The committer's next step.
enum Next {
    /// Commit these.
    Commit(Vec<Operation>, Vec<Done>),
    /// Wait until then for company.
    Linger(time::Instant),
    /// Wait for an operation.
    Idle,
}

/// Empties the queue for good when nobody commits any more.
struct Ending<'a>(&'a Committer);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let left = std::mem::replace(&mut *queue, Lanes { ended: true, ..Lanes::default() });
        drop(queue);
        // Callbacks may submit when they are dropped, so the queue is free by now.
        drop(left);
    }
}

/// The queue in front of the store.
#[derive(Default)]
pub struct Committer {
    queue: Mutex<Lanes>,
    length: AtomicUsize,
    wake: Notify,
    /// Signs of the store's recent health.
    pub signs: StoreSigns,
}

impl Committer {
    /// Queues `operation`. `done` is called once, after the commit, in order of submission within the lane; it must not
    /// block. Once [`Committer::run`] has ended, both are dropped.
    pub fn submit(&self, operation: Operation, done: impl FnOnce(CommitResult) + Send + 'static) {
        let patience = operation.patience();
        let mut queue = self.queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if queue.ended {
            return;
        }
        let lane = match operation.priority() {
            Priority::Ahead => &mut queue.ahead,
            Priority::Work => &mut queue.work,
        };
        lane.push_back((operation, Box::new(done)));
        self.length.store(queue.len(), Ordering::Relaxed);
        let hurries = queue.hurries(patience);
        drop(queue);
        if hurries {
            self.wake.notify_one();
        }
    }

    /// Waits until all that was queued before is judged.
    ///
    /// # Errors
    /// `Unavailable` when the store could not write.
    pub async fn flush(&self) -> CommitResult {
        self.commit(Operation::Receive(Receive::default())).await
    }

    /// Commits what is queued without further patience.
    pub fn hasten(&self) {
        let mut queue = self.queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if queue.len() > 0 {
            queue.due = Some(time::Instant::now());
            self.wake.notify_one();
        }
    }

    /// Lets no operation wait for others any more, so that a test sees single operations fail.
    #[cfg(feature = "testkit")]
    pub fn hurry(&self) {
        self.queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner).hasty = true;
    }

    /// Queues `operation` and waits for its commit.
    ///
    /// # Cancel safety
    /// Dropping the future does not take the operation back.
    pub async fn commit(&self, operation: Operation) -> CommitResult {
        let (sender, receiver) = oneshot::channel();
        self.submit(operation, move |result| {
            let _ = sender.send(result);
        });
        receiver.await.unwrap_or_else(|_| Err(CommitError::Unavailable("committer stopped".to_owned())))
    }

    /// Returns whether sources of work should wait.
    pub fn is_saturated(&self) -> bool {
        self.length.load(Ordering::Relaxed) > SATURATED
    }

    /// Commits the queued operations, for ever.
    ///
    /// # Cancel safety
    /// Dropping the future drops what is queued: the callers' callbacks hold the node, which holds this queue.
    pub async fn run(&self, store: &dyn Store) {
        let _ending = Ending(self);
        let batches = metrics::store_commit_operations.handle();
        let durations = metrics::store_commit_duration_seconds.handle();
        loop {
            let (operations, done) = match self.next() {
                Next::Commit(operations, done) => (operations, done),
                Next::Linger(until) => {
                    let _ = time::timeout_at(until, self.wake.notified()).await;
                    continue;
                }
                Next::Idle => {
                    self.wake.notified().await;
                    continue;
                }
            };
            batches.record(operations.len() as f64);
            let started = Instant::now();
            self.signs.begins(Write::Commit);
            let result = store.commit(operations).await;
            match &result {
                // An empty transaction commits on a full disk as well.
                Ok(results) if results.iter().all(Result::is_err) => self.signs.abstained(Write::Commit),
                result => self.signs.ended(Write::Commit, result.as_ref().err()),
            }
            durations.record(started.elapsed().as_secs_f64());
            match result {
                Ok(results) => {
                    for (done, result) in done.into_iter().zip(results) {
                        done(result.map_err(CommitError::from));
                    }
                }
                Err(error) => {
                    metrics::store_commit_failures_total.increment(1);
                    for done in done {
                        done(Err(CommitError::Unavailable(error.to_string())));
                    }
                }
            }
        }
    }

    fn next(&self) -> Next {
        let mut queue = self.queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match queue.due {
            None => return Next::Idle,
            Some(due) if due > time::Instant::now() => return Next::Linger(due),
            Some(_) => {}
        }
        let ahead = queue.ahead.len().min(BATCH_MAX);
        let work = queue.work.len().min(BATCH_MAX - ahead);
        let lanes = &mut *queue;
        let (operations, done) = lanes.ahead.drain(..ahead).chain(lanes.work.drain(..work)).unzip();
        if queue.len() == 0 {
            queue.due = None;
        }
        self.length.store(queue.len(), Ordering::Relaxed);
        Next::Commit(operations, done)
    }
}
