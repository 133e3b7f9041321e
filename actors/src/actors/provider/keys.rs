//! A provider's keys: limits a minute, calls side by side, pauses and refusals, for each. Layer `actors`.
//!
//! Keys take turns. Tokens are reserved by the bound of a call times what calls lately used of their bounds, and
//! corrected when the provider says what was used.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use tokio::time::Instant;

use super::settings::ProviderSettings;
use super::snapshot::{KeySnapshot, KeyState};
use crate::policy::backoff::BackoffSettings;
use crate::policy::minute::{MinuteLimit, Ticket};
use crate::ports::llm::{KeyIndex, LlmError, RETRY_AFTER_MAX};

/// Pauses after refusals that say no time.
const PAUSES: BackoffSettings = BackoffSettings { first: Duration::from_secs(1), max: Duration::from_secs(60) };

/// How fast the part of their bounds that calls use is forgotten.
const FORGET: f64 = 0.05;

/// When more than this part of a limit was used, a refusal speaks against our counting.
const NEARLY_FULL: f64 = 0.8;

/// Leave to make one call with a key.
#[derive(Debug)]
pub(super) struct KeyLease {
    pub(super) key: KeyIndex,
    requests: Option<Ticket>,
    tokens: Option<Ticket>,
    bound: u64,
}

/// Why no key can be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoKey {
    /// Each usable key is at its limit of calls side by side.
    Busy,
    /// A limit a minute: not before then.
    Paced(Instant),
    /// The provider asked every key to pause, the first until then.
    Paused(Instant),
    /// Every key is refused or used up.
    Refused(LlmError),
}

enum Health {
    Usable,
    Paused(Instant),
    Refused(Instant, LlmError),
}

struct Key {
    requests: Option<MinuteLimit>,
    tokens: Option<MinuteLimit>,
    in_flight: usize,
    health: Health,
    /// Refusals in a row that said no time.
    limited: u32,
    /// What calls lately used of their bounds, at most.
    part: f64,
}

pub(super) struct KeyPool {
    keys: Vec<Key>,
    next: usize,
    side_by_side: usize,
    refused_pause: Duration,
}

impl KeyPool {
    pub(super) fn new(keys: usize, settings: &ProviderSettings) -> Self {
        let limit = |limit: Option<NonZeroU32>| limit.map(|limit| MinuteLimit::new(limit.get().into()));
        let key = |_| Key {
            requests: limit(settings.requests_per_minute),
            tokens: limit(settings.tokens_per_minute),
            in_flight: 0,
            health: Health::Usable,
            limited: 0,
            part: 1.0,
        };
        Self {
            keys: (0..keys.max(1)).map(key).collect(),
            next: 0,
            side_by_side: settings.concurrency_per_key.map_or(usize::MAX, NonZeroUsize::get),
            refused_pause: settings.refused_key_pause,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// A key for a call of at most `bound` tokens.
    pub(super) fn take(&mut self, bound: u64, now: Instant) -> Result<KeyLease, NoKey> {
        let count = self.keys.len();
        let mut why = None;
        for at in (0..count).map(|offset| (self.next + offset) % count) {
            let refused = match self.keys[at].room(bound, self.side_by_side, now) {
                Ok(weight) => {
                    self.next = (at + 1) % count;
                    return Ok(self.keys[at].lease(KeyIndex(at), weight, bound, now));
                }
                Err(refused) => refused,
            };
            why = Some(match why {
                Some(other) if rank(&other) <= rank(&refused) => other,
                _ => refused,
            });
        }
        Err(why.unwrap_or(NoKey::Busy))
    }

    /// The call was made; the provider says that it used so many tokens.
    pub(super) fn made(&mut self, lease: &KeyLease, used: Option<u64>) {
        let key = &mut self.keys[lease.key.0];
        key.in_flight -= 1;
        if let Some(used) = used {
            key.correct(lease, 1, used);
            let part = used as f64 / lease.bound.max(1) as f64;
            key.part = part.max(key.part - (key.part - part) * FORGET).clamp(0.001, 1.0);
        }
    }

    /// The provider answered with what it was asked for. That ends no pause: the call may be older than the refusal.
    pub(super) fn succeeded(&mut self, lease: &KeyLease, now: Instant) {
        let key = &mut self.keys[lease.key.0];
        if matches!(&key.health, Health::Paused(until) | Health::Refused(until, _) if *until > now) {
            return;
        }
        key.limited = 0;
        key.health = Health::Usable;
    }

    /// The provider refused the key, for now or for good.
    pub(super) fn refused(&mut self, lease: &KeyLease, error: &LlmError, random: f64, now: Instant) {
        let key = &mut self.keys[lease.key.0];
        key.in_flight -= 1;
        if let LlmError::RateLimited { retry_after } = error {
            key.limited += 1;
            let pause = retry_after.unwrap_or_else(|| PAUSES.wait(key.limited, random));
            let until = now + pause.min(RETRY_AFTER_MAX);
            match &mut key.health {
                Health::Paused(other) => *other = until.max(*other),
                Health::Refused(other, _) if *other > now => {}
                health => *health = Health::Paused(until),
            }
            for limit in [&mut key.requests, &mut key.tokens].into_iter().flatten() {
                limit.refused_if_used(NEARLY_FULL, now);
            }
        } else {
            // A little jitter, so that keys of one account do not come back together.
            let pause = self.refused_pause.mul_f64(0.9 + 0.2 * random);
            key.health = Health::Refused(now + pause, error.clone());
            key.correct(lease, 1, 0);
        }
    }

    pub(super) fn snapshot(&mut self, now: Instant) -> Vec<KeySnapshot> {
        let keys = self.keys.iter_mut().enumerate();
        keys.map(|(index, key)| {
            let (state, reason) = match &key.health {
                Health::Paused(until) if *until > now => (KeyState::Paused, None),
                Health::Refused(until, error) if *until > now => (KeyState::Refused, Some(error.to_string())),
                _ => (KeyState::Usable, None),
            };
            let left = match &key.health {
                Health::Paused(until) | Health::Refused(until, _) => until.saturating_duration_since(now),
                Health::Usable => Duration::ZERO,
            };
            KeySnapshot {
                key: index,
                state,
                reason,
                for_seconds: left.as_secs(),
                in_flight: key.in_flight,
                requests_in_minute: key.requests.as_mut().map(|limit| limit.used(now)),
                tokens_in_minute: key.tokens.as_mut().map(|limit| limit.used(now)),
            }
        })
        .collect()
    }
}

/// The lower, the sooner a key can be had.
fn rank(why: &NoKey) -> (u8, Option<Instant>) {
    match why {
        NoKey::Busy => (0, None),
        NoKey::Paced(until) => (1, Some(*until)),
        NoKey::Paused(until) => (2, Some(*until)),
        NoKey::Refused(_) => (3, None),
    }
}

impl Key {
    /// What a call of that bound weighs, if it may be made now.
    fn room(&mut self, bound: u64, side_by_side: usize, now: Instant) -> Result<u64, NoKey> {
        match &self.health {
            Health::Refused(until, error) if *until > now => return Err(NoKey::Refused(error.clone())),
            Health::Paused(until) if *until > now => return Err(NoKey::Paused(*until)),
            // What was refused for good is tried with one call before others follow.
            Health::Refused(..) if self.in_flight > 0 => return Err(NoKey::Busy),
            _ => {}
        }
        if self.in_flight >= side_by_side {
            return Err(NoKey::Busy);
        }
        let weight = ((bound as f64 * self.part).ceil() as u64).max(1);
        let waits = [
            self.requests.as_mut().and_then(|limit| limit.room(1, now).err()),
            self.tokens.as_mut().and_then(|limit| limit.room(weight, now).err()),
        ];
        match waits.into_iter().flatten().max() {
            Some(wait) => Err(NoKey::Paced(now + wait)),
            None => Ok(weight),
        }
    }

    fn lease(&mut self, key: KeyIndex, weight: u64, bound: u64, now: Instant) -> KeyLease {
        self.in_flight += 1;
        let requests = self.requests.as_mut().map(|limit| limit.take(1, now));
        let tokens = self.tokens.as_mut().map(|limit| limit.take(weight, now));
        KeyLease { key, requests, tokens, bound }
    }

    fn correct(&mut self, lease: &KeyLease, requests: u64, tokens: u64) {
        if let (Some(limit), Some(ticket)) = (&mut self.requests, lease.requests) {
            limit.correct(ticket, requests);
        }
        if let (Some(limit), Some(ticket)) = (&mut self.tokens, lease.tokens) {
            limit.correct(ticket, tokens);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(keys: usize, per_minute: Option<u32>) -> KeyPool {
        let requests_per_minute = per_minute.and_then(NonZeroU32::new);
        KeyPool::new(keys, &ProviderSettings { requests_per_minute, ..ProviderSettings::default() })
    }

    #[test]
    fn keys_take_turns_and_each_has_its_limit() {
        let (mut pool, now) = (pool(2, Some(4)), Instant::now());
        let first: Vec<_> = (0..2).map(|_| pool.take(1, now).unwrap().key.0).collect();
        assert_eq!(first, [0, 1]);
        let limit = pool.keys[0].requests.as_mut().unwrap();
        for _ in 0..9 {
            limit.take(1, now);
        }
        assert_eq!(pool.take(1, now + Duration::from_secs(30)).unwrap().key.0, 1);
    }

    #[test]
    fn a_limited_key_pauses_exactly_as_asked_and_others_go_on() {
        let (mut pool, now) = (pool(2, None), Instant::now());
        let lease = pool.take(1, now).unwrap();
        let asked = LlmError::RateLimited { retry_after: Some(Duration::from_secs(7)) };
        pool.refused(&lease, &asked, 0.5, now);
        assert_eq!((pool.take(1, now).unwrap().key.0, pool.take(1, now).unwrap().key.0), (1, 1));
        let other = KeyLease { key: KeyIndex(1), requests: None, tokens: None, bound: 1 };
        pool.refused(&other, &LlmError::RateLimited { retry_after: Some(Duration::from_secs(9)) }, 0.5, now);
        assert_eq!(pool.take(1, now).unwrap_err(), NoKey::Paused(now + Duration::from_secs(7)));
        assert_eq!(pool.take(1, now + Duration::from_secs(7)).unwrap().key.0, 0);
    }

    #[test]
    fn a_success_of_an_older_call_ends_no_pause() {
        let (mut pool, now) = (pool(1, None), Instant::now());
        let (older, younger) = (pool.take(1, now).unwrap(), pool.take(1, now).unwrap());
        let pause = Duration::from_secs(30);
        pool.refused(&younger, &LlmError::RateLimited { retry_after: Some(pause) }, 0.5, now);
        pool.made(&older, None);
        pool.succeeded(&older, now);
        assert_eq!(pool.take(1, now).unwrap_err(), NoKey::Paused(now + pause));
        pool.succeeded(&older, now + pause);
        assert!(pool.take(1, now + pause).is_ok());
    }

    #[test]
    fn an_endless_pause_ends_after_a_day() {
        let (mut pool, now) = (pool(1, None), Instant::now());
        let lease = pool.take(1, now).unwrap();
        pool.refused(&lease, &LlmError::RateLimited { retry_after: Some(Duration::MAX) }, 0.5, now);
        assert_eq!(pool.take(1, now).unwrap_err(), NoKey::Paused(now + RETRY_AFTER_MAX));
    }

    #[test]
    fn a_revoked_key_is_left_alone_for_long_and_shown() {
        let (mut pool, now) = (pool(1, None), Instant::now());
        let lease = pool.take(1, now).unwrap();
        let revoked = LlmError::KeyRefused("status 401".to_owned());
        pool.refused(&lease, &revoked, 0.0, now);
        assert_eq!(pool.take(1, now + Duration::from_secs(60)).unwrap_err(), NoKey::Refused(revoked));
        assert_eq!(pool.snapshot(now)[0].state, KeyState::Refused);
        let later = now + Duration::from_secs(15 * 60);
        let lease = pool.take(1, later).unwrap();
        assert_eq!(pool.take(1, later).unwrap_err(), NoKey::Busy, "one call tries it");
        pool.succeeded(&lease, later);
        assert!(pool.take(1, later).is_ok());
    }

    #[test]
    fn tokens_are_reserved_by_what_calls_use_of_their_bounds() {
        let tokens_per_minute = NonZeroU32::new(10_000);
        let settings = ProviderSettings { tokens_per_minute, ..ProviderSettings::default() };
        let (mut pool, mut now) = (KeyPool::new(1, &settings), Instant::now());
        for _ in 0..200 {
            now += Duration::from_secs(10);
            let lease = pool.take(1_000, now).unwrap();
            assert!(pool.keys[0].tokens.as_mut().unwrap().used(now) >= 100);
            pool.made(&lease, Some(100));
        }
        let weight = pool.keys[0].room(1_000, 9, now + Duration::from_secs(10)).unwrap();
        assert!((100..110).contains(&weight), "{weight}");
        let lease = pool.take(1_000, now + Duration::from_secs(10)).unwrap();
        pool.made(&lease, Some(400));
        assert_eq!(pool.keys[0].room(1_000, 9, now + Duration::from_secs(20)), Ok(400), "it learns at once");
    }
}
