//! Sliding windows: how much was sent lately, per bot, pair, chat and fleet (I11). Layer `domain`.
//!
//! A window counts sends in slots, and sums every slot that overlaps the window's length. So the limit is never
//! exceeded in any span of that length; the window errs by at most one slot towards silence.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ids::{BotId, ChatId};
use super::time::Timestamp;

/// Slots in a window: its resolution is 1/60 of its length.
const SLOTS: i64 = 60;

/// Identifies the sends that a window counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowKey {
    /// The whole fleet.
    Fleet,
    /// The fleet in one chat.
    Chat(ChatId),
    /// One bot everywhere: the hourly cap.
    Bot(BotId),
    /// One bot in one chat: what Telegram allows it there.
    Member(ChatId, BotId),
    /// One bot answering another in one chat; the smaller id first.
    Pair(ChatId, BotId, BotId),
}

impl WindowKey {
    /// Returns the key of a pair of bots, the same for both directions.
    pub fn pair(chat: ChatId, one: BotId, other: BotId) -> Self {
        Self::Pair(chat, one.min(other), one.max(other))
    }

    /// The name in the database.
    pub fn name(self) -> String {
        match self {
            Self::Fleet => "fleet".to_owned(),
            Self::Chat(chat) => format!("chat:{chat}"),
            Self::Bot(bot) => format!("bot:{bot}"),
            Self::Member(chat, bot) => format!("member:{chat}:{bot}"),
            Self::Pair(chat, a, b) => format!("pair:{chat}:{a}:{b}"),
        }
    }
}

/// At most `limit` sends in any span of `length`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowRule {
    /// The sends that are counted.
    pub key: WindowKey,
    /// Most sends in the span.
    pub limit: u32,
    /// Length of the span.
    pub length: Duration,
}

/// Counted sends: slot start in milliseconds and count, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Window(VecDeque<(i64, u32)>);

impl Window {
    /// Returns `None` when one more send fits at `now`, else the time at which one will.
    pub fn full_until(&self, rule: &WindowRule, now: Timestamp) -> Option<Timestamp> {
        let length = rule.length.as_millis() as i64;
        let slot = (length / SLOTS).max(1);
        let live = |start: i64| start + slot + length > now.as_millis();
        let used: u32 = self.0.iter().filter(|(start, _)| live(*start)).map(|(_, count)| count).sum();
        if used < rule.limit {
            return None;
        }
        let mut surplus = used - rule.limit + 1;
        for (start, count) in self.0.iter().filter(|(start, _)| live(*start)) {
            surplus = surplus.saturating_sub(*count);
            if surplus == 0 {
                return Some(Timestamp::from_millis(start + slot + length));
            }
        }
        Some(now + rule.length)
    }

    /// Moves sends that were counted by a clock ahead of this one into the slot of `now`: they were sent earlier, but
    /// nobody can tell when. Returns whether there were any.
    pub fn clamp(&mut self, rule: &WindowRule, now: Timestamp) -> bool {
        let (slot, start) = slot_of(rule, now);
        // Clocks of nodes differ by less than a slot.
        let ahead = |start: i64| start > now.as_millis() + slot;
        let moved: u32 = self.0.iter().filter(|(start, _)| ahead(*start)).map(|(_, count)| count).sum();
        if moved == 0 {
            return false;
        }
        self.0.retain(|(start, _)| !ahead(*start));
        self.add(start, moved);
        true
    }

    fn add(&mut self, start: i64, sends: u32) {
        match self.0.iter_mut().find(|(at, _)| *at == start) {
            Some((_, count)) => *count = count.saturating_add(sends),
            None => self.0.push_back((start, sends)),
        }
    }

    /// Counts one send, and forgets slots that have left the window.
    pub fn count(&mut self, rule: &WindowRule, now: Timestamp) {
        let length = rule.length.as_millis() as i64;
        let (slot, start) = slot_of(rule, now);
        self.0.retain(|(start, _)| start + slot + length > now.as_millis());
        self.add(start, 1);
    }

    /// Takes back one send counted at `at` under the same rule; returns false when its slot is forgotten already.
    pub fn give_back(&mut self, rule: &WindowRule, at: Timestamp) -> bool {
        let (_, start) = slot_of(rule, at);
        let Some((_, count)) = self.0.iter_mut().find(|(slot, _)| *slot == start) else {
            return false;
        };
        *count = count.saturating_sub(1);
        self.0.retain(|(_, count)| *count > 0);
        true
    }
}

/// The length of a rule's slots in milliseconds, and the start of the one in which `at` lies.
fn slot_of(rule: &WindowRule, at: Timestamp) -> (i64, i64) {
    let slot = (rule.length.as_millis() as i64 / SLOTS).max(1);
    (slot, at.as_millis() - at.as_millis().rem_euclid(slot))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_span_of_the_window_ever_holds_more_than_its_limit(
            steps in prop::collection::vec(0u64..9_000, 1..200), limit in 1u32..6
        ) {
            let rule = WindowRule { key: WindowKey::Fleet, limit, length: Duration::from_secs(60) };
            let (mut window, mut now, mut sent) = (Window::default(), Timestamp::from_millis(0), Vec::new());
            for step in steps {
                now = now + Duration::from_millis(step);
                match window.full_until(&rule, now) {
                    None => { window.count(&rule, now); sent.push(now); }
                    Some(until) => prop_assert!(until > now),
                }
            }
            for (i, start) in sent.iter().enumerate() {
                let inside = sent[i..].iter().filter(|at| at.since(*start) < rule.length).count();
                prop_assert!(inside <= limit as usize);
            }
        }

        #[test]
        fn a_clock_that_was_ahead_mutes_for_one_span_at_most(
            sends in 1u32..6, limit in 1u32..6, ahead in 0i64..400_000_000
        ) {
            let rule = WindowRule { key: WindowKey::Fleet, limit, length: Duration::from_secs(60) };
            let (mut window, now) = (Window::default(), Timestamp::from_secs(1_800_000_000));
            for _ in 0..sends.min(limit) {
                window.count(&rule, Timestamp::from_millis(now.as_millis() + ahead));
            }
            let full = sends >= limit;
            window.clamp(&rule, now);
            prop_assert_eq!(window.full_until(&rule, now).is_some(), full, "none of them is forgotten");
            prop_assert!(!window.clamp(&rule, now + Duration::from_secs(1)), "they move once");
            prop_assert_eq!(window.full_until(&rule, now + Duration::from_secs(64)), None);
        }

        #[test]
        fn what_is_given_back_was_never_counted(sends in prop::collection::vec((0u64..120, any::<bool>()), 1..60)) {
            let rule = WindowRule { key: WindowKey::Fleet, limit: 30, length: Duration::from_secs(60) };
            let (mut window, mut without, mut now) = (Window::default(), Window::default(), Timestamp::from_millis(0));
            for (step, kept) in sends {
                now = now + Duration::from_secs(step);
                window.count(&rule, now);
                if kept { without.count(&rule, now) } else { prop_assert!(window.give_back(&rule, now)) }
                prop_assert_eq!(window.full_until(&rule, now), without.full_until(&rule, now));
            }
        }

        #[test]
        fn one_more_fits_when_the_window_said_so(limit in 1u32..5) {
            let rule = WindowRule { key: WindowKey::Fleet, limit, length: Duration::from_secs(60) };
            let mut window = Window::default();
            for second in 0..u64::from(limit) {
                window.count(&rule, Timestamp::from_millis(1_000_000) + Duration::from_secs(second));
            }
            let until = window.full_until(&rule, Timestamp::from_millis(1_010_000)).expect("full");
            prop_assert_eq!(window.full_until(&rule, until), None);
        }
    }
}
