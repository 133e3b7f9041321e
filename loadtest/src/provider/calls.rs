//! The provider's record of its calls: the checker's word on which texts were generated. Layer: load test.
//!
//! A call is recorded when it is decided and becomes `answered` when its whole answer was handed over;
//! a client that goes away before leaves it unanswered.

use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// One chat completion that was asked for and decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRecord {
    /// The call's number, from 1.
    pub call: u64,
    /// When it was decided, in microseconds since the provider's start.
    pub at_us: u64,
    /// The model that was asked for.
    pub model: String,
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Tokens of the answer.
    pub completion_tokens: u32,
    /// The answer's text.
    pub text: String,
    /// Whether it was streamed.
    pub streamed: bool,
    /// The marker of the message that was answered, as `#m7`.
    pub marker: Option<String>,
    /// Whether the whole answer was handed over; false when the client went away.
    pub answered: bool,
}

/// Holds the records of all calls, in the order of their numbers.
#[derive(Debug, Default)]
pub(super) struct CallLog {
    records: Mutex<Vec<CallRecord>>,
}

impl CallLog {
    /// Adds a record made from the next number and returns the number.
    pub(super) fn add(&self, make: impl FnOnce(u64) -> CallRecord) -> u64 {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let call = records.len() as u64 + 1;
        records.push(make(call));
        call
    }

    /// Copies all records.
    pub(super) fn snapshot(&self) -> Vec<CallRecord> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts the records.
    pub(super) fn len(&self) -> usize {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn mark_answered(&self, call: u64) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let index = usize::try_from(call).unwrap_or(0).checked_sub(1);
        if let Some(record) = index.and_then(|index| records.get_mut(index)) {
            record.answered = true;
        }
    }
}

/// Settles one call: dropped without `finish`, it leaves the call unanswered.
#[derive(Debug)]
pub(super) struct Settlement {
    log: Arc<CallLog>,
    call: u64,
}

impl Settlement {
    /// Stands for one recorded call.
    pub(super) fn new(log: Arc<CallLog>, call: u64) -> Self {
        Self { log, call }
    }

    /// Says that the whole answer was handed over.
    pub(super) fn finish(self) {
        self.log.mark_answered(self.call);
    }
}
