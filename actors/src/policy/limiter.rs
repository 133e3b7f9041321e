//! Send limiter of one bot: for the bot as a whole and for each of its chats, with pauses that 429 asks for.
//! Layer `policy`. Waits are monotonic: a clock jump never shortens a pause.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio::time::Instant;

use crate::domain::ids::ChatId;

/// Limits of one bot's sends.
pub struct SendLimiter {
    bot: Option<DefaultDirectRateLimiter>,
    chats: Option<DefaultKeyedRateLimiter<ChatId>>,
    pauses: HashMap<ChatId, Instant>,
    clock: DefaultClock,
}

impl SendLimiter {
    /// Limits a second for the bot and a minute for each of its chats; `None` is no limit.
    pub fn new(per_second: Option<NonZeroU32>, per_chat_per_minute: Option<NonZeroU32>) -> Self {
        Self {
            bot: per_second.map(|limit| RateLimiter::direct(Quota::per_second(limit))),
            chats: per_chat_per_minute.map(|limit| RateLimiter::keyed(Quota::per_minute(limit))),
            pauses: HashMap::new(),
            clock: DefaultClock::default(),
        }
    }

    /// Takes a permit for one send into `chat`.
    ///
    /// # Errors
    /// How long to wait before asking again.
    pub fn permit(&mut self, chat: ChatId) -> Result<(), Duration> {
        if let Some(until) = self.pauses.get(&chat) {
            let left = until.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                return Err(left);
            }
            self.pauses.remove(&chat);
        }
        if let Some(Err(refused)) = self.chats.as_ref().map(|chats| chats.check_key(&chat)) {
            return Err(refused.wait_time_from(self.clock.now()));
        }
        if let Some(Err(refused)) = self.bot.as_ref().map(DefaultDirectRateLimiter::check) {
            return Err(refused.wait_time_from(self.clock.now()));
        }
        Ok(())
    }

    /// Telegram asked for a pause in `chat`.
    pub fn pause(&mut self, chat: ChatId, pause: Duration) {
        let until = Instant::now() + pause;
        let slot = self.pauses.entry(chat).or_insert(until);
        *slot = (*slot).max(until);
    }

    /// Chats that are paused now, with the time left.
    pub fn pauses(&self) -> impl Iterator<Item = (ChatId, Duration)> + '_ {
        self.pauses
            .iter()
            .map(|(chat, until)| (*chat, until.saturating_duration_since(Instant::now())))
            .filter(|(_, left)| !left.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_chat_does_not_use_up_another() {
        let mut limiter = SendLimiter::new(None, NonZeroU32::new(2));
        assert!(limiter.permit(ChatId(1)).is_ok() && limiter.permit(ChatId(1)).is_ok());
        assert!(limiter.permit(ChatId(1)).is_err());
        assert!(limiter.permit(ChatId(2)).is_ok());
    }

    #[test]
    fn a_pause_holds_exactly_its_chat() {
        let mut limiter = SendLimiter::new(None, None);
        limiter.pause(ChatId(1), Duration::from_secs(34));
        limiter.pause(ChatId(1), Duration::from_secs(2));
        assert!(limiter.permit(ChatId(1)).expect_err("paused") > Duration::from_secs(30));
        assert!(limiter.permit(ChatId(2)).is_ok());
    }
}
