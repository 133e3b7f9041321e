//! Pauses of a bot end sooner. Layer `domain`.

use crate::domain::commit::bench::Bench;
use crate::domain::commit::needs::Needs;
use crate::domain::commit::outcome::Applied;
use crate::domain::commit::rule::{Judgement, Priority, Rule};
use crate::domain::ids::{BotId, Epoch};
use crate::domain::ownership::LeaseKey;
use crate::domain::time::Timestamp;

/// Ends longer pauses of a bot at `until`: a person lifted them, or they are longer than `PAUSE_MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiftPauses {
    /// The bot.
    pub bot: BotId,
    /// Epoch of the bot's lease.
    pub epoch: Epoch,
    /// Latest end of the pauses.
    pub until: Timestamp,
}

impl Rule for LiftPauses {
    const PRIORITY: Priority = Priority::Ahead;

    fn fence(&self) -> Option<(LeaseKey, Epoch)> {
        Some((LeaseKey::Bot(self.bot), self.epoch))
    }

    fn needs(&self, _: &mut Needs) {}

    fn judge(self, bench: &mut Bench) -> Judgement {
        bench.loaded.pauses.shorten(self.bot, self.until);
        for pause in bench.changes.pauses.iter_mut().filter(|pause| pause.bot == self.bot) {
            pause.until = pause.until.min(self.until);
        }
        bench.changes.orders.pauses.insert(self.bot, self.until);
        Ok(Applied::Done)
    }
}
