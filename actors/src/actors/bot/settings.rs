//! Settings of every bot. Layer `actors`.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::actors::node::voices::FIRST_TRY;

/// Settings for polling, answering and sending.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BotSettings {
    /// The longest time that one getUpdates waits: 1 to 50 s (Bot API).
    #[serde(with = "humantime_serde")]
    pub poll_timeout: Duration,
    /// Time until a refused token is looked up and tried again: its owner may have replaced it.
    #[serde(with = "humantime_serde")]
    pub refused_retry: Duration,
    /// Time until a chat that is closed to a bot is tried again; it doubles with each further try, up to a day.
    #[serde(with = "humantime_serde")]
    pub shut_retry: Duration,
    /// Turns that one bot works on at the same time.
    pub turns_in_flight: NonZeroUsize,
    /// Turns that wait in memory before further ones stay in the store.
    pub turns_waiting: NonZeroUsize,
    /// Most messages a second of one bot; absent means no limit.
    pub sends_per_second: Option<NonZeroU32>,
    /// Most messages a minute of one bot in one chat; absent means no limit.
    pub sends_per_chat_per_minute: Option<NonZeroU32>,
    /// Times that one model is asked for one turn while its answers are unusable, before the next in the chain.
    pub tries_per_model: NonZeroU32,
    /// True when bots leave groups and channels that the manifest does not name.
    pub leave_unknown_chats: bool,
}

impl Default for BotSettings {
    fn default() -> Self {
        Self {
            poll_timeout: Duration::from_secs(50),
            refused_retry: Duration::from_secs(30),
            shut_retry: FIRST_TRY,
            turns_in_flight: NonZeroUsize::MIN.saturating_add(7),
            turns_waiting: NonZeroUsize::MIN.saturating_add(255),
            sends_per_second: NonZeroU32::new(30),
            sends_per_chat_per_minute: NonZeroU32::new(20),
            tries_per_model: NonZeroU32::MIN.saturating_add(1),
            leave_unknown_chats: true,
        }
    }
}
