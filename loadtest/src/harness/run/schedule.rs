//! Makes the instants at which the messages of an open loop are due. Layer: harness; pure.

use std::time::Duration;

use super::scenario::{Phase, Spacing};

/// Returns the instants of all phases, one after the other, from 0 on; the same for the same seed.
pub fn instants(phases: &[Phase], spacing: Spacing, seed: u64) -> Vec<Duration> {
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut instants, mut began) = (Vec::new(), 0.0);
    for phase in phases {
        let ends = began + phase.seconds;
        if phase.rate > 0.0 {
            match spacing {
                Spacing::Even => {
                    let count = (phase.rate * phase.seconds).round() as u64;
                    instants.extend((0..count).map(|turn| began + turn as f64 / phase.rate));
                }
                Spacing::Random => {
                    let mut at = began + gap(&mut random, phase.rate);
                    while at < ends {
                        instants.push(at);
                        at += gap(&mut random, phase.rate);
                    }
                }
            }
        }
        began = ends;
    }
    instants.into_iter().map(Duration::from_secs_f64).collect()
}

/// Draws an exponential distance of the mean `1 / rate`, in seconds.
fn gap(random: &mut fastrand::Rng, rate: f64) -> f64 {
    -(1.0 - random.f64()).ln() / rate
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_phase_has_its_rate_and_silence_has_none() {
        let phases = [(10.0, 1.0), (0.0, 2.0), (2.0, 1.5)].map(|(rate, seconds)| Phase { rate, seconds });
        let instants = instants(&phases, Spacing::Even, 1);
        assert_eq!(instants.len(), 13);
        assert_eq!((instants[1], instants[10], instants[12]), (millis(100), millis(3000), millis(4000)));
    }

    fn millis(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn random_distances_rise_keep_the_rate_and_follow_the_seed() {
        let phases = [Phase { rate: 100.0, seconds: 20.0 }];
        let drawn = instants(&phases, Spacing::Random, 7);
        assert!(drawn.is_sorted());
        assert!((1800..2200).contains(&drawn.len()), "{}", drawn.len());
        assert_eq!(drawn, instants(&phases, Spacing::Random, 7));
        assert_ne!(drawn, instants(&phases, Spacing::Random, 8));
    }
}
