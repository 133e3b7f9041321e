//! Typing time of a bot. Layer `behaviour`; pure.

use std::time::Duration;

use crate::domain::roster::Pacing;

/// Returns the typing time of `text`: by its length and the persona's speed, else the chat's, a quarter more or less,
/// never more than the longest.
pub fn typing_time(text: &str, pacing: &Pacing, of_persona: Option<f64>, seed: u64) -> Duration {
    let pace = of_persona.unwrap_or(pacing.chars_per_second);
    if !pacing.enabled || pace <= 0.0 {
        return Duration::ZERO;
    }
    let jitter = 0.75 + 0.5 * fastrand::Rng::with_seed(seed).f64();
    let seconds = text.chars().count() as f64 / pace * jitter;
    Duration::try_from_secs_f64(seconds).unwrap_or(pacing.typing_max).min(pacing.typing_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pacing(enabled: bool) -> Pacing {
        let (typing_max, stale_after) = (Duration::from_secs(8), Duration::from_mins(1));
        Pacing { enabled, chars_per_second: 10.0, typing_max, stale_after, ..Pacing::default() }
    }

    #[test]
    fn typing_takes_time_by_length_up_to_the_longest() {
        for seed in 0..100 {
            let short = typing_time("yirmi harf olur işte", &pacing(true), None, seed);
            assert!(short >= Duration::from_millis(1500) && short <= Duration::from_millis(2500), "{short:?}");
            assert_eq!(typing_time(&"a".repeat(1000), &pacing(true), None, seed), Duration::from_secs(8));
        }
    }

    #[test]
    fn a_persona_types_at_its_of_persona() {
        let text = "a".repeat(40);
        for seed in 0..100 {
            let (quick, slow) = (
                typing_time(&text, &pacing(true), Some(20.0), seed),
                typing_time(&text, &pacing(true), Some(8.0), seed),
            );
            assert!(
                quick < slow && quick >= Duration::from_millis(1500) && slow <= Duration::from_millis(6250),
                "{quick:?} {slow:?}"
            );
        }
        assert_eq!(typing_time(&text, &pacing(false), Some(8.0), 1), Duration::ZERO);
    }

    #[test]
    fn without_pacing_or_speed_nobody_types() {
        assert_eq!(typing_time("selam", &pacing(false), None, 1), Duration::ZERO);
        let still = Pacing { chars_per_second: 0.0, ..pacing(true) };
        assert_eq!(typing_time("selam", &still, None, 1), Duration::ZERO);
    }
}
