//! Objections: verdicts of the guards, as the model hears of them when it is asked again. Layer `behaviour`; pure.
//!
//! Each kind is raised once in a turn; the second time the turn is dropped, or the text let go (`is_fatal`).

use super::conduct::Misconduct;

/// Reason why a text was not said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Objection {
    /// The text repeats a former one.
    Repeat {
        /// The text that the bot was about to say.
        of: String,
    },
    /// The text contradicts a stance of the bot.
    Contradiction {
        /// The position of the stance.
        position: String,
    },
    /// The conversation has gone on meanwhile.
    News,
    /// The text claims that the bot is human, or denies that it is a bot.
    Claim,
    /// The text speaks as an assistant, not as the persona.
    Assistant,
    /// The text holds what no bot may write in the chat.
    Conduct {
        /// Kind of it.
        of: Misconduct,
    },
}

impl Objection {
    /// Returns the label in metrics and reasons.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Repeat { .. } => "novelty",
            Self::Contradiction { .. } => "stance",
            Self::News => "interruption",
            Self::Claim => "claim",
            Self::Assistant => "assistant",
            Self::Conduct { .. } => "conduct",
        }
    }

    /// Returns whether a text that meets the objection a second time is not said at all. Speaking as an assistant is
    /// out of character, but true; texts that were reconsidered once are said whatever came meanwhile.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Repeat { .. } | Self::Contradiction { .. } | Self::Claim | Self::Conduct { .. } => true,
            Self::News | Self::Assistant => false,
        }
    }

    /// Returns whether both are of one kind.
    pub fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}
