//! Sets, removes and serves the webhooks of bots. Layer: world.
//!
//! Invariants: no poll is answered with updates while a webhook is set; the removal of a webhook ends its deliveries,
//! also those under way.

use std::time::Instant;

use super::World;
use super::error::WorldError;
use super::poll::TERMINATED_BY_WEBHOOK;
use super::state::{BotState, Wake};
use super::webhook::Webhook;
use crate::ledger::LedgerEvent;

impl BotState {
    /// Sets a webhook in place of any other; a waiting poll ends with 409.
    pub(crate) fn hook(&mut self, webhook: Webhook) {
        self.webhook = Some(webhook);
        let delay = self.conflict_delay(Instant::now());
        self.wake(Wake::Conflict(delay, TERMINATED_BY_WEBHOOK));
    }
}

impl World {
    /// Sets a webhook that another program seems to have left behind, or removes the bot's webhook. `getUpdates`
    /// answers 409 while a webhook is set.
    ///
    /// # Errors
    /// An unknown bot.
    pub fn leave_webhook(&self, bot: i64, url: Option<&str>) -> Result<(), WorldError> {
        let mut state = self.lock();
        let known = state.bots.get_mut(&bot).ok_or(WorldError::UnknownBot(bot))?;
        match url {
            Some(url) => known.hook(Webhook::left_behind(url)),
            None => known.webhook = None,
        }
        Ok(())
    }

    /// Counts the bots whose updates are delivered to a webhook.
    pub fn hooked_bots(&self) -> usize {
        let is_served = |bot: &&BotState| bot.webhook.as_ref().is_some_and(|webhook| webhook.delivery.is_some());
        self.lock().bots.values().filter(is_served).count()
    }

    /// Ends every delivery to webhooks, as when Telegram dies. The updates stay.
    pub fn stop_deliveries(&self) {
        for bot in self.lock().bots.values_mut() {
            if let Some(webhook) = &mut bot.webhook {
                webhook.delivery = None;
            }
        }
    }

    /// Removes an update that a webhook accepted.
    pub(crate) fn delivered(&self, bot_id: i64, update_id: i64) {
        let mut state = self.lock();
        let Some(bot) = state.bots.get_mut(&bot_id) else {
            return;
        };
        if bot.updates.remove(update_id) {
            let update_ids = vec![update_id];
            self.ledger().record(LedgerEvent::UpdatesConfirmed { bot: bot_id, below: 0, update_ids });
        }
        self.touch(&mut state);
    }

    /// Remembers why a delivery failed.
    pub(crate) fn not_delivered(&self, bot_id: i64, why: String) {
        let at_s = self.calendar_ms() / 1000;
        if let Some(bot) = self.lock().bots.get_mut(&bot_id)
            && let Some(webhook) = &mut bot.webhook
        {
            webhook.last_error = Some((at_s, why));
        }
    }
}
