//! Draws how long the simulated Telegram takes to answer. Layer: world; pure, seeded by its caller.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The standard normal quantiles of 95 % and 99 %.
const Z95: f64 = 1.645;
const Z99: f64 = 2.326;
/// No sample lies further out than this many standard deviations.
const Z_MAX: f64 = 3.0;

/// A lognormal distribution with a heavier tail, which meets three given percentiles.
///
/// Between and beyond the percentiles the logarithm of the time is linear in the normal quantile. With
/// `p50_ms` zero (the default), every answer comes at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Latency {
    /// Half of the answers come within this many milliseconds.
    pub p50_ms: f64,
    /// 95 % of the answers come within this many milliseconds.
    pub p95_ms: f64,
    /// 99 % of the answers come within this many milliseconds.
    pub p99_ms: f64,
}

impl Latency {
    /// No delay at all.
    pub const ZERO: Self = Self { p50_ms: 0.0, p95_ms: 0.0, p99_ms: 0.0 };

    /// Returns the latency of sends as measured against the real Telegram: p50 70 ms, p95 250 ms, p99 1 s.
    ///
    /// # Source
    /// The project's notes on Telegram, "What the simulated Telegram must do".
    pub const fn realistic() -> Self {
        Self { p50_ms: 70.0, p95_ms: 250.0, p99_ms: 1000.0 }
    }

    /// Draws one delay.
    pub fn sample(&self, rng: &mut fastrand::Rng) -> Duration {
        if self.p50_ms <= 0.0 {
            return Duration::ZERO;
        }
        self.at(standard_normal(rng))
    }

    fn at(&self, z: f64) -> Duration {
        let z = z.clamp(-Z_MAX, Z_MAX);
        let median = self.p50_ms.ln();
        let knee = self.p95_ms.max(self.p50_ms).ln();
        let far = self.p99_ms.max(self.p95_ms).max(self.p50_ms).ln();
        let log_ms =
            if z <= Z95 { median + (knee - median) * z / Z95 } else { knee + (far - knee) * (z - Z95) / (Z99 - Z95) };
        Duration::from_secs_f64(log_ms.exp() / 1000.0)
    }
}

fn standard_normal(rng: &mut fastrand::Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.f64()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_realistic_preset_meets_its_percentiles() {
        let mut rng = fastrand::Rng::with_seed(7);
        let latency = Latency::realistic();
        let mut drawn: Vec<f64> = (0..20_000).map(|_| latency.sample(&mut rng).as_secs_f64() * 1000.0).collect();
        drawn.sort_by(f64::total_cmp);
        for (index, wanted) in [(10_000, 70.0), (19_000, 250.0), (19_800, 1000.0)] {
            let ratio = drawn[index] / wanted;
            assert!((0.85..1.15).contains(&ratio), "{} ms, not {wanted}", drawn[index]);
        }
    }

    #[test]
    fn the_default_answers_at_once() {
        let mut rng = fastrand::Rng::with_seed(1);
        assert_eq!(Latency::default().sample(&mut rng), Duration::ZERO);
    }
}
