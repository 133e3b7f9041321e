//! An order about a stop, and what is not known yet of its author. Layer `actors`. Keeps I9.

use std::collections::BTreeSet;

use crate::domain::commit::operations::SetStop;
use crate::domain::control::{StopOrder, StopScope};
use crate::domain::ids::{BotId, ChatId, MessageId, TelegramChatId, TelegramUserId};
use crate::domain::time::Timestamp;
use crate::ports::telegram::TelegramError;

/// Telegram's answer about a chat's administrators.
pub type Administrators = Result<Vec<TelegramUserId>, TelegramError>;

/// The step that follows once the author's rank is known.
#[derive(Clone, Copy, Debug)]
pub enum Wish {
    /// Confirm the unverified stop in the store, or take it away.
    Settle,
    /// Silence the chat once Telegram says that the author, who was refused before, may do so.
    Halt,
    /// Silence the chat until then.
    Quiet(Timestamp),
    /// End the silence.
    Start,
}

/// An order whose author's rank is not known yet.
#[derive(Clone, Debug)]
pub struct Doubt {
    pub(in crate::actors) chat: ChatId,
    pub(in crate::actors) telegram: TelegramChatId,
    pub(in crate::actors) author: TelegramUserId,
    /// The time when the order was given.
    pub(in crate::actors) said: Timestamp,
    pub(in crate::actors) wish: Wish,
    /// The number of times that Telegram did not answer.
    pub(in crate::actors) asked: u32,
    /// Bots to which Telegram does not tell the administrators.
    pub(in crate::actors) refused: BTreeSet<BotId>,
}

impl Doubt {
    /// Returns an order about the stop in the author's name, for the store.
    pub(super) fn order(&self, order: StopOrder, said: Option<(TelegramChatId, MessageId)>) -> Order {
        let (scope, by) = (StopScope::Chat(self.chat), format!("telegram user {}", self.author));
        Order { stop: SetStop { scope, order, by, at: self.said }, said, then: None }
    }

    /// Returns an order that silences the chat while nobody knows whether its author may do so; then `bot` asks.
    pub(super) fn noted(
        self,
        bot: BotId,
        until: Option<Timestamp>,
        said: Option<(TelegramChatId, MessageId)>,
    ) -> Order {
        let order = self.order(StopOrder::Doubt { until, author: self.author }, said);
        Order { then: Some((bot, Self { wish: Wish::Settle, ..self })), ..order }
    }
}

/// An order about a stop, on its way to the store.
#[derive(Clone, Debug)]
pub struct Order {
    pub(super) stop: SetStop,
    /// The message that gives the order; another copy of it may act should the order get lost.
    pub(super) said: Option<(TelegramChatId, MessageId)>,
    /// The bot that asks Telegram once the order is stored, and its question.
    pub(super) then: Option<(BotId, Doubt)>,
}
