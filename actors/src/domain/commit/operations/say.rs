//! An operator says something as a bot. Layer `domain`. Keeps I3, I4, I6.

use crate::domain::commit::bench::Bench;
use crate::domain::commit::needs::Needs;
use crate::domain::commit::operations::Advance;
use crate::domain::commit::outcome::conflict;
use crate::domain::commit::rows::TakeoverChange;
use crate::domain::commit::rule::{Judgement, Priority, Rule};
use crate::domain::ids::{BotId, Epoch};
use crate::domain::operator_order::{OrderFruit, OrderStep};
use crate::domain::ownership::LeaseKey;
use crate::domain::time::Timestamp;

/// A chat gives a bot the turn to say a text of an operator, and ends the operator's order: the text becomes one turn, or
/// none. From there on the text goes the way of every other message. Where the operator has taken the bot over, the take-over
/// lasts longer.
#[derive(Clone, Debug, PartialEq)]
pub struct Say {
    /// The decision and the turn.
    pub advance: Box<Advance>,
    /// The bot.
    pub bot: BotId,
    /// Name of the operator.
    pub by: String,
    /// The order that this carries out.
    pub order: OrderStep,
    /// Current time, on the database's clock.
    pub now: Timestamp,
}

impl Rule for Say {
    const PRIORITY: Priority = Priority::Work;

    fn fence(&self) -> Option<(LeaseKey, Epoch)> {
        self.advance.fence()
    }

    fn needs(&self, needs: &mut Needs) {
        self.advance.needs(needs);
        needs.order(Some(&self.order));
        needs.stops = true;
    }

    fn judge(self, bench: &mut Bench) -> Judgement {
        let Self { advance, bot, by, order, now } = self;
        let place = (advance.chat, bot);
        bench.order_waits(Some(&order))?;
        bench.not_held_by_another(place, &by, now)?;
        let Some(turn) = advance.turns.first().map(|turn| turn.id) else {
            return conflict("nothing is to be said");
        };
        let applied = advance.judge(bench)?;
        if let Some(takeover) = bench.loaded.takeovers.0.get_mut(&place).filter(|takeover| takeover.holds(now)) {
            takeover.prolong(now);
            let until = takeover.until;
            bench.changes.orders.takeovers.insert(place, TakeoverChange::Prolonged { holder: by, until });
        }
        bench.order_bears(order, OrderFruit::Turn(turn));
        Ok(applied)
    }
}
