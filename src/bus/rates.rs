//! Counts rates that all nodes share, in Redis. Layer: adapter. Keeps I9.
//!
//! Callers wait for a few milliseconds at most. When Redis missed that thrice in a row, nobody asks for a second, and then one
//! caller tries: so a Redis that is slow or silent costs next to nothing, and one that is away costs nothing at all.
//!
//! # Source
//! The generic cell rate algorithm, ITU-T I.371, A.2.1: the virtual scheduling algorithm.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use botfleet_actors::ports::rates::{Counted, Rate};
use fred::prelude::{Client, LuaInterface as _};
use tokio::sync::watch;

use super::session::call_within;

/// The longest time that a caller waits.
const WITHIN: Duration = Duration::from_millis(5);

/// The number of misses in a row after which nobody asks.
const MISSES_MAX: u32 = 3;

/// Time for which nobody asks then.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Counts one, on the clock of Redis: the key holds the instant, in microseconds, at which all that was counted is forgotten.
/// Returns 0, or the microseconds to wait. An instant that this rate cannot have led to is as far off as it can be: the clock was
/// set back, or the rate was another one.
const COUNT: &str = "\
local now = redis.call('TIME')
now = now[1] * 1000000 + now[2]
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local free = tonumber(redis.call('GET', KEYS[1]) or 0)
free = math.min(math.max(free, now), now + interval * burst) + interval
local wait = free - now - interval * burst
if wait > 0 then
  return math.ceil(wait)
end
redis.call('SET', KEYS[1], string.format('%.0f', free), 'PX', math.ceil((free - now) / 1000))
return 0";

/// The counts of one fleet.
pub(super) struct Counters {
    prefix: String,
    client: watch::Receiver<Option<Client>>,
    trust: Trust,
}

impl Counters {
    /// Counts under keys that begin with `prefix`, by the client that is there at the time.
    pub(super) fn new(prefix: &str, client: watch::Receiver<Option<Client>>) -> Self {
        Self { prefix: prefix.to_owned(), client, trust: Trust::new() }
    }

    /// Counts one towards the rate of `key`.
    pub(super) async fn count(&self, key: &str, rate: Rate) -> Counted {
        let Some(client) = self.client.borrow().clone() else { return Counted::Unknown };
        if !self.trust.is_there() {
            return Counted::Unknown;
        }
        let interval = u64::try_from(rate.interval.as_micros()).unwrap_or(u64::MAX).to_string();
        let arguments = vec![interval, rate.burst.to_string()];
        let counting = client.eval::<u64, _, _, _>(COUNT, format!("{}:rate:{key}", self.prefix), arguments);
        let counted = call_within(WITHIN, "rate", counting).await;
        self.trust.heard(counted.is_ok());
        match counted {
            Ok(0) => Counted::Within,
            Ok(micros) => Counted::Beyond(Duration::from_micros(micros)),
            Err(error) => {
                tracing::debug!(error = %error, "a rate was not counted for the fleet");
                Counted::Unknown
            }
        }
    }
}

/// Tells whether Redis is worth a question.
#[derive(Debug)]
struct Trust {
    since: Instant,
    misses: AtomicU32,
    /// Milliseconds after `since` from which one caller may try; 0 while everybody may.
    again_at: AtomicU64,
}

impl Trust {
    fn new() -> Self {
        Self { since: Instant::now(), misses: AtomicU32::new(0), again_at: AtomicU64::new(0) }
    }

    fn after(&self, wait: Duration) -> u64 {
        u64::try_from((self.since.elapsed() + wait).as_millis()).unwrap_or(u64::MAX).max(1)
    }

    /// Returns whether the caller may ask. Where nobody else may, the caller is the one that tries.
    fn is_there(&self) -> bool {
        let again_at = self.again_at.load(Ordering::Acquire);
        let tries = || {
            let next = self.after(AGAIN_AFTER);
            self.again_at.compare_exchange(again_at, next, Ordering::AcqRel, Ordering::Acquire).is_ok()
        };
        again_at == 0 || self.after(Duration::ZERO) >= again_at && tries()
    }

    /// Takes note of an answer in time, or of a miss.
    fn heard(&self, answer: bool) {
        if answer {
            self.misses.store(0, Ordering::Release);
            self.again_at.store(0, Ordering::Release);
        } else if self.misses.fetch_add(1, Ordering::AcqRel) + 1 >= MISSES_MAX {
            self.again_at.store(self.after(AGAIN_AFTER), Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_misses_in_a_row_end_the_questions_until_one_caller_tries() {
        let trust = Trust::new();
        for answer in [false, false, true, false, false] {
            trust.heard(answer);
            assert!(trust.is_there());
        }
        trust.heard(false);
        assert!(!trust.is_there());
        trust.again_at.store(1, Ordering::Release);
        let since = trust.since.checked_sub(Duration::from_millis(5));
        let trust = Trust { since: since.unwrap_or(trust.since), ..trust };
        assert!(trust.is_there(), "the one that tries");
        assert!(!trust.is_there(), "the others go on without");
        trust.heard(true);
        assert!(trust.is_there() && trust.is_there());
    }
}
