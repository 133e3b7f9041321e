//! Admission to the mailboxes of chats (I9). Layer `actors`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use ractor::ActorRef;

use crate::actors::chat::messages::ChatMsg;

/// A chat's actor, for others.
#[derive(Clone)]
pub struct ChatHandle {
    /// The actor.
    pub actor: ActorRef<ChatMsg>,
    /// Admission of rows to the actor's mailbox; refused rows stay in the store.
    pub rows: Arc<RowPermits>,
}

/// Admission to a chat's mailbox.
pub struct RowPermits {
    free: AtomicI64,
    overflowed: AtomicBool,
}

impl RowPermits {
    /// Admits up to `rows` rows at a time.
    pub fn new(rows: usize) -> Self {
        Self { free: AtomicI64::new(rows as i64), overflowed: AtomicBool::new(false) }
    }

    /// Takes permits for `rows` rows. Once a request is refused, all are refused until the chat has read the store
    /// again: rows must not overtake those that stayed in the store.
    pub fn try_admit(&self, rows: usize) -> bool {
        if self.overflowed.load(Ordering::Acquire) {
            return false;
        }
        let before = self.free.fetch_sub(rows as i64, Ordering::AcqRel);
        if before < rows as i64 {
            self.free.fetch_add(rows as i64, Ordering::AcqRel);
            self.overflowed.store(true, Ordering::Release);
            return false;
        }
        true
    }

    /// Gives permits back.
    pub fn release(&self, rows: usize) {
        self.free.fetch_add(rows as i64, Ordering::AcqRel);
    }

    /// Returns whether rows stayed in the store.
    pub fn has_overflowed(&self) -> bool {
        self.overflowed.load(Ordering::Acquire)
    }

    /// Opens the mailbox again after the store was read to its end.
    pub fn caught_up(&self) {
        self.overflowed.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use crate::actors::node::permits::*;

    #[test]
    fn rows_do_not_overtake_those_that_stayed_in_the_store() {
        let permits = RowPermits::new(2);
        assert!(permits.try_admit(2));
        assert!(!permits.try_admit(1));
        permits.release(2);
        assert!(!permits.try_admit(1), "the store is still ahead");
        permits.caught_up();
        assert!(permits.try_admit(1));
    }
}
