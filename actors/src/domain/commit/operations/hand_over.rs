//! An owner hands a lease over. Layer `domain`. Keeps I6.

use crate::domain::commit::bench::Bench;
use crate::domain::commit::needs::Needs;
use crate::domain::commit::outcome::Applied;
use crate::domain::commit::rows::{ChatHead, TurnHead};
use crate::domain::commit::rule::{Judgement, Priority, Rule};
use crate::domain::ids::Epoch;
use crate::domain::ownership::{Incarnation, LeaseKey};
use crate::domain::turn::TurnState;

/// An owner hands a lease over to the desired owner. Owner and epoch + 1 are set in one step, so that everything before
/// it is stored and everything after it is fenced. Turns in hand go back to the queue, as if nobody had claimed them;
/// attempts under way are settled by whoever made them (I6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandOver {
    /// The leased bot or chat.
    pub key: LeaseKey,
    /// The owner's epoch.
    pub epoch: Epoch,
    /// The desired owner.
    pub to: Incarnation,
}

impl Rule for HandOver {
    const PRIORITY: Priority = Priority::Work;

    fn fence(&self) -> Option<(LeaseKey, Epoch)> {
        Some((self.key, self.epoch))
    }

    fn needs(&self, _: &mut Needs) {}

    /// Fences the operations that follow in the same batch. Loaded turns of the bot go back to the queue here, all
    /// others in the store.
    fn judge(self, bench: &mut Bench) -> Judgement {
        let next = Epoch(self.epoch.0 + 1);
        match self.key {
            LeaseKey::Bot(bot) => {
                bench.loaded.bots.insert(bot, next);
                let in_hand = |head: &TurnHead| head.bot == bot && head.progress.state == TurnState::Claimed;
                let turns: Vec<_> =
                    bench.loaded.turns.iter().filter(|(_, head)| in_hand(head)).map(|(id, _)| *id).collect();
                for turn in turns {
                    bench.put_back(turn);
                }
            }
            LeaseKey::Chat(chat) => {
                let head = bench.head(chat)?;
                bench.loaded.chats.insert(chat, ChatHead { epoch: next, ..head });
            }
        }
        bench.changes.hand_overs.insert(self.key, (self.to, next));
        Ok(Applied::Done)
    }
}
