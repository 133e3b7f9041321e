//! Take-overs: an operator speaks as a bot in one chat, and the bot itself keeps silent there. Layer `domain`. Keeps I14.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ids::{BotId, ChatId, MessageId, TelegramChatId};
use super::time::Timestamp;

/// Longest time for which a take-over lasts without a message of its holder.
pub const IDLE_MAX: Duration = Duration::from_mins(60);

/// Time for which a take-over lasts without a message of its holder, unless said otherwise.
pub const IDLE: Duration = Duration::from_mins(15);

/// Reason why the bot's own work was given up.
pub const TAKEN_OVER: &str = "an operator speaks as the bot";

/// A bot in a chat, of which an operator has taken over the words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Takeover {
    /// The chat.
    pub chat: ChatId,
    /// The bot.
    pub bot: BotId,
    /// Name of the operator who holds it.
    pub holder: String,
    /// Time at which that operator took it, on the database's clock.
    pub began_at: Timestamp,
    /// Time at which the take-over ends by itself, on the database's clock.
    pub until: Timestamp,
    /// Time by which each message of the holder prolongs the take-over, in milliseconds.
    pub idle_ms: i64,
}

impl Takeover {
    /// Creates a take-over that begins at `now`.
    pub fn begin(chat: ChatId, bot: BotId, holder: &str, idle: Duration, now: Timestamp) -> Self {
        let idle = idle.min(IDLE_MAX);
        let idle_ms = i64::try_from(idle.as_millis()).unwrap_or(i64::MAX);
        Self { chat, bot, holder: holder.to_owned(), began_at: now, until: now + idle, idle_ms }
    }

    /// Returns whether the take-over lasts at `now`.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.until > now
    }

    /// Prolongs the take-over, since its holder has said something at `now`. No earlier end is set.
    pub fn prolong(&mut self, now: Timestamp) {
        let idle = Duration::from_millis(self.idle_ms.unsigned_abs()).min(IDLE_MAX);
        self.until = self.until.max(now + idle);
    }
}

/// All take-overs, those that have ended by themselves among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Takeovers(pub BTreeMap<(ChatId, BotId), Takeover>);

impl Takeovers {
    /// Returns the take-over of the bot in the chat that lasts at `now`.
    pub fn of(&self, chat: ChatId, bot: BotId, now: Timestamp) -> Option<&Takeover> {
        self.0.get(&(chat, bot)).filter(|takeover| takeover.holds(now))
    }
}

impl FromIterator<Takeover> for Takeovers {
    fn from_iter<I: IntoIterator<Item = Takeover>>(takeovers: I) -> Self {
        Self(takeovers.into_iter().map(|takeover| ((takeover.chat, takeover.bot), takeover)).collect())
    }
}

/// The interventions of operators that every node must know: take-overs, and messages deleted lately.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interventions {
    /// The take-overs.
    pub takeovers: Takeovers,
    /// The messages, by Telegram's ids.
    pub deleted: HashSet<(TelegramChatId, MessageId)>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::rows::at;

    #[test]
    fn each_message_prolongs_a_takeover_by_an_hour_at_most_and_it_ends_by_itself() {
        let idle = Duration::from_hours(9);
        let mut takeover = Takeover::begin(ChatId(1), BotId(1), "ayse", idle, at(0));
        assert_eq!(takeover.until, at(3_600));
        takeover.prolong(at(600));
        assert_eq!(takeover.until, at(4_200));
        takeover.prolong(at(10));
        assert_eq!(takeover.until, at(4_200), "an older message shortens nothing");
        let all: Takeovers = [takeover].into_iter().collect();
        assert!(all.of(ChatId(1), BotId(1), at(4_199)).is_some() && all.of(ChatId(1), BotId(2), at(0)).is_none());
        assert!(all.of(ChatId(1), BotId(1), at(4_200)).is_none());
    }
}
