//! A person redelivers a dead letter. Layer `domain`. Keeps I4.

use crate::domain::commit::bench::Bench;
use crate::domain::commit::needs::Needs;
use crate::domain::commit::outcome::{Applied, conflict};
use crate::domain::commit::rule::{Judgement, Priority, Rule};
use crate::domain::dead_letter::DeadLetterId;
use crate::domain::ids::{Epoch, OutboxId};
use crate::domain::operator_order::OrderStep;
use crate::domain::outbox::{OutboxState, SendProgress};
use crate::domain::ownership::LeaseKey;
use crate::domain::time::Timestamp;
use crate::domain::turn::{TurnProgress, TurnState};

/// A person redelivers a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redeliver {
    /// The dead letter.
    pub letter: DeadLetterId,
    /// For a message: the later parts of its turn. Those that were cancelled with the message are queued again as well.
    pub later_parts: Vec<OutboxId>,
    /// The person accepts that a message of unknown fate may show up twice.
    pub confirm_duplicate: bool,
    /// Time from which the dead letter is due.
    pub now: Timestamp,
    /// Time from which the dead letter is stale.
    pub expires_at: Timestamp,
    /// The order of an operator that this carries out; it ends in the same commit.
    pub order: Option<OrderStep>,
}

impl Rule for Redeliver {
    const PRIORITY: Priority = Priority::Work;

    fn fence(&self) -> Option<(LeaseKey, Epoch)> {
        self.order.as_ref()?.fence()
    }

    fn needs(&self, needs: &mut Needs) {
        needs.order(self.order.as_ref());
        match self.letter {
            DeadLetterId::Update(inbox) => drop(needs.dead_updates.insert(inbox)),
            DeadLetterId::Turn(turn) => drop(needs.turns.insert(turn)),
            DeadLetterId::Message(outbox) => {
                needs.outbox.insert(outbox);
                needs.outbox.extend(&self.later_parts);
            }
        }
    }

    /// Queues a dead update, a dead turn or a rejected message anew; a message of unknown fate only when the person
    /// accepts that the message may show up twice (I4).
    fn judge(self, bench: &mut Bench) -> Judgement {
        bench.order_waits(self.order.as_ref())?;
        match self.letter {
            DeadLetterId::Update(inbox) => {
                if !bench.loaded.dead_updates.remove(&inbox) {
                    return conflict(format!("update {inbox} is not dead"));
                }
                bench.loaded.inbox.insert(inbox, true);
                bench.changes.orders.inbox.insert(inbox);
            }
            DeadLetterId::Turn(turn) => {
                let Some(head) = bench.loaded.turns.get_mut(&turn) else {
                    return conflict(format!("turn {turn} is not stored"));
                };
                if head.progress.state != TurnState::Dead {
                    return conflict(format!("turn {turn} is {}", head.progress.state.as_str()));
                }
                head.progress = TurnProgress { usage: head.progress.usage.take(), ..TurnProgress::queued() };
                bench.turn_moved(turn);
                bench.changes.orders.turns.insert(turn, (self.now, self.expires_at));
            }
            DeadLetterId::Message(outbox) => {
                let state = bench.loaded.outbox.get(&outbox).map(|head| head.progress.state);
                match state {
                    Some(OutboxState::Rejected) => {}
                    Some(OutboxState::Unknown) if self.confirm_duplicate => {}
                    Some(OutboxState::Unknown) => {
                        return conflict(format!("message {outbox} may have been sent"));
                    }
                    Some(state) => return conflict(format!("message {outbox} is {}", state.as_str())),
                    None => return conflict(format!("message {outbox} is not stored")),
                }
                self.queue_again(bench, outbox);
                for part in &self.later_parts {
                    let state = bench.loaded.outbox.get(part).map(|head| head.progress.state);
                    if state == Some(OutboxState::Cancelled) {
                        self.queue_again(bench, *part);
                    }
                }
            }
        }
        bench.order_done(self.order);
        Ok(Applied::Done)
    }
}

impl Redeliver {
    fn queue_again(&self, bench: &mut Bench, outbox: OutboxId) {
        if let Some(head) = bench.loaded.outbox.get_mut(&outbox) {
            head.expires_at = self.expires_at;
            head.progress = SendProgress::queued(self.now);
            bench.outbox_moved(outbox);
            bench.changes.orders.outbox.insert(outbox, self.expires_at);
        }
    }
}
