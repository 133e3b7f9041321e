//! Counts the turns begun for each person lately: the person's share of a chat. Layer `actors`; pure. Keeps I15.
//!
//! The counts live beside the transcript's end, not in it: a person whose words are removed has had their share.

use std::collections::VecDeque;

use crate::behaviour::physics::limits::SHARE_OF;
use crate::domain::ids::TelegramUserId;
use crate::domain::time::Timestamp;

/// The number of turns that are remembered: more than any chat begins in `SHARE_OF`.
const TURNS_MAX: usize = 4096;

/// The time at which a turn was begun, and the person for whom.
pub(super) type Begun = (Timestamp, TelegramUserId);

/// Turns begun for people in the last `SHARE_OF`, oldest first.
#[derive(Default)]
pub(super) struct Shares {
    begun: VecDeque<Begun>,
}

impl Shares {
    /// Returns the number of turns that were begun for a person in the last `SHARE_OF`.
    pub(super) fn of(&mut self, person: TelegramUserId, now: Timestamp) -> u32 {
        let since = now - SHARE_OF;
        while self.begun.front().is_some_and(|(at, _)| *at <= since) {
            self.begun.pop_front();
        }
        self.begun.iter().filter(|(_, of)| *of == person).count() as u32
    }

    /// Counts turns whose commit was submitted.
    pub(super) fn count(&mut self, begun: &[Begun]) {
        self.begun.extend(begun);
        let beyond = self.begun.len().saturating_sub(TURNS_MAX);
        self.begun.drain(..beyond);
    }

    /// Takes turns back that were not stored: their commit failed, and they are decided again.
    pub(super) fn take_back(&mut self, begun: &[Begun]) {
        for one in begun {
            if let Some(at) = self.begun.iter().rposition(|other| other == one) {
                self.begun.remove(at);
            }
        }
    }
}
