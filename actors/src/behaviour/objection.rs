//! Objections: why a text was not said, as the model hears of it when it is asked again. Layer `behaviour`; pure.
//!
//! Each kind is raised once in a turn; the second time the turn is dropped.

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
}

impl Objection {
    /// The label in metrics and reasons.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Repeat { .. } => "novelty",
            Self::Contradiction { .. } => "stance",
            Self::News => "interruption",
        }
    }

    /// Whether both are of one kind.
    pub fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}
