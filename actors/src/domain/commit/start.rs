//! The start of an attempt to send, and the limits that it must keep. Layer `domain`. Keeps I9, I11.

use serde::{Deserialize, Serialize};

use crate::domain::commit::bench::Bench;
use crate::domain::commit::outcome::Verdict;
use crate::domain::ids::{AttemptId, Epoch, OutboxId};
use crate::domain::outbox::OutboxState;
use crate::domain::people::REMOVED;
use crate::domain::takeover::TAKEN_OVER;
use crate::domain::time::Timestamp;
use crate::domain::window::WindowRule;

/// The start of an attempt to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// Id of the attempt.
    pub attempt: AttemptId,
    /// Limits that the attempt must keep (I11).
    pub rules: SendRules,
    /// Current time, on the database's clock.
    pub now: Timestamp,
}

/// Limits that a send must keep.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendRules {
    /// Longest chain of bot messages.
    pub chain_depth_max: Option<u32>,
    /// Sliding windows.
    pub windows: Vec<WindowRule>,
    /// The bot speaks for itself: not while an operator has taken it over in the chat.
    #[serde(default)]
    pub yields: bool,
}

/// Count of an attempt's start in its windows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Time of the start.
    pub at: Timestamp,
    /// The windows.
    pub windows: Vec<WindowRule>,
}

impl Start {
    /// Returns the count of this start in its windows, when the start is allowed.
    pub fn counted(&self) -> Counted {
        Counted { at: self.now, windows: self.rules.windows.clone() }
    }

    /// Decides over a send by stops, take-overs, pauses, staleness, depth and windows (I9, I11, I14), and sets the message's state.
    pub(super) fn rule(&self, bench: &mut Bench, outbox: OutboxId, epoch: Epoch) -> Verdict {
        let Some(head) = bench.loaded.outbox.get_mut(&outbox) else {
            return Verdict::Cancelled("not stored".to_owned());
        };
        let blocking = bench.loaded.stops.blocking(head.chat, head.bot, self.now);
        let taken_over = self.rules.yields && bench.loaded.takeovers.of(head.chat, head.bot, self.now).is_some();
        let paused = bench.loaded.pauses.paused_until(head.bot, head.chat, self.now);
        for rule in &self.rules.windows {
            if bench.loaded.windows.get_mut(&rule.key).is_some_and(|window| window.clamp(rule, self.now)) {
                bench.changes.windows.insert(rule.key);
            }
        }
        let full = self.rules.windows.iter().filter_map(|rule| {
            let window = bench.loaded.windows.get(&rule.key)?;
            window.full_until(rule, self.now).map(|until| (rule.key.name(), until))
        });
        let obstacle =
            full.chain(paused.map(|until| ("pause of Telegram".to_owned(), until))).max_by_key(|(_, until)| *until);
        let verdict = if let Some(scope) = blocking {
            Verdict::Cancelled(format!("stopped: {scope:?}"))
        } else if taken_over {
            Verdict::Cancelled(TAKEN_OVER.to_owned())
        } else if head.emptied {
            Verdict::Cancelled(REMOVED.to_owned())
        } else if head.expires_at <= self.now {
            Verdict::Cancelled("stale".to_owned())
        } else if self.rules.chain_depth_max.is_some_and(|max| head.chain_depth > max) {
            Verdict::Cancelled(format!("chain of bot messages too deep: {}", head.chain_depth))
        } else {
            match obstacle {
                Some((what, until)) if until >= head.expires_at => {
                    Verdict::Cancelled(format!("limit of {what} reached beyond its staleness"))
                }
                Some((_, until)) => Verdict::Wait(until),
                None => Verdict::Send,
            }
        };
        match &verdict {
            Verdict::Send => {
                head.progress.state = OutboxState::Sending;
                head.progress.attempts += 1;
                head.progress.attempt = Some(self.attempt);
                head.progress.claimed_epoch = Some(epoch);
                for rule in &self.rules.windows {
                    bench.loaded.windows.entry(rule.key).or_default().count(rule, self.now);
                    bench.changes.windows.insert(rule.key);
                }
            }
            Verdict::Wait(until) => head.progress.due_at = *until,
            Verdict::Cancelled(reason) => {
                head.progress.state = OutboxState::Cancelled;
                head.progress.error = Some(reason.clone());
            }
        }
        bench.outbox_moved(outbox);
        verdict
    }
}

impl Counted {
    /// Takes back the count of an attempt that certainly sent nothing: an outage must not mute anybody afterwards.
    pub(super) fn give_back(&self, bench: &mut Bench) {
        for rule in &self.windows {
            if let Some(window) = bench.loaded.windows.get_mut(&rule.key)
                && window.give_back(rule, self.at)
            {
                bench.changes.windows.insert(rule.key);
            }
        }
    }
}
