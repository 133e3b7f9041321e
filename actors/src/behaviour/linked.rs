//! Decides whether Telegram draws a link from an answer to what it answers. Layer `behaviour`; pure.
//!
//! People who answer what stands right above seldom link it, and link what lies further back: else nobody would know
//! what they mean. The transcript keeps what a message answers either way.

use std::sync::Arc;

use super::interruption::Pending;
use crate::domain::transcript::{EntryKind, TranscriptEntry};

/// Of so many answers to what stands right above, one is linked all the same.
const LINKED_ONE_IN: i64 = 8;

/// Returns whether the answer is linked. `tail` is the present end of the transcript, oldest first; an empty one knows
/// nothing, and a link is never wrong.
pub fn shows_link(pending: &Pending, tail: &[Arc<TranscriptEntry>]) -> bool {
    let Some(target) = &pending.target else { return true };
    let said = |entry: &&Arc<TranscriptEntry>| entry.kind == EntryKind::Message && entry.thread == target.thread;
    is_linked(target, tail.iter().rev().find(said).map(|entry| &**entry))
}

/// Returns whether an answer to `target` is linked when `newest` is the last message above it.
pub fn is_linked(target: &TranscriptEntry, newest: Option<&TranscriptEntry>) -> bool {
    let right_above = newest.is_some_and(|newest| newest.number == target.number);
    !right_above || target.number.0 % LINKED_ONE_IN == 0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::behaviour::samples::{bot, says};
    use crate::domain::ids::{BotId, Number, ThreadId};

    fn tail(numbers: impl IntoIterator<Item = i64>) -> Vec<Arc<TranscriptEntry>> {
        numbers.into_iter().map(|number| Arc::new(says(number, None, "çay var mı?", 0))).collect()
    }

    fn pending(target: &Arc<TranscriptEntry>) -> Pending {
        let (target, thread) = (Some(Arc::clone(target)), None);
        Pending { bot: BotId(1), target, addressed: true, after_others: false, seen: Number(1), thread }
    }

    #[test]
    fn what_stands_right_above_is_seldom_linked_and_what_lies_further_back_always() {
        let shown = |target: i64, last: i64| {
            let tail = tail(1..=last);
            shows_link(&pending(&tail[target as usize - 1]), &tail)
        };
        let right_above = (1..=80).filter(|number| shown(*number, *number)).count();
        assert_eq!(right_above, 10, "one in eight");
        assert!((1..=80).all(|number| shown(number, number + 1)));
    }

    #[test]
    fn only_messages_of_the_same_topic_stand_between() {
        let mut tail = tail(1..=2);
        let mut reaction = (*tail[1]).clone();
        reaction.kind = EntryKind::Reaction;
        tail[1] = Arc::new(reaction);
        assert!(!shows_link(&pending(&tail[0]), &tail), "a reaction is no message");
        let mut elsewhere = says(3, Some(&bot(1, "Deniz")), "başka konu", 0);
        elsewhere.thread = Some(ThreadId(7));
        tail.push(Arc::new(elsewhere));
        assert!(!shows_link(&pending(&tail[0]), &tail));
    }

    #[test]
    fn who_knows_nothing_links() {
        let entry = Arc::new(says(1, None, "selam", 0));
        assert!(shows_link(&pending(&entry), &[]));
        assert!(shows_link(&Pending { target: None, ..pending(&entry) }, &[entry]));
    }
}
