//! Makes Telegram's API for bots, since bots come and go. Layer `actors`.

use std::sync::Arc;

use crate::domain::roster::BotProfile;
use crate::domain::silence::Silence;
use crate::ports::telegram::BotApi;

/// The reason why a bot has no way to Telegram on this node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct NoApi {
    /// The reason why the bot is silent.
    pub silence: Silence,
    /// The reason in words, without the token.
    pub why: String,
}

impl NoApi {
    /// Makes the reason of a bot that has no token here.
    pub fn no_token(why: impl Into<String>) -> Self {
        Self { silence: Silence::NoToken, why: why.into() }
    }
}

/// Makes the Telegram API for a bot of the configuration, with its token, or returns why it cannot.
pub type ApiFactory = Arc<dyn Fn(&BotProfile) -> Result<Arc<dyn BotApi>, NoApi> + Send + Sync>;
