//! The port to rates that all nodes of a fleet count together. Layer `ports`.
//!
//! A count is no fact and nobody waits for it: without an answer within milliseconds each node counts for itself.

use std::num::NonZeroU32;
use std::time::Duration;

use async_trait::async_trait;

/// A rate: so many at once, and then one after each interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Number that may come at once.
    pub burst: NonZeroU32,
    /// Interval after which there is room for one more.
    pub interval: Duration,
}

impl Rate {
    /// Creates the rate of so many a minute, all of which may come at once.
    pub fn per_minute(count: NonZeroU32) -> Self {
        Self { burst: count, interval: Duration::from_mins(1) / count.get() }
    }
}

/// The answer to a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// There was room, and less of it is left.
    Within,
    /// There is no room for so long; nothing was counted.
    Beyond(Duration),
    /// The fleet's count is not known now, or there is none: the caller's own count decides.
    Unknown,
}

/// Rates that all nodes count together.
#[async_trait]
pub trait Rates: Send + Sync + 'static {
    /// Counts one towards the rate of `key`. Answers within a few milliseconds, whatever the other side does.
    ///
    /// # Cancel safety
    /// A dropped call has counted, or has not.
    async fn count(&self, key: &str, rate: Rate) -> Counted;
}
