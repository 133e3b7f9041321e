//! Turns: one bot's duty to answer one entry. Layer `domain`.

use serde::{Deserialize, Serialize};

use super::ids::{BotId, ChatId, DecisionNumber, Epoch, Number, ThreadId, TurnId};
use super::time::Timestamp;

/// A turn is dead after so many failures (I7).
pub const TURN_ATTEMPTS_MAX: u32 = 3;

/// What a turn asks of its bot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum Act {
    /// To answer the target in its model's words.
    #[default]
    Answer,
    /// To bring something up.
    Open {
        /// What; `None` leaves it to the bot.
        topic: Option<String>,
        /// The forum topic in which it does so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        thread: Option<ThreadId>,
    },
    /// To say this text as it stands: no model is asked.
    Say {
        /// The text.
        text: String,
    },
    /// To set this emoji as its reaction to the target.
    React {
        /// The emoji.
        emoji: String,
    },
}

impl Act {
    /// The forum topic that it names; whoever answers does so where it was asked.
    pub fn thread(&self) -> Option<ThreadId> {
        match self {
            Self::Open { thread, .. } => *thread,
            Self::Answer | Self::Say { .. } | Self::React { .. } => None,
        }
    }

    /// Removes the words that it holds.
    pub fn empty(&mut self) {
        if let Self::Say { text } = self {
            text.clear();
        }
    }
}

/// One turn; unique by (chat, decision, bot, ordinal).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// Its id.
    pub id: TurnId,
    /// The chat.
    pub chat: ChatId,
    /// The decision that it comes from.
    pub decision: DecisionNumber,
    /// The bot that speaks.
    pub bot: BotId,
    /// Its place within the decision.
    pub ordinal: u32,
    /// What it shall do.
    #[serde(default)]
    pub act: Act,
    /// The entry to answer; `None` when it speaks up by itself.
    pub target: Option<Number>,
    /// The fleet bot that wrote the target: the pair whose rate is limited (I11).
    pub answers_bot: Option<BotId>,
    /// Length of the bot chain that its message would end; 0 for a notice (I11).
    pub chain_depth: u32,
    /// The entry that started the chain.
    pub root: Option<Number>,
    /// 0 for people who wait, 1 for bots, 2 for talk that nobody asked for.
    pub priority: u8,
    /// Not before.
    pub due_at: Timestamp,
    /// Stale after.
    pub expires_at: Timestamp,
    /// When it was decided.
    pub created_at: Timestamp,
    /// How far it came.
    pub progress: TurnProgress,
}

/// What changes during a turn's life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TurnProgress {
    /// Its state.
    pub state: TurnState,
    /// Times it was claimed: an item in hand at a crash counts as failed.
    pub attempts: u32,
    /// The epoch that claimed it.
    pub claimed_epoch: Option<Epoch>,
    /// Why it ended, or failed last.
    pub error: Option<String>,
    /// Provider and model that answered, tokens used.
    pub usage: Option<Usage>,
}

impl TurnProgress {
    /// A turn that is given up before anybody claims it.
    pub fn dropped(reason: String) -> Self {
        Self { state: TurnState::Dropped, error: Some(reason), ..Self::queued() }
    }

    /// A turn that nobody claimed.
    pub fn queued() -> Self {
        Self { state: TurnState::Queued, attempts: 0, claimed_epoch: None, error: None, usage: None }
    }
}

/// What a completion used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// The provider's name.
    pub provider: String,
    /// The model's name.
    pub model: String,
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Tokens of the answer.
    pub completion_tokens: u32,
}

/// States of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnState {
    /// Waits for its bot.
    Queued,
    /// Its bot works on it.
    Claimed,
    /// Its messages are in the outbox.
    Done,
    /// Given up on purpose: stop, physics, shed.
    Dropped,
    /// It came too late.
    Expired,
    /// It failed too often: a dead letter.
    Dead,
}

impl TurnState {
    const ALL: [Self; 6] = [Self::Queued, Self::Claimed, Self::Done, Self::Dropped, Self::Expired, Self::Dead];

    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Claimed => "claimed",
            Self::Done => "done",
            Self::Dropped => "dropped",
            Self::Expired => "expired",
            Self::Dead => "dead",
        }
    }

    /// Reads the name back.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Whether nothing will happen to it any more.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Claimed)
    }
}
