//! Waits after failed sign-ins. Layer `operate`. Keeps I12.
//!
//! Whoever fails waits longer each time, for that account from that network: the account's owner, elsewhere, does not wait.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ipnet::IpNet;

use crate::operate::failure::{Code, Failure};

/// Failures that cost no wait.
const FREE: u32 = 3;

/// The longest wait.
const WAIT_MAX: Duration = Duration::from_mins(5);

/// Time after the last failure when failures are forgotten.
const FORGET_AFTER: Duration = Duration::from_mins(30);

/// Most pairs of network and account that are remembered; the oldest go first.
const PAIRS_MAX: usize = 4096;

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Instant,
}

impl Failures {
    fn until(self) -> Instant {
        let beyond = self.count.saturating_sub(FREE);
        let wait = if beyond == 0 { Duration::ZERO } else { Duration::from_secs(1 << (beyond - 1).min(16)) };
        self.last + wait.min(WAIT_MAX)
    }
}

type Pair = (Option<IpNet>, String);

/// Counts failed sign-ins.
#[derive(Debug, Default)]
pub struct Tries(Mutex<HashMap<Pair, Failures>>);

impl Tries {
    /// Checks that an account may be tried from a network now.
    ///
    /// # Errors
    /// `TooManyTries`, with the time to wait.
    pub fn check(&self, from: Option<IpNet>, name: &str, now: Instant) -> Result<(), Failure> {
        let pairs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let until = pairs.get(&(from, name.to_owned())).map(|failures| failures.until());
        match until.and_then(|until| until.checked_duration_since(now)) {
            Some(wait) if !wait.is_zero() => {
                let seconds = wait.as_secs() + 1;
                let detail = format!("too many failed sign-ins; try again in {seconds} s");
                Err(Failure::new(Code::TooManyTries, detail).after(seconds))
            }
            _ => Ok(()),
        }
    }

    /// Notes a failure.
    pub fn failed(&self, from: Option<IpNet>, name: &str, now: Instant) {
        let mut pairs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pairs.len() >= PAIRS_MAX {
            pairs.retain(|_, failures| now.saturating_duration_since(failures.last) < FORGET_AFTER);
        }
        if pairs.len() >= PAIRS_MAX
            && let Some(oldest) = pairs.iter().min_by_key(|(_, failures)| failures.last).map(|(pair, _)| pair.clone())
        {
            pairs.remove(&oldest);
        }
        let failures = pairs.entry((from, name.to_owned())).or_insert(Failures { count: 0, last: now });
        if now.saturating_duration_since(failures.last) >= FORGET_AFTER {
            failures.count = 0;
        }
        *failures = Failures { count: failures.count.saturating_add(1), last: now };
    }

    /// Forgets the failures after a success.
    pub fn succeeded(&self, from: Option<IpNet>, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&(from, name.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn who_fails_waits_longer_and_the_owner_elsewhere_does_not() {
        let tries = Tries::default();
        let (evil, home): (IpNet, IpNet) = ("192.0.2.1/32".parse().unwrap(), "198.51.100.1/32".parse().unwrap());
        let start = Instant::now();
        for _ in 0..FREE {
            assert!(tries.check(Some(evil), "ada", start).is_ok());
            tries.failed(Some(evil), "ada", start);
        }
        assert!(tries.check(Some(evil), "ada", start).is_ok(), "three are free");
        tries.failed(Some(evil), "ada", start);
        assert!(tries.check(Some(evil), "ada", start).is_err());
        assert!(tries.check(Some(evil), "ada", start + Duration::from_secs(1)).is_ok());
        for _ in 0..40 {
            tries.failed(Some(evil), "ada", start);
        }
        assert!(tries.check(Some(evil), "ada", start + (WAIT_MAX.saturating_sub(Duration::from_secs(1)))).is_err());
        assert!(tries.check(Some(evil), "ada", start + WAIT_MAX).is_ok(), "nobody waits for ever");
        assert!(tries.check(Some(home), "ada", start).is_ok() && tries.check(Some(evil), "bela", start).is_ok());
        tries.succeeded(Some(evil), "ada");
        assert!(tries.check(Some(evil), "ada", start).is_ok());
    }

    #[test]
    fn strangers_cannot_fill_the_memory() {
        let (tries, now) = (Tries::default(), Instant::now());
        for name in 0..PAIRS_MAX + 10 {
            tries.failed(None, &name.to_string(), now);
        }
        assert_eq!(tries.0.lock().unwrap().len(), PAIRS_MAX);
    }
}
