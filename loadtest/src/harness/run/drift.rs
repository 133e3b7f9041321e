//! Measures the trend of a series: the median of all slopes between two points, which single outliers do not move.
//! Layer: harness; pure.
//!
//! # Source
//! Theil (1950) and Sen (1968), "Estimates of the regression coefficient based on Kendall's tau".

/// The fewest points that have a trend.
const LEAST: usize = 4;

/// Returns the trend of `y` over the whole span of `x`, in per cent of the mean of `y`; `None` with too few points.
pub fn drift_percent(points: &[(f64, f64)]) -> Option<f64> {
    let slope = slope(points)?;
    let mean = points.iter().map(|(_, y)| y).sum::<f64>() / points.len() as f64;
    let (first, last) = (points.first()?.0, points.last()?.0);
    (mean.abs() > f64::MIN_POSITIVE).then(|| slope * (last - first) / mean * 100.0)
}

/// Returns the median slope, in units of `y` for each unit of `x`.
pub fn slope(points: &[(f64, f64)]) -> Option<f64> {
    if points.len() < LEAST {
        return None;
    }
    let mut slopes = Vec::new();
    for (index, (x, y)) in points.iter().enumerate() {
        let later = points[index + 1..].iter().filter(|(later, _)| later > x);
        slopes.extend(later.map(|(later, value)| (value - y) / (later - x)));
    }
    slopes.sort_by(f64::total_cmp);
    let middle = slopes.len() / 2;
    match slopes.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(slopes[middle]),
        _ => Some(f64::midpoint(slopes[middle - 1], slopes[middle])),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_line_has_its_slope_and_an_outlier_does_not_move_it() {
        let mut points: Vec<(f64, f64)> = (0..20).map(|x| (f64::from(x), 100.0 + 2.0 * f64::from(x))).collect();
        assert!((slope(&points).unwrap() - 2.0).abs() < 1e-9);
        points[7].1 = 5_000.0;
        assert!((slope(&points).unwrap() - 2.0).abs() < 0.01);
    }

    #[test]
    fn drift_is_the_growth_over_the_span_against_the_mean() {
        let points: Vec<(f64, f64)> = (0..=10).map(|x| (f64::from(x), 95.0 + f64::from(x))).collect();
        assert!((drift_percent(&points).unwrap() - 10.0).abs() < 1e-9);
        let flat: Vec<(f64, f64)> = (0..=10).map(|x| (f64::from(x), 7.0)).collect();
        assert!(drift_percent(&flat).unwrap().abs() < 1e-9);
        assert_eq!(drift_percent(&points[..3]), None);
    }
}
