//! A bot as operators see it. Layer `actors`.

use serde::Serialize;

/// The health of a bot.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "reason")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum BotHealth {
    /// The bot has not heard from Telegram yet.
    Starting,
    /// The bot polls.
    Polling,
    /// Telegram delivers the bot's updates to a webhook.
    Receiving,
    /// The bot cannot receive updates, and tries again.
    Degraded(String),
    /// Telegram refuses the token, or the token is another bot's: a person must act.
    Refused(String),
    /// The bot finishes what is under way.
    Quiescing,
}

impl BotHealth {
    /// Returns whether updates reach the bot.
    pub fn gets_updates(&self) -> bool {
        matches!(self, Self::Polling | Self::Receiving)
    }
}

/// The state of a bot at one moment.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BotSnapshot {
    /// The bot's name in the manifest.
    pub name: String,
    /// Telegram's id of the bot.
    pub telegram_id: i64,
    /// The bot's username, once known.
    pub username: Option<String>,
    /// The bot's health.
    #[serde(flatten)]
    pub health: BotHealth,
    /// The delivery mode in force.
    pub delivery: &'static str,
    /// Updates that wait at Telegram for the webhook; absent in polling mode.
    pub webhook_pending: Option<u64>,
    /// The reason why Telegram's last failed delivery to the webhook failed.
    pub webhook_error: Option<String>,
    /// The id of the first update that is not confirmed yet.
    pub next_offset: Option<i64>,
    /// True when the bot hears everything in groups; absent until Telegram has told.
    pub hears_everything: Option<bool>,
    /// Turns at work.
    pub turns_in_flight: usize,
    /// Turns that wait in memory.
    pub turns_waiting: usize,
    /// Messages that wait for their time, for a limiter or for the part before them.
    pub messages_waiting: usize,
    /// Messages among the waiting ones that are due.
    pub messages_due: usize,
    /// Messages being begun, sent or settled.
    pub sends_in_flight: usize,
    /// Seconds left of a pause of the whole bot.
    pub paused_seconds: Option<u64>,
    /// The reason why the bot cannot speak anywhere at present.
    pub cannot_speak: Option<String>,
    /// Chats where the bot keeps below the documented rate for a while, since Telegram answered 429 at that rate.
    pub slowed_chats: usize,
    /// The lowest rate among these chats, in percent of the documented one.
    pub lowest_rate_percent: Option<u32>,
    /// Chats where Telegram asked the bot to pause.
    pub paused_chats: usize,
    /// True when the bot is ending: it takes no updates and begins no turns.
    pub quiescing: bool,
    /// True when the bot begins no send any more.
    pub holding_sends: bool,
    /// Messages sent since the bot started.
    pub sent: u64,
}
