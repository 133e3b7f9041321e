//! Simulates people, bots, chats, messages and update queues, without HTTP.
//!
//! Layer: above the ledger, below `telegram` and `control`. Invariants: one lock guards the state and is never held
//! across an await; the critical section of a post or a send touches one chat; nothing here polls: every waiter is
//! woken when the state that it waits for changes.
//!
//! | file | holds |
//! |---|---|
//! | `spec`, `demo` | the description of a world, and ready-made ones |
//! | `event` | what people see and what they post |
//! | `posts`, `membership` | what people and administrators do |
//! | `outgoing` | what bots do |
//! | `disturb` | the faults in force |
//! | `late`, `lateness` | updates that are held back, and copies of updates |
//! | `shut`, `closing` | chats and topics in which bots may not write |
//! | `clock` | the world's calendar |
//! | `limits`, `admission` | the limiters, and the calls that they let through |
//! | `publish`, `visibility` | new things in a chat, and the bots that are told of them |
//! | `queue`, `poll`, `webhook`, `hooking` | updates, long polling and webhooks |
//! | `text`, `render` | UTF-16, entities, JSON |

mod admission;
mod clock;
pub(crate) mod closing;
mod demo;
mod disturb;
pub mod error;
pub mod event;
mod hooking;
pub(crate) mod late;
pub mod latency;
pub mod lateness;
pub mod limits;
pub mod membership;
pub(crate) mod outgoing;
pub(crate) mod poll;
mod posts;
pub mod publish;
pub(crate) mod queue;
pub(crate) mod render;
pub mod shut;
pub mod spec;
pub(crate) mod state;
pub mod text;
mod visibility;
pub(crate) mod webhook;

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, broadcast};

use crate::ledger::Ledger;
use disturb::Disturbance;
use error::SpecError;
use event::{ChatMessage, WorldEvent};
use spec::WorldSpec;
use state::State;

/// The number of events kept for a slow subscriber; when there are more, the oldest are skipped.
const EVENTS_KEPT: usize = 16_384;
/// A bot counts as polling for this long after its last poll ended.
const POLLED_RECENTLY: Duration = Duration::from_secs(2);

/// A simulated world, shared through an [`Arc`].
#[derive(Debug)]
pub struct World {
    spec: WorldSpec,
    ledger: Ledger,
    events: broadcast::Sender<WorldEvent>,
    /// Notified whenever something happened that a waiter may wait for.
    pub changed: Notify,
    state: Mutex<State>,
    disturbance: Mutex<Disturbance>,
    started: Instant,
    calendar: clock::Calendar,
}

impl World {
    /// Builds a world from its description.
    ///
    /// # Errors
    /// The description contradicts itself.
    pub fn new(spec: WorldSpec) -> Result<Arc<Self>, SpecError> {
        spec.check()?;
        Ok(Arc::new(Self {
            ledger: Ledger::new(),
            events: broadcast::Sender::new(EVENTS_KEPT),
            changed: Notify::new(),
            state: Mutex::new(State::new(&spec)),
            disturbance: Mutex::new(Disturbance::none()),
            started: Instant::now(),
            calendar: clock::Calendar::now(),
            spec,
        }))
    }

    /// Returns the record of what happened.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Returns the description that the world was built from.
    pub fn spec(&self) -> &WorldSpec {
        &self.spec
    }

    /// Subscribes to the events that a person looking at the chats sees from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<WorldEvent> {
        self.events.subscribe()
    }

    /// Returns the last messages of a chat, oldest first.
    pub fn history(&self, chat: i64, last: usize) -> Vec<ChatMessage> {
        let state = self.lock();
        let Some(room) = state.chats.get(&chat) else {
            return Vec::new();
        };
        let mut messages: Vec<_> = room.messages.values().rev().take(last).map(|message| room.shown(message)).collect();
        messages.reverse();
        messages
    }

    /// Returns whether a chat exists.
    pub fn has_chat(&self, chat: i64) -> bool {
        self.lock().chats.contains_key(&chat)
    }

    /// Counts the bots with an open poll, or one that ended within 2 s.
    pub fn polling_bots(&self) -> usize {
        let now = Instant::now();
        self.lock()
            .bots
            .values()
            .filter(|bot| {
                let recent = |end: Instant| now.duration_since(end) < POLLED_RECENTLY;
                bot.open_polls > 0 || bot.last_poll_end.is_some_and(recent)
            })
            .count()
    }

    /// Returns a future that is ready once something has happened after this call.
    pub fn next_change(&self) -> Pin<Box<Notified<'_>>> {
        let mut change = Box::pin(self.changed.notified());
        change.as_mut().enable();
        change
    }

    /// Calls `look` now and after each change, until `look` finds something or the deadline has passed.
    pub async fn wait_for<T>(&self, until: tokio::time::Instant, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        loop {
            let changed = self.next_change();
            let found = look();
            if found.is_some() {
                return found;
            }
            if tokio::time::timeout_at(until, changed).await.is_err() {
                return look();
            }
        }
    }

    /// Waits until at least `bots` bots poll; returns whether they did before the deadline.
    pub async fn wait_until_polling(&self, bots: usize, deadline: Duration) -> bool {
        let until = tokio::time::Instant::now() + deadline;
        self.wait_for(until, || (self.polling_bots() >= bots).then_some(())).await.is_some()
    }

    /// Waits until nothing has happened for `quiet_for`: no send, no new update, and no unconfirmed update of a bot
    /// that has polled or has a webhook, revoked bots aside. Returns whether this state was reached before the
    /// deadline.
    pub async fn wait_until_quiet(&self, quiet_for: Duration, deadline: Duration) -> bool {
        let until = tokio::time::Instant::now() + deadline;
        loop {
            let changed = self.next_change();
            let (pending, idle_for) = self.pending();
            if pending == 0 && idle_for >= quiet_for {
                return true;
            }
            let mut wake = until;
            if pending == 0 {
                let missing = quiet_for.saturating_sub(idle_for);
                wake = wake.min(tokio::time::Instant::now() + missing);
            }
            let timed_out = tokio::time::timeout_at(wake, changed).await.is_err();
            if timed_out && tokio::time::Instant::now() >= until {
                let (pending, idle_for) = self.pending();
                return pending == 0 && idle_for >= quiet_for;
            }
        }
    }

    fn pending(&self) -> (usize, Duration) {
        let state = self.lock();
        let is_served = |bot: &&state::BotState| (bot.ever_polled || bot.webhook.is_some()) && !bot.revoked;
        let pending = state.bots.values().filter(is_served).map(|bot| bot.updates.len()).sum();
        (pending, state.last_activity.elapsed())
    }

    /// Returns the present state for the control API: the description, and what each bot is doing.
    pub fn report(&self) -> Value {
        let state = self.lock();
        let bots: Vec<Value> = state
            .bots
            .values()
            .map(|bot| {
                json!({
                    "id": bot.spec.id,
                    "username": bot.spec.username,
                    "pending_updates": bot.updates.len(),
                    "open_polls": bot.open_polls,
                    "webhook": bot.webhook.as_ref().map(|webhook| &webhook.address.url),
                    "revoked": bot.revoked,
                })
            })
            .collect();
        json!({"spec": self.spec, "bots": bots})
    }

    /// Draws how long an answer takes.
    pub(crate) fn draw_latency(&self, is_send: bool) -> Duration {
        let latency = if is_send { self.spec.send_latency } else { self.spec.call_latency };
        latency.sample(&mut self.lock().rng)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends an event to the subscribers; no subscriber is no error.
    pub(crate) fn show(&self, event: WorldEvent) {
        let _ = self.events.send(event);
    }

    /// Notes that something happened, and wakes the waiters.
    pub(crate) fn touch(&self, state: &mut State) {
        state.last_activity = Instant::now();
        self.changed.notify_waiters();
    }

    /// Returns how long the world has run.
    pub(crate) fn uptime(&self) -> Duration {
        self.started.elapsed()
    }
}
