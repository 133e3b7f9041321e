//! The claims that a bot makes about itself. Layer `behaviour`; pure.

use crate::behaviour::objection::Objection;

/// A claim of a bot about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The bot claims to be a person.
    Human,
    /// The bot denies being a bot, an AI, a machine.
    NoMachine,
    /// The bot speaks as assistants do, which no persona does: also when it says unasked that it is a bot.
    Assistant,
}

impl Claim {
    /// Returns the objection with which the model is asked again.
    pub fn objection(self) -> Objection {
        match self {
            Self::Human | Self::NoMachine => Objection::Claim,
            Self::Assistant => Objection::Assistant,
        }
    }
}
