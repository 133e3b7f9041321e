//! Implements the provider's own limits: requests and tokens a minute of each key, and calls at a time; counts usage.
//! Layer: world; pure, time is an argument.
//!
//! The window slides over the accepted calls of the last 60 s; a refused call takes nothing of the window.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The length of the window for the limits a minute.
pub(super) const WINDOW: Duration = Duration::from_mins(1);

/// The usage of a key since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// Calls that were accepted, whether or not their answers arrived.
    pub requests: u64,
    /// Tokens of the prompts, as billed.
    pub prompt_tokens: u64,
    /// Tokens of the answers, as billed.
    pub completion_tokens: u64,
    /// Calls that a limit refused.
    pub refused: u64,
    /// Calls that a fault refused.
    pub failed: u64,
}

impl Used {
    /// Returns the sum of all billed tokens.
    pub fn tokens(&self) -> u64 {
        self.prompt_tokens + self.completion_tokens
    }

    /// Adds up two usages.
    #[must_use]
    pub fn plus(self, other: &Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            prompt_tokens: self.prompt_tokens + other.prompt_tokens,
            completion_tokens: self.completion_tokens + other.completion_tokens,
            refused: self.refused + other.refused,
            failed: self.failed + other.failed,
        }
    }
}

/// The limits of a provider; `None` is no limit.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Limits {
    /// Calls of one key in any minute.
    pub(super) requests: Option<u32>,
    /// Tokens of one key in any minute.
    pub(super) tokens: Option<u32>,
    /// Calls at a time, over all keys.
    pub(super) concurrency: Option<u32>,
}

/// The remainder of a limit, for the headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Left {
    /// The limit.
    pub(super) limit: u64,
    /// The remainder at present.
    pub(super) remaining: u64,
    /// How long until the oldest use leaves the window.
    pub(super) reset: Duration,
}

/// The limit that refused a call, and when to come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused {
    /// `requests`, `tokens` or `concurrency`.
    pub(super) what: &'static str,
    /// How long to wait before the next try: until the call fits, or 1 s for `concurrency`.
    pub(super) retry_after: Duration,
}

/// The usage of all keys, in total and within the window, and the number of calls under way.
#[derive(Debug, Default)]
pub(super) struct Meter {
    keys: BTreeMap<String, KeyMeter>,
    under_way: u32,
}

#[derive(Debug, Default)]
struct KeyMeter {
    used: Used,
    recent: VecDeque<(Duration, u64)>,
}

impl KeyMeter {
    fn forget(&mut self, now: Duration) {
        while self.recent.front().is_some_and(|(at, _)| *at + WINDOW <= now) {
            self.recent.pop_front();
        }
    }

    fn tokens(&self) -> u64 {
        self.recent.iter().map(|(_, tokens)| tokens).sum()
    }

    fn oldest_ends_in(&self, now: Duration) -> Duration {
        self.recent.front().map_or(Duration::ZERO, |(at, _)| (*at + WINDOW).saturating_sub(now))
    }

    /// Returns how long until `tokens` fit under the limit; the whole window when they never do.
    fn tokens_fit_in(&self, limit: u64, tokens: u64, now: Duration) -> Duration {
        let mut over = (self.tokens() + tokens).saturating_sub(limit);
        for (at, used) in &self.recent {
            over = over.saturating_sub(*used);
            if over == 0 {
                return (*at + WINDOW).saturating_sub(now);
            }
        }
        WINDOW
    }
}

impl Meter {
    /// Accepts a call of a key with so many tokens, or returns the refusal of a limit.
    ///
    /// # Errors
    /// The refusal of the limit.
    pub(super) fn take(
        &mut self,
        limits: Limits,
        key: &str,
        prompt: u64,
        completion: u64,
        now: Duration,
    ) -> Result<(), Refused> {
        let under_way = self.under_way;
        let meter = self.keys.entry(key.to_owned()).or_default();
        meter.forget(now);
        let tokens = prompt + completion;
        let refusal = if limits.concurrency.is_some_and(|most| under_way >= most) {
            Some(Refused { what: "concurrency", retry_after: Duration::from_secs(1) })
        } else if limits.requests.is_some_and(|most| meter.recent.len() >= most as usize) {
            Some(Refused { what: "requests", retry_after: meter.oldest_ends_in(now) })
        } else {
            limits
                .tokens
                .map(u64::from)
                .filter(|most| meter.tokens() + tokens > *most)
                .map(|most| Refused { what: "tokens", retry_after: meter.tokens_fit_in(most, tokens, now) })
        };
        if let Some(refusal) = refusal {
            meter.used.refused += 1;
            return Err(refusal);
        }
        meter.recent.push_back((now, tokens));
        meter.used.requests += 1;
        meter.used.prompt_tokens += prompt;
        meter.used.completion_tokens += completion;
        self.under_way += 1;
        Ok(())
    }

    /// Ends a call that was accepted.
    pub(super) fn done(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    /// Counts a call that a fault refused.
    pub(super) fn failed(&mut self, key: &str) {
        self.keys.entry(key.to_owned()).or_default().used.failed += 1;
    }

    /// Returns the remainders of a key's limits: requests and tokens.
    pub(super) fn left(&mut self, limits: Limits, key: &str, now: Duration) -> [Option<Left>; 2] {
        let meter = self.keys.entry(key.to_owned()).or_default();
        meter.forget(now);
        let reset = meter.oldest_ends_in(now);
        let left = |limit: u32, used: u64| Left {
            limit: u64::from(limit),
            remaining: u64::from(limit).saturating_sub(used),
            reset,
        };
        [
            limits.requests.map(|limit| left(limit, meter.recent.len() as u64)),
            limits.tokens.map(|limit| left(limit, meter.tokens())),
        ]
    }

    /// Returns the usage of each key.
    pub(super) fn by_key(&self) -> BTreeMap<String, Used> {
        self.keys.iter().map(|(key, meter)| (key.clone(), meter.used)).collect()
    }

    /// Returns the usage of all keys together.
    pub(super) fn total(&self) -> Used {
        self.keys.values().fold(Used::default(), |total, meter| total.plus(&meter.used))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { requests: Some(3), tokens: Some(100), concurrency: None };

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_window_slides_and_keys_have_their_own() {
        let mut meter = Meter::default();
        for second in 0..3 {
            assert_eq!(meter.take(LIMITS, "a", 1, 1, at(second)), Ok(()));
        }
        let refused = Refused { what: "requests", retry_after: at(55) };
        assert_eq!(meter.take(LIMITS, "a", 1, 1, at(5)), Err(refused));
        assert_eq!(meter.take(LIMITS, "b", 1, 1, at(5)), Ok(()));
        assert_eq!(meter.take(LIMITS, "a", 1, 1, at(60)), Ok(()));
        assert_eq!(meter.total().requests, 5);
        assert_eq!(meter.by_key()["a"].refused, 1);
    }

    #[test]
    fn tokens_are_refused_until_enough_of_them_left_the_window() {
        let mut meter = Meter::default();
        assert_eq!(meter.take(LIMITS, "a", 30, 10, at(0)), Ok(()));
        assert_eq!(meter.take(LIMITS, "a", 30, 20, at(10)), Ok(()));
        let refused = Refused { what: "tokens", retry_after: at(50) };
        assert_eq!(meter.take(LIMITS, "a", 40, 20, at(20)), Err(refused));
        assert_eq!(meter.take(LIMITS, "a", 40, 10, at(60)), Ok(()));
        let [requests, tokens] = meter.left(LIMITS, "a", at(60));
        assert_eq!(requests.map(|left| left.remaining), Some(1));
        assert_eq!(tokens.map(|left| left.remaining), Some(0));
    }

    #[test]
    fn a_call_under_way_holds_its_place() {
        let limits = Limits { concurrency: Some(1), ..Limits::default() };
        let mut meter = Meter::default();
        assert_eq!(meter.take(limits, "a", 1, 1, at(0)), Ok(()));
        assert_eq!(meter.take(limits, "b", 1, 1, at(0)).map_err(|refused| refused.what), Err("concurrency"));
        meter.done();
        assert_eq!(meter.take(limits, "b", 1, 1, at(0)), Ok(()));
    }
}
