//! Whose words had turns lately: what a person's share of a chat is counted by. Layer `actors`; pure. Keeps I15.
//!
//! It lives beside the transcript's end, not in it: whoever has their words removed has had their share all the same.

use std::collections::VecDeque;

use crate::behaviour::physics::limits::SHARE_OF;
use crate::domain::ids::TelegramUserId;
use crate::domain::time::Timestamp;

/// So many turns are remembered: more than any chat begins in that time.
const TURNS_MAX: usize = 4096;

/// Turns begun for people in the time of which they have a share, oldest first.
#[derive(Default)]
pub(super) struct Shares {
    begun: VecDeque<(Timestamp, TelegramUserId)>,
}

impl Shares {
    /// Turns that were begun for a person.
    pub(super) fn of(&mut self, person: TelegramUserId, now: Timestamp) -> u32 {
        let since = now - SHARE_OF;
        while self.begun.front().is_some_and(|(at, _)| *at <= since) {
            self.begun.pop_front();
        }
        self.begun.iter().filter(|(_, of)| *of == person).count() as u32
    }

    /// A turn was begun for a person.
    pub(super) fn begin(&mut self, person: TelegramUserId, now: Timestamp) {
        if self.begun.len() == TURNS_MAX {
            self.begun.pop_front();
        }
        self.begun.push_back((now, person));
    }
}
