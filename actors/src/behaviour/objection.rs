//! Objections: why a text was not said, as the model hears of it when it is asked again. Layer `behaviour`; pure.
//!
//! Each kind is raised once in a turn; the second time the turn is dropped, or the text let go (`is_fatal`).

/// Why a text was not said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Objection {
    /// It says again what was said already.
    Repeat {
        /// What the bot was about to say.
        of: String,
    },
    /// It contradicts what the bot holds.
    Contradiction {
        /// The position.
        position: String,
    },
    /// The talk has gone on meanwhile.
    News,
    /// It claims that the bot is human, or denies that it is a bot.
    Claim,
    /// It speaks as an assistant, not as the persona.
    Assistant,
}

impl Objection {
    /// The label in metrics and reasons.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Repeat { .. } => "novelty",
            Self::Contradiction { .. } => "stance",
            Self::News => "interruption",
            Self::Claim => "claim",
            Self::Assistant => "assistant",
        }
    }

    /// Whether a text that meets it a second time is not said at all. Speaking as an assistant is no persona's way, but
    /// true; texts that were thought over once are said whatever came meanwhile.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Repeat { .. } | Self::Contradiction { .. } | Self::Claim => true,
            Self::News | Self::Assistant => false,
        }
    }

    /// Whether both are of one kind.
    pub fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}
