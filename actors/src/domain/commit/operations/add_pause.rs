//! Telegram asks for a pause in answer to a call that is no message. Layer `domain`.

use crate::domain::commit::bench::Bench;
use crate::domain::commit::needs::Needs;
use crate::domain::commit::outcome::Applied;
use crate::domain::commit::rule::{Judgement, Priority, Rule};
use crate::domain::ids::Epoch;
use crate::domain::ownership::LeaseKey;
use crate::domain::pause::Pause;

/// Telegram answered 429 to a poll, to "typing" or to another call that is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddPause {
    /// The bot's fence.
    pub epoch: Epoch,
    /// Bot, place and end of the pause.
    pub pause: Pause,
}

impl Rule for AddPause {
    const PRIORITY: Priority = Priority::Ahead;

    fn fence(&self) -> Option<(LeaseKey, Epoch)> {
        Some((LeaseKey::Bot(self.pause.bot), self.epoch))
    }

    fn needs(&self, _: &mut Needs) {}

    fn judge(self, bench: &mut Bench) -> Judgement {
        bench.pause(self.pause);
        Ok(Applied::Done)
    }
}
