//! An operator gives a bot back. Layer `domain`.

use crate::domain::commit::bench::Bench;
use crate::domain::commit::needs::Needs;
use crate::domain::commit::outcome::{Applied, Refusal, conflict};
use crate::domain::commit::rows::TakeoverChange;
use crate::domain::commit::rule::{Judgement, Priority, Rule};
use crate::domain::ids::{BotId, ChatId, Epoch};
use crate::domain::ownership::LeaseKey;
use crate::domain::time::Timestamp;

/// An operator ends a take-over: the bot speaks for itself again. Any node may take this, whoever owns the chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndTakeover {
    /// The chat.
    pub chat: ChatId,
    /// The bot.
    pub bot: BotId,
    /// The operator who gives the bot back; `None` ends the take-over of whoever holds it.
    pub by: Option<String>,
    /// Current time, on the database's clock.
    pub now: Timestamp,
}

impl Rule for EndTakeover {
    const PRIORITY: Priority = Priority::Ahead;

    fn fence(&self) -> Option<(LeaseKey, Epoch)> {
        None
    }

    fn needs(&self, needs: &mut Needs) {
        needs.stops = true;
    }

    fn judge(self, bench: &mut Bench) -> Judgement {
        let place = (self.chat, self.bot);
        let Some(takeover) = bench.loaded.takeovers.of(self.chat, self.bot, self.now) else {
            return conflict("nobody has taken the bot over");
        };
        let holder = takeover.holder.clone();
        if self.by.is_some_and(|by| by != holder) {
            return Err(Refusal::TakenOver(holder));
        }
        bench.loaded.takeovers.0.remove(&place);
        bench.changes.orders.takeovers.insert(place, TakeoverChange::Ended { holder });
        Ok(Applied::Done)
    }
}
