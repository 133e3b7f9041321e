//! Makes Telegram's API for bots, since bots come and go. Layer `actors`.

use std::sync::Arc;

use crate::domain::roster::BotProfile;
use crate::ports::telegram::BotApi;

/// Makes the Telegram API for a bot of the configuration, with its token, or returns why it cannot.
pub type ApiFactory = Arc<dyn Fn(&BotProfile) -> Result<Arc<dyn BotApi>, String> + Send + Sync>;
