//! Limits of requests, by address for strangers and by account or key for everybody else. Layer `http`.
//!
//! Nodes that share a Redis count requests together: what a node's own count lets through is counted for the fleet as well. Where
//! the fleet's count is not known within milliseconds, the node's own decides. Streams are counted by each node. The local socket
//! has no limit: whoever runs the fleet stops it even when the API is flooded.
//!
//! # Source
//! asked.md, limits by default; the generic cell rate algorithm.

use std::collections::HashMap;
use std::fmt::Display;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use botfleet_actors::ports::rates::{Counted as FleetCount, Rate, Rates};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use ipnet::IpNet;

use super::counted::{Counted, Open};
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
    strangers: Limit<IpNet>,
    users: Limit<String>,
    keys: Limit<String>,
    rates: Arc<dyn Rates>,
    asked: AtomicU32,
    /// Networks that asked too often without a principal, until when.
    refused: Mutex<HashMap<IpNet, Instant>>,
    streams: Counted<String>,
}

/// An open stream, which is counted until this is dropped.
pub(super) type OpenStream = Open<String>;

impl Limits {
    /// Creates the counters, over those that all nodes share.
    pub(super) fn new(limits: RequestLimits, rates: Arc<dyn Rates>) -> Self {
        Self {
            strangers: Limit::new("address", limits.strangers),
            users: Limit::new("user", limits.user),
            keys: Limit::new("key", limits.key),
            rates,
            asked: AtomicU32::new(0),
            refused: Mutex::default(),
            streams: Counted::default(),
        }
    }

    /// Counts a request without a principal.
    ///
    /// # Errors
    /// `TooManyRequests`, with the time to wait.
    pub(super) async fn stranger(&self, network: Option<IpNet>) -> Result<(), Failure> {
        self.tidy();
        let Some(network) = network else { return Ok(()) };
        let counted = self.strangers.count(network, self.rates.as_ref()).await;
        if let Err(failure) = &counted {
            let wait = Duration::from_secs(failure.retry_after_s.unwrap_or(1));
            self.refused().insert(network, Instant::now() + wait);
        }
        counted
    }

    /// Refuses a network that asked too often without a principal just now. Counts nothing, so that it may stand in front of what a
    /// proof costs: the store is not asked for proofs of a network that sent too many wrong ones.
    ///
    /// # Errors
    /// `TooManyRequests`, with the time to wait.
    pub(super) fn is_open_to(&self, network: Option<IpNet>) -> Result<(), Failure> {
        let until = network.and_then(|network| self.refused().get(&network).copied());
        match until.map(|until| until.saturating_duration_since(Instant::now())) {
            Some(wait) if !wait.is_zero() => Err(too_many(wait)),
            _ => Ok(()),
        }
    }

    fn refused(&self) -> MutexGuard<'_, HashMap<IpNet, Instant>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request of a principal.
    ///
    /// # Errors
    /// `TooManyRequests`, with the time to wait.
    pub(super) async fn principal(&self, principal: &Principal) -> Result<(), Failure> {
        self.tidy();
        let identity = principal.identity();
        match &identity.proof {
            Proof::Nothing | Proof::Local => Ok(()),
            Proof::Session { .. } => {
                let account = identity.account.map_or_else(|| identity.name.clone(), |account| account.0.to_string());
                self.users.count(account, self.rates.as_ref()).await
            }
            Proof::Key(id) => self.keys.count(id.clone(), self.rates.as_ref()).await,
        }
    }

    /// Counts a stream of a principal.
    ///
    /// # Errors
    /// `TooManyWatchers`.
    pub(super) fn stream(&self, principal: &Principal) -> Result<OpenStream, Failure> {
        let identity = principal.identity();
        let name = match &identity.proof {
            Proof::Key(id) => id.clone(),
            _ => identity.name.clone(),
        };
        let most = if identity.proof == Proof::Local { u32::MAX } else { STREAMS_MAX };
        self.streams.open(name, most).ok_or_else(|| {
            let detail = format!("{STREAMS_MAX} streams are open already; close one first");
            Failure::new(Code::TooManyWatchers, detail)
        })
    }

    /// Forgets now and then who has not asked for a while, so that strangers cannot fill the memory.
    fn tidy(&self) {
        if self.asked.fetch_add(1, Ordering::Relaxed) % TIDIED_EVERY == TIDIED_EVERY - 1 {
            self.strangers.own.retain_recent();
            self.users.own.retain_recent();
            self.keys.own.retain_recent();
            let now = Instant::now();
            self.refused().retain(|_, until| *until > now);
        }
    }
}

/// A limit of requests a minute, for each key of a kind.
struct Limit<K: Clone + Eq + Hash> {
    kind: &'static str,
    rate: Rate,
    own: DefaultKeyedRateLimiter<K>,
}

impl<K: Clone + Eq + Hash + Display> Limit<K> {
    fn new(kind: &'static str, a_minute: NonZeroU32) -> Self {
        Self { kind, rate: Rate::per_minute(a_minute), own: RateLimiter::keyed(Quota::per_minute(a_minute)) }
    }

    /// Counts a request: here, and for the fleet when there is room here. So a flood at one node asks the fleet no more often than
    /// the limit allows.
    async fn count(&self, key: K, rates: &dyn Rates) -> Result<(), Failure> {
        self.own.check_key(&key).map_err(|until| too_many(until.wait_time_from(DefaultClock::default().now())))?;
        match rates.count(&format!("{}:{key}", self.kind), self.rate).await {
            FleetCount::Within | FleetCount::Unknown => Ok(()),
            FleetCount::Beyond(wait) => Err(too_many(wait)),
        }
    }
}

fn too_many(wait: Duration) -> Failure {
    let wait = wait.as_secs() + 1;
    Failure::new(Code::TooManyRequests, format!("too many requests; try again in {wait} s")).after(wait)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use async_trait::async_trait;

    use super::*;
    use crate::bus::local::LocalBus;
    use crate::operate::context::Context;
    use crate::operate::principal::Identity;

    fn limits(strangers: u32, rates: Arc<dyn Rates>) -> Limits {
        let number = |count| NonZeroU32::new(count).unwrap();
        Limits::new(RequestLimits { strangers: number(strangers), user: number(600), key: number(1_000) }, rates)
    }

    fn alone(strangers: u32) -> Limits {
        limits(strangers, Arc::new(LocalBus::default()))
    }

    fn net(text: &str) -> Option<IpNet> {
        Some(text.parse().unwrap())
    }

    /// Other nodes that have used everything up already, and how often they were asked.
    #[derive(Default)]
    struct UsedUp(AtomicU32);

    #[async_trait]
    impl Rates for UsedUp {
        async fn count(&self, key: &str, rate: Rate) -> FleetCount {
            assert_eq!((key, rate.burst.get()), ("address:192.0.2.1/32", 3));
            self.0.fetch_add(1, Ordering::Relaxed);
            FleetCount::Beyond(Duration::from_millis(2_500))
        }
    }

    #[tokio::test]
    async fn a_flood_from_one_network_leaves_others_alone() {
        let limits = alone(3);
        for _ in 0..3 {
            assert!(limits.stranger(net("192.0.2.1/32")).await.is_ok());
        }
        let refused = limits.stranger(net("192.0.2.1/32")).await.unwrap_err();
        assert_eq!((refused.code, refused.retry_after_s.is_some()), (Code::TooManyRequests, true));
        assert!(limits.stranger(net("192.0.2.2/32")).await.is_ok() && limits.stranger(None).await.is_ok());
        assert_eq!(limits.is_open_to(net("192.0.2.1/32")).unwrap_err().code, Code::TooManyRequests);
        assert!(limits.is_open_to(net("192.0.2.2/32")).is_ok() && limits.is_open_to(None).is_ok());
    }

    #[tokio::test]
    async fn the_fleets_count_refuses_what_a_nodes_own_lets_through_and_a_flood_is_not_passed_on() {
        let fleet = Arc::new(UsedUp::default());
        let limits = limits(3, Arc::clone(&fleet) as Arc<dyn Rates>);
        for _ in 0..100 {
            let refused = limits.stranger(net("192.0.2.1/32")).await.unwrap_err();
            assert_eq!(refused.code, Code::TooManyRequests);
        }
        assert_eq!(fleet.0.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn a_principal_has_so_many_streams_and_gets_another_when_one_ends() {
        let limits = alone(100);
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
    }
}
