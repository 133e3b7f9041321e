//! One process: its clock, its machine, its actors, what it hears and what it asks of the store. Part of the testkit.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::domain::commit::operations::Operation;

use crate::domain::commit::outcome::{Applied, Refusal};
use crate::domain::ids::{AttemptId, BotId, ChatId, DecisionNumber, Epoch, InboxId, Number, TurnId};
use crate::domain::inbox::InboxRow;
use crate::domain::outbox::{OutboxMessage, SendResult};
use crate::domain::ownership::{Incarnation, LeaseKey, NodeRecord, NodeState, Picture};
use crate::domain::turn::Turn;
use crate::policy::ownership::machine::Ownership;
use crate::policy::ownership::observer::Observer;
use crate::ports::bus::Hint;
use crate::testkit::memory_store::MemoryStore;

/// A boot clock with an arbitrary start that runs a little fast or slow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    pub(super) offset: Duration,
    /// Parts in a million of real time.
    pub(super) rate: u32,
}

impl Clock {
    /// Returns the time that the clock shows at a real time.
    pub(super) fn local(self, real: Duration) -> Duration {
        self.offset + real * self.rate / 1_000_000
    }

    /// Returns the first real time at which the clock shows `local`.
    pub(super) fn real(self, local: Duration) -> Duration {
        let since = local.saturating_sub(self.offset).as_nanos();
        Duration::from_nanos((since * 1_000_000).div_ceil(u128::from(self.rate)) as u64 + 1)
    }
}

/// One process, from its start to its end.
pub(super) struct Process {
    pub(super) slot: usize,
    pub(super) launch: i64,
    pub(super) ended: bool,
    /// The number of the pause that holds the process.
    pub(super) paused: Option<u64>,
    /// The messages that the process will hear when the pause ends.
    pub(super) queued: VecDeque<Msg>,
    /// The length of a pause that shall begin between the next check and its effect.
    pub(super) ambush: Option<Duration>,
    pub(super) store: MemoryStore,
    pub(super) clock: Clock,
    pub(super) machine: Option<Ownership>,
    pub(super) me: Incarnation,
    /// Observes the other nodes while the process may not join yet.
    pub(super) waiting: Observer,
    /// The real time at which the process sent its last beat that the store accepted.
    pub(super) good_beat: Option<Duration>,
    pub(super) wake_at: Duration,
    pub(super) bots: BTreeMap<BotId, BotActor>,
    pub(super) chats: BTreeMap<ChatId, ChatActor>,
    /// The attempts that Telegram has not answered.
    pub(super) sending: BTreeMap<AttemptId, OutboxMessage>,
    /// True when another process shall take the slot after this one ends.
    pub(super) returns: bool,
}

/// A bot on its owner.
pub(super) struct BotActor {
    pub(super) epoch: Epoch,
    pub(super) offset: Offset,
    pub(super) poll: Polling,
    /// The node to hand over to. Updates taken before the hand-over are still stored.
    pub(super) leaving_to: Option<Incarnation>,
    pub(super) handing_over: bool,
    pub(super) looking: bool,
    /// The turn in hand.
    pub(super) turn: Option<TurnId>,
    pub(super) beginning: BTreeSet<AttemptId>,
    pub(super) since: Duration,
}

/// The first update of a bot that is not confirmed, as far as its owner has read it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Offset {
    Unread,
    /// `None` before the bot's first batch.
    Read(Option<i64>),
}

/// The state of a bot's poll.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Polling {
    Idle,
    Open(u64),
    Storing,
}

/// A chat on its owner.
pub(super) struct ChatActor {
    pub(super) epoch: Epoch,
    pub(super) at: Option<(Number, DecisionNumber)>,
    pub(super) busy: bool,
    pub(super) again: bool,
    pub(super) leaving_to: Option<Incarnation>,
    pub(super) handing_over: bool,
}

/// A message that a process hears.
#[derive(Clone, Debug)]
pub(super) enum Msg {
    Start,
    Wake,
    Reconcile,
    Answer(Call, Option<Got>),
    Hints(Vec<Hint>),
    Warm(LeaseKey),
    Polled(BotId, Epoch, u64, Option<Vec<(i64, ChatId)>>),
    Completed(BotId, Epoch, Turn),
    Sent(AttemptId, SendResult),
    Again(BotId, Epoch),
    /// A call that was not carried out is made again.
    Retry(Call),
    /// An effect that was delayed by a pause between the check and the effect.
    Late(Outside),
}

/// An effect on the outside world.
#[derive(Clone, Debug)]
pub(super) enum Outside {
    /// A poll, with the id that its bot uses until Telegram has it.
    Poll(BotId, Epoch, Option<i64>, u64),
    Send(AttemptId, Box<OutboxMessage>),
}

/// A call of a process to the store.
#[derive(Clone, Debug)]
pub(super) enum Call {
    Join,
    Beat(Duration),
    Nodes(Duration),
    Picture(Duration),
    Bury(Vec<(Incarnation, i64)>),
    Plan,
    Ready(LeaseKey),
    Take(Vec<LeaseKey>),
    Drain,
    Leave,
    ReadBot(BotId, Epoch),
    Look(BotId, Epoch, bool),
    ReadChat(ChatId, Epoch),
    Rows(ChatId, Epoch),
    Commit(Box<Operation>, Then),
}

/// The purpose of a commit.
#[derive(Clone, Debug)]
pub(super) enum Then {
    Stored(BotId, Epoch, i64, BTreeSet<ChatId>),
    Claimed(BotId, Epoch, Box<Turn>),
    Said(BotId, Epoch, AttemptId, Box<OutboxMessage>),
    Begun(BotId, Epoch, AttemptId, Box<OutboxMessage>),
    Settled(ChatId, Option<InboxId>),
    Advanced(ChatId, Epoch, BTreeSet<BotId>),
    HandedOver(LeaseKey, Epoch, Incarnation),
}

/// The answer of the store.
#[derive(Clone, Debug)]
pub(super) enum Got {
    Joined(Incarnation),
    Beat(NodeState),
    Nodes(Vec<NodeRecord>),
    Picture(Picture),
    Taken(Vec<(LeaseKey, Epoch)>),
    Done,
    Bot(Option<i64>),
    Work(Vec<Turn>, Vec<OutboxMessage>),
    Chat(Number, DecisionNumber),
    Rows(Vec<InboxRow>),
    Judged(Result<Applied, Refusal>),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A wake-up that came too early would be asked for again at the same time, without end.
    #[test]
    fn a_clock_shows_what_is_due_when_it_is_due() {
        for rate in [980_000, 999_999, 1_000_000, 1_020_000] {
            let clock = Clock { offset: Duration::from_millis(7), rate };
            for nanos in (0..3_000_000_u64).step_by(997) {
                let due = clock.offset + Duration::from_nanos(nanos);
                assert!(clock.local(clock.real(due)) >= due, "{nanos} ns at {rate}");
            }
        }
    }
}
