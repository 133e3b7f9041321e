//! Settings of every chat. Layer `actors`.

use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Settings for what chats keep in memory, and for how long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChatSettings {
    /// Messages of the transcript kept in memory, each with its latest edit.
    pub window_entries: NonZeroUsize,
    /// Time without news after which a chat leaves the memory, until something happens in it.
    #[serde(with = "humantime_serde")]
    pub passivate_after: Duration,
    /// Rows that may wait in a chat's mailbox before further ones stay in the store.
    pub rows_waiting: NonZeroUsize,
    /// Turns of the fleet that may be open before further ones are shed: unasked talk from half of this number on,
    /// answers to bots from three quarters, answers to people when it is reached.
    pub turns_open_max: NonZeroU64,
}

impl Default for ChatSettings {
    fn default() -> Self {
        Self {
            window_entries: NonZeroUsize::MIN.saturating_add(199),
            passivate_after: Duration::from_mins(10),
            rows_waiting: NonZeroUsize::MIN.saturating_add(4095),
            turns_open_max: NonZeroU64::MIN.saturating_add(9_999),
        }
    }
}
