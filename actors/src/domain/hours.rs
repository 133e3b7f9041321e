//! Spans of hours of the day, in the local time of a chat. Layer `domain`.

use serde::{Deserialize, Serialize};

/// Minutes of a day.
const DAY_MINUTES: u16 = 24 * 60;

/// A span of the day from `from` (included) to `to` (excluded), in manifests "23:00-08:00". A span may cross midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hours {
    from: u16,
    to: u16,
}

/// Error for a text that is no span of hours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no span of hours: write \"HH:MM-HH:MM\", as in \"23:00-08:00\"")]
pub struct NoHours(String);

impl Hours {
    /// Creates a span, in minutes since midnight; `None` unless both are below 1,440 and differ.
    pub fn new(from: u16, to: u16) -> Option<Self> {
        (from < DAY_MINUTES && to < DAY_MINUTES && from != to).then_some(Self { from, to })
    }

    /// Returns whether a minute of the day, 0 to 1,439, lies within the span.
    pub fn contains(self, minute: u16) -> bool {
        if self.from < self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }

    /// The minute of the day at which the span ends.
    pub fn end(self) -> u16 {
        self.to
    }
}

impl TryFrom<String> for Hours {
    type Error = NoHours;

    fn try_from(text: String) -> Result<Self, NoHours> {
        let minute = |clock: &str| {
            let (hours, minutes) = clock.trim().split_once(':')?;
            let (hours, minutes) = (hours.parse::<u16>().ok()?, minutes.parse::<u16>().ok()?);
            (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
        };
        let span = text.split_once('-').and_then(|(from, to)| Self::new(minute(from)?, minute(to)?));
        span.ok_or(NoHours(text))
    }
}

impl From<Hours> for String {
    fn from(hours: Hours) -> Self {
        let Hours { from, to } = hours;
        format!("{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_may_cross_midnight() {
        let night = Hours::try_from("23:00-08:00".to_owned()).expect("a span");
        assert!(night.contains(23 * 60) && night.contains(0) && night.contains(8 * 60 - 1));
        assert!(!night.contains(8 * 60) && !night.contains(12 * 60));
        assert_eq!(night.end(), 8 * 60);
        assert_eq!(String::from(night), "23:00-08:00");
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in ["", "8-9", "24:00-08:00", "08:60-09:00", "08:00-08:00", "08:00"] {
            assert!(Hours::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
