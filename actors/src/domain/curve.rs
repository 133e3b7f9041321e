//! A factor that follows the hour of the day, in the local time of a chat. Layer `domain`.

use serde::{Deserialize, Serialize};

/// Minutes of a day.
const DAY_MINUTES: u16 = 24 * 60;

/// Most points of a curve.
const POINTS_MAX: usize = 24;

/// Largest factor.
const FACTOR_MAX: f64 = 5.0;

/// A curve over the day, in manifests "08:00 0.5, 13:00 1, 21:00 1.5": a factor at some times, on a straight line
/// between them, also over midnight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Curve {
    /// Minutes of the day with their factors, in order; at least one.
    points: Vec<(u16, f64)>,
}

/// Error for a text that is no curve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no curve over the day: write up to 24 times in order, each with a factor from 0 to 5, as in \"08:00 0.5, 13:00 1, 21:00 1.5\""
)]
pub struct NoCurve(String);

impl Curve {
    /// Returns the factor at a minute of the day, 0 to 1,439.
    pub fn at(&self, minute: u16) -> f64 {
        let after = self.points.iter().position(|(from, _)| *from > minute).unwrap_or(0);
        let (next, before) = (self.points[after], self.points[after.checked_sub(1).unwrap_or(self.points.len() - 1)]);
        let minutes = |from: u16, to: u16| f64::from((to + DAY_MINUTES - from) % DAY_MINUTES);
        let length = minutes(before.0, next.0);
        if length == 0.0 {
            return before.1;
        }
        before.1 + (next.1 - before.1) * minutes(before.0, minute) / length
    }
}

impl TryFrom<String> for Curve {
    type Error = NoCurve;

    fn try_from(text: String) -> Result<Self, NoCurve> {
        let point = |written: &str| {
            let (clock, factor) = written.trim().split_once(' ')?;
            let (hours, minutes) = clock.split_once(':')?;
            let (hours, minutes) = (hours.parse::<u16>().ok()?, minutes.parse::<u16>().ok()?);
            let factor = factor.trim().parse::<f64>().ok().filter(|factor| (0.0..=FACTOR_MAX).contains(factor))?;
            (hours < 24 && minutes < 60).then_some((hours * 60 + minutes, factor))
        };
        let points: Option<Vec<(u16, f64)>> = text.split(',').take(POINTS_MAX + 1).map(point).collect();
        let is_sound =
            |points: &Vec<(u16, f64)>| points.len() <= POINTS_MAX && points.is_sorted_by(|one, next| one.0 < next.0);
        points.filter(is_sound).map(|points| Self { points }).ok_or(NoCurve(text))
    }
}

impl From<Curve> for String {
    fn from(curve: Curve) -> Self {
        let point = |(minute, factor): &(u16, f64)| format!("{:02}:{:02} {factor}", minute / 60, minute % 60);
        curve.points.iter().map(point).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(text: &str) -> Curve {
        Curve::try_from(text.to_owned()).expect("a curve")
    }

    #[test]
    fn the_factor_runs_straight_between_its_points_and_over_midnight() {
        let day = curve("08:00 0.5, 12:00 1, 20:00 2");
        let at = |hour: u16| day.at(hour * 60);
        assert_eq!((at(8), at(12), at(20)), (0.5, 1.0, 2.0));
        assert_eq!((at(10), at(16)), (0.75, 1.5));
        assert_eq!((at(2), at(23)), (1.25, 1.625));
        assert!((curve("09:00 0.3").at(700) - 0.3).abs() < f64::EPSILON);
        assert_eq!(String::from(day), "08:00 0.5, 12:00 1, 20:00 2");
    }

    #[test]
    fn what_is_no_curve_is_refused() {
        let many = (0..24).map(|hour| format!("{hour:02}:00 1")).collect::<Vec<_>>().join(", ");
        assert!(Curve::try_from(many.clone()).is_ok());
        let too_many = format!("{many}, 23:30 1");
        for text in
            ["", "08:00", "24:00 1", "08:60 1", "08:00 6", "08:00 -1", "08:00 NaN", "12:00 1, 08:00 1", &too_many]
        {
            assert!(Curve::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
