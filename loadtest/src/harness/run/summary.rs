//! Sums a distribution of durations up for a report. Layer: harness; plain data.

use serde::{Deserialize, Serialize};

use crate::harness::measure::Spread;

/// The quantiles of the curve in reports.
const CURVE: [f64; 14] = [0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 0.9995, 0.9999, 1.0];

/// A distribution in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The number of durations.
    pub count: u64,
    /// The mean.
    pub mean_ms: f64,
    /// The median.
    pub p50_ms: f64,
    /// 95 %.
    pub p95_ms: f64,
    /// 99 %.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
    /// Shares from 0 to 1, and the duration within which that share lies.
    pub curve: Vec<(f64, f64)>,
}

impl Summary {
    /// Sums a spread up.
    pub fn of(spread: &Spread) -> Self {
        Self {
            count: spread.count(),
            mean_ms: spread.mean_ms(),
            p50_ms: spread.within_ms(0.5),
            p95_ms: spread.within_ms(0.95),
            p99_ms: spread.within_ms(0.99),
            max_ms: spread.longest_ms(),
            curve: CURVE.iter().map(|share| (*share, spread.within_ms(*share))).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_thousand_equal_steps_have_their_percentiles() {
        let mut spread = Spread::default();
        (1..=1000).for_each(|ms| spread.add(Duration::from_millis(ms)));
        let summary = Summary::of(&spread);
        let close = |found: f64, wanted: f64| assert!((found / wanted - 1.0).abs() < 0.002, "{found}, not {wanted}");
        close(summary.p50_ms, 500.0);
        close(summary.p95_ms, 950.0);
        close(summary.p99_ms, 990.0);
        close(summary.max_ms, 1000.0);
        close(summary.mean_ms, 500.5);
        assert_eq!(summary.count, 1000);
        assert!(summary.curve.is_sorted_by(|a, b| a.1 <= b.1));
    }
}
