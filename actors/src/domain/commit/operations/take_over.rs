//! An operator takes over what a bot says in a chat. Layer `domain`. Keeps I3, I6, I14.

use crate::domain::commit::bench::Bench;
use crate::domain::commit::needs::Needs;
use crate::domain::commit::operations::Advance;
use crate::domain::commit::outcome::Applied;
use crate::domain::commit::rows::TakeoverChange;
use crate::domain::commit::rule::{Judgement, Priority, Rule};
use crate::domain::ids::{Epoch, OutboxId, TurnId};
use crate::domain::operator_order::{OrderFruit, OrderStep};
use crate::domain::outbox::OutboxState;
use crate::domain::ownership::LeaseKey;
use crate::domain::takeover::{TAKEN_OVER, Takeover};
use crate::domain::turn::TurnState;

/// An operator takes a bot over in a chat: the bot's own turns and messages there end, the people may be told, and the
/// operator's order ends with it. Work of the bot that is not named here ends when it is claimed or begun.
#[derive(Clone, Debug, PartialEq)]
pub struct TakeOver {
    /// The take-over.
    pub takeover: Takeover,
    /// Takes the bot from another operator who holds it.
    pub take: bool,
    /// Turns of the bot in the chat.
    pub turns: Vec<TurnId>,
    /// Messages of the bot into the chat.
    pub messages: Vec<OutboxId>,
    /// The turn that tells the people, with its decision; nothing if they are not to be told.
    pub advance: Box<Advance>,
    /// The order that this carries out.
    pub order: OrderStep,
}

impl Rule for TakeOver {
    const PRIORITY: Priority = Priority::Work;

    fn fence(&self) -> Option<(LeaseKey, Epoch)> {
        self.advance.fence()
    }

    fn needs(&self, needs: &mut Needs) {
        self.advance.needs(needs);
        needs.order(Some(&self.order));
        needs.turns.extend(&self.turns);
        needs.outbox.extend(&self.messages);
        needs.stops = true;
    }

    fn judge(self, bench: &mut Bench) -> Judgement {
        let Self { takeover, take, turns, messages, advance, order } = self;
        let place = (takeover.chat, takeover.bot);
        bench.order_waits(Some(&order))?;
        if !take {
            bench.not_held_by_another(place, &takeover.holder, takeover.began_at)?;
        }
        advance.judge(bench)?;
        let (mut cancelled_turns, mut cancelled_messages) = (0, 0);
        for id in turns {
            let Some(head) = bench.loaded.turns.get_mut(&id) else { continue };
            if head.bot == takeover.bot && !head.progress.state.is_final() {
                head.progress.state = TurnState::Dropped;
                head.progress.error = Some(TAKEN_OVER.to_owned());
                cancelled_turns += 1;
                bench.turn_moved(id);
            }
        }
        for id in messages {
            let Some(head) = bench.loaded.outbox.get_mut(&id) else { continue };
            if (head.chat, head.bot) == place && head.progress.state.may_begin() {
                head.progress.state = OutboxState::Cancelled;
                head.progress.error = Some(TAKEN_OVER.to_owned());
                cancelled_messages += 1;
                bench.outbox_moved(id);
            }
        }
        bench.loaded.takeovers.0.insert(place, takeover.clone());
        bench.changes.orders.takeovers.insert(place, TakeoverChange::Begun(takeover));
        let fruit = OrderFruit::TakenOver { turns: cancelled_turns, messages: cancelled_messages };
        bench.order_bears(order, fruit);
        Ok(Applied::Done)
    }
}
