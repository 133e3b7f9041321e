//! A bot begins a turn. Layer `domain`. Keeps I9.

use std::time::Duration;

use crate::domain::commit::bench::Bench;
use crate::domain::commit::needs::Needs;
use crate::domain::commit::outcome::Applied;
use crate::domain::commit::rule::{Judgement, Priority, Rule, WHILE};
use crate::domain::ids::{BotId, ChatId, Epoch, TurnId};
use crate::domain::ownership::LeaseKey;
use crate::domain::takeover::TAKEN_OVER;
use crate::domain::time::Timestamp;
use crate::domain::turn::TurnState;

/// A bot begins a turn: from then on a crash counts as a failure of the turn. While a stop keeps the bot silent, or an
/// operator speaks as the bot, the turn is dropped instead (I9, I14), so that it costs no money and has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The bot.
    pub bot: BotId,
    /// Epoch of the bot's lease.
    pub epoch: Epoch,
    /// The turn, which must be queued.
    pub turn: TurnId,
    /// Chat of the turn, whose stops are checked.
    pub chat: ChatId,
    /// The bot acts for itself: not while an operator has taken it over in the chat.
    pub yields: bool,
    /// Current time, on the database's clock.
    pub now: Timestamp,
}

impl Rule for Claim {
    const PRIORITY: Priority = Priority::Work;

    fn fence(&self) -> Option<(LeaseKey, Epoch)> {
        Some((LeaseKey::Bot(self.bot), self.epoch))
    }

    fn needs(&self, needs: &mut Needs) {
        needs.turns.insert(self.turn);
        needs.stops = true;
    }

    /// The model is asked meanwhile.
    fn patience(&self) -> Duration {
        WHILE
    }

    fn judge(self, bench: &mut Bench) -> Judgement {
        let blocking = bench.loaded.stops.blocking(self.chat, self.bot, self.now);
        let taken_over = self.yields && bench.loaded.takeovers.of(self.chat, self.bot, self.now).is_some();
        let head = bench.turn(self.bot, self.turn, TurnState::Queued)?;
        if let Some(scope) = blocking {
            head.progress.state = TurnState::Dropped;
            head.progress.error = Some(format!("stopped: {scope:?}"));
            bench.turn_moved(self.turn);
            return Ok(Applied::Stopped(scope));
        }
        if taken_over {
            head.progress.state = TurnState::Dropped;
            head.progress.error = Some(TAKEN_OVER.to_owned());
            bench.turn_moved(self.turn);
            return Ok(Applied::GaveWay);
        }
        head.progress.state = TurnState::Claimed;
        head.progress.attempts += 1;
        head.progress.claimed_epoch = Some(self.epoch);
        bench.turn_moved(self.turn);
        Ok(Applied::Done)
    }
}
