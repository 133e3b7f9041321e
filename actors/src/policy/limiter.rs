//! Limits the sends of one bot: for the bot as a whole and for each of its chats. Layer `policy`.
//!
//! Two GCRA limiters of `governor`, whose state a 429 pushes forward by its `retry_after`: until then nothing passes,
//! and there is no burst after it. When two chats are limited at the same time, the whole bot pauses, since Telegram
//! then limits the bot. Time is monotonic, so a clock jump never shortens a pause. The limiter only predicts: the
//! transaction that commits `sending` checks pauses and windows again.
//!
//! This file is longer than others because of its tests.

use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::{Quota, RateLimiter};
use tokio::time::Instant;

use crate::domain::ids::ChatId;

/// Time between messages of one bot in one chat, and how many may go at once after a silence. Telegram counts arrivals,
/// and two messages may get a second closer to each other on their way: so rate and burst are just below the tolerated
/// ones.
///
/// # Source
/// Bot API FAQ, "My bot is hitting limits": about one message a second, short bursts are tolerated.
const CHAT_PERIOD: Duration = Duration::from_millis(1_050);
const CHAT_BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(1);

/// Time between messages of one bot in one chat at the documented rate per minute.
///
/// # Source
/// Bot API FAQ, "My bot is hitting limits": not more than 20 messages a minute to the same group.
const MINUTE_PERIOD: Duration = Duration::from_secs(3);

/// Factor by which a 429 lowers a chat's rate, the lowest rate, and the time to recover from nothing.
const LOWERED: f64 = 0.8;
const RATE_MIN: f64 = 0.4;
const RECOVERY: Duration = Duration::from_hours(1);

/// Divisor for the bot's burst: the bot may send at once this part of a second's messages.
const BOT_BURST: u32 = 3;

/// Period of a limiter without a limit, which still keeps pauses: so short that it limits nothing.
const NO_LIMIT: Duration = Duration::from_nanos(1);

/// A clock for `governor`: the time since the limiter was made, on tokio's clock.
#[derive(Clone, Copy)]
struct SinceStart(Instant);

impl Clock for SinceStart {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

/// GCRA states (theoretical arrival times) that a pause can push forward.
struct States<K>(Mutex<HashMap<K, Nanos>>);

/// The same states, behind the trait that `governor` wants.
struct Shared<K>(Arc<States<K>>);

impl<K: Hash + Eq + Copy> StateStore for Shared<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut states = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (outcome, next) = f(states.get(key).copied())?;
        states.insert(*key, next);
        Ok(outcome)
    }
}

/// One limit per key, with pauses.
struct Limit<K: Hash + Eq + Copy> {
    limiter: RateLimiter<K, Shared<K>, SinceStart, NoOpMiddleware<Duration>>,
    states: Arc<States<K>>,
    clock: SinceStart,
    /// How long before its theoretical arrival time a send may pass.
    tolerance: Duration,
}

impl<K: Hash + Eq + Copy> Limit<K> {
    fn new(quota: Option<Quota>, clock: SinceStart) -> Self {
        let unlimited = Quota::with_period(NO_LIMIT).map(|quota| quota.allow_burst(NonZeroU32::MAX));
        let quota = quota.or(unlimited).unwrap_or(Quota::per_second(NonZeroU32::MAX));
        let states = Arc::new(States(Mutex::default()));
        Self {
            limiter: RateLimiter::new(quota, Shared(Arc::clone(&states)), clock),
            states,
            clock,
            tolerance: quota.replenish_interval() * (quota.burst_size().get() - 1),
        }
    }

    /// Takes a permit, or returns how long to wait.
    fn permit(&self, key: &K) -> Result<(), Duration> {
        self.limiter.check_key(key).map_err(|refused| refused.wait_time_from(self.clock.now()))
    }

    /// Returns how long to wait before a permit would be given, without taking one.
    fn wait(&self, key: &K) -> Option<Duration> {
        let arrival = self.states.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).copied()?;
        let earliest = Duration::from(arrival).saturating_sub(self.tolerance);
        Some(earliest.saturating_sub(self.clock.now())).filter(|wait| !wait.is_zero())
    }

    /// Lets nothing pass for `pause`, and no burst after it.
    fn push_back(&self, key: K, pause: Duration) {
        let until = Nanos::from(self.clock.now() + pause + self.tolerance);
        let mut states = self.states.0.lock().unwrap_or_else(PoisonError::into_inner);
        let state = states.entry(key).or_insert(until);
        *state = (*state).max(until);
    }

    /// Ends all pauses.
    fn lift(&self) {
        let now = Nanos::from(self.clock.now() + self.tolerance);
        let mut states = self.states.0.lock().unwrap_or_else(PoisonError::into_inner);
        states.values_mut().for_each(|arrival| *arrival = (*arrival).min(now));
    }

    /// Forgets keys whose state is that of a new one.
    fn forget_fresh(&self) {
        let now = Nanos::from(self.clock.now());
        self.states.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, arrival| *arrival > now);
    }
}

/// A rate below the documented one, learned from 429s that came although the bot kept to the documented rate.
#[derive(Clone, Copy)]
struct Pace {
    rate: f64,
    since: Instant,
    next: Instant,
}

impl Pace {
    /// Returns the share of the documented rate that is allowed at present.
    fn rate(&self) -> f64 {
        (self.rate + self.since.elapsed().as_secs_f64() / RECOVERY.as_secs_f64()).min(1.0)
    }
}

/// How far a 429 applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The chat alone.
    Chat,
    /// The bot in all its chats.
    Bot,
}

/// Limits of one bot's sends.
pub struct SendLimiter {
    bot: Limit<()>,
    chats: Limit<ChatId>,
    /// Ends of pauses by chat.
    pauses: HashMap<ChatId, Instant>,
    /// Chats with a learned rate; empty when limits of chats are off.
    paces: HashMap<ChatId, Pace>,
    learns: bool,
    bot_pause: Option<Instant>,
    /// End of a pause that answered a call without a chat; the pause holds polls as well.
    calls_pause: Option<Instant>,
}

impl SendLimiter {
    /// Creates a limiter with this many sends a second for the bot (`None` for no limit). `in_chats` tells whether
    /// Telegram's limits of a chat apply.
    pub fn new(per_second: Option<NonZeroU32>, in_chats: bool) -> Self {
        let clock = SinceStart(Instant::now());
        let burst = |limit: NonZeroU32| NonZeroU32::new(limit.get() / BOT_BURST).unwrap_or(NonZeroU32::MIN);
        let bot = per_second.map(|limit| Quota::per_second(limit).allow_burst(burst(limit)));
        let chat = Quota::with_period(CHAT_PERIOD).filter(|_| in_chats).map(|quota| quota.allow_burst(CHAT_BURST));
        Self {
            bot: Limit::new(bot, clock),
            chats: Limit::new(chat, clock),
            pauses: HashMap::new(),
            paces: HashMap::new(),
            learns: in_chats,
            bot_pause: None,
            calls_pause: None,
        }
    }

    /// Takes a permit for one send into `chat`: from all limits together, or from none.
    ///
    /// # Errors
    /// How long to wait before asking again.
    pub fn permit(&mut self, chat: ChatId) -> Result<(), Duration> {
        if let Some(wait) = left(self.bot_pause) {
            return Err(wait);
        }
        // A send that the bot's limit refuses must not delay the chat as well.
        if let Some(wait) = self.bot.wait(&()) {
            return Err(wait);
        }
        if let Some(wait) = self.paces.get(&chat).and_then(|pace| left(Some(pace.next))) {
            return Err(wait);
        }
        self.chats.permit(&chat)?;
        self.bot.permit(&())?;
        if let Some(pace) = self.paces.get_mut(&chat) {
            let rate = pace.rate();
            pace.next = Instant::now() + MINUTE_PERIOD.div_f64(rate);
            if rate >= 1.0 {
                self.paces.remove(&chat);
            }
        }
        Ok(())
    }

    /// Records that Telegram asked for a pause in `chat`. If another chat is paused as well, the whole bot pauses.
    pub fn limited(&mut self, chat: ChatId, retry_after: Duration) -> Reach {
        self.pauses.retain(|_, until| left(Some(*until)).is_some());
        let others = self.pauses.keys().any(|other| *other != chat);
        if self.learns {
            let (now, rate) = (Instant::now(), self.rate(chat));
            self.paces.insert(chat, Pace { rate: (rate * LOWERED).max(RATE_MIN), since: now, next: now });
        }
        self.pause(chat, retry_after);
        self.chats.forget_fresh();
        if others {
            self.pause_all(retry_after);
            Reach::Bot
        } else {
            Reach::Chat
        }
    }

    /// Pauses sends into `chat`.
    pub fn pause(&mut self, chat: ChatId, pause: Duration) {
        let until = Instant::now() + pause;
        let slot = self.pauses.entry(chat).or_insert(until);
        *slot = (*slot).max(until);
        self.chats.push_back(chat, pause);
    }

    /// Pauses all sends of the bot.
    pub fn pause_all(&mut self, pause: Duration) {
        self.bot_pause = self.bot_pause.max(Some(Instant::now() + pause));
        self.bot.push_back((), pause);
    }

    /// Returns how long a pause still holds sends into `chat`.
    pub fn pause_left(&self, chat: ChatId) -> Option<Duration> {
        left(self.bot_pause.max(self.pauses.get(&chat).copied()))
    }

    /// Pauses calls that name no chat, and all sends.
    pub fn pause_calls(&mut self, pause: Duration) {
        self.calls_pause = self.calls_pause.max(Some(Instant::now() + pause));
        self.pause_all(pause);
    }

    /// Returns how long calls that name no chat must still wait.
    pub fn calls_pause(&self) -> Option<Duration> {
        left(self.calls_pause)
    }

    /// Ends all pauses. Sends that were pushed back go at the usual rate, without a burst.
    pub fn lift(&mut self) {
        (self.bot_pause, self.calls_pause) = (None, None);
        self.pauses.clear();
        self.bot.lift();
        self.chats.lift();
    }

    /// Returns the chats that are paused, with the time left.
    pub fn pauses(&self) -> impl Iterator<Item = (ChatId, Duration)> + '_ {
        self.pauses.iter().filter_map(|(chat, until)| Some((*chat, left(Some(*until))?)))
    }

    /// Returns the share of the documented rate that the bot keeps to in a chat; a lowered rate recovers within an
    /// hour.
    pub fn rate(&self, chat: ChatId) -> f64 {
        self.paces.get(&chat).map_or(1.0, Pace::rate)
    }

    /// Returns the chats whose rate is below the documented one, with the share of it.
    pub fn lowered(&self) -> impl Iterator<Item = (ChatId, f64)> + '_ {
        self.paces.iter().map(|(chat, pace)| (*chat, pace.rate())).filter(|(_, rate)| *rate < 1.0)
    }

    /// Returns how long the whole bot is still paused, if it is.
    pub fn bot_pause(&self) -> Option<Duration> {
        left(self.bot_pause)
    }
}

fn left(until: Option<Instant>) -> Option<Duration> {
    until.map(|until| until.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_chat_does_not_use_up_another() {
        let mut limiter = SendLimiter::new(None, true);
        for _ in 0..CHAT_BURST.get() {
            assert!(limiter.permit(ChatId(1)).is_ok());
        }
        assert!(limiter.permit(ChatId(1)).is_err());
        assert!(limiter.permit(ChatId(2)).is_ok());
        tokio::time::advance(CHAT_PERIOD).await;
        assert!(limiter.permit(ChatId(1)).is_ok() && limiter.permit(ChatId(1)).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_exactly_its_chat_and_the_longer_one_counts() {
        let mut limiter = SendLimiter::new(None, false);
        assert_eq!(limiter.limited(ChatId(1), seconds(34)), Reach::Chat);
        assert_eq!(limiter.limited(ChatId(1), seconds(2)), Reach::Chat);
        assert!(limiter.permit(ChatId(1)).expect_err("paused") > seconds(30));
        assert!(limiter.permit(ChatId(2)).is_ok());
        tokio::time::advance(seconds(33)).await;
        assert!(limiter.permit(ChatId(1)).is_err(), "one second is left");
        tokio::time::advance(seconds(1) + Duration::from_millis(1)).await;
        assert!(limiter.permit(ChatId(1)).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_pause_there_is_no_burst() {
        let mut limiter = SendLimiter::new(None, true);
        limiter.limited(ChatId(1), seconds(10));
        tokio::time::advance(seconds(10) + Duration::from_millis(1)).await;
        assert!(limiter.permit(ChatId(1)).is_ok());
        assert!(limiter.permit(ChatId(1)).is_err(), "what Telegram limited has no burst left");
    }

    #[tokio::test(start_paused = true)]
    async fn two_chats_limited_together_pause_the_bot() {
        let mut limiter = SendLimiter::new(NonZeroU32::new(30), true);
        assert_eq!(limiter.limited(ChatId(1), seconds(20)), Reach::Chat);
        assert_eq!(limiter.limited(ChatId(2), seconds(5)), Reach::Bot);
        assert!(limiter.permit(ChatId(3)).is_err(), "a chat that was not limited");
        tokio::time::advance(seconds(6)).await;
        assert!(limiter.permit(ChatId(3)).is_ok());
        assert!(limiter.permit(ChatId(1)).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn chats_limited_one_after_the_other_do_not_pause_the_bot() {
        let mut limiter = SendLimiter::new(None, true);
        limiter.limited(ChatId(1), seconds(5));
        tokio::time::advance(seconds(6)).await;
        assert_eq!(limiter.limited(ChatId(2), seconds(5)), Reach::Chat);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_of_the_bots_limit_delays_no_chat() {
        let mut limiter = SendLimiter::new(NonZeroU32::new(3), true);
        assert!(limiter.permit(ChatId(1)).is_ok(), "one at a time, a third of a second apart");
        for _ in 0..20 {
            assert!(limiter.permit(ChatId(2)).is_err(), "the bot's limit");
        }
        tokio::time::advance(Duration::from_millis(334)).await;
        assert!(limiter.permit(ChatId(2)).is_ok(), "refusals took nothing of the chat's");
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_that_a_person_lifts_are_over_at_once() {
        let mut limiter = SendLimiter::new(NonZeroU32::new(30), true);
        limiter.limited(ChatId(1), seconds(80_000));
        limiter.pause_calls(seconds(80_000));
        limiter.lift();
        assert_eq!((limiter.calls_pause(), limiter.bot_pause(), limiter.pause_left(ChatId(1))), (None, None, None));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(limiter.permit(ChatId(1)).is_ok());
        assert!(limiter.permit(ChatId(1)).is_err(), "without a burst");
    }

    #[tokio::test(start_paused = true)]
    async fn a_chat_that_answers_429_within_its_rate_is_slowed_by_a_fifth_and_recovers_over_an_hour() {
        let mut limiter = SendLimiter::new(None, true);
        for (times, rate) in [(1, 0.8), (2, 0.64), (9, RATE_MIN)] {
            while limiter.lowered().next().is_none_or(|(_, now)| now > rate + 0.01) {
                limiter.limited(ChatId(1), Duration::ZERO);
            }
            assert!((limiter.rate(ChatId(1)) - rate).abs() < 0.01, "after {times}");
        }
        assert!((limiter.rate(ChatId(2)) - 1.0).abs() < f64::EPSILON);
        tokio::time::advance(seconds(1)).await;
        assert!(limiter.permit(ChatId(1)).is_ok());
        let wait = limiter.permit(ChatId(1)).expect_err("slower than documented");
        assert!(wait > MINUTE_PERIOD * 2 && wait <= MINUTE_PERIOD.div_f64(RATE_MIN), "{wait:?}");
        tokio::time::advance(RECOVERY).await;
        assert!(limiter.permit(ChatId(1)).is_ok());
        assert_eq!(limiter.lowered().count(), 0, "recovered");
    }

    #[tokio::test(start_paused = true)]
    async fn a_bot_has_its_own_limit_over_all_chats() {
        let mut limiter = SendLimiter::new(NonZeroU32::new(30), true);
        let permitted = (0..100).filter(|chat| limiter.permit(ChatId(*chat)).is_ok()).count();
        assert_eq!(permitted, 10, "a third of a second's messages at once");
        tokio::time::advance(seconds(1)).await;
        let mut permitted = 0;
        for chat in 100..200 {
            permitted += usize::from(limiter.permit(ChatId(chat)).is_ok());
        }
        assert_eq!(permitted, 10);
    }
}
