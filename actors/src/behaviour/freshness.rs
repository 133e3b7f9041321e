//! Freshness: a message too old to be answered is history, not a call. Layer `behaviour`; pure. Keeps I14.
//!
//! Age counts from a message's own date. Dates of others' messages are in Telegram's time, and the decision's record
//! holds how far that is ahead of the decision's clock; the fleet's own messages bear dates of the decision's clock. A
//! decision recorded without the distance was made by a version that judged no age, and is made again without.

use std::time::Duration;

use serde_json::{Value, json};

use super::scene::Scene;
use crate::behaviour::director::direction::Direction;
use crate::domain::decision::Standing;
use crate::domain::time::Timestamp;
use crate::domain::transcript::TranscriptEntry;

/// Age beyond which a message was read late: of several late calls of one person the newest is answered.
pub const LATE: Duration = Duration::from_secs(15);

/// Names of the gates of this file.
pub(in crate::behaviour) const HISTORY: [&str; 2] = ["too_old", "superseded"];

impl Standing {
    /// Returns the date of an entry, on the clock of the decision.
    pub fn when(&self, entry: &TranscriptEntry) -> Timestamp {
        let ahead_ms = self.ahead_ms.filter(|_| entry.fleet_bot.is_none()).unwrap_or(0);
        Timestamp::from_millis(entry.date.as_millis().saturating_sub(ahead_ms))
    }
}

/// Returns silence when `entry` is history: older than `stale_after`, or followed by its author's newer call.
pub(in crate::behaviour) fn history(scene: &Scene<'_>, entry: &TranscriptEntry) -> Option<Direction> {
    scene.standing.ahead_ms?;
    let age = scene.now.since(scene.standing.when(entry));
    let stale_after = scene.chat.spec.pacing.stale_after;
    if age > stale_after {
        let (age_s, limit) = (age.as_secs(), stale_after.as_secs());
        let reason = format!("too old to be answered: {age_s} s, where {limit} s is the most");
        return Some(Direction::silence(reason, Some(entry)).with_inputs(inputs("too_old", age_s)));
    }
    scene.standing.superseded.then(|| {
        let reason = "read late, and its author called again since: the newest call is answered";
        Direction::silence(reason, Some(entry)).with_inputs(inputs("superseded", age.as_secs()))
    })
}

fn inputs(gate: &str, age_s: u64) -> Value {
    json!({ "gate": gate, "age_s": age_s })
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Arc;

    use super::*;
    use crate::behaviour::director::direct;
    use crate::behaviour::note::Note;
    use crate::behaviour::samples::{bot, chat, says};
    use crate::behaviour::scene::Occasion;
    use crate::domain::decision::Verdict;
    use crate::domain::ids::BotId;
    use crate::domain::roster::ChatPolicy;

    const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);

    /// Returns the verdict on a call of age `age_s`, when Telegram's time is `ahead_ms` ahead.
    fn verdict(policy: ChatPolicy, age_s: i64, ahead_ms: Option<i64>, by_fleet: bool) -> Verdict {
        let cast = vec![bot(1, "Deniz"), bot(2, "Nora")];
        let mut chat = chat(policy, &cast);
        (chat.spec.quiet_hours, chat.spec.strategy.addressed_by_person) = (None, 1.0);
        chat.spec.strategy.addressed_by_bot = 1.0;
        let mut entry = says(1, by_fleet.then_some(&cast[1]), "@deniz_bot merhaba", u32::from(by_fleet));
        entry.date = Timestamp::from_secs(NOW.as_millis() / 1000 - age_s);
        let note = Arc::new(Note::new(Arc::new(entry)));
        let window = VecDeque::from([Arc::clone(&note)]);
        let standing = Standing { ahead_ms, ..Standing::default() };
        let scene = Scene { chat: &chat, cast: &cast, window: &window, whole: &window, standing: &standing, now: NOW };
        let occasion = Occasion::Entry { entry: &note, heard_by: Some(BotId(1)) };
        direct(&scene, occasion, 7).expect("a decision").verdict
    }

    #[test]
    fn age_counts_by_telegrams_time_for_people_and_by_our_own_for_the_fleet() {
        // Older than a minute is history in these chats.
        for policy in [ChatPolicy::Every, ChatPolicy::Mention, ChatPolicy::Natural] {
            let person = |age_s, ahead_ms| verdict(policy, age_s, ahead_ms, false);
            assert_eq!(person(59, Some(0)), Verdict::Speak, "{policy:?}");
            assert_eq!(person(61, Some(0)), Verdict::Silent, "{policy:?}");
            assert_eq!(person(-600, Some(600_000)), Verdict::Speak, "{policy:?}: this machine is behind");
            assert_eq!(person(-500, Some(600_000)), Verdict::Silent, "{policy:?}: behind, and the call is old");
            assert_eq!(person(600, Some(-600_000)), Verdict::Speak, "{policy:?}: this machine is ahead");
            assert_eq!(person(9_999, None), Verdict::Speak, "{policy:?}: recorded before ages were looked at");
        }
        assert_eq!(
            verdict(ChatPolicy::Mention, 1, Some(600_000), true),
            Verdict::Speak,
            "its own words are dated here"
        );
        assert_eq!(verdict(ChatPolicy::Mention, 61, Some(-600_000), true), Verdict::Silent);
    }
}
