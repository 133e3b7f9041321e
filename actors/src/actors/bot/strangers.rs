//! Leaves chats that the manifest does not name: nobody has invited the fleet there. Layer `actors`. Keeps I10.
//!
//! Software cannot undo leaving, so the bot leaves a chat only when nothing else explains it:
//!
//! | the strange chat | what is done |
//! |---|---|
//! | is in a manifest that this node has not read yet | the bot waits a moment, and asks the store |
//! | is the supergroup that a named group became while nobody listened | its new id is learned |
//! | has a named chat's title, or its id but for the sign or the `-100` | the bot stays, and reports a likely mistake |
//! | appears while Telegram knows no chat by the id of a named one | the same |
//! | cannot be compared, as Telegram or the store does not answer | the bot stays, and looks again on a later update |
//! | is none of these | the bot leaves |

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::actors::bot::state::BotState;
use crate::actors::node::Node;
use crate::actors::node::deadline::in_time;
use crate::domain::ids::{BotId, ChatId, TelegramChatId};
use crate::ports::bus::Hint;
use crate::ports::metrics;
use crate::ports::telegram::{BotApi, Shut, TelegramError};

/// Wait before a strange chat is judged: a manifest that names the chat is in the store by then.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// The origin of a strange chat.
enum Origin {
    /// The chat is a named group under another id.
    Ours,
    /// A mistake in the manifest explains the chat.
    Mistake(String),
    /// Telegram did not say enough.
    Unclear(TelegramError),
    /// Somebody added the bot.
    Elsewhere,
}

/// Returns those of the chats that this bot is to leave: each once in a while.
pub(in crate::actors) fn to_leave(node: &Node, bot: BotId, strange: BTreeSet<TelegramChatId>) -> Vec<TelegramChatId> {
    let is_new = |telegram: &TelegramChatId| {
        node.directory.chat_of(*telegram).is_none()
            && node.operators.get() != Some(telegram)
            && node.orders.may_leave(bot, *telegram)
    };
    strange.into_iter().filter(is_new).collect()
}

/// Leaves a chat, unless the manifest names the chat by then, or a mistake in the manifest explains it.
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
    match origin(node, bot, api, telegram).await {
        Origin::Ours => return,
        Origin::Mistake(reason) => {
            if node.strangers.keep(telegram, &reason) {
                tracing::error!(bot.id = %bot, telegram.chat = telegram.0, reason, "the bot stays in a chat that is not in the manifest: the manifest may be mistaken");
            }
            return;
        }
        Origin::Unclear(error) => {
            tracing::warn!(bot.id = %bot, telegram.chat = telegram.0, error = %error, "telegram does not say enough, the bot stays in a chat that is not in the manifest");
            return;
        }
        Origin::Elsewhere => node.strangers.forget(telegram),
    }
    match api.leave_chat(telegram).await {
        Ok(()) => {
            metrics::unknown_chats_left_total.increment(1);
            tracing::warn!(bot.id = %bot, telegram.chat = telegram.0, "the bot left a chat that is not in the manifest");
        }
        Err(error) => {
            tracing::warn!(bot.id = %bot, telegram.chat = telegram.0, error = %error, "a chat that is not in the manifest could not be left");
        }
    }
}

/// Compares a strange chat with those that the manifest names, as far as Telegram tells the bot of them.
async fn origin(node: &Node, bot: BotId, api: &dyn BotApi, telegram: TelegramChatId) -> Origin {
    let known = node.directory.known();
    if let Some(chat) = known.chats.values().find(|chat| is_mistyped(chat.spec.telegram_id, telegram)) {
        let (name, id) = (&chat.spec.name, chat.spec.telegram_id);
        return Origin::Mistake(format!("the manifest gives chat {name} the id {id}: is it {telegram}?"));
    }
    let title = match api.get_chat(telegram).await {
        Ok(chat) => Some(chat.title.trim().to_lowercase()).filter(|title| !title.is_empty()),
        Err(TelegramError::CannotWrite { .. } | TelegramError::Rejected { .. }) => None,
        Err(error) => return Origin::Unclear(error),
    };
    let mut unclear = None;
    for chat in known.chats.values().filter(|chat| chat.members.contains(&bot)) {
        let id = node.directory.telegram_chat(chat.id).unwrap_or(chat.spec.telegram_id);
        let name = &chat.spec.name;
        match api.get_chat(id).await {
            Ok(named) if title.as_ref().is_some_and(|title| *title == named.title.trim().to_lowercase()) => {
                return Origin::Mistake(format!("it has the title of chat {name}, which is {id} in the manifest"));
            }
            // The bot is or was in that chat, or sees it: the id is a chat's.
            Ok(_) | Err(TelegramError::CannotWrite { place: Shut::Outside | Shut::Muted | Shut::Topic, .. }) => {}
            Err(TelegramError::Migrated(to)) => {
                learn(node, chat.id, to);
                if to == telegram {
                    return Origin::Ours;
                }
            }
            Err(TelegramError::CannotWrite { place: Shut::Gone, .. } | TelegramError::Rejected { .. }) => {
                return Origin::Mistake(format!(
                    "telegram shows the bot no chat {id}, which chat {name} is in the manifest: is it {telegram}?"
                ));
            }
            Err(error) => unclear = Some(error),
        }
    }
    unclear.map_or(Origin::Elsewhere, Origin::Unclear)
}

/// Learns the new id of a named group that became a supergroup while nobody listened.
fn learn(node: &Node, chat: ChatId, to: TelegramChatId) {
    if node.directory.migrate(chat, to) {
        node.tell([Hint::Migrated(chat, to)]);
    }
}

/// Returns whether two ids are the same but for the sign, or for the `-100` in front of a supergroup's.
fn is_mistyped(named: TelegramChatId, strange: TelegramChatId) -> bool {
    let bare = |id: TelegramChatId| {
        let digits = id.0.unsigned_abs().to_string();
        digits
            .strip_prefix("100")
            .filter(|rest| rest.len() >= 9)
            .map_or(digits.clone(), |rest| rest.trim_start_matches('0').to_owned())
    };
    named != strange && bare(named) == bare(strange)
}

impl BotState {
    /// Leaves chats that the manifest does not name.
    pub(super) fn on_leave_chats(&mut self, strange: BTreeSet<TelegramChatId>) {
        if !self.identity.settings.leave_unknown_chats || self.is_closing() {
            return;
        }
        let bot = self.identity.profile.id;
        for telegram in to_leave(&self.node, bot, strange) {
            let (node, api) = (Arc::clone(&self.node), Arc::clone(&self.identity.api));
            self.hands.tasks.spawn(async move { leave(&node, bot, api.as_ref(), telegram).await });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_without_its_prefix_or_sign_is_recognised_and_another_is_not() {
        let id = TelegramChatId;
        let right = id(-1_001_234_567_890);
        for mistyped in [id(-1_234_567_890), id(1_234_567_890), id(1_001_234_567_890)] {
            assert!(is_mistyped(mistyped, right) && is_mistyped(right, mistyped), "{mistyped}");
        }
        assert!(!is_mistyped(right, right));
        assert!(!is_mistyped(id(-1_001_234_567_891), right));
        assert!(!is_mistyped(id(-100), id(-1)));
    }
}
