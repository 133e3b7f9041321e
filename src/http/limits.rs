//! Limits of requests, by address for strangers and by account or key for everybody else. Layer `http`.
//!
//! Each node counts for itself. The local socket has no limit: whoever runs the fleet stops it even when the API is flooded.
//!
//! # Source
//! asked.md, limits by default; the generic cell rate algorithm.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use ipnet::IpNet;

use crate::operate::failure::{Code, Failure};
use crate::operate::principal::{Principal, Proof};

/// Most streams of an account, or of a key, at a time.
const STREAMS_MAX: u32 = 20;

/// Number of requests after which keys that are as new are forgotten.
const TIDIED_EVERY: u32 = 1_024;

/// The limits of requests a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// For a network without a principal.
    pub strangers: NonZeroU32,
    /// For an account.
    pub user: NonZeroU32,
    /// For an API key.
    pub key: NonZeroU32,
}

/// Counts requests and streams.
pub(super) struct Limits {
    strangers: DefaultKeyedRateLimiter<IpNet>,
    users: DefaultKeyedRateLimiter<String>,
    keys: DefaultKeyedRateLimiter<String>,
    asked: AtomicU32,
    streams: Arc<Mutex<HashMap<String, u32>>>,
}

/// An open stream, which is counted until this is dropped.
pub(super) struct OpenStream {
    name: String,
    streams: Arc<Mutex<HashMap<String, u32>>>,
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = streams.get_mut(&self.name) {
            *count -= 1;
            if *count == 0 {
                streams.remove(&self.name);
            }
        }
    }
}

impl Limits {
    /// Creates the counters.
    pub(super) fn new(limits: RequestLimits) -> Self {
        Self {
            strangers: RateLimiter::keyed(Quota::per_minute(limits.strangers)),
            users: RateLimiter::keyed(Quota::per_minute(limits.user)),
            keys: RateLimiter::keyed(Quota::per_minute(limits.key)),
            asked: AtomicU32::new(0),
            streams: Arc::default(),
        }
    }

    /// Counts a request without a principal.
    ///
    /// # Errors
    /// `TooManyRequests`, with the time to wait.
    pub(super) fn stranger(&self, network: Option<IpNet>) -> Result<(), Failure> {
        self.tidy();
        network.map_or(Ok(()), |network| within(&self.strangers, &network))
    }

    /// Counts a request of a principal.
    ///
    /// # Errors
    /// `TooManyRequests`, with the time to wait.
    pub(super) fn principal(&self, principal: &Principal) -> Result<(), Failure> {
        self.tidy();
        match &principal.identity().proof {
            Proof::Nothing | Proof::Local => Ok(()),
            Proof::Session { .. } => within(&self.users, &principal.name().to_owned()),
            Proof::Key(id) => within(&self.keys, id),
        }
    }

    /// Counts a stream of a principal.
    ///
    /// # Errors
    /// `TooManyWatchers`.
    pub(super) fn stream(&self, principal: &Principal) -> Result<OpenStream, Failure> {
        let name = match &principal.identity().proof {
            Proof::Key(id) => id.clone(),
            _ => principal.name().to_owned(),
        };
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let count = streams.entry(name.clone()).or_insert(0);
        if *count >= STREAMS_MAX && principal.identity().proof != Proof::Local {
            let detail = format!("{STREAMS_MAX} streams are open already; close one first");
            return Err(Failure::new(Code::TooManyWatchers, detail));
        }
        *count += 1;
        Ok(OpenStream { name, streams: Arc::clone(&self.streams) })
    }

    /// Forgets now and then who has not asked for a while, so that strangers cannot fill the memory.
    fn tidy(&self) {
        if self.asked.fetch_add(1, Ordering::Relaxed) % TIDIED_EVERY == TIDIED_EVERY - 1 {
            self.strangers.retain_recent();
            self.users.retain_recent();
            self.keys.retain_recent();
        }
    }
}

fn within<K: Clone + Eq + std::hash::Hash>(limiter: &DefaultKeyedRateLimiter<K>, key: &K) -> Result<(), Failure> {
    limiter.check_key(key).map_err(|until| {
        let wait = until.wait_time_from(DefaultClock::default().now()).as_secs() + 1;
        Failure::new(Code::TooManyRequests, format!("too many requests; try again in {wait} s")).after(wait)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::operate::context::Context;
    use crate::operate::principal::Identity;

    fn limits(strangers: u32) -> Limits {
        let number = |count| NonZeroU32::new(count).unwrap();
        Limits::new(RequestLimits { strangers: number(strangers), user: number(600), key: number(1_000) })
    }

    #[test]
    fn a_flood_from_one_network_leaves_others_alone() {
        let limits = limits(3);
        let net = |text: &str| Some(text.parse().unwrap());
        for _ in 0..3 {
            assert!(limits.stranger(net("192.0.2.1/32")).is_ok());
        }
        let refused = limits.stranger(net("192.0.2.1/32")).unwrap_err();
        assert_eq!((refused.code, refused.retry_after_s.is_some()), (Code::TooManyRequests, true));
        assert!(limits.stranger(net("192.0.2.2/32")).is_ok() && limits.stranger(None).is_ok());
    }

    #[test]
    fn a_principal_has_so_many_streams_and_gets_another_when_one_ends() {
        let limits = limits(100);
        let mut identity = Identity::local();
        identity.proof = Proof::Key("0123".to_owned());
        let key = Principal::new(Arc::new(identity), Context::default());
        let mut open: Vec<OpenStream> = (0..STREAMS_MAX).map(|_| limits.stream(&key).unwrap()).collect();
        assert_eq!(limits.stream(&key).err().unwrap().code, Code::TooManyWatchers);
        open.pop();
        assert!(limits.stream(&key).is_ok());
        let local = Principal::new(Arc::new(Identity::local()), Context::default());
        let many: Vec<OpenStream> = (0..2 * STREAMS_MAX).map(|_| limits.stream(&local).unwrap()).collect();
        drop((open, many));
        assert!(limits.streams.lock().unwrap().is_empty());
    }
}
