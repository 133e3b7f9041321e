//! A bot loses or regains the ability to post in a chat. Layer `domain`.

use crate::domain::commit::bench::Bench;
use crate::domain::commit::needs::Needs;
use crate::domain::commit::outcome::Applied;
use crate::domain::commit::rule::{Judgement, Priority, Rule};
use crate::domain::ids::{BotId, ChatId, Epoch};
use crate::domain::ownership::LeaseKey;

/// Telegram tells a bot that it lost or regained the ability to post in a chat. Fenced by the bot's lease: another node
/// may own the chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetAbsence {
    /// The bot.
    pub bot: BotId,
    /// Epoch of the bot's lease.
    pub epoch: Epoch,
    /// The chat.
    pub chat: ChatId,
    /// The bot cannot post in the chat.
    pub absent: bool,
}

impl Rule for SetAbsence {
    const PRIORITY: Priority = Priority::Work;

    fn fence(&self) -> Option<(LeaseKey, Epoch)> {
        Some((LeaseKey::Bot(self.bot), self.epoch))
    }

    fn needs(&self, _: &mut Needs) {}

    fn judge(self, bench: &mut Bench) -> Judgement {
        bench.changes.absences.insert((self.chat, self.bot), self.absent);
        Ok(Applied::Done)
    }
}
