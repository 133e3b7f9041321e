//! How long a bot types. Layer `behaviour`; pure.

use std::time::Duration;

use crate::domain::roster::Pacing;

/// Typing time of `text`: by its length and the chat's speed, a quarter more or less, never more than the longest.
pub fn typing_time(text: &str, pacing: &Pacing, seed: u64) -> Duration {
    if !pacing.enabled || pacing.chars_per_second <= 0.0 {
        return Duration::ZERO;
    }
    let jitter = 0.75 + 0.5 * fastrand::Rng::with_seed(seed).f64();
    let seconds = text.chars().count() as f64 / pacing.chars_per_second * jitter;
    Duration::try_from_secs_f64(seconds).unwrap_or(pacing.typing_max).min(pacing.typing_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pacing(enabled: bool) -> Pacing {
        let (typing_max, stale_after) = (Duration::from_secs(8), Duration::from_mins(1));
        Pacing { enabled, chars_per_second: 10.0, typing_max, stale_after, quiet_tick: None }
    }

    #[test]
    fn typing_takes_time_by_length_up_to_the_longest() {
        for seed in 0..100 {
            let short = typing_time("yirmi harf olur işte", &pacing(true), seed);
            assert!(short >= Duration::from_millis(1500) && short <= Duration::from_millis(2500), "{short:?}");
            assert_eq!(typing_time(&"a".repeat(1000), &pacing(true), seed), Duration::from_secs(8));
        }
    }

    #[test]
    fn without_pacing_or_speed_nobody_types() {
        assert_eq!(typing_time("selam", &pacing(false), 1), Duration::ZERO);
        let still = Pacing { chars_per_second: 0.0, ..pacing(true) };
        assert_eq!(typing_time("selam", &still, 1), Duration::ZERO);
    }
}
