//! Records the metrics of the process for Prometheus. Layer `runtime`.

use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Upper bounds of all durations, in seconds: from a commit to a slow model.
const SECONDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

/// Upper bounds of the time in which a crash leaves a message `unknown`, in seconds.
const SETTLES: [f64; 16] =
    [0.0005, 0.00075, 0.001, 0.0015, 0.002, 0.003, 0.004, 0.006, 0.008, 0.012, 0.016, 0.025, 0.05, 0.1, 0.5, 5.0];

/// Upper bounds of batch sizes.
const OPERATIONS: [f64; 7] = [1.0, 2.0, 5.0, 10.0, 50.0, 200.0, 512.0];

/// Interval in which samples are added up.
const ADD_UP_EVERY: Duration = Duration::from_secs(2);

static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();

/// Starts recording, once per process; later calls return the same recorder.
///
/// # Errors
/// When another recorder was installed before.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    if let Some(handle) = HANDLE.get() {
        return Ok(handle.clone());
    }
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Prefix("botfleet_send_settle".to_owned()), &SETTLES)?
        .set_buckets_for_metric(Matcher::Suffix("_operations".to_owned()), &OPERATIONS)?
        .install_recorder()?;
    Ok(HANDLE.get_or_init(|| handle).clone())
}

/// Adds up the samples of histograms, for ever: without that the recorder keeps every one until somebody reads the metrics.
pub(super) async fn add_up() {
    let mut every = tokio::time::interval(ADD_UP_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        if let Some(handle) = HANDLE.get() {
            handle.run_upkeep();
        }
    }
}

#[cfg(test)]
mod tests {
    use botfleet_actors::ports::metrics;

    use super::*;

    /// Samples between two times at which they are added up.
    const SAMPLES: usize = 100_000;

    fn resident_bytes() -> usize {
        let sizes = std::fs::read_to_string("/proc/self/statm").unwrap();
        sizes.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
    }

    #[tokio::test(start_paused = true)]
    async fn samples_that_nobody_reads_take_no_room() {
        let _handle = install().unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(add_up());
        let histogram = metrics::store_commit_duration_seconds.handle();
        let before = resident_bytes();
        for _ in 0..60 {
            (0..SAMPLES).for_each(|_| histogram.record(0.01));
            tokio::time::sleep(ADD_UP_EVERY).await;
        }
        let grown = resident_bytes().saturating_sub(before);
        // Each sample has its value and its time.
        assert!(grown < 60 * SAMPLES * 24 / 2, "{grown} bytes more");
    }
}
