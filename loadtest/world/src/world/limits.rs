//! Implements the limiters of the simulated Telegram: per bot and chat, per bot and group, per bot; and penalties.
//!
//! Layer: world; pure, time is an argument (since the world's start). Invariants: a caller that honours every
//! `retry_after` never meets an escalation; a call during a penalty is a violation exactly when its caller could know
//! of the penalty and the penalty is not about to end.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The limits of sends, and the lengths of penalties.
///
/// # Source
/// core.telegram.org/bots/faq, "My bot is hitting limits": a message a second in a chat, 20 a minute in
/// a group, about 30 a second for a bot. Bursts and penalties as observed (the project's notes).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitSpec {
    /// Messages a second of one bot in one chat, in the long run.
    pub chat_per_second: f64,
    /// How many messages of one bot may come at once in one chat.
    pub chat_burst: u32,
    /// Messages of one bot in one group within any window.
    pub group_per_window: u32,
    /// The length of the group window, in milliseconds.
    pub group_window_ms: u64,
    /// Messages a second of one bot in all chats, in the long run.
    pub bot_per_second: f64,
    /// How many messages of one bot may come at once in all chats.
    pub bot_burst: u32,
    /// The shortest pause that a 429 asks for, in seconds.
    pub shortest_penalty_s: u64,
    /// The longest pause that a 429 asks for, in seconds.
    pub longest_penalty_s: u64,
    /// How early a call may come before the end of a penalty or a window and still count as in time, in milliseconds.
    pub early_ms: u64,
    /// How long after a refusal a call counts as under way already and violates nothing, in milliseconds.
    pub notice_ms: u64,
}

impl Default for LimitSpec {
    fn default() -> Self {
        Self {
            chat_per_second: 1.0,
            chat_burst: 3,
            group_per_window: 20,
            group_window_ms: 60_000,
            bot_per_second: 30.0,
            bot_burst: 30,
            shortest_penalty_s: 1,
            // The longest pause reported from the real Telegram.
            longest_penalty_s: 10_072,
            early_ms: 50,
            notice_ms: 250,
        }
    }
}

impl LimitSpec {
    pub(crate) fn window(&self) -> Duration {
        Duration::from_millis(self.group_window_ms)
    }

    fn early(&self) -> Duration {
        Duration::from_millis(self.early_ms)
    }

    fn notice(&self) -> Duration {
        Duration::from_millis(self.notice_ms)
    }

    /// Returns how many messages one bot may send into one group within a time that begins with nothing used.
    pub(crate) fn allowed_in_chat(&self, time: Duration) -> f64 {
        let in_bucket = |time: Duration| f64::from(self.chat_burst) + time.as_secs_f64() * self.chat_per_second;
        self.allowed_in_group(time).min(in_bucket(time))
    }

    /// Returns the same by the group's window alone: full windows, and the messages that fit into the rest of the time.
    pub(crate) fn allowed_in_group(&self, time: Duration) -> f64 {
        let window = self.window().as_secs_f64().max(f64::EPSILON);
        let whole = (time.as_secs_f64() / window).floor();
        let rest = time.as_secs_f64() - whole * window;
        let in_rest = f64::from(self.chat_burst) + rest * self.chat_per_second;
        whole * f64::from(self.group_per_window) + in_rest.min(f64::from(self.group_per_window))
    }

    /// Returns how many messages one bot may send in all chats together within a time.
    pub(crate) fn allowed_of_bot(&self, time: Duration) -> f64 {
        f64::from(self.bot_burst) + time.as_secs_f64() * self.bot_per_second
    }
}

/// The calls that a penalty is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Scope {
    pub(crate) bot: i64,
    /// The chat; `None` stands for all chats of the bot.
    pub(crate) chat: Option<i64>,
    /// The method; `None` stands for all methods that send a message.
    pub(crate) method: Option<String>,
}

/// A refusal by a limiter.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Limited {
    /// How long to wait, in whole seconds.
    pub(crate) retry_after: u64,
    /// The violation, when the call came during a 429 pause that its caller knew of.
    pub(crate) violation: Option<Violation>,
}

/// A call that came during a pause that its caller knew of.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) told_at: Duration,
    pub(crate) left: Duration,
}

#[derive(Debug)]
struct Penalty {
    told_at: Duration,
    until: Duration,
    length_s: u64,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at: Duration,
}

impl Bucket {
    fn full(burst: u32, now: Duration) -> Self {
        Self { tokens: f64::from(burst), at: now }
    }

    /// Refills the bucket, and returns how long until it holds a whole token.
    fn wait(&mut self, per_second: f64, burst: u32, now: Duration) -> Duration {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed * per_second).min(f64::from(burst));
        self.at = now;
        let missing = (1.0 - self.tokens).max(0.0);
        if missing == 0.0 { Duration::ZERO } else { Duration::from_secs_f64((missing / per_second).min(1e6)) }
    }
}

#[derive(Debug)]
struct ChatLimit {
    bucket: Bucket,
    sent: VecDeque<Duration>,
}

/// The state of the limiters.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    spec: Option<LimitSpec>,
    chats: HashMap<(i64, i64), ChatLimit>,
    bots: HashMap<i64, Bucket>,
    penalties: HashMap<Scope, Penalty>,
}

impl Limiter {
    pub(crate) fn new(spec: Option<LimitSpec>) -> Self {
        Self { spec, ..Self::default() }
    }

    pub(crate) fn spec(&self) -> Option<LimitSpec> {
        self.spec
    }

    /// Sets other limits, or none; all buckets and windows begin anew. Penalties stay.
    pub(crate) fn set(&mut self, spec: Option<LimitSpec>) {
        self.spec = spec;
        self.chats.clear();
        self.bots.clear();
    }

    /// Ends every penalty.
    pub(crate) fn forgive(&mut self) {
        self.penalties.clear();
    }

    /// Lets a message pass, or returns how long to wait.
    pub(crate) fn admit_send(&mut self, bot: i64, chat: i64, now: Duration) -> Result<(), Limited> {
        for chat in [Some(chat), None] {
            self.obey(&Scope { bot, chat, method: None }, now)?;
        }
        let Some(spec) = self.spec else {
            return Ok(());
        };
        let in_chat = self
            .chats
            .entry((bot, chat))
            .or_insert_with(|| ChatLimit { bucket: Bucket::full(spec.chat_burst, now), sent: VecDeque::new() });
        let of_bot = self.bots.entry(bot).or_insert_with(|| Bucket::full(spec.bot_burst, now));
        while in_chat.sent.front().is_some_and(|sent| now.saturating_sub(*sent) >= spec.window()) {
            in_chat.sent.pop_front();
        }
        let mut wait = in_chat.bucket.wait(spec.chat_per_second, spec.chat_burst, now);
        if chat < 0 && in_chat.sent.len() >= spec.group_per_window as usize {
            let place = in_chat.sent.len() - spec.group_per_window as usize;
            let free_at = in_chat.sent.get(place).map_or(now, |sent| *sent + spec.window());
            wait = wait.max(free_at.saturating_sub(now));
        }
        let wait_of_bot = of_bot.wait(spec.bot_per_second, spec.bot_burst, now);
        if wait > spec.early() {
            return Err(self.start(Scope { bot, chat: Some(chat), method: None }, wait, now));
        }
        if wait_of_bot > spec.early() {
            return Err(self.start(Scope { bot, chat: None, method: None }, wait_of_bot, now));
        }
        in_chat.bucket.tokens -= 1.0;
        in_chat.sent.push_back(now);
        of_bot.tokens -= 1.0;
        Ok(())
    }

    /// Refuses a call that comes during a penalty, and doubles the penalty if the caller knew of it.
    pub(crate) fn obey(&mut self, scope: &Scope, now: Duration) -> Result<(), Limited> {
        let spec = self.spec.unwrap_or_default();
        let Some(penalty) = self.penalties.get_mut(scope) else {
            return Ok(());
        };
        if now + spec.early() >= penalty.until {
            self.penalties.remove(scope);
            return Ok(());
        }
        let left = penalty.until.saturating_sub(now);
        if now < penalty.told_at + spec.notice() {
            return Err(Limited { retry_after: whole_seconds(left), violation: None });
        }
        let violation = Some(Violation { told_at: penalty.told_at, left });
        penalty.length_s = penalty.length_s.saturating_mul(2).min(spec.longest_penalty_s.max(penalty.length_s));
        penalty.until = now + Duration::from_secs(penalty.length_s);
        penalty.told_at = now;
        Err(Limited { retry_after: penalty.length_s, violation })
    }

    /// Starts a penalty of at least `wait`, in whole seconds, and at least the shortest penalty.
    pub(crate) fn start(&mut self, scope: Scope, wait: Duration, now: Duration) -> Limited {
        let spec = self.spec.unwrap_or_default();
        let length_s = whole_seconds(wait).max(spec.shortest_penalty_s).max(1);
        let penalty = Penalty { told_at: now, until: now + Duration::from_secs(length_s), length_s };
        self.penalties.insert(scope, penalty);
        Limited { retry_after: length_s, violation: None }
    }
}

fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn real() -> Limiter {
        Limiter::new(Some(LimitSpec::default()))
    }

    #[test]
    fn a_chat_takes_a_burst_and_then_one_a_second() {
        let mut limiter = real();
        for _ in 0..3 {
            limiter.admit_send(1, -5, at(0)).unwrap();
        }
        assert_eq!(limiter.admit_send(1, -5, at(0)).unwrap_err().retry_after, 1);
        assert_eq!(limiter.admit_send(1, -6, at(0)), Ok(()));
        assert_eq!(limiter.admit_send(2, -5, at(0)), Ok(()));
        assert_eq!(limiter.admit_send(1, -5, at(1_000)), Ok(()));
    }

    #[test]
    fn a_group_takes_twenty_in_any_minute() {
        let mut limiter = real();
        for second in 0..20 {
            limiter.admit_send(1, -5, at(second * 1_000)).unwrap();
        }
        assert_eq!(limiter.admit_send(1, -5, at(20_000)).unwrap_err().retry_after, 40);
        assert_eq!(limiter.admit_send(1, -5, at(60_000)), Ok(()));
    }

    #[test]
    fn a_person_alone_is_no_group() {
        let mut limiter = real();
        for second in 0..40 {
            assert_eq!(limiter.admit_send(1, 77, at(second * 1_000)), Ok(()));
        }
    }

    #[test]
    fn a_bot_takes_thirty_a_second_in_all_chats() {
        // Calls may not come early here: by default they may by more than the time of one message.
        let mut limiter = Limiter::new(Some(LimitSpec { early_ms: 0, ..LimitSpec::default() }));
        for chat in 1..=30 {
            limiter.admit_send(1, -chat, at(0)).unwrap();
        }
        assert_eq!(limiter.admit_send(1, -31, at(0)).unwrap_err().retry_after, 1);
        assert!(limiter.admit_send(1, -32, at(500)).is_err());
        assert_eq!(limiter.admit_send(2, -31, at(0)), Ok(()));
    }

    #[test]
    fn who_ignores_a_pause_doubles_it_and_who_honours_it_does_not() {
        let mut limiter = real();
        let scope = || Scope { bot: 1, chat: Some(-5), method: None };
        assert_eq!(limiter.start(scope(), at(4_000), at(0)).retry_after, 4);
        // The call was under way when the refusal was answered.
        assert_eq!(limiter.obey(&scope(), at(200)), Err(Limited { retry_after: 4, violation: None }));
        let ignored = limiter.obey(&scope(), at(1_000)).unwrap_err();
        assert_eq!(ignored.violation, Some(Violation { told_at: at(0), left: at(3_000) }));
        assert_eq!(ignored.retry_after, 8);
        assert_eq!(limiter.obey(&scope(), at(2_000)).unwrap_err().retry_after, 16);
        assert_eq!(limiter.obey(&scope(), at(2_000 + 16_000 - 50)), Ok(()));
        assert_eq!(limiter.start(scope(), at(0), at(30_000)).retry_after, 1);
    }

    #[test]
    fn what_is_allowed_is_what_a_perfect_sender_reaches() {
        let spec = LimitSpec { early_ms: 0, ..LimitSpec::default() };
        let mut limiter = Limiter::new(Some(spec));
        let mut sent = 0_u32;
        for tenth in 0..1_500 {
            // Ends each penalty at once, so that the limits alone decide.
            limiter.penalties.clear();
            sent += u32::from(limiter.admit_send(1, -5, at(tenth * 100)).is_ok());
        }
        let allowed = spec.allowed_in_chat(at(150_000));
        assert!((f64::from(sent) - allowed).abs() <= 1.0, "{sent} sent, {allowed} allowed");
    }
}
