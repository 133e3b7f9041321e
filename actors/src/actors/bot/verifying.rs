//! Asks Telegram for the rank of somebody who gave an order. Layer `actors`. Keeps I9.

use std::sync::Arc;

use crate::actors::bot::messages::BotMsg;
use crate::actors::bot::state::BotState;
use crate::actors::orders::doubt::{Administrators, Doubt, Wish};
use crate::actors::orders::submit::ask;
use crate::actors::orders::verify::heard;
use crate::ports::telegram::TelegramError;

impl BotState {
    /// Asks Telegram who administers a chat.
    pub(super) fn on_doubted(&mut self, doubt: Doubt) {
        if let Some(wait) = self.outbox.limiter().pause_left(doubt.chat) {
            if matches!(doubt.wish, Wish::Settle) {
                self.node.orders.still_asking(doubt.chat, doubt.author, wait);
            }
            drop(self.hands.myself.send_after(wait, move || BotMsg::Doubted(doubt)));
            return;
        }
        let (api, myself) = (Arc::clone(&self.identity.api), self.hands.myself.clone());
        self.hands.tasks.spawn(async move {
            let answer = api.administrators(doubt.telegram).await;
            let _ = myself.cast(BotMsg::Ranked(doubt, answer));
        });
    }

    pub(super) fn on_ranked(&mut self, doubt: Doubt, answer: Administrators) {
        if let Err(TelegramError::RateLimited { retry_after }) = &answer {
            self.on_limited(Some(doubt.chat), *retry_after);
        }
        let (node, bot) = (Arc::clone(&self.node), self.identity.profile.id);
        if let Some((doubt, wait)) = heard(&node, bot, doubt, answer) {
            self.hands.tasks.spawn(async move {
                tokio::time::sleep(wait).await;
                ask(&node, bot, doubt);
            });
        }
    }
}
