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

use std::sync::Arc;
use std::time::Duration;

use super::polling::{ANSWER_WITHIN, POLL_BACKOFF, answered};
use crate::actors::bot::messages::{BotMsg, DeliveryError, DeliveryReply};
use crate::actors::bot::snapshot::BotHealth;
use crate::actors::bot::state::BotState;
use crate::actors::chat::messages::Delivery;
use crate::actors::node::arrivals::deliver;
use crate::actors::node::committer::{CommitError, CommitResult};
use crate::actors::node::webhooks::host_of;
use crate::domain::commit::operations::{Operation, SetDelivery};
use crate::domain::commit::outcome::Refusal;
use crate::domain::ids::ChatId;
use crate::domain::pause::PAUSE_MAX;
use crate::domain::roster::{DeliveryChoice, DeliveryMode};
use crate::domain::silence::Silence;
use crate::ports::telegram::{TelegramError, WebhookStatus, WebhookTarget};

/// Time between looks at a webhook: is it still ours, and what does Telegram say of it?
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Time until the next look at a webhook of another program.
const FOREIGN_RETRY: Duration = Duration::from_secs(30);

/// The state of a bot's intake.
pub(super) struct Intake {
    /// The delivery mode in force, as stored.
    pub(super) choice: DeliveryChoice,
    phase: Phase,
    /// Telegram's last report on the webhook.
    status: WebhookStatus,
    /// Rises with every new poll and every call about the webhook, so that the late result of an earlier one is ignored.
    pub(super) generation: u64,
    failures: u32,
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
    pub(super) fn new(choice: DeliveryChoice) -> Self {
        Self { choice, phase: Phase::Closed, status: WebhookStatus::default(), generation: 0, failures: 0 }
    }

    pub(super) fn mode(&self) -> DeliveryMode {
        self.choice.mode
    }

    pub(super) fn polls(&self) -> bool {
        self.choice.mode == DeliveryMode::Polling && self.phase == Phase::Open
    }

    pub(super) fn status(&self) -> &WebhookStatus {
        &self.status
    }
}

impl BotState {
    /// Opens the intake of the delivery mode in force, and no other: earlier polls and calls are cancelled or stale. A
    /// change that is being committed opens its own intake at its end.
    pub(super) fn open_intake(&mut self) {
        if self.is_closing() || self.intake.phase == Phase::Changing {
            return;
        }
        self.polling.cancel();
        self.intake.generation += 1;
        self.intake.phase = Phase::Open;
        self.intake.failures = 0;
        match self.intake.mode() {
            DeliveryMode::Polling => self.poll(),
            DeliveryMode::Webhook => self.set_webhook(),
        }
    }

    pub(super) fn on_set_delivery(&mut self, mode: DeliveryMode, reply: DeliveryReply) {
        let answer = if self.is_closing() || self.intake.phase == Phase::Changing {
            Err(DeliveryError::Busy)
        } else if mode == self.intake.mode() {
            Ok(())
        } else if mode == DeliveryMode::Webhook && self.webhook_target().is_none() {
            Err(DeliveryError::WebhooksOff)
        } else {
            self.change_delivery(mode, Some(reply));
            return;
        };
        let _ = reply.send(answer);
    }

    fn webhook_target(&self) -> Option<WebhookTarget> {
        // A replaced token makes another secret, which is sent to Telegram with the address.
        if let Some(secret) = self.api.webhook_secret() {
            self.webhooks.set_secret(self.profile.id, secret);
        }
        self.webhooks.target(self.profile.id, &self.profile.spec.name)
    }

    /// Closes the intake and stores the delivery mode. An ingest in hand was submitted before, so it commits before.
    fn change_delivery(&mut self, mode: DeliveryMode, reply: Option<DeliveryReply>) {
        self.polling.cancel();
        self.intake.generation += 1;
        self.intake.phase = Phase::Changing;
        let webhook_url = match mode {
            DeliveryMode::Webhook => self.webhook_target().map(|target| target.url),
            DeliveryMode::Polling => self.intake.choice.webhook_url.clone(),
        };
        let choice = DeliveryChoice { mode, webhook_url };
        let change = SetDelivery { bot: self.profile.id, epoch: self.epoch, choice: choice.clone() };
        let myself = self.myself.clone();
        self.node.committer.submit(Operation::SetDelivery(change), move |result| {
            let _ = myself.cast(BotMsg::DeliveryChanged(choice, result, reply));
        });
    }

    pub(super) fn on_delivery_changed(
        &mut self,
        choice: DeliveryChoice,
        result: CommitResult,
        reply: Option<DeliveryReply>,
    ) {
        let answer = match result {
            Ok(_) => {
                tracing::info!(bot.id = %self.profile.id, mode = choice.mode.as_str(), "updates arrive in another way");
                self.polling.forget_offset();
                self.intake.choice = choice;
                self.intake.status = WebhookStatus::default();
                self.intake.phase = Phase::Open;
                // The next owner of the bot continues from what is stored.
                if !self.is_closing() {
                    match self.intake.mode() {
                        DeliveryMode::Polling => self.delete_webhook(),
                        DeliveryMode::Webhook => self.set_webhook(),
                    }
                }
                Ok(())
            }
            Err(CommitError::Refused(Refusal::Fenced)) => {
                self.on_fenced();
                Err(DeliveryError::Busy)
            }
            Err(error) => {
                self.intake.phase = Phase::Closed;
                self.open_intake();
                Err(DeliveryError::Store(error.to_string()))
            }
        };
        if let Some(reply) = reply {
            let _ = reply.send(answer);
        }
    }

    /// Tells Telegram where to deliver updates. The address is stored first, so that it is known as our own.
    fn set_webhook(&mut self) {
        if self.is_closing() || self.waits_for_pause(BotMsg::SetWebhook) {
            return;
        }
        let Some(target) = self.webhook_target() else {
            let reason = "it is set to webhooks, and webhooks are off: set webhooks.public_url, or set it to polling";
            if !matches!(self.health, BotHealth::Degraded(_)) {
                tracing::error!(bot.id = %self.profile.id, "{reason}");
            }
            self.health = BotHealth::Degraded(reason.to_owned());
            return;
        };
        if self.intake.choice.webhook_url.as_ref() != Some(&target.url) {
            return self.change_delivery(DeliveryMode::Webhook, None);
        }
        let (api, myself, generation) = (Arc::clone(&self.api), self.myself.clone(), self.intake.generation);
        self.tasks.spawn(async move {
            let _ =
                myself.cast(BotMsg::WebhookSet(generation, answered(ANSWER_WITHIN, api.set_webhook(&target)).await));
        });
    }

    pub(super) fn on_webhook_set(&mut self, generation: u64, result: Result<(), TelegramError>) {
        if generation != self.intake.generation || self.is_closing() {
            return self.note_limit(&result);
        }
        match result {
            Ok(()) => {
                self.intake.failures = 0;
                self.health = BotHealth::Receiving;
                drop(self.myself.send_after(LOOK_EVERY, move || BotMsg::LookAtWebhook(generation)));
            }
            Err(error) => self.webhook_failed(&error, "setWebhook failed", BotMsg::SetWebhook),
        }
    }

    pub(super) fn on_set_webhook(&mut self, generation: u64) {
        if generation == self.intake.generation {
            self.set_webhook();
        }
    }

    fn delete_webhook(&mut self) {
        if self.waits_for_pause(BotMsg::DeleteWebhook) {
            return;
        }
        let (api, myself, generation) = (Arc::clone(&self.api), self.myself.clone(), self.intake.generation);
        self.tasks.spawn(async move {
            let _ =
                myself.cast(BotMsg::WebhookDeleted(generation, answered(ANSWER_WITHIN, api.delete_webhook()).await));
        });
    }

    pub(super) fn on_delete_webhook(&mut self, generation: u64) {
        if generation == self.intake.generation && !self.is_closing() {
            self.delete_webhook();
        }
    }

    pub(super) fn on_webhook_deleted(&mut self, generation: u64, result: Result<(), TelegramError>) {
        if generation != self.intake.generation || self.is_closing() {
            return self.note_limit(&result);
        }
        match result {
            Ok(()) => self.open_intake(),
            Err(error) => self.webhook_failed(&error, "deleteWebhook failed", BotMsg::DeleteWebhook),
        }
    }

    /// Asks Telegram for the webhook's state: now and then in webhook mode, and when a webhook prevents polling.
    pub(super) fn look_at_webhook(&mut self, generation: u64) {
        if generation != self.intake.generation || self.is_closing() || self.waits_for_pause(BotMsg::LookAtWebhook) {
            return;
        }
        let (api, myself) = (Arc::clone(&self.api), self.myself.clone());
        self.tasks.spawn(async move {
            let _ = myself.cast(BotMsg::WebhookSeen(generation, answered(ANSWER_WITHIN, api.webhook_status()).await));
        });
    }

    pub(super) fn on_webhook_seen(&mut self, generation: u64, result: Result<WebhookStatus, TelegramError>) {
        if generation != self.intake.generation || self.is_closing() {
            return self.note_limit(&result);
        }
        let status = match result {
            Ok(status) => status,
            Err(error) => return self.webhook_failed(&error, "getWebhookInfo failed", BotMsg::LookAtWebhook),
        };
        self.intake.failures = 0;
        self.intake.status = status.clone();
        match self.intake.mode() {
            DeliveryMode::Webhook => {
                let target = self.webhook_target().map(|target| target.url);
                if target.is_some() && status.url == target {
                    self.health = BotHealth::Receiving;
                    drop(self.myself.send_after(LOOK_EVERY, move || BotMsg::LookAtWebhook(generation)));
                } else {
                    tracing::warn!(bot.id = %self.profile.id, "somebody changed or deleted the webhook, it is set again");
                    self.set_webhook();
                }
            }
            DeliveryMode::Polling => self.on_leftover(generation, status.url.as_deref()),
        }
    }

    /// Deletes a webhook that prevents polling: always our own, another program's only when the operator allows it.
    fn on_leftover(&mut self, generation: u64, url: Option<&str>) {
        let Some(url) = url else {
            return self.open_intake();
        };
        let ours = self.webhooks.is_ours(url) || self.intake.choice.webhook_url.as_deref() == Some(url);
        if ours || self.webhooks.delete_foreign {
            tracing::warn!(bot.id = %self.profile.id, webhook.host = host_of(url), ours, "a webhook keeps the bot from polling, it is deleted");
            self.change_delivery(DeliveryMode::Polling, None);
            return;
        }
        let host = host_of(url);
        let reason = format!(
            "another program receives its updates by a webhook at {host}: delete that webhook, or set \
             webhooks.delete_foreign"
        );
        let news = !matches!(&self.health, BotHealth::Degraded(before) if *before == reason);
        if news {
            tracing::error!(bot.id = %self.profile.id, "{reason}");
        }
        self.health = BotHealth::Degraded(reason);
        drop(self.myself.send_after(FOREIGN_RETRY, move || BotMsg::LookAtWebhook(generation)));
    }

    /// Returns whether calls without a chat are paused; `again` follows when the pause is over.
    pub(super) fn waits_for_pause(&self, again: fn(u64) -> BotMsg) -> bool {
        let (wait, generation) = (self.outbox.limiter().calls_pause(), self.intake.generation);
        wait.map(|wait| drop(self.myself.send_after(wait, move || again(generation)))).is_some()
    }

    /// Notes the pause that a late answer asks for, and ignores the rest of the answer.
    pub(super) fn note_limit<T>(&mut self, result: &Result<T, TelegramError>) {
        if let Err(TelegramError::RateLimited { retry_after }) = result {
            self.on_limited(None, *retry_after);
        }
    }

    /// Handles a failed call about webhooks: repeats it later, since none of these calls does harm when done twice.
    fn webhook_failed(&mut self, error: &TelegramError, what: &str, again: fn(u64) -> BotMsg) {
        self.intake.failures += 1;
        metrics::counter!("botfleet_webhook_call_failures_total", "error_type" => error.label()).increment(1);
        if let TelegramError::Unauthorized(reason) = error {
            return self.refused(reason);
        }
        self.health = BotHealth::Degraded(format!("{what}: {error}"));
        let wait = match error {
            TelegramError::RateLimited { retry_after } => {
                self.on_limited(None, *retry_after);
                (*retry_after).min(PAUSE_MAX)
            }
            _ => POLL_BACKOFF.wait(self.intake.failures, self.node.jitter.next()),
        };
        if self.intake.failures.is_power_of_two() {
            tracing::warn!(bot.id = %self.profile.id, error = %error, failures = self.intake.failures, "{what}");
        }
        let generation = self.intake.generation;
        drop(self.myself.send_after(wait, move || again(generation)));
    }

    /// Handles a refused token: looks it up again after a while, since its owner may have replaced or restored it.
    pub(super) fn refused(&mut self, reason: &str) {
        if !matches!(self.health, BotHealth::Refused(_)) {
            tracing::error!(bot.id = %self.profile.id, reason, "the token is refused: put a valid one where it comes from");
        }
        self.health = BotHealth::Refused(reason.to_owned());
        self.set_silence(Some(Silence::Refused));
        self.intake.generation += 1;
        self.intake.phase = Phase::Closed;
        drop(self.myself.send_after(self.settings.refused_retry, || BotMsg::Identify));
    }

    /// Hands rows to their chat, as the function `deliver` does.
    pub(super) fn deliver(&self, chat: ChatId, deliveries: Vec<Delivery>) -> bool {
        deliver(&self.node, chat, deliveries)
    }
}
