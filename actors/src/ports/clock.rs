//! The clock port. Layer `ports`. Only persisted due times are read from it; waits use monotonic time.

use std::time::Duration;

use crate::domain::time::Timestamp;

/// Tells the time of the database's clock, as this node estimates it.
pub trait Clock: Send + Sync + 'static {
    /// Now. Never runs backwards within a process: it is anchored once and moved on by monotonic time, so that a
    /// jump of the wall clock neither shortens nor lengthens a wait.
    fn now(&self) -> Timestamp;

    /// Time since the machine started, time asleep included: what beats and safety bounds are measured by, since a
    /// process or a machine that slept must find out. Comparable within one process only.
    fn boot_time(&self) -> Duration;
}
