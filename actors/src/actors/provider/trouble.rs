//! Failures of one model in a row: told once, counted, and told again when they are over. Layer `actors`; pure.

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use crate::domain::time::Timestamp;

/// From so many failures in a row on a model does not work: one alone may be the answer's.
const FAILING_FROM: u64 = 2;

/// A model whose calls fail now and then is told of no more often than this.
const TOLD_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// A failure as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LastError {
    /// The provider's words, without keys and without what people wrote.
    pub reason: String,
    /// When, in milliseconds since 1970.
    pub at: Timestamp,
}

/// What must be told of a call's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tell {
    /// Nothing.
    Nothing,
    /// Calls fail.
    Fails,
    /// Calls are answered again, after so many failures.
    WellAgain(u64),
}

/// The failures of one model.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    in_a_row: u64,
    last: Option<LastError>,
    is_told: bool,
    told_at: Option<Instant>,
}

impl Trouble {
    /// A call failed.
    pub(super) fn failed(&mut self, reason: String, at: Timestamp, now: Instant) -> Tell {
        self.in_a_row += 1;
        self.last = Some(LastError { reason, at });
        let lately = self.told_at.is_some_and(|told| now < told + TOLD_AGAIN_AFTER);
        if self.is_told || lately {
            return Tell::Nothing;
        }
        (self.is_told, self.told_at) = (true, Some(now));
        Tell::Fails
    }

    /// A call was answered.
    pub(super) fn succeeded(&mut self) -> Tell {
        let failures = std::mem::take(&mut self.in_a_row);
        if std::mem::take(&mut self.is_told) { Tell::WellAgain(failures) } else { Tell::Nothing }
    }

    /// Failures since the last answer.
    pub(super) fn in_a_row(&self) -> u64 {
        self.in_a_row
    }

    /// Whether the model does not work.
    pub(super) fn is_failing(&self) -> bool {
        self.in_a_row >= FAILING_FROM
    }

    /// The last failure, however long ago.
    pub(super) fn last(&self) -> Option<&LastError> {
        self.last.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_once_and_again_when_they_are_over() {
        let (mut trouble, now) = (Trouble::default(), Instant::now());
        let mut fails = |after| {
            let told = trouble.failed("no".to_owned(), Timestamp::from_secs(1), now + Duration::from_secs(after));
            (told, trouble.is_failing())
        };
        assert_eq!(fails(0), (Tell::Fails, false));
        assert_eq!((fails(1), fails(200)), ((Tell::Nothing, true), (Tell::Nothing, true)));
        assert_eq!((trouble.succeeded(), trouble.succeeded()), (Tell::WellAgain(3), Tell::Nothing));
        let mut fails =
            |after| trouble.failed(String::new(), Timestamp::from_secs(1), now + Duration::from_secs(after));
        assert_eq!((fails(30), fails(70)), (Tell::Nothing, Tell::Fails), "at most once a minute");
    }
}
