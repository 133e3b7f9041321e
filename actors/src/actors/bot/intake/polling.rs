//! Polls for updates: getUpdates -> ingest commit -> the chats. Layer `actors`. Keeps I1, I2, I5.
//!
//! An offset goes to Telegram only with the poll after the commit of the rows that it confirms. Rows are handed to
//! their chats at once, while that commit is under way: the chats' commits queue behind it.

use crate::actors::bot::effect::Effect;
use crate::actors::bot::intake::messages::IntakeMsg;
use crate::actors::bot::intake::{Intake, POLL_BACKOFF, note_limit};
use crate::actors::bot::snapshot::BotHealth;
use crate::actors::bot::surroundings::Desk;
use crate::actors::bot::ticket::Ticket;
use crate::actors::node::arrivals::REFUSALS_TOGETHER;
use crate::actors::node::bound::BOUND_RETRY;
use crate::actors::node::committer::{CommitError, CommitResult, STORE_RETRY};
use crate::domain::commit::outcome::Refusal;
use crate::domain::ids::ChatId;
use crate::domain::pause::PAUSE_MAX;
use crate::domain::roster::BotProfile;
use crate::ports::bus::Hint;
use crate::ports::metrics;
use crate::ports::telegram::{ReceivedUpdate, TelegramError};

/// The state of a bot's polling.
pub(super) struct Polling {
    next_offset: Option<i64>,
    failures: u32,
    /// Chats that did not take their rows from memory; they are woken after the commit.
    absent: Vec<ChatId>,
    /// Polls whose connections are not closed yet.
    open: usize,
    /// True when the open poll was cancelled: its connection closes soon.
    closing: bool,
    /// True while rows of the last poll are being committed.
    ingesting: bool,
    /// The number of ingest commits in a row that the store refused.
    refusals: u32,
    /// True when a poll was asked for that could not begin; one begins as soon as it can.
    wanted: bool,
}

impl Polling {
    pub(super) fn new(profile: &BotProfile) -> Self {
        Self {
            next_offset: profile.next_offset,
            failures: 0,
            absent: Vec::new(),
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

    /// Notes a chat that did not take its rows from memory.
    pub(super) fn not_delivered(&mut self, chat: ChatId) {
        self.absent.push(chat);
    }

    /// Notes that a call succeeded.
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Returns whether a poll's connection is open.
    pub(super) fn is_open(&self) -> bool {
        self.open > 0
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
    fn closed(&mut self) -> bool {
        self.open = self.open.saturating_sub(1);
        self.closing &= self.open > 0;
        self.open == 0 && !self.ingesting && std::mem::take(&mut self.wanted)
    }
}

impl Intake {
    /// Cancels the open poll.
    pub(super) fn cancel_poll(&mut self, desk: &mut Desk<'_, '_>) {
        desk.ask(Effect::CancelPoll);
        self.polling.closing = self.polling.open > 0;
    }

    /// Begins a poll, unless something keeps it; then one begins once that has passed.
    pub(in crate::actors::bot) fn poll(&mut self, desk: &mut Desk<'_, '_>) {
        let site = desk.site();
        if site.stay().is_closing() || !self.polls() || self.waits_for_pause(IntakeMsg::Poll, desk) {
            return;
        }
        if !self.polling.may_begin() {
            return;
        }
        if !site.may_act() {
            self.health = BotHealth::Degraded("the node's beats do not reach the store".to_owned());
            return self.again_after(BOUND_RETRY, IntakeMsg::Poll, desk);
        }
        if site.store_is_saturated() {
            return self.again_after(STORE_RETRY, IntakeMsg::Poll, desk);
        }
        if self.polling.failures == 0 {
            self.health = BotHealth::Polling;
        }
        self.polling.open += 1;
        desk.ask(Effect::Poll { ticket: self.ticket, offset: self.polling.next_offset });
    }

    pub(super) fn on_poll(&mut self, ticket: Ticket, desk: &mut Desk<'_, '_>) {
        if ticket == self.ticket {
            self.poll(desk);
        }
    }

    pub(super) fn on_poll_closed(&mut self, desk: &mut Desk<'_, '_>) {
        if self.polling.closed() {
            self.poll(desk);
        }
    }

    /// Handles the end of a poll. Updates under an earlier ticket are left with Telegram: nobody has confirmed them.
    pub(super) fn on_polled(
        &mut self,
        ticket: Ticket,
        result: Result<Vec<ReceivedUpdate>, TelegramError>,
        desk: &mut Desk<'_, '_>,
    ) {
        if ticket != self.ticket {
            return note_limit(&result, desk);
        }
        match result {
            Ok(updates) => {
                self.polling.failures = 0;
                match updates.last().map(|update| update.update_id.0 + 1) {
                    None => self.poll(desk),
                    Some(next_offset) => {
                        self.polling.ingesting = true;
                        let apart = self.polling.refusals >= REFUSALS_TOGETHER;
                        desk.ask(Effect::Ingest { ticket, updates, next_offset, apart });
                    }
                }
            }
            // The node's own bound closed the poll: no failure of Telegram's.
            Err(_) if !desk.site().may_act() => self.poll(desk),
            Err(error) => self.poll_failed(&error, IntakeMsg::Poll, desk),
        }
    }

    /// Handles a failed poll or getMe: `again` follows after a backoff.
    pub(super) fn poll_failed(
        &mut self,
        error: &TelegramError,
        again: fn(Ticket) -> IntakeMsg,
        desk: &mut Desk<'_, '_>,
    ) {
        let site = desk.site();
        if site.stay().is_closing() {
            return;
        }
        self.polling.failures += 1;
        metrics::poll_failures_total { error_type: error.label() }.increment(1);
        let failures = self.polling.failures;
        if failures.is_power_of_two() {
            tracing::warn!(bot.id = %site.profile().id, error = %error, failures, "polling failed");
        }
        if let TelegramError::Unauthorized(reason) = error {
            return self.refused(reason, desk);
        }
        let wait = match error {
            TelegramError::RateLimited { retry_after } => {
                desk.outbox.limited(None, *retry_after, desk.step);
                (*retry_after).min(PAUSE_MAX)
            }
            _ => POLL_BACKOFF.wait(failures, site.random()),
        };
        self.health = BotHealth::Degraded(error.to_string());
        let again = if matches!(error, TelegramError::WebhookSet(_)) { IntakeMsg::LookAtWebhook } else { again };
        self.again_after(wait, again, desk);
    }

    pub(super) fn on_ingested(
        &mut self,
        ticket: Ticket,
        next_offset: i64,
        result: CommitResult,
        desk: &mut Desk<'_, '_>,
    ) {
        let absent = std::mem::take(&mut self.polling.absent);
        self.polling.ingesting = false;
        let wanted = std::mem::take(&mut self.polling.wanted);
        let current = ticket == self.ticket;
        match result {
            Ok(_) => {
                self.polling.refusals = 0;
                for chat in absent {
                    desk.ask(Effect::Tell(Hint::Chat(chat)));
                }
                if current {
                    self.polling.next_offset = Some(next_offset);
                    self.poll(desk);
                }
            }
            // Nothing may follow: no poll of a bot that another node owns.
            Err(CommitError::Refused(Refusal::Fenced)) => return desk.ask(Effect::Fenced),
            Err(_) if !current => {}
            Err(error) => {
                self.polling.refusals += u32::from(matches!(error, CommitError::Refused(_)));
                self.health = BotHealth::Degraded(error.to_string());
                self.again_after(STORE_RETRY, IntakeMsg::Poll, desk);
            }
        }
        if wanted && !current {
            self.poll(desk);
        }
    }
}
