//! Defines a load scenario: world, product, arrivals and objectives, as a TOML file describes them. Layer: harness;
//! plain data.
//!
//! `loadtest/scenarios/README.md` explains each key. Unknown keys are refused.

use std::collections::BTreeMap;
use std::time::Duration;

use botfleet_world::provider::ProviderSpec;
use botfleet_world::provider::spec::{Latency as LlmLatency, Mode};
use botfleet_world::simulation::SimulationSpec;
use botfleet_world::world::latency::Latency;
use botfleet_world::world::spec::WorldSpec;
use serde::{Deserialize, Serialize};
use toml::Table;

use super::figure::Figure;
use super::objective::{Judged, Objective};
use crate::harness::files::{ChatPolicy, ProductOptions, Synchronous};

/// A whole scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadScenario {
    /// The name, as reports print it.
    pub name: String,
    /// The purpose, in a sentence.
    pub about: String,
    /// The seed of every random draw.
    #[serde(default = "one")]
    pub seed: u64,
    /// Seconds of arrivals before the measurement.
    #[serde(default)]
    pub warmup_seconds: f64,
    /// The most seconds that the fleet may take to come to rest at the end.
    #[serde(default = "a_minute")]
    pub settle_seconds: u64,
    /// The share by which a figure may become worse than in the baseline.
    #[serde(default = "a_tenth")]
    pub margin: f64,
    /// The simulated Telegram.
    pub world: WorldPart,
    /// The simulated LLM.
    #[serde(default)]
    pub llm: LlmPart,
    /// The product under test.
    #[serde(default)]
    pub product: ProductPart,
    /// The messages of people.
    pub arrivals: Arrivals,
    /// Figures and their limits, such as `latency_p99_ms = "<= 5000"`.
    #[serde(default)]
    pub objectives: BTreeMap<String, String>,
}

/// The simulated Telegram.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldPart {
    /// The number of bots.
    pub bots: usize,
    /// The number of chats; each bot is in one.
    pub chats: usize,
    /// How fast sends are answered.
    #[serde(default)]
    pub send_latency: SendSpeed,
}

/// How fast the simulated Telegram answers a send.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendSpeed {
    /// At once.
    #[default]
    Zero,
    /// p50 70 ms, p95 250 ms, p99 1 s.
    Realistic,
}

/// The simulated LLM: a lognormal latency.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LlmPart {
    /// The median in milliseconds.
    pub median_ms: u64,
    /// The standard deviation of the logarithm.
    pub sigma: f64,
}

impl Default for LlmPart {
    fn default() -> Self {
        Self { median_ms: 300, sigma: 0.5 }
    }
}

/// The product under test.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProductPart {
    /// Which bots answer.
    pub policy: PolicyPart,
    /// The number of nodes on PostgreSQL and Redis; without it, one node on SQLite.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<usize>,
    /// The durability of SQLite's commits.
    pub synchronous: Synchronous,
    /// `[defaults]` of the manifest, laid over those of the policy.
    pub defaults: Table,
    /// Settings, laid over those of the policy.
    pub settings: Table,
}

/// The rules by which bots answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyPart {
    /// The manifest's own defaults: policy `natural`, guards, novelty, pacing, caps.
    #[default]
    Defaults,
    /// Each bot answers each message of a person; guards, pacing, caps and limits are off.
    Every,
}

/// The messages of people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arrivals {
    /// How messages follow one another.
    #[serde(rename = "loop")]
    pub shape: LoopKind,
    /// Open loop: rates, one after the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<Phase>,
    /// Open loop: the distances between messages.
    #[serde(default)]
    pub spacing: Spacing,
    /// The share of messages that call a bot of the chat by its username; the bots take turns.
    #[serde(default)]
    pub calls: f64,
    /// Closed loop: messages that still miss answers at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outstanding: Option<usize>,
    /// Closed loop: the length of the measurement. Ramp: the length of each step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Ramp: the first rate, in messages a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<f64>,
    /// Ramp: the factor between a rate and the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<f64>,
    /// Ramp: the rate that is not exceeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<f64>,
}

/// How messages follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoopKind {
    /// By a schedule that waits for nothing.
    Open,
    /// A new message for each that all bots answered.
    Closed,
    /// Open loops of rising rates, until an objective breaks.
    Ramp,
}

/// A time of one rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// Messages a second, over all chats; 0 is silence.
    pub rate: f64,
    /// The length in seconds.
    pub seconds: f64,
}

/// The distances between the messages of an open loop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spacing {
    /// All the same.
    #[default]
    Even,
    /// Exponential, as of many people who do not know of one another.
    Random,
}

fn one() -> u64 {
    1
}

fn a_minute() -> u64 {
    60
}

fn a_tenth() -> f64 {
    0.1
}

impl LoadScenario {
    /// Returns the simulation that the scenario asks for. Each answer names its call and, where bots do not answer one
    /// another, its message.
    pub fn simulation(&self) -> SimulationSpec {
        let send_latency = match self.world.send_latency {
            SendSpeed::Zero => Latency::ZERO,
            SendSpeed::Realistic => Latency::realistic(),
        };
        let world = WorldSpec { send_latency, ..WorldSpec::fleet(self.seed, self.world.bots, self.world.chats) };
        let mode = match self.product.policy {
            PolicyPart::Defaults => Mode::NumberCalls,
            PolicyPart::Every => Mode::EchoMarker,
        };
        let latency = LlmLatency { median: Duration::from_millis(self.llm.median_ms), sigma: self.llm.sigma };
        let provider = ProviderSpec { seed: self.seed, latency, mode, ..ProviderSpec::default() };
        SimulationSpec { provider, ..SimulationSpec::of(world) }
    }

    /// Returns the product's options.
    pub fn options(&self, log_level: &str) -> ProductOptions {
        ProductOptions {
            policy: match self.product.policy {
                PolicyPart::Defaults => ChatPolicy::BuiltIn,
                PolicyPart::Every => ChatPolicy::Every,
            },
            synchronous: self.product.synchronous,
            log_level: log_level.to_owned(),
            defaults: self.product.defaults.clone(),
            settings: self.product.settings.clone(),
            ..ProductOptions::default()
        }
    }

    /// Judges the objectives by the figures of a run.
    pub fn judge(&self, figures: &[Figure]) -> Vec<Judged> {
        let objectives = self.objectives.iter().filter_map(|(name, limit)| Objective::parse(name, limit).ok());
        objectives.map(|objective| objective.judge(figures)).collect()
    }

    /// Returns the length of the measurement in seconds; of a ramp, that of one step.
    pub fn measured_seconds(&self) -> f64 {
        match self.arrivals.shape {
            LoopKind::Open => self.arrivals.phases.iter().map(|phase| phase.seconds).sum(),
            LoopKind::Closed | LoopKind::Ramp => self.arrivals.seconds.unwrap_or(0.0),
        }
    }
}
