//! Chats that the manifest does not name: nobody has invited the fleet there, and it leaves. Layer `actors`. Keeps I10.
//!
//! A chat may be new in a manifest that this node has not read yet. So it waits a moment, and asks the store.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::actor::BotState;
use crate::actors::chat::actor::in_time;
use crate::actors::node::Node;
use crate::domain::ids::{BotId, TelegramChatId};
use crate::ports::telegram::BotApi;

/// A manifest that names the chat is in the store by then.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Those of the chats that this bot is to leave: each once in a while.
pub(in crate::actors) fn to_leave(node: &Node, bot: BotId, strange: BTreeSet<TelegramChatId>) -> Vec<TelegramChatId> {
    let is_new = |telegram: &TelegramChatId| {
        node.directory.chat_of(*telegram).is_none()
            && node.operators.get() != Some(telegram)
            && node.orders.may_leave(bot, *telegram)
    };
    strange.into_iter().filter(is_new).collect()
}

/// Leaves a chat, unless the manifest names it by then.
pub(in crate::actors) async fn leave(node: &Node, bot: BotId, api: &dyn BotApi, telegram: TelegramChatId) {
    tokio::time::sleep(LOOK_AGAIN).await;
    match in_time(node.store.roster()).await {
        Ok(roster) => {
            let mut served = roster.chats.values().map(|chat| chat.spec.telegram_id);
            if served.any(|chat| chat == telegram) || roster.aliases.iter().any(|(alias, _)| *alias == telegram) {
                return;
            }
        }
        Err(error) => {
            tracing::warn!(bot.id = %bot, telegram.chat = telegram.0, error = %error, "the manifest cannot be read now, the bot stays in a chat that it may not name");
            return;
        }
    }
    if node.directory.chat_of(telegram).is_some() {
        return;
    }
    match api.leave_chat(telegram).await {
        Ok(()) => {
            metrics::counter!("botfleet_unknown_chats_left_total").increment(1);
            tracing::warn!(bot.id = %bot, telegram.chat = telegram.0, "the bot left a chat that is not in the manifest");
        }
        Err(error) => {
            tracing::warn!(bot.id = %bot, telegram.chat = telegram.0, error = %error, "a chat that is not in the manifest could not be left");
        }
    }
}

impl BotState {
    /// Leaves chats that the manifest does not name.
    pub(super) fn on_leave_chats(&mut self, strange: BTreeSet<TelegramChatId>) {
        if !self.settings.leave_unknown_chats || self.is_closing() {
            return;
        }
        let bot = self.profile.id;
        for telegram in to_leave(&self.node, bot, strange) {
            let (node, api) = (Arc::clone(&self.node), Arc::clone(&self.api));
            self.tasks.spawn(async move { leave(&node, bot, api.as_ref(), telegram).await });
        }
    }
}
