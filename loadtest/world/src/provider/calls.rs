//! Records the provider's calls, so that the checker knows which texts were generated. Layer: world.
//!
//! A call is recorded when it is decided. A call becomes `answered` when its whole answer was handed over; a client
//! that goes away earlier leaves the call unanswered. In both cases the end is recorded. A refused request is no call.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::limits::Meter;

/// One chat completion that was asked for and decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRecord {
    /// The call's number; the first one is the spec's `first_call`.
    pub call: u64,
    /// When the call was decided, in microseconds since the provider's start.
    pub at_us: u64,
    /// The model that the request named.
    pub model: String,
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Tokens of the answer.
    pub completion_tokens: u32,
    /// Tokens of the prompt that were known from an earlier prompt of the key.
    #[serde(default)]
    pub cached_tokens: u32,
    /// The answer's text.
    pub text: String,
    /// True when the client asked for a stream.
    pub streamed: bool,
    /// The marker of the message that was answered, such as `#m7`.
    pub marker: Option<String>,
    /// True when the whole answer was handed over; false when it was spoiled or the client went away.
    pub answered: bool,
    /// When the call ended, in microseconds since the provider's start; `None` while it is under way.
    #[serde(default)]
    pub ended_us: Option<u64>,
    /// The API key of the call, empty without one.
    #[serde(default)]
    pub key: String,
    /// The fault that spoiled or delayed the answer.
    #[serde(default)]
    pub fault: Option<String>,
}

/// The records of all calls, in the order of their numbers.
#[derive(Debug)]
pub(super) struct CallLog {
    started: Instant,
    /// The number of the first call.
    first: u64,
    records: Mutex<Vec<CallRecord>>,
}

impl CallLog {
    /// Makes an empty log whose clock starts now and whose first call has the number `first`.
    pub(super) fn starting_at(first: u64) -> Self {
        Self { started: Instant::now(), first, records: Mutex::default() }
    }

    /// Returns the microseconds since the start.
    pub(super) fn now_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Returns how long the log has been open.
    pub(super) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Returns the number of the next call.
    pub(super) fn next_call(&self) -> u64 {
        self.first + self.lock().len() as u64
    }

    /// Adds a record; its number must be that of the next call.
    pub(super) fn add(&self, record: CallRecord) {
        self.lock().push(record);
    }

    /// Copies all records.
    pub(super) fn snapshot(&self) -> Vec<CallRecord> {
        self.lock().clone()
    }

    /// Returns the number of records.
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn end(&self, call: u64, answered: bool) {
        let ended_us = self.now_us();
        let index = call.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        let mut records = self.lock();
        if let Some(record) = index.and_then(|index| records.get_mut(index)) {
            record.answered = answered;
            record.ended_us = Some(ended_us);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<CallRecord>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among the calls under way; dropping the value frees the place.
#[derive(Debug)]
pub(super) struct Slot {
    meter: Arc<Mutex<Meter>>,
}

impl Slot {
    /// Makes the place of a call that the meter has accepted.
    pub(super) fn taken(meter: Arc<Mutex<Meter>>) -> Self {
        Self { meter }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.meter.lock().unwrap_or_else(PoisonError::into_inner).done();
    }
}

/// Settles one call: dropping the value without `finish` leaves the call unanswered.
#[derive(Debug)]
pub(super) struct Settlement {
    log: Arc<CallLog>,
    call: u64,
    answered: bool,
    _slot: Slot,
}

impl Settlement {
    /// Makes the settlement of a recorded call.
    pub(super) fn new(log: Arc<CallLog>, call: u64, slot: Slot) -> Self {
        Self { log, call, answered: false, _slot: slot }
    }

    /// Records that the whole answer was handed over.
    pub(super) fn finish(mut self) {
        self.answered = true;
    }
}

impl Drop for Settlement {
    fn drop(&mut self) {
        self.log.end(self.call, self.answered);
    }
}
