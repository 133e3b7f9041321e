//! A bot puts back a turn that it will not finish. Layer `domain`.

use crate::domain::commit::bench::Bench;
use crate::domain::commit::needs::Needs;
use crate::domain::commit::outcome::{Applied, Refusal};
use crate::domain::commit::rule::{Judgement, Priority, Rule};
use crate::domain::ids::{BotId, Epoch, TurnId};
use crate::domain::ownership::LeaseKey;
use crate::domain::turn::TurnState;

/// A bot puts back a turn that it will not finish: the end of the process is no failure of the turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unclaim {
    /// The bot.
    pub bot: BotId,
    /// Epoch of the bot's lease.
    pub epoch: Epoch,
    /// The turn, which must be claimed under the same epoch.
    pub turn: TurnId,
}

impl Rule for Unclaim {
    const PRIORITY: Priority = Priority::Work;

    fn fence(&self) -> Option<(LeaseKey, Epoch)> {
        Some((LeaseKey::Bot(self.bot), self.epoch))
    }

    fn needs(&self, needs: &mut Needs) {
        needs.turns.insert(self.turn);
    }

    /// Queues the turn again as if nobody had claimed it: the end of the process is no failure of the turn.
    fn judge(self, bench: &mut Bench) -> Judgement {
        let head = bench.turn(self.bot, self.turn, TurnState::Claimed)?;
        if head.progress.claimed_epoch != Some(self.epoch) {
            return Err(Refusal::Fenced);
        }
        bench.put_back(self.turn);
        Ok(Applied::Done)
    }
}
