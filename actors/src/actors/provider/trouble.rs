//! Tracks failures of one model in a row: reports the first, counts them, and reports their end. Layer `actors`; pure.

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use crate::domain::time::Timestamp;

/// Number of failures in a row from which a model counts as failing; a single one may be due to the request.
const FAILING_FROM: u64 = 2;

/// Shortest time between two reports about a model whose calls fail now and then.
const TOLD_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// A failure, for display.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LastError {
    /// The provider's words, without keys and without people's words.
    pub reason: String,
    /// When it happened, in milliseconds since 1970.
    pub at: Timestamp,
}

/// The report that the end of a call calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tell {
    /// No report.
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
    /// Records a failed call; returns the report to make.
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

    /// Records an answered call; returns the report to make.
    pub(super) fn succeeded(&mut self) -> Tell {
        let failures = std::mem::take(&mut self.in_a_row);
        if std::mem::take(&mut self.is_told) { Tell::WellAgain(failures) } else { Tell::Nothing }
    }

    /// Returns the number of failures since the last answer.
    pub(super) fn in_a_row(&self) -> u64 {
        self.in_a_row
    }

    /// Returns whether the model counts as failing.
    pub(super) fn is_failing(&self) -> bool {
        self.in_a_row >= FAILING_FROM
    }

    /// Returns the last failure, however long ago.
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
