//! An attempt to send ends. Layer `domain`. Keeps I4, I6.

use crate::domain::commit::bench::Bench;
use crate::domain::commit::needs::Needs;
use crate::domain::commit::outcome::{Applied, conflict};
use crate::domain::commit::rule::{Judgement, Priority, Rule};
use crate::domain::commit::start::{Counted, Start};
use crate::domain::ids::{AttemptId, Epoch, OutboxId};
use crate::domain::inbox::InboxRow;
use crate::domain::outbox::{OutboxState, SendResult};
use crate::domain::ownership::LeaseKey;
use crate::domain::pause::Pause;
use crate::domain::people::REMOVED;

/// An attempt to send ended. Fenced by the attempt itself, not by an epoch (I6).
#[derive(Clone, Debug, PartialEq)]
pub struct Settle {
    /// The message.
    pub outbox: OutboxId,
    /// The attempt.
    pub attempt: AttemptId,
    /// Result of the attempt.
    pub result: SendResult,
    /// Event for the chat's inbox, when the message was sent.
    pub event: Option<InboxRow>,
    /// Pauses that Telegram asked for.
    pub pauses: Vec<Pause>,
    /// Count of the attempt to take back from its windows, when certainly nothing was sent.
    pub unsent: Option<Counted>,
}

impl Settle {
    /// Creates the end of an attempt in which certainly nothing was sent.
    pub fn unsent(outbox: OutboxId, start: &Start, result: SendResult) -> Self {
        let unsent = Some(start.counted());
        Self { outbox, attempt: start.attempt, result, event: None, pauses: Vec::new(), unsent }
    }
}

impl Rule for Settle {
    const PRIORITY: Priority = Priority::Ahead;

    fn fence(&self) -> Option<(LeaseKey, Epoch)> {
        None
    }

    fn needs(&self, needs: &mut Needs) {
        needs.outbox.insert(self.outbox);
        needs.windows.extend(self.unsent.iter().flat_map(|counted| &counted.windows).map(|rule| rule.key));
        needs.sources.extend(self.event.iter().map(|row| (row.bot, row.source)));
    }

    /// Ends an attempt. Whoever made it may do so under any epoch, while nothing else has ended the attempt (I6).
    fn judge(self, bench: &mut Bench) -> Judgement {
        let Some(head) = bench.loaded.outbox.get_mut(&self.outbox) else {
            return conflict(format!("message {} is not stored", self.outbox));
        };
        let progress = &mut head.progress;
        let open = matches!(progress.state, OutboxState::Sending | OutboxState::Unknown);
        if !open || progress.attempt != Some(self.attempt) {
            return conflict(format!("message {} is {} under another attempt", self.outbox, progress.state.as_str()));
        }
        match self.result {
            SendResult::Sent(message_id) => {
                progress.state = OutboxState::Sent;
                progress.message_id = Some(message_id);
                progress.error = None;
            }
            SendResult::Rejected(error) => {
                progress.state = OutboxState::Rejected;
                progress.error = Some(error);
            }
            SendResult::RetryAt(..) if head.emptied => {
                progress.state = OutboxState::Cancelled;
                progress.error = Some(REMOVED.to_owned());
            }
            SendResult::RetryAt(due_at, error) => {
                progress.state = OutboxState::RetryAt;
                progress.due_at = due_at;
                progress.error = Some(error);
            }
            SendResult::Unknown(error) => {
                progress.state = OutboxState::Unknown;
                progress.error = Some(error);
            }
        }
        let emptied = head.emptied;
        bench.outbox_moved(self.outbox);
        if let Some(counted) = self.unsent {
            counted.give_back(bench);
        }
        if let Some(event) = self.event {
            bench.insert_sent(event, emptied);
        }
        for pause in self.pauses {
            bench.pause(pause);
        }
        Ok(Applied::Done)
    }
}
