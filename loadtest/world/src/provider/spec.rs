//! Describes a simulated provider. Layer: world. Everything random depends on the seed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The longest latency that is drawn, so that a wide sigma cannot stall a run.
const LONGEST_LATENCY: Duration = Duration::from_mins(2);

/// The description of one simulated provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProviderSpec {
    /// The seed of texts and latencies.
    pub seed: u64,
    /// How long a completion takes.
    pub latency: Latency,
    /// The source of the texts.
    pub mode: Mode,
    /// The bearer key that calls must carry; without any key every call is accepted.
    pub api_key: Option<String>,
    /// Further bearer keys that are accepted, each with its own limits and usage.
    pub keys: Vec<String>,
    /// The limit of calls of one key in any 60 s; `None` is no limit.
    pub requests_per_minute: Option<u32>,
    /// The limit of tokens of one key in any 60 s, as billed; `None` is no limit.
    pub tokens_per_minute: Option<u32>,
    /// The limit of calls at a time over all keys; `None` is no limit.
    pub concurrency: Option<u32>,
    /// The number of the first call; providers whose numbers differ never echo the same text.
    pub first_call: u64,
    /// The models that `/v1/models` lists; a call may name any model.
    pub models: Vec<String>,
}

impl Default for ProviderSpec {
    fn default() -> Self {
        Self {
            seed: 1,
            latency: Latency::default(),
            mode: Mode::SmallTalk,
            api_key: None,
            keys: Vec::new(),
            requests_per_minute: None,
            tokens_per_minute: None,
            concurrency: None,
            first_call: 1,
            models: vec!["sim-chat".into(), "sim-embed".into()],
        }
    }
}

/// The source of the completions' texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Small talk that fits the message, in the language of the persona.
    #[default]
    SmallTalk,
    /// The call's number and the marker of the message that is answered.
    EchoMarker,
    /// The call's number and some words, without the marker: bots that answer one another would pass a marker on.
    NumberCalls,
    /// The text that the last message told the model to say; small talk when it told nothing.
    Obedient,
}

/// A lognormal latency around a median; with a sigma of zero always the median.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Latency {
    /// The median, in milliseconds on the wire.
    #[serde(rename = "median_ms", with = "milliseconds")]
    pub median: Duration,
    /// The standard deviation of the logarithm, 0 or more.
    pub sigma: f64,
}

impl Default for Latency {
    fn default() -> Self {
        Self { median: Duration::from_millis(300), sigma: 0.5 }
    }
}

impl Latency {
    /// No latency at all.
    pub const NONE: Self = Self { median: Duration::ZERO, sigma: 0.0 };

    /// Draws one latency, 0 to 120 s.
    pub fn sample(&self, rng: &mut fastrand::Rng) -> Duration {
        let factor = if self.sigma > 0.0 { (self.sigma * standard_normal(rng)).exp() } else { 1.0 };
        let seconds = self.median.as_secs_f64() * factor;
        if seconds.is_finite() {
            Duration::from_secs_f64(seconds.clamp(0.0, LONGEST_LATENCY.as_secs_f64()))
        } else {
            self.median
        }
    }
}

/// Draws from the standard normal distribution by the Box-Muller transform.
fn standard_normal(rng: &mut fastrand::Rng) -> f64 {
    let radius = (-2.0 * rng.f64().max(f64::MIN_POSITIVE).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.f64()).cos()
}

mod milliseconds {
    //! Serialises durations as a number of milliseconds.

    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(value: &Duration, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_f64(value.as_secs_f64() * 1000.0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
        let milliseconds = f64::deserialize(input)?;
        Duration::try_from_secs_f64(milliseconds / 1000.0).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::float_cmp)]
    use super::*;

    #[test]
    fn an_empty_spec_is_the_default() {
        let spec: ProviderSpec = serde_json::from_str("{}").unwrap();
        assert_eq!(spec, ProviderSpec::default());
        let text = serde_json::to_string(&spec).unwrap();
        assert!(text.contains("\"median_ms\":300.0"), "{text}");
        assert_eq!(serde_json::from_str::<ProviderSpec>(&text).unwrap(), spec);
    }

    #[test]
    fn latencies_are_seeded_and_lie_around_the_median() {
        let latency = Latency { median: Duration::from_millis(300), sigma: 0.5 };
        let draw = |seed| {
            let mut rng = fastrand::Rng::with_seed(seed);
            (0..2001).map(|_| latency.sample(&mut rng)).collect::<Vec<_>>()
        };
        let mut drawn = draw(7);
        assert_eq!(drawn, draw(7));
        assert_ne!(drawn, draw(8));
        drawn.sort_unstable();
        let median = drawn[1000].as_secs_f64();
        assert!((0.27..0.33).contains(&median), "{median}");
        assert!(drawn[1900].as_secs_f64() > 0.5, "the tail of a lognormal is long");
    }

    #[test]
    fn a_wide_sigma_never_draws_more_than_the_ceiling() {
        let latency = Latency { median: Duration::from_secs(1), sigma: 50.0 };
        let mut rng = fastrand::Rng::with_seed(3);
        assert!((0..500).all(|_| latency.sample(&mut rng) <= LONGEST_LATENCY));
    }

    #[test]
    fn no_latency_is_zero() {
        assert_eq!(Latency::NONE.sample(&mut fastrand::Rng::with_seed(1)), Duration::ZERO);
    }
}
