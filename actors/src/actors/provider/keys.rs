//! A provider's keys: for each, limits per minute, calls side by side, pauses and refusals. Layer `actors`.
//!
//! Keys take turns. A rate limit or a used-up quota concerns one model with one key; a revoked key concerns all its
//! models. A call reserves the most tokens that its answer may take, plus the bound of its prompt times the share that
//! the model's prompts lately used. The reservation is corrected when the provider reports the usage. So over nine
//! tenths of a limit get used though prompts take a quarter of their bounds, and answers of any length do not overrun
//! it. A call that a limit keeps waiting for `CLAIM_AFTER` goes before calls of other models, which may be lighter.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use tokio::time::Instant;

use super::key::{Health, Key, KeyLease, NoKey};
use super::price::TokenCount;
use super::settings::ProviderSettings;
use super::snapshot::KeySnapshot;
use crate::policy::backoff::BackoffSettings;
use crate::policy::minute::MinuteLimit;
use crate::ports::llm::{KeyIndex, LlmError, RETRY_AFTER_MAX};

/// Pauses after refusals that state no time.
const PAUSES: BackoffSettings = BackoffSettings { first: Duration::from_secs(1), max: Duration::from_secs(60) };

/// How fast a former, larger share of bounds is forgotten, per call.
const FORGET: f64 = 0.05;

/// A refusal lowers a limit only if more than this share of it was used.
const NEARLY_FULL: f64 = 0.8;

pub(super) struct KeyPool {
    keys: Vec<Key>,
    next: usize,
    side_by_side: usize,
    refused_pause: Duration,
    /// Limits of requests and of tokens per minute with one key, for all nodes together.
    limits: [Option<NonZeroU32>; 2],
}

impl KeyPool {
    pub(super) fn new(keys: usize, settings: &ProviderSettings) -> Self {
        let limit = |limit: Option<NonZeroU32>| limit.map(|limit| MinuteLimit::new(limit.get().into()));
        let key = |_| Key {
            requests: limit(settings.requests_per_minute),
            tokens: limit(settings.tokens_per_minute),
            in_flight: 0,
            health: Health::Usable,
            models: BTreeMap::new(),
        };
        Self {
            keys: (0..keys.max(1)).map(key).collect(),
            next: 0,
            side_by_side: settings.concurrency_per_key.map_or(usize::MAX, NonZeroUsize::get),
            refused_pause: settings.refused_key_pause,
            limits: [settings.requests_per_minute, settings.tokens_per_minute],
        }
    }

    /// Shares the limits among `nodes`, since a provider counts the calls of all nodes with a key.
    pub(super) fn share_among(&mut self, nodes: u64) {
        let part = |limit: NonZeroU32| u64::from(limit.get()) / nodes.max(1);
        let [requests, tokens] = self.limits;
        for key in &mut self.keys {
            for (limit, of_all) in [(&mut key.requests, requests), (&mut key.tokens, tokens)] {
                if let (Some(limit), Some(of_all)) = (limit, of_all) {
                    limit.set(part(of_all));
                }
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Takes a key for a call of `model` that uses at most `bound`.
    pub(super) fn take(&mut self, model: &str, bound: TokenCount, now: Instant) -> Result<KeyLease, NoKey> {
        let count = self.keys.len();
        let mut why = None;
        for at in (0..count).map(|offset| (self.next + offset) % count) {
            let refused = match self.keys[at].room(model, bound, self.side_by_side, now) {
                Ok(weight) => {
                    self.next = (at + 1) % count;
                    self.forget_claims(model);
                    return Ok(self.keys[at].lease(KeyIndex(at), model, weight, bound, now));
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

    /// Records that no call of `model` waits for a limit.
    pub(super) fn forget_claims(&mut self, model: &str) {
        for standing in self.keys.iter_mut().filter_map(|key| key.models.get_mut(model)) {
            standing.claim = None;
        }
    }

    /// Records that the call was made, with the usage that the provider reports.
    pub(super) fn made(&mut self, lease: &KeyLease, used: Option<TokenCount>) {
        let key = &mut self.keys[lease.key.0];
        key.end(lease);
        let Some(used) = used else { return };
        key.correct(lease, 1, used.total());
        if used.prompt > 0 {
            let part = used.prompt as f64 / lease.bound.prompt.max(1) as f64;
            let standing = key.standing(&lease.model);
            standing.part = part.max(standing.part - (standing.part - part) * FORGET).clamp(0.001, 1.0);
        }
    }

    /// Records a usable answer. It ends no pause that still runs, since the call may be older than the refusal.
    pub(super) fn succeeded(&mut self, lease: &KeyLease, now: Instant) {
        let key = &mut self.keys[lease.key.0];
        if key.health.is_over(now) {
            key.health = Health::Usable;
        }
        let standing = key.standing(&lease.model);
        if standing.health.is_over(now) {
            standing.limited = 0;
            standing.health = Health::Usable;
        }
    }

    /// Records that the provider refused the key, for a while or for good.
    pub(super) fn refused(&mut self, lease: &KeyLease, error: &LlmError, random: f64, now: Instant) {
        // A little jitter, so that keys of one account do not come back together.
        let refused_until = now + self.refused_pause.mul_f64(0.9 + 0.2 * random);
        let key = &mut self.keys[lease.key.0];
        key.end(lease);
        let standing = key.standing(&lease.model);
        match error {
            LlmError::RateLimited { retry_after } => {
                standing.limited += 1;
                let pause = retry_after.unwrap_or_else(|| PAUSES.wait(standing.limited, random));
                let until = now + pause.min(RETRY_AFTER_MAX);
                match &mut standing.health {
                    Health::Paused(other) => *other = until.max(*other),
                    Health::Refused(other, _) if *other > now => {}
                    health => *health = Health::Paused(until),
                }
                for limit in [&mut key.requests, &mut key.tokens].into_iter().flatten() {
                    limit.refused_if_used(NEARLY_FULL, now);
                }
            }
            LlmError::QuotaExhausted(_) => {
                standing.health = Health::Refused(refused_until, error.clone());
                key.correct(lease, 1, 0);
            }
            _ => {
                key.health = Health::Refused(refused_until, error.clone());
                key.correct(lease, 1, 0);
            }
        }
    }

    /// Forgets the refusals of a key, since another one stands in its place. Limits and calls under way stay counted.
    pub(super) fn replaced(&mut self, key: KeyIndex) {
        let Some(key) = self.keys.get_mut(key.0) else { return };
        key.health = Health::Usable;
        for standing in key.models.values_mut() {
            (standing.health, standing.limited) = (Health::Usable, 0);
        }
    }

    pub(super) fn snapshot(&mut self, now: Instant) -> Vec<KeySnapshot> {
        let keys = self.keys.iter_mut().enumerate();
        keys.map(|(index, key)| {
            let (state, reason, left) = key.shown(now);
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

/// Returns a rank of the reason: the lower, the sooner a key will be available.
fn rank(why: &NoKey) -> (u8, Option<Instant>) {
    match why {
        NoKey::Busy => (0, None),
        NoKey::Paced(until) => (1, Some(*until)),
        NoKey::Paused(until) => (2, Some(*until)),
        NoKey::Refused(_) => (3, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::provider::snapshot::KeyState;

    const ONE: TokenCount = TokenCount { prompt: 1, completion: 0, cached: 0 };

    fn tokens(prompt: u64, completion: u64) -> TokenCount {
        TokenCount { prompt, completion, cached: 0 }
    }

    fn pool(keys: usize, per_minute: Option<u32>) -> KeyPool {
        let requests_per_minute = per_minute.and_then(NonZeroU32::new);
        KeyPool::new(keys, &ProviderSettings { requests_per_minute, ..ProviderSettings::default() })
    }

    #[test]
    fn keys_take_turns_and_each_has_its_limit() {
        let (mut pool, now) = (pool(2, Some(4)), Instant::now());
        let first: Vec<_> = (0..2).map(|_| pool.take("m", ONE, now).unwrap().key.0).collect();
        assert_eq!(first, [0, 1]);
        let limit = pool.keys[0].requests.as_mut().unwrap();
        for _ in 0..9 {
            limit.take(1, now);
        }
        assert_eq!(pool.take("m", ONE, now + Duration::from_secs(30)).unwrap().key.0, 1);
    }

    #[test]
    fn nodes_share_a_keys_limit() {
        let (mut pool, now) = (pool(1, Some(8)), Instant::now());
        pool.share_among(4);
        let minute = (0..60).filter(|second| pool.take("m", ONE, now + Duration::from_secs(*second)).is_ok()).count();
        assert_eq!(minute, 2);
        pool.share_among(1);
        let next = (62..122).filter(|second| pool.take("m", ONE, now + Duration::from_secs(*second)).is_ok()).count();
        assert!((7..=8).contains(&next), "{next}");
    }

    #[test]
    fn a_limited_key_pauses_exactly_as_asked_and_others_go_on() {
        let (mut pool, now) = (pool(2, None), Instant::now());
        let lease = pool.take("m", ONE, now).unwrap();
        let asked = LlmError::RateLimited { retry_after: Some(Duration::from_secs(7)) };
        pool.refused(&lease, &asked, 0.5, now);
        assert_eq!((pool.take("m", ONE, now).unwrap().key.0, pool.take("m", ONE, now).unwrap().key.0), (1, 1));
        let other = pool.keys[1].lease(KeyIndex(1), "m", 1, ONE, now);
        pool.refused(&other, &LlmError::RateLimited { retry_after: Some(Duration::from_secs(9)) }, 0.5, now);
        assert_eq!(pool.take("m", ONE, now).unwrap_err(), NoKey::Paused(now + Duration::from_secs(7)));
        assert_eq!(pool.take("m", ONE, now + Duration::from_secs(7)).unwrap().key.0, 0);
    }

    #[test]
    fn a_success_of_an_older_call_ends_no_pause() {
        let (mut pool, now) = (pool(1, None), Instant::now());
        let (older, younger) = (pool.take("m", ONE, now).unwrap(), pool.take("m", ONE, now).unwrap());
        let pause = Duration::from_secs(30);
        pool.refused(&younger, &LlmError::RateLimited { retry_after: Some(pause) }, 0.5, now);
        pool.made(&older, None);
        pool.succeeded(&older, now);
        assert_eq!(pool.take("m", ONE, now).unwrap_err(), NoKey::Paused(now + pause));
        pool.succeeded(&older, now + pause);
        assert!(pool.take("m", ONE, now + pause).is_ok());
    }

    #[test]
    fn an_endless_pause_ends_after_a_day() {
        let (mut pool, now) = (pool(1, None), Instant::now());
        let lease = pool.take("m", ONE, now).unwrap();
        pool.refused(&lease, &LlmError::RateLimited { retry_after: Some(Duration::MAX) }, 0.5, now);
        assert_eq!(pool.take("m", ONE, now).unwrap_err(), NoKey::Paused(now + RETRY_AFTER_MAX));
    }

    #[test]
    fn a_revoked_key_is_left_alone_for_long_and_shown() {
        let (mut pool, now) = (pool(1, None), Instant::now());
        let lease = pool.take("m", ONE, now).unwrap();
        let revoked = LlmError::KeyRefused("status 401".to_owned());
        pool.refused(&lease, &revoked, 0.0, now);
        assert_eq!(pool.take("m", ONE, now + Duration::from_secs(60)).unwrap_err(), NoKey::Refused(revoked));
        assert_eq!(pool.snapshot(now)[0].state, KeyState::Refused);
        let later = now + Duration::from_secs(15 * 60);
        let lease = pool.take("m", ONE, later).unwrap();
        assert_eq!(pool.take("m", ONE, later).unwrap_err(), NoKey::Busy, "one call tries it");
        pool.succeeded(&lease, later);
        assert!(pool.take("m", ONE, later).is_ok());
    }

    fn limited(tokens_per_minute: u32) -> KeyPool {
        let tokens_per_minute = NonZeroU32::new(tokens_per_minute);
        KeyPool::new(1, &ProviderSettings { tokens_per_minute, ..ProviderSettings::default() })
    }

    #[test]
    fn one_models_limit_and_quota_leave_the_others_of_the_key_alone() {
        let (mut pool, now) = (pool(1, None), Instant::now());
        let lease = pool.take("a", ONE, now).unwrap();
        pool.refused(&lease, &LlmError::RateLimited { retry_after: Some(Duration::from_secs(30)) }, 0.5, now);
        let lease = pool.take("b", ONE, now).unwrap();
        let used_up = LlmError::QuotaExhausted("pay".to_owned());
        pool.refused(&lease, &used_up, 0.5, now);
        assert_eq!(pool.take("a", ONE, now).unwrap_err(), NoKey::Paused(now + Duration::from_secs(30)));
        assert_eq!(pool.take("b", ONE, now).unwrap_err(), NoKey::Refused(used_up));
        let lease = pool.take("c", ONE, now).unwrap();
        assert_eq!(pool.snapshot(now)[0].state, KeyState::Refused);
        pool.refused(&lease, &LlmError::KeyRefused("status 401".to_owned()), 0.5, now);
        assert!(matches!(pool.take("d", ONE, now), Err(NoKey::Refused(_))), "a revoked key is so for all");
    }

    #[test]
    fn prompts_are_reserved_by_what_they_use_of_their_bounds_and_answers_in_full() {
        let (mut pool, mut now) = (limited(10_000), Instant::now());
        let bound = tokens(1_000, 50);
        for _ in 0..200 {
            now += Duration::from_secs(10);
            let lease = pool.take("m", bound, now).unwrap();
            pool.made(&lease, Some(tokens(100, 1)));
        }
        let weight = pool.keys[0].room("m", bound, 9, now + Duration::from_secs(10)).unwrap();
        assert!((150..160).contains(&weight), "{weight}");
        let lease = pool.take("m", bound, now + Duration::from_secs(10)).unwrap();
        pool.made(&lease, Some(tokens(400, 1)));
        assert_eq!(pool.keys[0].room("m", bound, 9, now + Duration::from_secs(20)), Ok(450), "it learns at once");
    }

    #[test]
    fn a_limit_of_tokens_is_used_and_never_overrun_when_answers_grow() {
        const LIMIT: u64 = 60_000;
        let (mut pool, start) = (limited(LIMIT as u32), Instant::now());
        let (mut now, mut under_way, mut arrivals) = (start, std::collections::VecDeque::new(), Vec::new());
        let minutes = |now: Instant| (now - start).as_secs() / 60;
        while minutes(now) < 12 {
            let used = tokens(1_000, if minutes(now) < 8 { 5 } else { 200 });
            match pool.take("m", tokens(4_000, 200), now) {
                Ok(lease) => {
                    arrivals.push((now, used.total()));
                    under_way.push_back((now + Duration::from_secs(2), lease, used));
                }
                Err(NoKey::Paced(until)) => {
                    now = under_way.front().map_or(until, |(end, ..)| until.min(*end));
                }
                Err(why) => panic!("{why:?}"),
            }
            while under_way.front().is_some_and(|(end, ..)| *end <= now) {
                let (_, lease, used) = under_way.pop_front().unwrap();
                pool.made(&lease, Some(used));
            }
        }
        for (at, _) in &arrivals {
            let within = arrivals.iter().filter(|(other, _)| other >= at && *other - *at <= Duration::from_secs(60));
            let in_a_minute: u64 = within.map(|(_, used)| used).sum();
            assert!(in_a_minute <= LIMIT, "{in_a_minute} in a minute");
        }
        let steady: u64 = arrivals.iter().filter(|(at, _)| (3..8).contains(&minutes(*at))).map(|(_, used)| used).sum();
        assert!(steady as f64 / 5.0 >= 0.9 * LIMIT as f64, "{} a minute", steady / 5);
    }

    #[test]
    fn a_heavy_call_is_not_starved_by_light_ones_of_another_model() {
        let (mut pool, start) = (limited(10_000), Instant::now());
        let heavy_after = (0..2_000).find(|tenth| {
            let now = start + Duration::from_millis(100) * *tenth;
            while pool.take("light", tokens(0, 100), now).is_ok() {}
            *tenth > 700 && pool.take("heavy", tokens(0, 8_000), now).is_ok()
        });
        assert!(heavy_after.is_some_and(|tenth| tenth < 700 + 600 + 100), "{heavy_after:?}");
        pool.forget_claims("heavy");
        let later = start + Duration::from_secs(600);
        assert!(pool.take("light", tokens(0, 100), later).is_ok());
    }
}
