//! Telegram answered about a message that is to be deleted. Layer `domain`. Keeps I4, I6.

use std::time::Duration;

use crate::domain::commit::bench::Bench;
use crate::domain::commit::needs::Needs;
use crate::domain::commit::outcome::Applied;
use crate::domain::commit::rule::{Judgement, Priority, Rule, WHILE};
use crate::domain::ids::{BotId, Epoch, MessageId, TelegramChatId};
use crate::domain::ownership::LeaseKey;
use crate::domain::retraction::RetractionEnding;

/// A bot stores Telegram's answer about a message that it is to delete. To delete it again changes nothing, so an answer that
/// is not stored costs one more question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettleRetraction {
    /// The bot.
    pub bot: BotId,
    /// Epoch of the bot's lease.
    pub epoch: Epoch,
    /// Telegram's id of the chat.
    pub telegram_chat: TelegramChatId,
    /// Telegram's id of the message.
    pub message_id: MessageId,
    /// The answer.
    pub ending: RetractionEnding,
}

impl Rule for SettleRetraction {
    const PRIORITY: Priority = Priority::Work;

    fn fence(&self) -> Option<(LeaseKey, Epoch)> {
        Some((LeaseKey::Bot(self.bot), self.epoch))
    }

    fn needs(&self, _: &mut Needs) {}

    /// Nothing waits for it.
    fn patience(&self) -> Duration {
        WHILE
    }

    fn judge(self, bench: &mut Bench) -> Judgement {
        bench.changes.orders.retracted.push((self.telegram_chat, self.message_id, self.ending));
        Ok(Applied::Done)
    }
}
