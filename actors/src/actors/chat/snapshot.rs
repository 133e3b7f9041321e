//! A chat as operators see it. Layer `actors`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::time::Timestamp;

/// The state of a chat at one moment.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ChatSnapshot {
    /// The chat's name in the manifest.
    pub name: String,
    /// Telegram's id of the chat.
    pub telegram_id: i64,
    /// The policy that decides who speaks.
    pub policy: &'static str,
    /// Names of the chat's bots.
    pub bots: Vec<String>,
    /// True while the chat has not read the store.
    pub waits_for_store: bool,
    /// Names of the chat's bots that cannot post there.
    pub absent: Vec<String>,
    /// The chat's bots that cannot speak there at present, and why.
    pub silent: BTreeMap<String, String>,
    /// Entries in the transcript.
    pub entries: i64,
    /// Decisions made.
    pub decisions: i64,
    /// Commits under way.
    pub commits_in_flight: usize,
    /// The time when the chat wakes if it stays quiet, in milliseconds since 1970.
    pub next_tick_at: Option<Timestamp>,
}
