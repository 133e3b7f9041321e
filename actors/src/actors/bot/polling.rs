//! Polls for updates: getUpdates -> ingest commit -> the chats. Layer `actors`. Keeps I1, I2, I5.
//!
//! An offset goes to Telegram only with the poll after the commit of the rows that it confirms. Rows are handed to
//! their chats at once, while that commit is under way: the chats' commits queue behind it.

use std::sync::Arc;
use std::time::Duration;

use ractor::ActorRef;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::actors::bot::messages::BotMsg;
use crate::actors::bot::perform::BOUND_RETRY;
use crate::actors::bot::snapshot::BotHealth;
use crate::actors::bot::state::BotState;
use crate::actors::chat::messages::ChatMsg;
use crate::actors::node::Node;
use crate::actors::node::arrivals::{REFUSALS_TOGETHER, Sorted, refuse_row, sorted};
use crate::actors::node::committer::{CommitError, CommitResult, STORE_RETRY};
use crate::domain::commit::operations::{Ingest, Operation};
use crate::domain::commit::outcome::{Applied, Refusal};
use crate::domain::ids::ChatId;
use crate::domain::inbox::InboxRow;
use crate::domain::pause::PAUSE_MAX;
use crate::domain::roster::BotProfile;
use crate::policy::backoff::BackoffSettings;
use crate::ports::telegram::{Me, ReceivedUpdate, TelegramError};

/// Waits between failed polls.
pub(super) const POLL_BACKOFF: BackoffSettings =
    BackoffSettings { first: Duration::from_millis(250), max: Duration::from_secs(10) };

/// The wait from which on a poll's updates are fresh: Telegram had none when the poll began.
const HAD_NOTHING: Duration = Duration::from_secs(2);

/// Deadline of a call that changes nothing or may be repeated; the adapter's own deadlines are shorter.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_mins(1);

/// Returns a call's answer, or an error when there was none in time (I7).
pub(super) async fn answered<T>(
    within: Duration,
    call: impl Future<Output = Result<T, TelegramError>>,
) -> Result<T, TelegramError> {
    let late = |_| TelegramError::Unreachable(format!("no answer within {within:?}"));
    tokio::time::timeout(within, call).await.unwrap_or_else(|elapsed| Err(late(elapsed)))
}

/// The state of a bot's polling.
pub(super) struct Polling {
    next_offset: Option<i64>,
    failures: u32,
    /// Chats that did not take their rows from memory; they are woken after the commit.
    absent: Vec<ChatId>,
    task: Option<AbortHandle>,
    /// Polls whose connections are not closed yet.
    pub(super) open: usize,
    /// True when the open poll was cancelled: its connection closes soon.
    closing: bool,
    /// True while rows of the last poll are being committed.
    ingesting: bool,
    /// Successive refusals of ingest commits.
    refusals: u32,
    /// True when a poll was asked for that could not begin; one begins as soon as it can.
    wanted: bool,
}

/// Tells the bot that a poll's connection is closed, however the poll ends.
struct OpenPoll(ActorRef<BotMsg>);

impl Drop for OpenPoll {
    fn drop(&mut self) {
        let _ = self.0.cast(BotMsg::PollClosed);
    }
}

impl Polling {
    pub(super) fn new(profile: &BotProfile) -> Self {
        Self {
            next_offset: profile.next_offset,
            failures: 0,
            absent: Vec::new(),
            task: None,
            open: 0,
            closing: false,
            ingesting: false,
            refusals: 0,
            wanted: false,
        }
    }

    pub(super) fn next_offset(&self) -> Option<i64> {
        self.next_offset
    }

    /// Continues at the offset that the store holds.
    pub(super) fn go_on_from(&mut self, offset: Option<i64>) {
        self.next_offset = offset;
    }

    /// Forgets the offset: the next poll, the one after webhooks, confirms nothing (I1).
    pub(super) fn forget_offset(&mut self) {
        self.next_offset = None;
    }

    pub(super) fn cancel(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
        self.closing = self.open > 0;
    }

    /// Returns whether a poll may begin: at most one is open or being committed, while timers, beats and answers all
    /// ask for polls. A request is kept while a cancelled poll closes or rows are committed; an open poll begins its
    /// own successor.
    fn may_begin(&mut self) -> bool {
        let free = self.open == 0 && !self.ingesting;
        self.wanted = !free && (self.closing || self.ingesting);
        free
    }

    /// Notes that a poll's connection is closed; returns whether another poll is to begin for that reason.
    pub(super) fn closed(&mut self) -> bool {
        self.open = self.open.saturating_sub(1);
        self.closing &= self.open > 0;
        self.open == 0 && !self.ingesting && std::mem::take(&mut self.wanted)
    }
}

impl BotState {
    pub(super) fn identify(&mut self) {
        if self.is_closing() {
            return;
        }
        // A pause that an earlier process was asked for holds for every call without a chat.
        if let Some(wait) = self.outbox.limiter().calls_pause() {
            drop(self.myself.send_after(wait, || BotMsg::Identify));
            return;
        }
        let renew = matches!(self.health, BotHealth::Refused(_));
        let (api, myself) = (Arc::clone(&self.api), self.myself.clone());
        let bot = self.profile.id;
        self.tasks.spawn(async move {
            if renew && api.renew_token() {
                tracing::info!(bot.id = %bot, "the token was replaced");
            }
            let _ = myself.cast(BotMsg::Identified(answered(ANSWER_WITHIN, api.get_me()).await));
        });
    }

    pub(super) fn on_identified(&mut self, result: Result<Me, TelegramError>) {
        match result {
            Ok(me) if me.id != self.profile.spec.telegram_id => {
                let reason =
                    format!("the token belongs to bot {}, the manifest says {}", me.id, self.profile.spec.telegram_id);
                self.refused(&reason);
            }
            Ok(me) => {
                self.learn_username(&me.username);
                self.me = Some(me);
                self.polling.failures = 0;
                self.health = BotHealth::Starting;
                self.set_silence(None);
                self.open_intake();
            }
            Err(error) => self.poll_failed(&error, |_| BotMsg::Identify),
        }
    }

    /// Tells this node's chats the username, and the store when the name is news to the fleet.
    fn learn_username(&mut self, username: &str) {
        let (node, bot) = (Arc::clone(&self.node), self.profile.id);
        if node.directory.bot_profile(bot).is_none_or(|known| known.username.as_deref() != Some(username)) {
            let username = username.to_owned();
            self.tasks.spawn(async move {
                if let Err(error) = node.store.set_username(bot, &username).await {
                    tracing::warn!(bot.id = %bot, error = %error, "the bot's username could not be stored");
                }
            });
        }
        if self.node.directory.set_username(bot, username) {
            for (_, chat) in self.node.directory.live_chats() {
                let _ = chat.actor.cast(ChatMsg::CastChanged);
            }
        }
    }

    pub(super) fn poll(&mut self) {
        if self.is_closing() || !self.intake.polls() || self.waits_for_pause(BotMsg::Poll) {
            return;
        }
        if !self.polling.may_begin() {
            return;
        }
        let generation = self.intake.generation;
        if !self.node.may_act() {
            self.health = BotHealth::Degraded("the node's beats do not reach the store".to_owned());
            drop(self.myself.send_after(BOUND_RETRY, move || BotMsg::Poll(generation)));
            return;
        }
        if self.node.committer.is_saturated() {
            drop(self.myself.send_after(STORE_RETRY, move || BotMsg::Poll(generation)));
            return;
        }
        if self.polling.failures == 0 {
            self.health = BotHealth::Polling;
        }
        let (api, myself) = (Arc::clone(&self.api), self.myself.clone());
        let (offset, timeout) = (self.polling.next_offset, self.settings.poll_timeout);
        let open = OpenPoll(myself.clone());
        self.polling.open += 1;
        let clock = Arc::clone(&self.node.clock);
        self.polling.task = Some(self.tasks.spawn(async move {
            let begun = Instant::now();
            let result = answered(timeout + ANSWER_WITHIN, api.get_updates(offset, timeout)).await;
            drop(open);
            // Telegram had nothing when the poll began: the updates have just happened.
            if let (Ok(updates), true) = (&result, begun.elapsed() >= HAD_NOTHING)
                && let Some(date) = updates.iter().filter_map(|update| update.incoming.date()).max()
            {
                clock.telegram_updated(date);
            }
            let _ = myself.cast(BotMsg::Polled(generation, result));
        }));
    }

    pub(super) fn on_poll(&mut self, generation: u64) {
        if generation == self.intake.generation {
            self.poll();
        }
    }

    /// Handles the end of a poll. Updates of an earlier generation are left with Telegram: nobody has confirmed them.
    pub(super) fn on_polled(&mut self, generation: u64, result: Result<Vec<ReceivedUpdate>, TelegramError>) {
        if generation != self.intake.generation {
            return self.note_limit(&result);
        }
        match result {
            Ok(updates) => {
                self.polling.failures = 0;
                match updates.last().map(|update| update.update_id.0 + 1) {
                    None => self.poll(),
                    Some(next_offset) => self.ingest(updates, next_offset),
                }
            }
            // The node's own bound closed the poll: no failure of Telegram's.
            Err(_) if !self.node.may_act() => self.poll(),
            Err(error) => self.poll_failed(&error, BotMsg::Poll),
        }
    }

    fn poll_failed(&mut self, error: &TelegramError, again: fn(u64) -> BotMsg) {
        if self.is_closing() {
            return;
        }
        self.polling.failures += 1;
        metrics::counter!("botfleet_poll_failures_total", "error_type" => error.label()).increment(1);
        if self.polling.failures.is_power_of_two() {
            tracing::warn!(bot.id = %self.profile.id, error = %error, failures = self.polling.failures, "polling failed");
        }
        if let TelegramError::Unauthorized(reason) = error {
            return self.refused(reason);
        }
        let wait = match error {
            TelegramError::RateLimited { retry_after } => {
                self.on_limited(None, *retry_after);
                (*retry_after).min(PAUSE_MAX)
            }
            _ => POLL_BACKOFF.wait(self.polling.failures, self.node.jitter.next()),
        };
        self.health = BotHealth::Degraded(error.to_string());
        let generation = self.intake.generation;
        let again = if keeps_from_polling(error) { BotMsg::LookAtWebhook } else { again };
        drop(self.myself.send_after(wait, move || again(generation)));
    }

    fn ingest(&mut self, updates: Vec<ReceivedUpdate>, next_offset: i64) {
        let Sorted { rows, deliveries, strange } = sorted(&self.node, self.profile.id, updates);
        let (myself, generation) = (self.myself.clone(), self.intake.generation);
        let ingest = Ingest { bot: self.profile.id, epoch: self.epoch, next_offset, rows };
        self.polling.ingesting = true;
        let done = move |result: CommitResult| {
            if result.is_ok() && !strange.is_empty() {
                let _ = myself.cast(BotMsg::LeaveChats(strange));
            }
            let _ = myself.cast(BotMsg::Ingested(generation, next_offset, result));
        };
        if self.polling.refusals >= REFUSALS_TOGETHER {
            let node = Arc::clone(&self.node);
            self.tasks.spawn(async move { done(ingest_apart(&node, ingest).await) });
            self.polling.absent.extend(deliveries.into_keys());
            return;
        }
        self.node.committer.submit(Operation::Ingest(ingest), done);
        for (chat, deliveries) in deliveries {
            if !self.deliver(chat, deliveries) {
                self.polling.absent.push(chat);
            }
        }
    }

    pub(super) fn on_ingested(&mut self, generation: u64, next_offset: i64, result: CommitResult) {
        let absent = std::mem::take(&mut self.polling.absent);
        self.polling.ingesting = false;
        let wanted = std::mem::take(&mut self.polling.wanted);
        let current = generation == self.intake.generation;
        match result {
            Ok(_) => {
                self.polling.refusals = 0;
                self.node.wake_chats(absent);
                if current {
                    self.polling.next_offset = Some(next_offset);
                    self.poll();
                }
            }
            Err(CommitError::Refused(Refusal::Fenced)) => {
                self.on_fenced();
            }
            Err(_) if !current => {}
            Err(error) => {
                self.polling.refusals += u32::from(matches!(error, CommitError::Refused(_)));
                self.health = BotHealth::Degraded(error.to_string());
                drop(self.myself.send_after(STORE_RETRY, move || BotMsg::Poll(generation)));
            }
        }
        if wanted && !current {
            self.poll();
        }
    }
}

/// Stores rows one at a time, each with the offset that confirms it. A row that is refused alone is a dead letter.
async fn ingest_apart(node: &Node, ingest: Ingest) -> CommitResult {
    let Ingest { bot, epoch, next_offset, rows } = ingest;
    for row in rows {
        let next_offset = row.source.update().map_or(next_offset, |update| update.0 + 1);
        let alone = |row: InboxRow| Operation::Ingest(Ingest { bot, epoch, next_offset, rows: vec![row] });
        match node.committer.commit(alone(row.clone())).await {
            Err(CommitError::Refused(refusal)) if refusal != Refusal::Fenced => {
                node.committer.commit(alone(refuse_row(node, &row, &refusal))).await?;
            }
            result => drop(result?),
        }
    }
    Ok(Applied::Done)
}

/// Returns whether an error says that a webhook keeps the bot from polling.
///
/// # Source
/// tdlib/telegram-bot-api: 409 `can't use getUpdates method while webhook is active`; another poller's 409 says
/// `terminated by other getUpdates request`, or `terminated by setWebhook request`.
fn keeps_from_polling(error: &TelegramError) -> bool {
    matches!(error, TelegramError::Conflict(words) if words.to_ascii_lowercase().contains("webhook"))
}
