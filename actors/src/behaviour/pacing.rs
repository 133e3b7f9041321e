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
