//! Defines the arguments of `cluster-faults`, and the simulation and options made from them. Layer: harness.

use std::path::PathBuf;
use std::time::Duration;

use botfleet_world::provider::ProviderSpec;
use botfleet_world::provider::spec::{Latency, Mode};
use botfleet_world::simulation::SimulationSpec;
use botfleet_world::world::spec::WorldSpec;
use clap::Args;

use crate::harness::args::SendLatency;
use crate::harness::cluster::figures::args::product_options;
use crate::harness::faults::args::{Seeds, seeds};
use crate::harness::files::ProductOptions;

/// The command-line arguments of `cluster-faults`.
#[derive(Debug, Clone, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct ClusterFaultsArgs {
    /// The product's program; without it, the one beside this program or under target.
    #[arg(long, value_name = "PATH")]
    pub binary: Option<PathBuf>,
    /// The seed of every random draw.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Runs many seeds instead, from the first to the last.
    #[arg(long, value_name = "A..B", value_parser = seeds, conflicts_with = "seed")]
    pub seeds: Option<Seeds>,
    /// How many seeds run at the same time.
    #[arg(long, default_value_t = 1, requires = "seeds")]
    pub jobs: usize,
    /// How many seconds faults are injected.
    #[arg(long, default_value_t = 45.0)]
    pub seconds: f64,
    /// Injects faults of up to 30 s; the run is at least two minutes long.
    #[arg(long)]
    pub long: bool,
    /// Lets nothing fail but Redis, which is away for this many seconds.
    #[arg(long, value_name = "SECONDS")]
    pub redis_away: Option<u64>,
    /// A file to which each seed's result is appended as a line of JSON; seeds that the file already holds for the same
    /// commit and length are skipped.
    #[arg(long, value_name = "FILE")]
    pub append: Option<PathBuf>,
    /// The commit under test, for the file; without it, the one that git names.
    #[arg(long)]
    pub commit: Option<String>,
    /// How many nodes the run begins with; without it, 4 to 6, by the seed.
    #[arg(long)]
    pub nodes: Option<usize>,
    /// How many bots the fleet has.
    #[arg(long, default_value_t = 200)]
    pub bots: usize,
    /// How many chats.
    #[arg(long, default_value_t = 20)]
    pub chats: usize,
    /// Messages of people a second, over all chats.
    #[arg(long, default_value_t = 2.0)]
    pub rate: f64,
    /// Adds faults of the simulated Telegram and LLM.
    #[arg(long)]
    pub telegram_faults: bool,
    /// How many seconds the fleet may take to come to rest after everything healed.
    #[arg(long, default_value_t = 90)]
    pub settle_seconds: u64,
    /// The folder of the run, which is kept; without it, a temporary one that is removed after a clean run.
    #[arg(long, value_name = "PATH", conflicts_with = "seeds")]
    pub dir: Option<PathBuf>,
    /// Keeps the folder of a clean run too.
    #[arg(long)]
    pub keep: bool,
    /// The log level of the nodes; each node logs to product.log in its folder.
    #[arg(long, default_value = "warn", value_name = "LEVEL")]
    pub product_log: String,
    /// Prints JSON instead of a table.
    #[arg(long)]
    pub json: bool,
}

impl ClusterFaultsArgs {
    /// Returns the arguments that tests run: one seed, with defaults for all that is not given.
    pub fn of(binary: Option<PathBuf>, seed: u64, seconds: f64, bots: usize, chats: usize) -> Self {
        Self {
            binary,
            seed,
            seeds: None,
            jobs: 1,
            seconds,
            long: false,
            redis_away: None,
            append: None,
            commit: None,
            nodes: None,
            bots,
            chats,
            rate: 2.0,
            telegram_faults: false,
            settle_seconds: 90,
            dir: None,
            keep: false,
            product_log: "warn".into(),
            json: false,
        }
    }

    /// Returns how long faults are injected.
    pub fn length(&self) -> Duration {
        if let Some(seconds) = self.redis_away {
            return Duration::from_secs(seconds + 10);
        }
        let seconds = if self.long { self.seconds.max(120.0) } else { self.seconds };
        Duration::from_secs_f64(seconds.max(0.0))
    }

    /// Returns how many nodes the run begins with.
    pub fn node_count(&self) -> usize {
        self.nodes.unwrap_or(4 + (self.seed % 3) as usize)
    }

    pub(super) fn simulation(&self) -> SimulationSpec {
        let world = WorldSpec {
            send_latency: SendLatency::Realistic.latency(),
            ..WorldSpec::fleet(self.seed, self.bots, self.chats)
        };
        let latency = Latency { median: Duration::from_millis(300), sigma: 0.5 };
        let provider = ProviderSpec { seed: self.seed, latency, mode: Mode::EchoMarker, ..ProviderSpec::default() };
        SimulationSpec { provider, ..SimulationSpec::of(world) }
    }

    pub(super) fn options(&self) -> ProductOptions {
        product_options(&self.product_log, 16)
    }
}
