//! The intake of a bot as a pure machine: it is told what happened, and asks for effects. Layer `actors`. Keeps I1, I2,
//! I5.
//!
//! | file | holds |
//! |---|---|
//! | `mod`, `messages` | the delivery mode in force, who the bot is at Telegram, and what the intake is told |
//! | `polling` | getUpdates -> ingest commit -> the chats |
//! | `webhook` | setWebhook, looks at it, and the change of the delivery mode |

pub mod messages;
mod polling;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use crate::actors::bot::effect::Effect;
use crate::actors::bot::intake::messages::IntakeMsg;
use crate::actors::bot::intake::polling::Polling;
use crate::actors::bot::messages::BotMsg;
use crate::actors::bot::snapshot::BotHealth;
use crate::actors::bot::surroundings::Desk;
use crate::actors::bot::ticket::{Ticket, Tickets};
use crate::domain::ids::ChatId;
use crate::domain::roster::{BotProfile, DeliveryChoice, DeliveryMode};
use crate::domain::silence::Silence;
use crate::policy::backoff::BackoffSettings;
use crate::ports::telegram::{Me, TelegramError, WebhookStatus};

/// Waits between failed polls, and between failed calls about webhooks.
const POLL_BACKOFF: BackoffSettings =
    BackoffSettings { first: Duration::from_millis(250), max: Duration::from_secs(10) };

/// The intake of a bot.
pub(super) struct Intake {
    /// The delivery mode in force, as stored.
    choice: DeliveryChoice,
    phase: Phase,
    /// Telegram's last report on the webhook.
    status: WebhookStatus,
    /// Changes with every opening and closing, so that the late result of an earlier poll or call is ignored.
    ticket: Ticket,
    tickets: Tickets,
    /// Failed calls about webhooks in a row.
    failures: u32,
    polling: Polling,
    health: BotHealth,
    /// The bot's identity at Telegram, once it is known.
    me: Option<Arc<Me>>,
    /// True when the configuration has chosen another delivery mode since the bot came here.
    chosen: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No intake is open: Telegram has not confirmed the token yet, or refuses it.
    Closed,
    /// The intake is open, or being opened.
    Open,
    /// A change of the delivery mode is being committed.
    Changing,
}

impl Intake {
    /// Creates an intake that neither polls nor has a webhook set: it opens once Telegram has confirmed the token.
    pub(super) fn new(profile: &BotProfile) -> Self {
        let mut tickets = Tickets::default();
        Self {
            choice: profile.delivery.clone(),
            phase: Phase::Closed,
            status: WebhookStatus::default(),
            ticket: tickets.take(),
            tickets,
            failures: 0,
            polling: Polling::new(profile),
            health: BotHealth::Starting,
            me: None,
            chosen: false,
        }
    }

    /// Handles a message.
    pub(super) fn handle(&mut self, message: IntakeMsg, desk: &mut Desk<'_, '_>) {
        match message {
            IntakeMsg::Identify => self.identify(desk),
            IntakeMsg::Identified(result) => self.on_identified(result, desk),
            IntakeMsg::Poll(ticket) => self.on_poll(ticket, desk),
            IntakeMsg::Polled(ticket, result) => self.on_polled(ticket, result, desk),
            IntakeMsg::PollClosed => self.on_poll_closed(desk),
            IntakeMsg::Ingested(ticket, next_offset, result) => self.on_ingested(ticket, next_offset, result, desk),
            IntakeMsg::SetDelivery(mode, order, reply) => self.on_set_delivery(mode, order, reply, desk),
            IntakeMsg::DeliveryChanged(choice, result, reply) => {
                self.on_delivery_changed(choice, result, reply, desk);
            }
            IntakeMsg::SetWebhook(ticket) => self.on_set_webhook(ticket, desk),
            IntakeMsg::WebhookSet(ticket, result) => self.on_webhook_set(ticket, result, desk),
            IntakeMsg::DeleteWebhook(ticket) => self.on_delete_webhook(ticket, desk),
            IntakeMsg::WebhookDeleted(ticket, result) => self.on_webhook_deleted(ticket, result, desk),
            IntakeMsg::LookAtWebhook(ticket) => self.look_at_webhook(ticket, desk),
            IntakeMsg::WebhookSeen(ticket, result) => self.on_webhook_seen(ticket, result, desk),
        }
    }

    pub(super) fn mode(&self) -> DeliveryMode {
        self.choice.mode
    }

    pub(super) fn status(&self) -> &WebhookStatus {
        &self.status
    }

    pub(super) fn health(&self) -> &BotHealth {
        &self.health
    }

    /// Returns the bot's identity at Telegram, once it is known.
    pub(super) fn me(&self) -> Option<&Arc<Me>> {
        self.me.as_ref()
    }

    pub(super) fn next_offset(&self) -> Option<i64> {
        self.polling.next_offset()
    }

    /// Continues with what the store holds, unless the intake has been open.
    pub(super) fn go_on_from(&mut self, offset: Option<i64>, choice: Option<DeliveryChoice>) {
        if self.phase == Phase::Closed && self.me.is_none() && !self.chosen {
            self.polling.go_on_from(offset);
            self.choice = choice.unwrap_or_default();
        }
    }

    /// Notes a chat that did not take its rows from memory; it is woken after their commit.
    pub(super) fn not_delivered(&mut self, chat: ChatId) {
        self.polling.not_delivered(chat);
    }

    /// Returns whether a poll's connection is open.
    pub(super) fn is_polling(&self) -> bool {
        self.polling.is_open()
    }

    fn polls(&self) -> bool {
        self.choice.mode == DeliveryMode::Polling && self.phase == Phase::Open
    }

    /// Opens the intake of the delivery mode in force, and no other: earlier polls and calls are cancelled or stale. A
    /// change that is being committed opens its own intake at its end.
    pub(super) fn open(&mut self, desk: &mut Desk<'_, '_>) {
        if desk.site().stay().is_closing() || self.phase == Phase::Changing {
            return;
        }
        self.stop(desk);
        self.phase = Phase::Open;
        self.failures = 0;
        match self.mode() {
            DeliveryMode::Polling => self.poll(desk),
            DeliveryMode::Webhook => self.set_webhook(desk),
        }
    }

    /// Cancels the open poll; what still comes of it and of other calls is stale.
    pub(super) fn stop(&mut self, desk: &mut Desk<'_, '_>) {
        self.cancel_poll(desk);
        self.renew_ticket();
    }

    /// Ends the intake, since the bot's node stops or the bot goes.
    pub(super) fn quiesce(&mut self, desk: &mut Desk<'_, '_>) {
        self.health = BotHealth::Quiescing;
        self.cancel_poll(desk);
    }

    /// Closes the poll at once and asks for the next one, since the node may not act: that poll begins when it may.
    pub(super) fn suspend(&mut self, desk: &mut Desk<'_, '_>) {
        if self.polls() && !desk.site().stay().is_closing() {
            self.stop(desk);
            self.poll(desk);
        }
    }

    /// Takes over a changed configuration. `replaced`: the token is another one.
    pub(super) fn on_profile_changed(
        &mut self,
        before: &BotProfile,
        now: &BotProfile,
        replaced: bool,
        desk: &mut Desk<'_, '_>,
    ) {
        let way_changed = before.spec.delivery != now.spec.delivery && now.delivery.mode != self.mode();
        if way_changed {
            self.choice = now.delivery.clone();
            self.chosen = true;
            self.polling.forget_offset();
        }
        // The address of a webhook holds the bot's name.
        let renamed = before.spec.name != now.spec.name && self.mode() == DeliveryMode::Webhook;
        if desk.site().stay().is_closing() {
        } else if replaced {
            self.stop(desk);
            self.identify(desk);
        } else if way_changed || renamed {
            self.open(desk);
        }
    }

    /// Asks Telegram who the token belongs to.
    pub(super) fn identify(&mut self, desk: &mut Desk<'_, '_>) {
        if desk.site().stay().is_closing() {
            return;
        }
        // A pause that an earlier process was asked for holds for every call without a chat.
        if let Some(wait) = desk.outbox.limiter().calls_pause() {
            return desk.ask(Effect::After(wait, BotMsg::Intake(IntakeMsg::Identify)));
        }
        let renew = matches!(self.health, BotHealth::Refused(_));
        desk.ask(Effect::Identify { renew });
    }

    /// Takes the answer of getMe, or what the node learned when it warmed up for the bot.
    pub(super) fn on_identified(&mut self, result: Result<Me, TelegramError>, desk: &mut Desk<'_, '_>) {
        let telegram_id = desk.site().profile().spec.telegram_id;
        match result {
            Ok(me) if me.id != telegram_id => {
                let reason = format!("the token belongs to bot {}, the manifest says {telegram_id}", me.id);
                self.refused(&reason, desk);
            }
            Ok(me) => {
                desk.ask(Effect::LearnUsername(me.username.clone()));
                self.me = Some(Arc::new(me));
                self.polling.succeeded();
                self.health = BotHealth::Starting;
                desk.ask(Effect::Silence(None));
                self.open(desk);
            }
            Err(error) => self.poll_failed(&error, |_| IntakeMsg::Identify, desk),
        }
    }

    /// Handles a refused token: looks it up again after a while, since its owner may have replaced or restored it.
    fn refused(&mut self, reason: &str, desk: &mut Desk<'_, '_>) {
        if !matches!(self.health, BotHealth::Refused(_)) {
            let bot = desk.site().profile().id;
            tracing::error!(bot.id = %bot, reason, "the token is refused: put a valid one where it comes from");
        }
        self.health = BotHealth::Refused(reason.to_owned());
        desk.ask(Effect::Silence(Some(Silence::Refused)));
        self.renew_ticket();
        self.phase = Phase::Closed;
        let wait = desk.site().settings().refused_retry;
        desk.ask(Effect::After(wait, BotMsg::Intake(IntakeMsg::Identify)));
    }

    fn renew_ticket(&mut self) {
        self.ticket = self.tickets.take();
    }

    /// Returns whether calls without a chat are paused; `again` follows when the pause is over.
    fn waits_for_pause(&self, again: fn(Ticket) -> IntakeMsg, desk: &mut Desk<'_, '_>) -> bool {
        let wait = desk.outbox.limiter().calls_pause();
        wait.map(|wait| self.again_after(wait, again, desk)).is_some()
    }

    fn again_after(&self, wait: Duration, again: fn(Ticket) -> IntakeMsg, desk: &mut Desk<'_, '_>) {
        desk.ask(Effect::After(wait, BotMsg::Intake(again(self.ticket))));
    }
}

/// Notes the pause that a late answer asks for, and ignores the rest of the answer.
fn note_limit<T>(result: &Result<T, TelegramError>, desk: &mut Desk<'_, '_>) {
    if let Err(TelegramError::RateLimited { retry_after }) = result {
        desk.outbox.limited(None, *retry_after, desk.step);
    }
}

#[cfg(test)]
mod tests;
