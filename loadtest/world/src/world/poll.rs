//! Implements long polling: which poll waits, which one is ended by another, and what an answer holds.
//!
//! Layer: world. Invariants: an offset confirms updates when the request is read, not when it is answered; at most one
//! poll of a bot waits; every poll in the ledger is closed exactly once, also when its client goes away. The only
//! timers are those of the waiting polls.
//!
//! # Source
//! tdlib/telegram-bot-api, `Client.cpp`: `process_get_updates_query`, `abort_long_poll`,
//! `fail_query_conflict`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::World;
use super::error::ApiError;
use super::queue::Batch;
use super::state::{BotState, IdlePoll, Wake};
use crate::ledger::{LedgerEvent, PollEnd};

const TERMINATED: &str =
    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
pub(crate) const TERMINATED_BY_WEBHOOK: &str = "Conflict: terminated by setWebhook request";
const WEBHOOK_ACTIVE: &str =
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first";

/// How long a 409 is delayed when it comes within this time of an undelayed one.
const CONFLICT_PAUSE: Duration = Duration::from_secs(3);
/// A poll with the same offset as the one before it, within this time, gets at most one update.
const REPEAT_LIMITED: Duration = Duration::from_millis(500);
/// A poll with the same offset as the one before it, within this time, waits for at least as long.
const REPEAT_WAITS: Duration = Duration::from_secs(3);

/// The parameters of a `getUpdates` call.
#[derive(Debug)]
pub(crate) struct PollRequest {
    pub(crate) offset: i64,
    pub(crate) limit: usize,
    pub(crate) timeout_s: u32,
    pub(crate) allowed: Option<Vec<String>>,
    pub(crate) connection: String,
}

enum Start {
    Ready(Batch),
    Conflict(Duration, &'static str),
    Wait(oneshot::Receiver<Wake>, usize, Duration),
}

impl BotState {
    /// Returns how long a 409 is to be delayed, and remembers the 409.
    pub(crate) fn conflict_delay(&mut self, now: Instant) -> Duration {
        if self.next_conflict.is_none_or(|next| now >= next) {
            self.next_conflict = Some(now + CONFLICT_PAUSE);
            Duration::ZERO
        } else {
            CONFLICT_PAUSE
        }
    }
}

impl World {
    /// Answers `getUpdates` with the JSON array of updates.
    ///
    /// # Errors
    /// 409 in Telegram's words, or 401 when the token is revoked meanwhile.
    ///
    /// # Cancel safety
    /// Dropping the future acts like a client that vanishes: nothing is confirmed beyond the offset.
    pub(crate) async fn poll(self: &Arc<Self>, bot: i64, request: PollRequest) -> Result<String, ApiError> {
        let open = OpenPoll::open(self, bot, &request);
        let batch = match self.start_poll(bot, open.poll, &request) {
            Start::Ready(batch) => batch,
            Start::Conflict(delay, description) => {
                return Err(open.conflict(delay, description).await);
            }
            Start::Wait(wake, limit, timeout) => {
                match tokio::time::timeout(timeout, wake).await {
                    Ok(Ok(Wake::Conflict(delay, description))) => {
                        return Err(open.conflict(delay, description).await);
                    }
                    Ok(Ok(Wake::Unauthorized)) => {
                        open.close(PollEnd::Error, Vec::new());
                        return Err(ApiError::unauthorized());
                    }
                    Ok(Ok(Wake::Updates) | Err(_)) | Err(_) => {}
                }
                self.take_batch(bot, open.poll, limit)
            }
        };
        let answer = batch.to_json();
        open.close(PollEnd::Answered, batch.ids);
        Ok(answer)
    }

    fn start_poll(&self, bot_id: i64, poll: u64, request: &PollRequest) -> Start {
        let now = Instant::now();
        let now_ms = self.calendar_ms();
        let mut state = self.lock();
        let Some(bot) = state.bots.get_mut(&bot_id) else {
            return Start::Ready(Batch::default());
        };
        if bot.webhook.is_some() {
            return Start::Conflict(bot.conflict_delay(now), WEBHOOK_ACTIVE);
        }
        if let Some(allowed) = &request.allowed {
            bot.updates.allow(allowed.clone());
        }
        let mut limit = request.limit;
        let mut timeout = Duration::from_secs(u64::from(request.timeout_s));
        if let Some((offset, at)) = bot.previous_poll
            && offset == request.offset
        {
            if now < at + REPEAT_WAITS {
                timeout = timeout.max(REPEAT_WAITS);
            }
            if now < at + REPEAT_LIMITED {
                limit = 1;
            }
        }
        bot.previous_poll = Some((request.offset, now));
        self.drop_expired(bot, now_ms);
        let below = bot.updates.resolve(request.offset);
        let update_ids = bot.updates.confirm(request.offset);
        if !update_ids.is_empty() {
            self.ledger().record(LedgerEvent::UpdatesConfirmed { bot: bot_id, below, update_ids });
        }
        let batch = bot.updates.batch(limit);
        let start = if batch.is_empty() && !timeout.is_zero() {
            let delay = bot.idle.is_some().then(|| bot.conflict_delay(now));
            if let Some(delay) = delay {
                bot.wake(Wake::Conflict(delay, TERMINATED));
            }
            let (wake, waiting) = oneshot::channel();
            bot.idle = Some(IdlePoll { poll, wake });
            Start::Wait(waiting, limit, timeout)
        } else {
            Start::Ready(batch)
        };
        drop(state);
        self.changed.notify_waiters();
        start
    }

    fn take_batch(&self, bot_id: i64, poll: u64, limit: usize) -> Batch {
        let mut state = self.lock();
        let Some(bot) = state.bots.get_mut(&bot_id) else {
            return Batch::default();
        };
        if bot.idle.as_ref().is_some_and(|idle| idle.poll == poll) {
            bot.idle = None;
        }
        bot.updates.batch(limit)
    }

    /// Deletes updates that are too old, and records this in the ledger.
    pub(crate) fn drop_expired(&self, bot: &mut BotState, now_ms: i64) {
        let update_ids = bot.updates.expire(now_ms);
        if !update_ids.is_empty() {
            self.ledger().record(LedgerEvent::UpdatesDropped { bot: bot.spec.id, update_ids });
        }
    }
}

/// A poll that is open in the ledger; when the value is dropped unclosed, the client has gone.
struct OpenPoll {
    world: Arc<World>,
    bot: i64,
    poll: u64,
    closed: bool,
}

impl OpenPoll {
    fn open(world: &Arc<World>, bot_id: i64, request: &PollRequest) -> Self {
        let mut state = world.lock();
        state.next_poll += 1;
        let poll = state.next_poll;
        if let Some(bot) = state.bots.get_mut(&bot_id) {
            bot.open_polls += 1;
            bot.ever_polled = true;
        }
        world.ledger().record(LedgerEvent::PollOpened {
            bot: bot_id,
            poll,
            offset: request.offset,
            timeout_s: request.timeout_s,
            connection: request.connection.clone(),
        });
        Self { world: Arc::clone(world), bot: bot_id, poll, closed: false }
    }

    async fn conflict(self, delay: Duration, description: &str) -> ApiError {
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        self.close(PollEnd::Conflict, Vec::new());
        ApiError::new(409, description)
    }

    fn close(mut self, how: PollEnd, delivered: Vec<i64>) {
        self.end(how, delivered);
    }

    fn end(&mut self, how: PollEnd, delivered: Vec<i64>) {
        if self.closed {
            return;
        }
        self.closed = true;
        let mut state = self.world.lock();
        if let Some(bot) = state.bots.get_mut(&self.bot) {
            bot.open_polls = bot.open_polls.saturating_sub(1);
            bot.last_poll_end = Some(Instant::now());
            if bot.idle.as_ref().is_some_and(|idle| idle.poll == self.poll) {
                bot.idle = None;
            }
        }
        self.world.ledger().record(LedgerEvent::PollClosed { bot: self.bot, poll: self.poll, delivered, how });
    }
}

impl Drop for OpenPoll {
    fn drop(&mut self) {
        self.end(PollEnd::ClientGone, Vec::new());
    }
}
