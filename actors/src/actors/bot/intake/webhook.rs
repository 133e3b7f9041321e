//! Controls how updates reach a bot, and changes the delivery mode. Layer `actors`. Keeps I1, I2.
//!
//! The delivery mode in force is a row of the store. The actor works towards it, and each step may be repeated:
//!
//! | from | to | steps |
//! |---|---|---|
//! | polling | webhook | end the poll, commit its ingest; commit: mode, address stored, offset forgotten; setWebhook |
//! | webhook | polling | commit: mode stored, offset forgotten; deleteWebhook keeps updates; poll without offset |
//!
//! A crash between two steps begins again with the stored mode. An update that both modes bring is stored once (I2).

use std::time::Duration;

use crate::actors::bot::effect::{Effect, Then};
use crate::actors::bot::intake::messages::{DeliveryError, DeliveryReply, IntakeMsg};
use crate::actors::bot::intake::{Intake, POLL_BACKOFF, Phase, note_limit};
use crate::actors::bot::snapshot::BotHealth;
use crate::actors::bot::surroundings::Desk;
use crate::actors::bot::ticket::Ticket;
use crate::actors::node::committer::{CommitError, CommitResult};
use crate::actors::node::webhooks::host_of;
use crate::domain::commit::operations::{Operation, SetDelivery};
use crate::domain::commit::outcome::Refusal;
use crate::domain::operator_order::OrderStep;
use crate::domain::pause::PAUSE_MAX;
use crate::domain::roster::{DeliveryChoice, DeliveryMode};
use crate::ports::metrics;
use crate::ports::telegram::{TelegramError, WebhookStatus};

/// Time between looks at a webhook: is it still ours, and what does Telegram say of it?
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Time until the next look at a webhook of another program.
const FOREIGN_RETRY: Duration = Duration::from_secs(30);

impl Intake {
    pub(super) fn on_set_delivery(
        &mut self,
        mode: DeliveryMode,
        order: Option<OrderStep>,
        reply: DeliveryReply,
        desk: &mut Desk<'_, '_>,
    ) {
        let answer = if desk.site().stay().is_closing() || self.phase == Phase::Changing {
            Err(DeliveryError::Busy)
        } else if mode == self.mode() {
            Ok(())
        } else if mode == DeliveryMode::Webhook && desk.site().webhook_target().is_none() {
            Err(DeliveryError::WebhooksOff)
        } else {
            self.change_delivery(mode, order, Some(reply), desk);
            return;
        };
        let _ = reply.send(answer);
    }

    /// Closes the intake and stores the delivery mode. An ingest in hand was submitted before, so it commits before.
    fn change_delivery(
        &mut self,
        mode: DeliveryMode,
        order: Option<OrderStep>,
        reply: Option<DeliveryReply>,
        desk: &mut Desk<'_, '_>,
    ) {
        self.stop(desk);
        self.phase = Phase::Changing;
        let webhook_url = match mode {
            DeliveryMode::Webhook => desk.site().webhook_target().map(|target| target.url),
            DeliveryMode::Polling => self.choice.webhook_url.clone(),
        };
        let choice = DeliveryChoice { mode, webhook_url };
        let (bot, epoch) = (desk.site().profile().id, desk.site().epoch());
        let change = Operation::SetDelivery(SetDelivery { bot, epoch, choice: choice.clone(), order });
        desk.ask(Effect::Commit(change, Then::DeliveryChanged(choice, reply)));
    }

    pub(super) fn on_delivery_changed(
        &mut self,
        choice: DeliveryChoice,
        result: CommitResult,
        reply: Option<DeliveryReply>,
        desk: &mut Desk<'_, '_>,
    ) {
        let answer = match result {
            Ok(_) => {
                tracing::info!(bot.id = %desk.site().profile().id, mode = choice.mode.as_str(), "updates arrive in another way");
                self.polling.forget_offset();
                self.choice = choice;
                self.status = WebhookStatus::default();
                self.phase = Phase::Open;
                // The next owner of the bot continues from what is stored.
                if !desk.site().stay().is_closing() {
                    match self.mode() {
                        DeliveryMode::Polling => self.delete_webhook(desk),
                        DeliveryMode::Webhook => self.set_webhook(desk),
                    }
                }
                Ok(())
            }
            Err(CommitError::Refused(Refusal::Fenced)) => {
                desk.ask(Effect::Fenced);
                Err(DeliveryError::Busy)
            }
            Err(error) => {
                self.phase = Phase::Closed;
                self.open(desk);
                Err(DeliveryError::Store(error.to_string()))
            }
        };
        if let Some(reply) = reply {
            let _ = reply.send(answer);
        }
    }

    /// Tells Telegram where to deliver updates. The address is stored first, so that it is known as our own.
    pub(super) fn set_webhook(&mut self, desk: &mut Desk<'_, '_>) {
        if desk.site().stay().is_closing() || self.waits_for_pause(IntakeMsg::SetWebhook, desk) {
            return;
        }
        let Some(target) = desk.site().webhook_target() else {
            let reason = "it is set to webhooks, and webhooks are off: set webhooks.public_url, or set it to polling";
            if !matches!(self.health, BotHealth::Degraded(_)) {
                tracing::error!(bot.id = %desk.site().profile().id, "{reason}");
            }
            self.health = BotHealth::Degraded(reason.to_owned());
            return;
        };
        if self.choice.webhook_url.as_ref() != Some(&target.url) {
            return self.change_delivery(DeliveryMode::Webhook, None, None, desk);
        }
        desk.ask(Effect::SetWebhook(self.ticket, target));
    }

    pub(super) fn on_webhook_set(
        &mut self,
        ticket: Ticket,
        result: Result<(), TelegramError>,
        desk: &mut Desk<'_, '_>,
    ) {
        if ticket != self.ticket || desk.site().stay().is_closing() {
            return note_limit(&result, desk);
        }
        match result {
            Ok(()) => {
                self.failures = 0;
                self.health = BotHealth::Receiving;
                self.again_after(LOOK_EVERY, IntakeMsg::LookAtWebhook, desk);
            }
            Err(error) => self.webhook_failed(&error, "setWebhook failed", IntakeMsg::SetWebhook, desk),
        }
    }

    pub(super) fn on_set_webhook(&mut self, ticket: Ticket, desk: &mut Desk<'_, '_>) {
        if ticket == self.ticket {
            self.set_webhook(desk);
        }
    }

    fn delete_webhook(&self, desk: &mut Desk<'_, '_>) {
        if !self.waits_for_pause(IntakeMsg::DeleteWebhook, desk) {
            desk.ask(Effect::DeleteWebhook(self.ticket));
        }
    }

    pub(super) fn on_delete_webhook(&mut self, ticket: Ticket, desk: &mut Desk<'_, '_>) {
        if ticket == self.ticket && !desk.site().stay().is_closing() {
            self.delete_webhook(desk);
        }
    }

    pub(super) fn on_webhook_deleted(
        &mut self,
        ticket: Ticket,
        result: Result<(), TelegramError>,
        desk: &mut Desk<'_, '_>,
    ) {
        if ticket != self.ticket || desk.site().stay().is_closing() {
            return note_limit(&result, desk);
        }
        match result {
            Ok(()) => self.open(desk),
            Err(error) => self.webhook_failed(&error, "deleteWebhook failed", IntakeMsg::DeleteWebhook, desk),
        }
    }

    /// Asks Telegram for the webhook's state: now and then in webhook mode, and when a webhook prevents polling.
    pub(super) fn look_at_webhook(&mut self, ticket: Ticket, desk: &mut Desk<'_, '_>) {
        if ticket != self.ticket
            || desk.site().stay().is_closing()
            || self.waits_for_pause(IntakeMsg::LookAtWebhook, desk)
        {
            return;
        }
        desk.ask(Effect::LookAtWebhook(ticket));
    }

    pub(super) fn on_webhook_seen(
        &mut self,
        ticket: Ticket,
        result: Result<WebhookStatus, TelegramError>,
        desk: &mut Desk<'_, '_>,
    ) {
        if ticket != self.ticket || desk.site().stay().is_closing() {
            return note_limit(&result, desk);
        }
        let status = match result {
            Ok(status) => status,
            Err(error) => return self.webhook_failed(&error, "getWebhookInfo failed", IntakeMsg::LookAtWebhook, desk),
        };
        self.failures = 0;
        self.status = status.clone();
        match self.mode() {
            DeliveryMode::Webhook => {
                let target = desk.site().webhook_target().map(|target| target.url);
                if target.is_some() && status.url == target {
                    self.health = BotHealth::Receiving;
                    self.again_after(LOOK_EVERY, IntakeMsg::LookAtWebhook, desk);
                } else {
                    tracing::warn!(bot.id = %desk.site().profile().id, "somebody changed or deleted the webhook, it is set again");
                    self.set_webhook(desk);
                }
            }
            DeliveryMode::Polling => self.on_leftover(status.url.as_deref(), desk),
        }
    }

    /// Deletes a webhook that prevents polling: always our own, another program's only when the operator allows it.
    fn on_leftover(&mut self, url: Option<&str>, desk: &mut Desk<'_, '_>) {
        let Some(url) = url else {
            return self.open(desk);
        };
        let ours = desk.site().is_our_webhook(url) || self.choice.webhook_url.as_deref() == Some(url);
        if ours || desk.site().deletes_foreign_webhooks() {
            tracing::warn!(bot.id = %desk.site().profile().id, webhook.host = host_of(url), ours, "a webhook keeps the bot from polling, it is deleted");
            self.change_delivery(DeliveryMode::Polling, None, None, desk);
            return;
        }
        let host = host_of(url);
        let reason = format!(
            "another program receives its updates by a webhook at {host}: delete that webhook, or set \
             webhooks.delete_foreign"
        );
        let news = !matches!(&self.health, BotHealth::Degraded(before) if *before == reason);
        if news {
            tracing::error!(bot.id = %desk.site().profile().id, "{reason}");
        }
        self.health = BotHealth::Degraded(reason);
        self.again_after(FOREIGN_RETRY, IntakeMsg::LookAtWebhook, desk);
    }

    /// Handles a failed call about webhooks: repeats it later, since none of these calls does harm when done twice.
    fn webhook_failed(
        &mut self,
        error: &TelegramError,
        what: &str,
        again: fn(Ticket) -> IntakeMsg,
        desk: &mut Desk<'_, '_>,
    ) {
        self.failures += 1;
        metrics::webhook_call_failures_total { error_type: error.label() }.increment(1);
        if let TelegramError::Unauthorized(reason) = error {
            return self.refused(reason, desk);
        }
        self.health = BotHealth::Degraded(format!("{what}: {error}"));
        let wait = match error {
            TelegramError::RateLimited { retry_after } => {
                desk.outbox.limited(None, *retry_after, desk.step);
                (*retry_after).min(PAUSE_MAX)
            }
            _ => POLL_BACKOFF.wait(self.failures, desk.site().random()),
        };
        if self.failures.is_power_of_two() {
            tracing::warn!(bot.id = %desk.site().profile().id, error = %error, failures = self.failures, "{what}");
        }
        self.again_after(wait, again, desk);
    }
}
