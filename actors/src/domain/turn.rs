//! Turns: one bot's job to speak or react once in one chat. Layer `domain`.

use serde::{Deserialize, Serialize};

use super::ids::{BotId, ChatId, DecisionNumber, Epoch, Number, ThreadId, TurnId};
use super::names::names;
use super::time::Timestamp;

/// Failures after which a turn is dead (I7).
pub const TURN_ATTEMPTS_MAX: u32 = 3;

/// Act that a turn asks of its bot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum Act {
    /// Answers the target in the words of the bot's model.
    #[default]
    Answer,
    /// Brings up a subject.
    Open {
        /// The subject; `None` leaves it to the bot.
        topic: Option<String>,
        /// The forum topic to speak in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        thread: Option<ThreadId>,
        /// An entry of some hours ago that the bot comes back to, instead of the subject.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        recalls: Option<Number>,
    },
    /// Says this text unchanged; no model is asked.
    Say {
        /// The text.
        text: String,
        /// An operator wrote the text. Otherwise the fleet did, about itself.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        by_operator: bool,
    },
    /// Sets this emoji as the bot's reaction to the target.
    React {
        /// The emoji.
        emoji: String,
    },
}

impl Act {
    /// Returns the forum topic that the act names. Other acts than `Open` name none: they happen where the target is.
    pub fn thread(&self) -> Option<ThreadId> {
        match self {
            Self::Open { thread, .. } => *thread,
            Self::Answer | Self::Say { .. } | Self::React { .. } => None,
        }
    }

    /// Returns whether an operator asks for the act, in words of their own.
    pub fn is_operators(&self) -> bool {
        matches!(self, Self::Say { by_operator: true, .. })
    }

    /// Removes the text that the act holds.
    pub fn empty(&mut self) {
        if let Self::Say { text, .. } = self {
            text.clear();
        }
    }
}

/// One turn; unique by (chat, decision, bot, ordinal).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// Id of the turn.
    pub id: TurnId,
    /// The chat.
    pub chat: ChatId,
    /// The decision that made the turn.
    pub decision: DecisionNumber,
    /// The bot that speaks.
    pub bot: BotId,
    /// Place of the turn within the decision.
    pub ordinal: u32,
    /// The act asked of the bot.
    #[serde(default)]
    pub act: Act,
    /// The entry to answer; `None` when the bot speaks up by itself.
    pub target: Option<Number>,
    /// The fleet bot that wrote the target: the pair whose rate is limited (I11).
    pub answers_bot: Option<BotId>,
    /// Length of the bot chain that the turn's message would end; 0 for a notice (I11).
    pub chain_depth: u32,
    /// The entry that started the chain.
    pub root: Option<Number>,
    /// 0 for answers to people, 1 for answers to bots, 2 for talk that nobody asked for.
    pub priority: u8,
    /// The turn does not begin before this time.
    pub due_at: Timestamp,
    /// The turn is stale from this time on.
    pub expires_at: Timestamp,
    /// Time of the decision.
    pub created_at: Timestamp,
    /// Progress of the turn.
    pub progress: TurnProgress,
}

impl Turn {
    /// Returns whether the bot acts for itself, so that the turn gives way to an operator who has taken the bot over. What an
    /// operator says does not, and neither do notices of the fleet, to which people have a right.
    pub fn yields(&self) -> bool {
        !matches!(self.act, Act::Say { .. })
    }
}

/// The part of a turn that changes during its life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TurnProgress {
    /// State of the turn.
    pub state: TurnState,
    /// Number of claims: a turn in hand at a crash counts as failed.
    pub attempts: u32,
    /// The epoch under which the turn was claimed.
    pub claimed_epoch: Option<Epoch>,
    /// Reason of the end, or of the last failure.
    pub error: Option<String>,
    /// Provider and model that answered, tokens used.
    pub usage: Option<Usage>,
}

impl TurnProgress {
    /// Creates the progress of a turn that is given up before anybody claims it.
    pub fn dropped(reason: String) -> Self {
        Self { state: TurnState::Dropped, error: Some(reason), ..Self::queued() }
    }

    /// Creates the progress of a turn that nobody has claimed.
    pub fn queued() -> Self {
        Self { state: TurnState::Queued, attempts: 0, claimed_epoch: None, error: None, usage: None }
    }
}

/// Model and tokens that a completion used.
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
    /// Tokens of the prompt that the provider had kept from earlier prompts.
    #[serde(default)]
    pub cached_tokens: u32,
}

/// States of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum TurnState {
    /// The turn waits for its bot.
    Queued,
    /// The bot works on the turn.
    Claimed,
    /// The messages are in the outbox, or the act without a message is done.
    Done,
    /// Given up on purpose: stop, physics, shed.
    Dropped,
    /// The turn came too late.
    Expired,
    /// The turn failed too often, and is a dead letter.
    Dead,
}

names! { TurnState {
    Queued = "queued", Claimed = "claimed", Done = "done", Dropped = "dropped", Expired = "expired", Dead = "dead",
} }

impl TurnState {
    /// Returns whether the turn has ended.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Claimed)
    }
}
