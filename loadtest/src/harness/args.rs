//! The flags that all harnesses share. Layer: harness.

use std::path::PathBuf;
use std::time::Duration;

use botfleet_world::provider::ProviderSpec;
use botfleet_world::provider::spec::{Latency as LlmLatency, Mode};
use botfleet_world::simulation::SimulationSpec;
use botfleet_world::world::latency::Latency;
use botfleet_world::world::spec::WorldSpec;
use clap::{Args, ValueEnum};

use super::error::HarnessError;
use super::files::{ProductOptions, Synchronous};

/// How fast the simulated Telegram answers a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SendLatency {
    /// At once.
    Zero,
    /// p50 70 ms, p95 250 ms, p99 1 s.
    Realistic,
}

impl SendLatency {
    /// Returns the latency that the word stands for.
    pub fn latency(self) -> Latency {
        match self {
            Self::Zero => Latency::ZERO,
            Self::Realistic => Latency::realistic(),
        }
    }
}

/// The arguments of every run: the product, the seed, the folder.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// The product's program; without it, the one beside this program or under target.
    #[arg(long, value_name = "PATH")]
    pub binary: Option<PathBuf>,
    /// The seed of every random draw.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The durability of the product's commits.
    #[arg(long, value_enum, default_value_t = Synchronous::Full)]
    pub synchronous: Synchronous,
    /// The folder of the run, which is kept; without it, a temporary one that is removed after a clean run.
    #[arg(long, value_name = "PATH")]
    pub dir: Option<PathBuf>,
    /// The product's log level; the log is product.log in the folder.
    #[arg(long, default_value = "warn", value_name = "LEVEL")]
    pub product_log: String,
    /// Prints one JSON object instead of a table.
    #[arg(long)]
    pub json: bool,
}

impl RunArgs {
    /// Finds the product's program: the one named, else beside this program, else under target.
    ///
    /// # Errors
    /// No program is found.
    pub fn product(&self) -> Result<PathBuf, HarnessError> {
        product(self.binary.as_ref())
    }

    /// Returns a provider that echoes markers after the given latency.
    pub fn provider(&self, latency: LlmLatency) -> ProviderSpec {
        ProviderSpec { seed: self.seed, latency, mode: Mode::EchoMarker, ..ProviderSpec::default() }
    }

    /// Returns the options of the product, to which a measurement may add.
    pub fn options(&self) -> ProductOptions {
        ProductOptions {
            synchronous: self.synchronous,
            log_level: self.product_log.clone(),
            ..ProductOptions::default()
        }
    }
}

/// The world, the provider and the product under test.
#[derive(Debug, Clone, Args)]
pub struct StageArgs {
    /// The product and the folder.
    #[command(flatten)]
    pub run: RunArgs,
    /// How many bots the fleet has.
    #[arg(long, default_value_t = 50)]
    pub bots: usize,
    /// How many chats; each bot is in one, and each answers what is said there.
    #[arg(long, default_value_t = 10)]
    pub chats: usize,
    /// How fast sends are answered.
    #[arg(long, value_enum, default_value_t = SendLatency::Zero)]
    pub send_latency: SendLatency,
}

/// How long the simulated LLM takes.
#[derive(Debug, Clone, Copy, Args)]
pub struct LlmArgs {
    /// The median of the LLM's latency in milliseconds.
    #[arg(long, default_value_t = 300)]
    pub llm_latency_ms: u64,
    /// The spread of the LLM's latency (sigma of a lognormal).
    #[arg(long, default_value_t = 0.5)]
    pub llm_sigma: f64,
}

impl LlmArgs {
    /// Returns the latency that the flags describe.
    pub fn latency(self) -> LlmLatency {
        LlmLatency { median: Duration::from_millis(self.llm_latency_ms), sigma: self.llm_sigma }
    }
}

impl StageArgs {
    /// Returns a simulation whose provider echoes markers after the given latency.
    pub fn simulation(&self, latency: LlmLatency) -> SimulationSpec {
        let world = WorldSpec {
            send_latency: self.send_latency.latency(),
            ..WorldSpec::fleet(self.run.seed, self.bots, self.chats)
        };
        SimulationSpec { provider: self.run.provider(latency), ..SimulationSpec::of(world) }
    }
}

/// Finds the product's program: the one named, else beside this program, else under target.
pub(super) fn product(named: Option<&PathBuf>) -> Result<PathBuf, HarnessError> {
    if let Some(path) = named {
        return std::path::absolute(path).map_err(HarnessError::file(path));
    }
    let name = format!("botfleet{}", std::env::consts::EXE_SUFFIX);
    let beside = std::env::current_exe().ok().and_then(|own| Some(own.parent()?.join(&name)));
    let under = ["release", "debug"].map(|profile| PathBuf::from("target").join(profile).join(&name));
    let found = beside.into_iter().chain(under).find(|path| path.is_file()).ok_or(HarnessError::NoBinary)?;
    std::path::absolute(&found).map_err(HarnessError::file(found))
}
