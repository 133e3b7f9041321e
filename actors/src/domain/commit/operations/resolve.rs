//! Evidence shows that a message of unknown fate was sent. Layer `domain`. Keeps I4.

use crate::domain::commit::bench::Bench;
use crate::domain::commit::needs::Needs;
use crate::domain::commit::outcome::{Applied, conflict};
use crate::domain::commit::rule::{Judgement, Priority, Rule};
use crate::domain::ids::{ChatId, Epoch, MessageId, OutboxId};
use crate::domain::inbox::InboxRow;
use crate::domain::outbox::OutboxState;
use crate::domain::ownership::LeaseKey;

/// Evidence (another bot's copy, a reply) shows that a message of unknown fate is in the chat.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolve {
    /// The chat that saw the evidence.
    pub chat: ChatId,
    /// Epoch of the chat's lease.
    pub epoch: Epoch,
    /// The message, which must be unknown.
    pub outbox: OutboxId,
    /// Telegram's id of the message.
    pub message_id: MessageId,
    /// The event for the chat's inbox.
    pub event: InboxRow,
}

impl Rule for Resolve {
    const PRIORITY: Priority = Priority::Work;

    fn fence(&self) -> Option<(LeaseKey, Epoch)> {
        Some((LeaseKey::Chat(self.chat), self.epoch))
    }

    fn needs(&self, needs: &mut Needs) {
        needs.outbox.insert(self.outbox);
        needs.sources.insert((self.event.bot, self.event.source));
    }

    /// Marks a message of unknown fate as sent, since there is evidence (I4).
    fn judge(self, bench: &mut Bench) -> Judgement {
        let Some(head) = bench.loaded.outbox.get_mut(&self.outbox) else {
            return conflict(format!("message {} is not stored", self.outbox));
        };
        if head.chat != self.chat || head.progress.state != OutboxState::Unknown {
            return conflict(format!("message {} is {}", self.outbox, head.progress.state.as_str()));
        }
        head.progress.state = OutboxState::Sent;
        head.progress.message_id = Some(self.message_id);
        let emptied = head.emptied;
        bench.outbox_moved(self.outbox);
        bench.insert_sent(self.event, emptied);
        Ok(Applied::Done)
    }
}
