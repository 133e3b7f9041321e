//! Polling: getUpdates -> ingest commit -> the chats. Layer `actors`. Keeps I1, I2, I5.
//!
//! The offset goes to Telegram only with the poll after the commit of the rows it confirms. Rows are handed to their
//! chats at once, while their commit is under way: the chats' commits queue behind it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;

use super::actor::{BotHealth, BotMsg, BotState};
use super::orders::obey;
use crate::actors::chat::actor::{ChatMsg, Content, Delivery};
use crate::actors::committer::{CommitError, CommitResult};
use crate::actors::fleet::actor::FleetMsg;
use crate::domain::commit::operation::{Ingest, Operation, Refusal};
use crate::domain::ids::ChatId;
use crate::domain::inbox::{InboxRow, Outcome, OutcomeKind, Source};
use crate::domain::incoming::{ChatKind, Event, Incoming};
use crate::domain::roster::BotProfile;
use crate::policy::backoff::BackoffSettings;
use crate::ports::telegram::{Me, ReceivedUpdate, TelegramError};

/// Waits between failed polls.
const POLL_BACKOFF: BackoffSettings =
    BackoffSettings { first: Duration::from_millis(250), max: Duration::from_secs(10) };

/// A refused token is tried again this often: its owner may have restored it.
const REFUSED_RETRY: Duration = Duration::from_mins(5);

/// Wait while the store cannot take rows: Telegram keeps the updates (I9).
const STORE_RETRY: Duration = Duration::from_millis(500);

/// Where a bot's polling stands.
pub(super) struct Polling {
    next_offset: Option<i64>,
    failures: u32,
    /// Chats that were not in memory when their rows came.
    absent: Vec<ChatId>,
    task: Option<AbortHandle>,
}

impl Polling {
    pub(super) fn new(profile: &BotProfile) -> Self {
        Self { next_offset: profile.next_offset, failures: 0, absent: Vec::new(), task: None }
    }

    pub(super) fn next_offset(&self) -> Option<i64> {
        self.next_offset
    }

    pub(super) fn cancel(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

impl BotState {
    pub(super) fn identify(&mut self) {
        if self.quiescing {
            return;
        }
        let (api, myself) = (Arc::clone(&self.api), self.myself.clone());
        self.tasks.spawn(async move {
            let _ = myself.cast(BotMsg::Identified(api.get_me().await));
        });
    }

    pub(super) fn on_identified(&mut self, result: Result<Me, TelegramError>) {
        match result {
            Ok(me) if me.id != self.profile.spec.telegram_id => {
                let reason =
                    format!("the token belongs to bot {}, the manifest says {}", me.id, self.profile.spec.telegram_id);
                tracing::error!(bot.id = %self.profile.id, "{reason}");
                self.health = BotHealth::Refused(reason);
            }
            Ok(me) => {
                if self.node.directory.set_username(self.profile.id, &me.username) {
                    for (_, chat) in self.node.directory.live_chats() {
                        let _ = chat.actor.cast(ChatMsg::CastChanged);
                    }
                }
                self.me = Some(me);
                self.polling.failures = 0;
                self.poll();
            }
            Err(error) => self.poll_failed(&error, || BotMsg::Identify),
        }
    }

    pub(super) fn poll(&mut self) {
        if self.quiescing {
            return;
        }
        if self.node.committer.is_saturated() {
            drop(self.myself.send_after(STORE_RETRY, || BotMsg::Poll));
            return;
        }
        if self.polling.failures == 0 {
            self.health = BotHealth::Polling;
        }
        let (api, myself) = (Arc::clone(&self.api), self.myself.clone());
        let (offset, timeout) = (self.polling.next_offset, self.settings.poll_timeout);
        self.polling.task = Some(self.tasks.spawn(async move {
            let _ = myself.cast(BotMsg::Polled(api.get_updates(offset, timeout).await));
        }));
    }

    pub(super) fn on_polled(&mut self, result: Result<Vec<ReceivedUpdate>, TelegramError>) {
        match result {
            Ok(updates) => {
                self.polling.failures = 0;
                match updates.last().map(|update| update.update_id.0 + 1) {
                    None => self.poll(),
                    Some(next_offset) => self.ingest(updates, next_offset),
                }
            }
            Err(error) => self.poll_failed(&error, || BotMsg::Poll),
        }
    }

    fn poll_failed(&mut self, error: &TelegramError, again: fn() -> BotMsg) {
        self.polling.failures += 1;
        metrics::counter!("botfleet_poll_failures_total", "error_type" => error.label()).increment(1);
        let wait = match error {
            TelegramError::RateLimited { retry_after } => *retry_after,
            TelegramError::Unauthorized(_) => REFUSED_RETRY,
            _ => POLL_BACKOFF.wait(self.polling.failures, self.node.jitter.next()),
        };
        self.health = match error {
            TelegramError::Unauthorized(reason) => BotHealth::Refused(reason.clone()),
            other => BotHealth::Degraded(other.to_string()),
        };
        if self.polling.failures.is_power_of_two() {
            tracing::warn!(bot.id = %self.profile.id, error = %error, failures = self.polling.failures, "polling failed");
        }
        drop(self.myself.send_after(wait, again));
    }

    fn ingest(&mut self, updates: Vec<ReceivedUpdate>, next_offset: i64) {
        metrics::counter!("botfleet_updates_received_total").increment(updates.len() as u64);
        let now = self.node.clock.now();
        let mut rows = Vec::with_capacity(updates.len());
        let mut deliveries: BTreeMap<ChatId, Vec<Delivery>> = BTreeMap::new();
        for update in updates {
            obey(&self.node, self.profile.id, &update.incoming);
            let (chat, outcome) = self.route(&update.incoming);
            let id = self.node.inbox_id();
            rows.push(InboxRow {
                id,
                chat,
                bot: self.profile.id,
                source: Source::Update(update.update_id),
                payload: update.raw,
                received_at: now,
                outcome,
            });
            if let Some(chat) = chat {
                deliveries.entry(chat).or_default().push(Delivery {
                    inbox: id,
                    bot: self.profile.id,
                    content: Content::Update(update.incoming),
                });
            }
        }
        let myself = self.myself.clone();
        let ingest = Ingest { bot: self.profile.id, epoch: self.node.epoch, next_offset, rows };
        self.node.committer.submit(Operation::Ingest(ingest), move |result| {
            let _ = myself.cast(BotMsg::Ingested(next_offset, result));
        });
        for (chat, deliveries) in deliveries {
            if !self.deliver(chat, deliveries) {
                self.polling.absent.push(chat);
            }
        }
    }

    /// Hands rows to their chat; false when it is not in memory or full, and must be woken after the commit.
    pub(super) fn deliver(&self, chat: ChatId, deliveries: Vec<Delivery>) -> bool {
        let Some(handle) = self.node.directory.chat(chat) else {
            return false;
        };
        handle.rows.try_admit(deliveries.len()) && handle.actor.cast(ChatMsg::Deliver(deliveries)).is_ok()
    }

    /// The chat that handles an update, or why none does.
    fn route(&self, incoming: &Incoming) -> (Option<ChatId>, Option<Outcome>) {
        let ignored = |reason: &str| (None, Some(Outcome::because(OutcomeKind::Ignored, reason)));
        match (&incoming.event, incoming.chat_kind, incoming.chat) {
            (Event::Undecodable { reason }, _, None) => ignored(&format!("undecodable: {reason}")),
            (Event::Other { name }, _, None) => ignored(&format!("kind {name} is not used")),
            (Event::MigratedTo { .. }, ChatKind::Group, Some(telegram))
                if self.node.directory.chat_of(telegram).is_some() =>
            {
                (self.node.directory.chat_of(telegram), None)
            }
            (_, ChatKind::Group, _) => ignored("a basic group numbers messages per bot: make it a supergroup"),
            (_, ChatKind::Private, _) => ignored("private chats are not served"),
            (_, _, Some(telegram)) => match self.node.directory.chat_of(telegram) {
                Some(chat) => (Some(chat), None),
                None => ignored("the chat is not in the manifest"),
            },
            (_, _, None) => ignored("names no chat"),
        }
    }

    pub(super) fn on_ingested(&mut self, next_offset: i64, result: CommitResult) {
        let absent = std::mem::take(&mut self.polling.absent);
        match result {
            Ok(_) => {
                self.polling.next_offset = Some(next_offset);
                for chat in absent {
                    self.wake(chat);
                }
                self.poll();
            }
            Err(CommitError::Refused(Refusal::Fenced)) => {
                tracing::warn!(bot.id = %self.profile.id, "another epoch owns this bot, it leaves this node");
                self.myself.stop(Some("fenced".to_owned()));
            }
            Err(error) => {
                self.health = BotHealth::Degraded(error.to_string());
                drop(self.myself.send_after(STORE_RETRY, || BotMsg::Poll));
            }
        }
    }

    /// Tells a chat that rows wait for it in the store.
    pub(super) fn wake(&self, chat: ChatId) {
        if let Some(handle) = self.node.directory.chat(chat) {
            let _ = handle.actor.cast(ChatMsg::Reconcile);
        } else if let Some(fleet) = self.node.directory.fleet() {
            let _ = fleet.cast(FleetMsg::WakeChat(chat));
        }
    }
}
