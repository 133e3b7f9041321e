//! Computes latency and overhead of replies from the ledger and the provider's calls. Layer: harness; pure.
//!
//! Latency runs from the moment at which a message was due to be posted until Telegram has read the
//! reply's send in full. Overhead is the latency without the time that the reply's own call was due to
//! spend in the LLM; the lateness of the LLM's timers, up to 1 ms, counts as overhead.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::Duration;

use botfleet_world::ledger::{LedgerEvent, LedgerRecord};
use botfleet_world::provider::ProviderSpec;
use hdrhistogram::Histogram;
use serde::Serialize;
use serde::ser::{SerializeStruct as _, Serializer};

/// The significant digits that a spread keeps.
const DIGITS: u8 = 3;

/// The distribution of durations in microseconds, with three significant digits.
#[derive(Debug, Clone, Default)]
pub struct Spread {
    histogram: Option<Histogram<u64>>,
}

impl Spread {
    /// Adds one duration.
    pub fn add(&mut self, time: Duration) {
        if self.histogram.is_none() {
            self.histogram = Histogram::new(DIGITS).ok();
        }
        if let Some(histogram) = &mut self.histogram {
            // A histogram that grows by itself takes every value.
            let _ = histogram.record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX / 2));
        }
    }

    /// Adds all durations of another spread.
    pub fn merge(&mut self, other: &Self) {
        match (&mut self.histogram, &other.histogram) {
            // Both grow by themselves.
            (Some(own), Some(other)) => drop(own.add(other)),
            (own @ None, Some(other)) => *own = Some(other.clone()),
            (_, None) => {}
        }
    }

    /// Returns the number of durations.
    pub fn count(&self) -> u64 {
        self.histogram.as_ref().map_or(0, Histogram::len)
    }

    /// Returns the quantile `share` of the durations, in milliseconds; 0 without any.
    pub fn within_ms(&self, share: f64) -> f64 {
        self.histogram.as_ref().map_or(0.0, |histogram| histogram.value_at_quantile(share) as f64 / 1000.0)
    }

    /// Returns the mean in milliseconds; 0 without any duration.
    pub fn mean_ms(&self) -> f64 {
        self.histogram.as_ref().map_or(0.0, |histogram| histogram.mean() / 1000.0)
    }

    /// Returns the longest duration in milliseconds; 0 without any.
    pub fn longest_ms(&self) -> f64 {
        self.histogram.as_ref().map_or(0.0, |histogram| histogram.max() as f64 / 1000.0)
    }
}

impl Serialize for Spread {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let mut fields = out.serialize_struct("Spread", 5)?;
        fields.serialize_field("count", &self.count())?;
        fields.serialize_field("p50_ms", &self.within_ms(0.5))?;
        fields.serialize_field("p95_ms", &self.within_ms(0.95))?;
        fields.serialize_field("p99_ms", &self.within_ms(0.99))?;
        fields.serialize_field("max_ms", &self.longest_ms())?;
        fields.end()
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|share| self.within_ms(share));
        write!(f, "p50 {p50:.2} ms, p95 {p95:.2} ms, p99 {p99:.2} ms, max {:.2} ms", self.longest_ms())
    }
}

/// A half-open interval on the ledger's clock, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first microsecond of the window.
    pub from_us: u64,
    /// The first microsecond after the window.
    pub to_us: u64,
}

impl Window {
    /// Returns whether the window holds an instant.
    pub fn holds(self, at_us: u64) -> bool {
        (self.from_us..self.to_us).contains(&at_us)
    }
}

/// The figures of one window.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Measured {
    /// Messages of people that were due in the window.
    pub posts: u64,
    /// Replies sent in the window; of a bot's sends with one marker, only the first counts.
    pub replies: u64,
    /// Time from a message to a reply, for the messages due in the window.
    pub latency: Spread,
    /// The latency without the LLM's time.
    pub overhead: Spread,
}

/// Draws again the delays of the provider's first `calls` calls.
///
/// In the modes that name calls the provider draws nothing else: one delay for each call, in the order
/// of call numbers.
pub fn llm_delays(spec: &ProviderSpec, calls: usize) -> Vec<Duration> {
    let mut rng = fastrand::Rng::with_seed(spec.seed);
    (0..calls).map(|_| spec.latency.sample(&mut rng)).collect()
}

/// Measures the replies of a window.
///
/// `due_us` holds the time at which each message was due, from marker 1 on; `llm_delays` holds the delay
/// of each call, from call 1 on.
pub fn measure(ledger: &[LedgerRecord], due_us: &[u64], llm_delays: &[Duration], window: Window) -> Measured {
    let mut measured =
        Measured { posts: due_us.iter().filter(|due| window.holds(**due)).count() as u64, ..Measured::default() };
    let mut received = HashMap::new();
    let mut answered = HashSet::new();
    for record in ledger {
        match &record.event {
            LedgerEvent::SendReceived { send, .. } => {
                received.insert(*send, record.at_us);
            }
            LedgerEvent::SendAccepted { send, bot, text, marker: Some(marker), .. } => {
                let Some(number) = number_after(marker, "#m") else { continue };
                let Some(due) = numbered(due_us, number) else { continue };
                let at_us = received.get(send).copied().unwrap_or(record.at_us);
                if !answered.insert((*bot, number)) {
                    continue;
                }
                measured.replies += u64::from(window.holds(at_us));
                if window.holds(*due) {
                    let latency = Duration::from_micros(at_us.saturating_sub(*due));
                    measured.latency.add(latency);
                    if let Some(delay) = number_after(text, "#c").and_then(|call| numbered(llm_delays, call)) {
                        measured.overhead.add(latency.saturating_sub(*delay));
                    }
                }
            }
            _ => {}
        }
    }
    measured
}

/// Returns the entry with a number, counted from 1.
pub(super) fn numbered<T>(entries: &[T], number: u64) -> Option<&T> {
    entries.get(usize::try_from(number.checked_sub(1)?).ok()?)
}

/// Returns the number after the first occurrence of a tag.
pub(super) fn number_after(text: &str, tag: &str) -> Option<u64> {
    let (_, rest) = text.split_once(tag)?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    rest[..digits].parse().ok()
}

/// Returns the number in a marker; numbers count from 1.
pub(super) fn marker_number(marker: &str) -> Option<u64> {
    number_after(marker, "#m")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::float_cmp)]
    use super::*;
    use botfleet_world::provider::spec::{Latency, Mode};
    use botfleet_world::simulation::{Simulation, SimulationSpec};
    use botfleet_world::world::spec::WorldSpec;

    fn sent(send: u64, at_us: u64, text: &str) -> [LedgerRecord; 2] {
        let marker = botfleet_world::ledger::marker_of(text).map(str::to_owned);
        let (bot, chat) = (7, -1);
        let received = LedgerEvent::SendReceived {
            send,
            bot,
            chat,
            method: "sendmessage".into(),
            text_hash: 0,
            marker: marker.clone(),
        };
        let accepted = LedgerEvent::SendAccepted {
            send,
            bot,
            chat,
            message_id: 1,
            text: text.into(),
            marker,
            reply_to: None,
            thread: None,
        };
        [LedgerRecord { at_us, event: received }, LedgerRecord { at_us: at_us + 500_000, event: accepted }]
    }

    #[test]
    fn overhead_is_what_remains_without_the_time_inside_the_llm() {
        let ledger: Vec<_> =
            [sent(1, 10_000, "#c2 yes #m1"), sent(2, 30_000, "#c1 no #m2")].into_iter().flatten().collect();
        let delays = [Duration::from_millis(20), Duration::from_millis(4)];
        let window = Window { from_us: 0, to_us: 1_000_000 };
        let measured = measure(&ledger, &[1_000, 2_000], &delays, window);
        assert_eq!((measured.posts, measured.replies), (2, 2));
        assert_eq!((measured.latency.within_ms(0.5).round(), measured.latency.longest_ms().round()), (9.0, 28.0));
        assert_eq!((measured.overhead.within_ms(0.5).round(), measured.overhead.longest_ms().round()), (5.0, 8.0));
    }

    #[test]
    fn a_second_answer_of_the_same_bot_is_no_reply_and_the_window_counts_each_side_alone() {
        let ledger: Vec<_> = [sent(1, 10_000, "#c1 #m1"), sent(2, 11_000, "#c2 #m1"), sent(3, 60_000, "#c3 #m2")]
            .into_iter()
            .flatten()
            .collect();
        let window = Window { from_us: 5_000, to_us: 50_000 };
        let measured = measure(&ledger, &[1_000, 20_000], &[], window);
        assert_eq!((measured.posts, measured.replies), (1, 1));
        assert_eq!(measured.latency.count(), 1, "only the second message was due in the window");
        assert_eq!(measured.overhead.count(), 0, "nothing is known of the calls");
    }

    #[tokio::test]
    async fn a_delay_drawn_again_is_the_one_that_the_provider_kept() {
        let mut spec = SimulationSpec::of(WorldSpec::fleet(1, 1, 1));
        spec.provider = ProviderSpec {
            seed: 9,
            latency: Latency { median: Duration::from_millis(30), sigma: 1.0 },
            mode: Mode::EchoMarker,
            ..ProviderSpec::default()
        };
        let drawn = llm_delays(&spec.provider, 8);
        let simulation = Simulation::start(spec).await.unwrap();
        let client = botfleet_world::people::http::client().unwrap();
        let url = format!("{}/v1/chat/completions", simulation.base_url());
        for delay in drawn {
            let body = serde_json::json!({"model": "m", "messages": [{"role": "user", "content": "hi #m1"}]});
            let started = std::time::Instant::now();
            client.post(&url).json(&body).send().await.unwrap().bytes().await.unwrap();
            assert!(started.elapsed() >= delay, "{:?} < {delay:?}", started.elapsed());
        }
        simulation.stop().await;
    }
}
