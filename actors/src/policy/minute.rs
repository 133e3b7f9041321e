//! A limit per minute as providers count it: in any 60 s, by arrival. Layer `policy`. Times are arguments.
//!
//! Everything taken stays counted for 60 s plus a margin for the varying time on the way to the provider. So the
//! provider never sees more than the limit in any span of 60 s. A quarter of the limit may be taken at once. Beyond
//! that, the rest is spread over the time until something comes free, so that no minute of silence follows a burst. A
//! refusal lowers the limit for a while, since the provider then counts differently from this node.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// The span over which providers count.
const MINUTE: Duration = Duration::from_secs(60);

/// Allowance for the varying time on the way to the provider.
const MARGIN: Duration = Duration::from_millis(1_500);

/// Divisor for the burst: limit / `BURST_PART` may be taken at once.
const BURST_PART: u64 = 4;

/// Factor by which a refusal lowers the limit, and the lowest share that refusals can leave.
const LOWERED_TO: f64 = 0.95;
const LEAST_PART: f64 = 0.5;

/// Share of the limit that each minute without a refusal gives back.
const REGAINED_PER_MINUTE: f64 = 0.02;

struct Taken {
    at: Instant,
    weight: u64,
}

/// Identifies something taken, for a later correction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u64);

/// A limit per minute.
pub struct MinuteLimit {
    limit: u64,
    taken: VecDeque<Taken>,
    /// Number of the first of `taken`.
    first: u64,
    used: u64,
    not_before: Option<Instant>,
    part: f64,
    part_since: Option<Instant>,
}

impl MinuteLimit {
    /// Creates a limit of `limit`, at least one, in any minute.
    pub fn new(limit: u64) -> Self {
        Self {
            limit: limit.max(1),
            taken: VecDeque::new(),
            first: 0,
            used: 0,
            not_before: None,
            part: 1.0,
            part_since: None,
        }
    }

    /// Sets the limit to `limit`, at least one, from now on; the amounts already taken stay counted.
    pub fn set(&mut self, limit: u64) {
        self.limit = limit.max(1);
    }

    /// Returns whether `weight` may be taken now. A weight above the limit counts as the limit.
    ///
    /// # Errors
    /// How long to wait before asking again.
    pub fn room(&mut self, weight: u64, now: Instant) -> Result<(), Duration> {
        self.forget(now);
        let limit = self.now_limit(now);
        let weight = weight.min(limit);
        if self.used + weight > limit {
            let mut surplus = self.used + weight - limit;
            for taken in &self.taken {
                surplus = surplus.saturating_sub(taken.weight);
                if surplus == 0 {
                    return Err(wait(taken.at + MINUTE + MARGIN, now));
                }
            }
            return Err(MINUTE);
        }
        match self.not_before {
            Some(until) if until > now => Err(wait(until, now)),
            _ => Ok(()),
        }
    }

    /// Takes `weight`, even without room.
    pub fn take(&mut self, weight: u64, now: Instant) -> Ticket {
        self.forget(now);
        let limit = self.now_limit(now);
        let left = limit.saturating_sub(self.used).max(1);
        if self.used + weight > limit / BURST_PART {
            let frees = self.taken.front().map_or(now + MINUTE, |oldest| oldest.at + MINUTE + MARGIN);
            let spread = frees.saturating_duration_since(now).mul_f64((weight as f64 / left as f64).min(1.0));
            let least = MINUTE.mul_f64((weight as f64 / limit as f64).min(1.0) * 0.5);
            self.not_before = Some(now + spread.max(least));
        }
        self.used += weight;
        self.taken.push_back(Taken { at: now, weight });
        Ticket(self.first + self.taken.len() as u64 - 1)
    }

    /// Corrects the weight of something taken.
    pub fn correct(&mut self, ticket: Ticket, weight: u64) {
        let Some(taken) = ticket.0.checked_sub(self.first).and_then(|at| self.taken.get_mut(at as usize)) else {
            return;
        };
        self.used = self.used + weight - taken.weight;
        taken.weight = weight;
    }

    /// Lowers the limit after a refusal: the provider counts more than this node does.
    pub fn refused(&mut self, now: Instant) {
        self.part = (self.now_part(now) * LOWERED_TO).max(LEAST_PART);
        self.part_since = Some(now);
    }

    /// Calls `refused`, but only when at least `part` of the limit was taken: otherwise another limit caused the
    /// refusal.
    pub fn refused_if_used(&mut self, part: f64, now: Instant) {
        if self.used(now) as f64 >= part * self.limit as f64 {
            self.refused(now);
        }
    }

    /// Returns the weight that is counted at `now`.
    pub fn used(&mut self, now: Instant) -> u64 {
        self.forget(now);
        self.used
    }

    fn now_part(&self, now: Instant) -> f64 {
        let minutes = self.part_since.map_or(0.0, |since| now.saturating_duration_since(since).as_secs_f64() / 60.0);
        (self.part + REGAINED_PER_MINUTE * minutes).min(1.0)
    }

    fn now_limit(&self, now: Instant) -> u64 {
        ((self.limit as f64 * self.now_part(now)) as u64).max(1)
    }

    fn forget(&mut self, now: Instant) {
        while let Some(oldest) = self.taken.front()
            && oldest.at + MINUTE + MARGIN <= now
        {
            self.used -= oldest.weight;
            self.first += 1;
            self.taken.pop_front();
        }
    }
}

fn wait(until: Instant, now: Instant) -> Duration {
    until.saturating_duration_since(now).max(Duration::from_millis(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns the arrivals at the provider of an endless demand, each of one of `weights`, for so many seconds.
    fn saturate(limit: u64, weights: &[u64], jitter_ms: u64, seconds: u64) -> Vec<(Duration, u64)> {
        let (start, mut rng) = (Instant::now(), fastrand::Rng::with_seed(limit));
        let (mut quota, mut now, mut arrivals) = (MinuteLimit::new(limit), start, Vec::new());
        let mut turn = weights.iter().cycle();
        let mut weight = *turn.next().unwrap();
        while now < start + Duration::from_secs(seconds) {
            match quota.room(weight, now) {
                Ok(()) => {
                    quota.take(weight, now);
                    let travel = Duration::from_millis(rng.u64(0..=jitter_ms));
                    arrivals.push((now - start + travel, weight));
                    weight = *turn.next().unwrap();
                }
                Err(wait) => now += wait,
            }
        }
        arrivals.sort_unstable();
        arrivals
    }

    fn most_in_a_minute(arrivals: &[(Duration, u64)]) -> u64 {
        let inside = |from: usize| {
            let within = arrivals[from..].iter().take_while(|(at, _)| *at <= arrivals[from].0 + MINUTE);
            within.map(|(_, weight)| weight).sum()
        };
        (0..arrivals.len()).map(inside).max().unwrap_or(0)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn the_provider_never_counts_more_than_the_limit_and_sees_over_nine_tenths_of_it(
            limit in 10u64..1_200, jitter in 0u64..1_400
        ) {
            let arrivals = saturate(limit, &[1], jitter, 360);
            prop_assert!(most_in_a_minute(&arrivals) <= limit);
            let steady = arrivals.iter().filter(|(at, _)| *at >= MINUTE).count() as f64 / 5.0;
            prop_assert!(steady >= 0.9 * limit as f64, "{steady} of {limit} a minute");
        }

        #[test]
        fn tokens_of_many_sizes_are_limited_alike(
            limit in 40_000u64..200_000, weights in prop::collection::vec(100u64..1_500, 1..20)
        ) {
            let arrivals = saturate(limit, &weights, 1_000, 360);
            prop_assert!(most_in_a_minute(&arrivals) <= limit);
            let steady: u64 = arrivals.iter().filter(|(at, _)| *at >= MINUTE).map(|(_, weight)| weight).sum();
            prop_assert!(steady as f64 / 5.0 >= 0.9 * limit as f64, "{steady} in 5 minutes of {limit}");
        }
    }

    #[test]
    fn a_quarter_may_be_taken_at_once_and_no_silence_follows() {
        let arrivals = saturate(60, &[1], 0, 300);
        assert_eq!(arrivals.iter().filter(|(at, _)| *at < Duration::from_millis(100)).count(), 16);
        let longest = arrivals.windows(2).map(|pair| pair[1].0.saturating_sub(pair[0].0)).max().unwrap();
        assert!(longest < Duration::from_secs(5), "{longest:?}");
    }

    #[test]
    fn a_correction_gives_back_what_was_not_used() {
        let (mut quota, now) = (MinuteLimit::new(1_000), Instant::now());
        let ticket = quota.take(900, now);
        assert!(quota.room(200, now).is_err());
        quota.correct(ticket, 100);
        assert_eq!(quota.used(now), 100);
        assert!(quota.room(200, now + Duration::from_secs(59)).is_ok());
        assert_eq!(quota.used(now + Duration::from_secs(62)), 0);
        quota.correct(ticket, 5_000);
        assert_eq!(quota.used(now + Duration::from_secs(62)), 0, "it is long forgotten");
    }

    #[test]
    fn what_weighs_more_than_the_limit_goes_alone() {
        let (mut quota, now) = (MinuteLimit::new(100), Instant::now());
        assert!(quota.room(5_000, now).is_ok());
        quota.take(1, now);
        assert!(quota.room(5_000, now).is_err());
    }

    #[test]
    fn a_refusal_lowers_the_limit_for_a_while() {
        let (mut quota, now) = (MinuteLimit::new(100), Instant::now());
        (0..20).for_each(|_| quota.refused(now));
        for _ in 0..50 {
            quota.take(1, now);
        }
        assert!(quota.room(1, now + Duration::from_secs(59)).is_err());
        let later = now + Duration::from_secs(3_600);
        assert_eq!(quota.now_limit(later), 100);
    }
}
