//! Identity newtypes. Layer `domain`.
//!
//! Bots and chats have surrogate ids: Telegram's own id of a chat changes when a group becomes a supergroup, and a
//! bot's token can be replaced. Rows that a message passes through get their ids from the process that creates them, so
//! that a dependent operation can name a row whose commit is still under way.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};

use serde::{Deserialize, Serialize};

use super::time::Timestamp;

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

id! {
    /// Surrogate id of a bot, stable over tokens.
    BotId;
    /// Surrogate id of a chat, stable over Telegram's own ids.
    ChatId;
    /// Telegram's id of a user or bot.
    TelegramUserId;
    /// Telegram's id of a chat, negative for groups.
    TelegramChatId;
    /// Telegram's id of a message, unique within a supergroup.
    MessageId;
    /// Telegram's id of a forum topic.
    ThreadId;
    /// Telegram's id of an update, per bot.
    UpdateId;
    /// Id of an inbox row; ids of one process rise with time.
    InboxId;
    /// Place of an entry in its chat's transcript, 1..n without gaps (I3).
    Number;
    /// Place of a decision among its chat's decisions, 1..n.
    DecisionNumber;
    /// Id of a turn.
    TurnId;
    /// Id of a message in the outbox.
    OutboxId;
    /// Id of one attempt to send, by which its settlement names the attempt (I6).
    AttemptId;
    /// Fencing token of a lease: a write under another epoch is refused (I6).
    Epoch;
    /// Sequence number of the configuration that a decision was made under.
    ConfigSeq;
}

impl MessageId {
    /// Returns whether the id belongs to exactly one message. Ephemeral and auto-scheduled messages all have the id 0,
    /// to which nobody can reply.
    ///
    /// # Source
    /// Bot API 10.2, Message: `message_id`.
    pub fn is_of_one(self) -> bool {
        self.0 > 0
    }
}

/// Generates ids that rise with time within one process and differ from those of other processes.
///
/// The upper 41 bits are milliseconds since 2024-01-01, the next 10 bits the place of the process, the lower 12 bits a
/// counter. Two processes with the same place generate the same id only within the same millisecond, or when one of
/// them generated more than 4 ids a microsecond and ran ahead of its clock. A unique constraint then refuses the later
/// operation.
#[derive(Debug)]
pub struct IdSource {
    /// Milliseconds and counter; `placed` puts the place between them.
    last: AtomicI64,
    place: i64,
}

const EPOCH_2024_MS: i64 = 1_704_067_200_000;
const PLACE_BITS: u32 = 10;
const COUNTER_BITS: u32 = 12;

impl IdSource {
    /// Creates a source. `place` distinguishes processes: incarnations that live together differ in its lower 10 bits.
    pub fn new(now: Timestamp, place: u64) -> Self {
        let place = (place & ((1 << PLACE_BITS) - 1)) as i64;
        Self { last: AtomicI64::new(Self::floor(now)), place: place << COUNTER_BITS }
    }

    fn floor(now: Timestamp) -> i64 {
        (now.as_millis() - EPOCH_2024_MS).max(0) << COUNTER_BITS
    }

    /// Returns the next id: positive, and greater than all earlier ids of this source.
    pub fn next(&self, now: Timestamp) -> i64 {
        let floor = Self::floor(now);
        let mut last = self.last.load(Ordering::Relaxed);
        loop {
            let next = (last + 1).max(floor);
            match self.last.compare_exchange_weak(last, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return self.placed(next),
                Err(seen) => last = seen,
            }
        }
    }

    /// Returns the lowest id that a source can make at that time: ids of all tables rise with time.
    pub fn first_at(at: Timestamp) -> i64 {
        Self::floor(at) << PLACE_BITS
    }

    fn placed(&self, id: i64) -> i64 {
        let counter = id & ((1 << COUNTER_BITS) - 1);
        ((id >> COUNTER_BITS) << (PLACE_BITS + COUNTER_BITS)) | self.place | counter
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_even_when_the_clock_falls() {
        let ids = IdSource::new(Timestamp::from_millis(1_800_000_000_000), 7);
        let first = ids.next(Timestamp::from_millis(1_800_000_000_500));
        let second = ids.next(Timestamp::from_millis(1_700_000_000_000));
        assert!(second > first && first > 0);
    }

    #[test]
    fn processes_in_different_places_never_give_the_same_id() {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let (one, other) = (IdSource::new(now, 7), IdSource::new(now, 1024 + 8));
        let ids = |source: &IdSource| (0..10_000).map(|_| source.next(now)).collect::<std::collections::HashSet<_>>();
        let (ones, others) = (ids(&one), ids(&other));
        assert_eq!((ones.len(), others.len()), (10_000, 10_000));
        assert!(ones.is_disjoint(&others));
    }
}
