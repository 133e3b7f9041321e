//! Policies: when to wait, to retry, to stop asking, to give up. Layer `policy`; imports `domain` only.

pub mod alarms;
pub mod backoff;
pub mod breaker;
pub mod clock;
pub mod hush;
pub mod limiter;
pub mod minute;
pub mod ownership;
pub mod queue;
pub mod restart;
pub mod treasury;
