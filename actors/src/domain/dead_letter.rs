//! Dead letters: turns, messages and updates that ended badly, until a person looks at them (I7). Layer `domain`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ids::{BotId, ChatId, InboxId, OutboxId, TurnId};
use super::names::{kinds, names};
use super::time::Timestamp;

/// Names a dead letter: `turn-ID`, `message-ID` or `update-ID`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DeadLetterId {
    /// A turn that failed too often.
    Turn(TurnId),
    /// A message that Telegram refused, or whose fate nobody knows.
    Message(OutboxId),
    /// An inbox row whose handling failed for good.
    Update(InboxId),
}

kinds! { DeadLetterId { Turn(TurnId) = "turn", Message(OutboxId) = "message", Update(InboxId) = "update" } }

impl DeadLetterId {
    /// Reads the name back.
    pub fn parse(name: &str) -> Option<Self> {
        let (kind, id) = name.split_once('-')?;
        let id = id.parse().ok().filter(|id| *id > 0)?;
        Self::of_kind(kind, id)
    }

    /// Returns the place in the list: ids of all kinds come from one source and rise with time.
    pub fn place(self) -> (i64, &'static str) {
        (self.id(), self.kind())
    }
}

impl fmt::Display for DeadLetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.kind(), self.id())
    }
}

/// Final state of a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum DeadLetterState {
    /// The turn failed too often, or the handling of the update failed for good.
    Dead,
    /// Telegram refused the message for good.
    Rejected,
    /// Nobody knows whether Telegram has the message.
    Unknown,
}

names! { DeadLetterState { Dead = "dead", Rejected = "rejected", Unknown = "unknown" } }

/// A dead letter as people see it, without its text: the text belongs to the chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Name of the dead letter.
    pub id: DeadLetterId,
    /// Final state.
    pub state: DeadLetterState,
    /// Reason.
    pub reason: Option<String>,
    /// The bot.
    pub bot: BotId,
    /// The chat; an update may have none.
    pub chat: Option<ChatId>,
    /// Number of attempts.
    pub attempts: u32,
    /// Time of creation.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_back_to_its_letter() {
        let update = DeadLetterId::Update(InboxId(9));
        for letter in [DeadLetterId::Turn(TurnId(7)), DeadLetterId::Message(OutboxId(i64::MAX)), update] {
            assert_eq!(DeadLetterId::parse(&letter.to_string()), Some(letter));
        }
        for name in ["", "turn", "turn-", "turn-x", "turn--1", "letter-1", "message-0"] {
            assert_eq!(DeadLetterId::parse(name), None, "{name}");
        }
    }
}
