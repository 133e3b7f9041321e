//! A bot ends a turn that it had claimed. Layer `domain`. Keeps I6.

use std::time::Duration;

use crate::domain::commit::bench::Bench;
use crate::domain::commit::needs::Needs;
use crate::domain::commit::outcome::{Applied, Refusal};
use crate::domain::commit::rows::OutboxHead;
use crate::domain::commit::rule::{Judgement, MOMENT, Priority, Rule};
use crate::domain::commit::start::Start;
use crate::domain::ids::{BotId, Epoch, TurnId};
use crate::domain::outbox::OutboxMessage;
use crate::domain::ownership::LeaseKey;
use crate::domain::turn::{TURN_ATTEMPTS_MAX, TurnState, Usage};

/// A bot ended a turn that it had claimed.
#[derive(Clone, Debug, PartialEq)]
pub struct Finish {
    /// The bot.
    pub bot: BotId,
    /// Epoch of the bot's lease.
    pub epoch: Epoch,
    /// The turn.
    pub turn: TurnId,
    /// Ending of the turn.
    pub ending: TurnEnding,
    /// Usage of the model, also when the answer was refused.
    pub usage: Option<Usage>,
}

/// Ending of a turn.
#[derive(Clone, Debug, PartialEq)]
pub enum TurnEnding {
    /// The turn made messages. The first is begun in the same commit when `begin` is given and its rules allow it.
    Said {
        /// The parts, in order.
        messages: Vec<OutboxMessage>,
        /// Start of the first part.
        begin: Option<Start>,
    },
    /// The turn had an effect that is no message, such as a reaction, and the effect was seen to happen.
    Acted,
    /// The turn failed, and is queued again until its attempts are used up.
    Failed(String),
    /// Given up on purpose.
    Dropped(String),
    /// The turn came too late.
    Expired,
}

impl Rule for Finish {
    const PRIORITY: Priority = Priority::Work;

    fn fence(&self) -> Option<(LeaseKey, Epoch)> {
        Some((LeaseKey::Bot(self.bot), self.epoch))
    }

    fn needs(&self, needs: &mut Needs) {
        needs.turns.insert(self.turn);
        if let TurnEnding::Said { begin: Some(start), .. } = &self.ending {
            needs.start(start);
        }
    }

    /// A send waits for the turn's end when it begins with it.
    fn patience(&self) -> Duration {
        if matches!(self.ending, TurnEnding::Said { begin: Some(_), .. }) { Duration::ZERO } else { MOMENT }
    }

    fn judge(self, bench: &mut Bench) -> Judgement {
        let head = bench.turn(self.bot, self.turn, TurnState::Claimed)?;
        if head.progress.claimed_epoch != Some(self.epoch) {
            return Err(Refusal::Fenced);
        }
        if self.usage.is_some() {
            head.progress.usage = self.usage;
        }
        let applied = match self.ending {
            TurnEnding::Said { messages, begin } => {
                head.progress.state = TurnState::Done;
                let first = messages.first().map(|message| message.id);
                for message in messages {
                    bench.loaded.outbox.insert(message.id, OutboxHead::of(&message));
                    bench.new_outbox.insert(message.id);
                    bench.changes.new_outbox.push(message);
                }
                let verdict = match (first, begin) {
                    (Some(first), Some(start)) => Some(start.rule(bench, first, self.epoch)),
                    _ => None,
                };
                Applied::Said(verdict)
            }
            TurnEnding::Acted => {
                head.progress.state = TurnState::Done;
                Applied::Done
            }
            TurnEnding::Failed(error) => {
                let dead = head.progress.attempts >= TURN_ATTEMPTS_MAX;
                head.progress.state = if dead { TurnState::Dead } else { TurnState::Queued };
                head.progress.error = Some(error);
                Applied::Failed { dead }
            }
            TurnEnding::Dropped(reason) => {
                head.progress.state = TurnState::Dropped;
                head.progress.error = Some(reason);
                Applied::Done
            }
            TurnEnding::Expired => {
                head.progress.state = TurnState::Expired;
                Applied::Done
            }
        };
        bench.turn_moved(self.turn);
        Ok(applied)
    }
}
