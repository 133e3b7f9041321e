//! Defines the flags that all figures share, and the fleet made from them. Layer: harness.

use std::path::PathBuf;
use std::time::Duration;

use botfleet_world::provider::ProviderSpec;
use botfleet_world::provider::spec::{Latency, Mode};
use botfleet_world::simulation::SimulationSpec;
use botfleet_world::world::spec::WorldSpec;
use clap::Args;

use crate::harness::args::{SendLatency, product};
use crate::harness::cluster::stage::{ClusterSpec, ClusterStage};
use crate::harness::error::HarnessError;
use crate::harness::files::{ProductOptions, ProviderOptions};
use crate::harness::traffic::{Shape, Traffic};
use crate::servers::postgres::PostgresOptions;

/// The command-line arguments of every figure.
#[derive(Debug, Clone, Args)]
pub struct FigureArgs {
    /// The product's program; without it, the one beside this program or under target.
    #[arg(long, value_name = "PATH")]
    pub binary: Option<PathBuf>,
    /// The seed of every random draw.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How many nodes.
    #[arg(long, default_value_t = 4)]
    pub nodes: usize,
    /// How many bots the fleet has.
    #[arg(long, default_value_t = 200)]
    pub bots: usize,
    /// How many chats; every chat's bots are on several nodes.
    #[arg(long, default_value_t = 20)]
    pub chats: usize,
    /// How often the measurement is repeated.
    #[arg(long, default_value_t = 5)]
    pub rounds: usize,
    /// LLM calls that a node makes at the same time.
    #[arg(long, default_value_t = 16)]
    pub llm_slots: u32,
    /// How long each LLM call takes, in milliseconds.
    #[arg(long, default_value_t = 500)]
    pub llm_latency_ms: u64,
    /// The spread of the LLM's latency (sigma of a lognormal).
    #[arg(long, default_value_t = 0.0)]
    pub llm_sigma: f64,
    /// Messages of people a second, over all chats, during the measurement; 0 for silence.
    #[arg(long, default_value_t = 2.0)]
    pub rate: f64,
    /// How many seconds a measurement, or an outage, lasts.
    #[arg(long, default_value_t = 10)]
    pub seconds: u64,
    /// The folder of the run, which is kept; without it, a temporary one.
    #[arg(long, value_name = "PATH")]
    pub dir: Option<PathBuf>,
    /// The log level of the nodes; each node logs to product.log in its folder.
    #[arg(long, default_value = "warn", value_name = "LEVEL")]
    pub product_log: String,
    /// Prints one JSON object instead of a table.
    #[arg(long)]
    pub json: bool,
}

impl FigureArgs {
    /// Returns the parts of the fleet's stage.
    ///
    /// # Errors
    /// The product's program is not found.
    pub fn spec(&self) -> Result<ClusterSpec, HarnessError> {
        let world = WorldSpec {
            send_latency: SendLatency::Zero.latency(),
            ..WorldSpec::fleet(self.seed, self.bots, self.chats)
        };
        let latency = Latency { median: Duration::from_millis(self.llm_latency_ms), sigma: self.llm_sigma };
        let provider = ProviderSpec { seed: self.seed, latency, mode: Mode::EchoMarker, ..ProviderSpec::default() };
        Ok(ClusterSpec {
            binary: product(self.binary.as_ref())?,
            simulation: SimulationSpec { provider, ..SimulationSpec::of(world) },
            options: product_options(&self.product_log, self.llm_slots),
            nodes: self.nodes,
            roles: Vec::new(),
            dir: self.dir.clone(),
            postgres: PostgresOptions::default(),
            shifted_clock: false,
        })
    }

    /// Starts the fleet.
    ///
    /// # Errors
    /// The fleet does not come up.
    pub async fn open(&self) -> Result<ClusterStage, HarnessError> {
        ClusterStage::open(self.spec()?).await
    }

    /// Returns a description of the fleet in a few words.
    pub fn fleet(&self) -> String {
        format!(
            "{} nodes, {} bots, {} chats, LLM {} ms with {} slots a node, {} messages/s, seed {}",
            self.nodes, self.bots, self.chats, self.llm_latency_ms, self.llm_slots, self.rate, self.seed
        )
    }
}

/// Runs `work` while people post at `rate` messages a second; a rate of 0 leaves people silent.
///
/// # Errors
/// `work` fails, or nobody can post.
pub async fn under_traffic<T>(
    traffic: &mut Traffic<'_>,
    rate: f64,
    work: impl Future<Output = Result<T, HarnessError>>,
) -> Result<T, HarnessError> {
    if rate <= 0.0 {
        return work.await;
    }
    tokio::select! {
        biased;
        done = work => done,
        error = traffic.drive(Shape::Open { rate }) => Err(error),
    }
}

/// Returns options with timeouts short enough for a run and with safety settings as shipped.
pub fn product_options(log_level: &str, llm_slots: u32) -> ProductOptions {
    let settings = toml::toml! {
        [server]
        drain_for = "0s"

        [telegram]
        connect_timeout = "1s"
        request_timeout = "4s"
        poll_margin = "2s"
        breaker_open_for = "1s"

        [fleet.restart.backoff]
        first = "50ms"
        max = "500ms"
    };
    let hasty = toml::toml! {
        timeout = "10s"
        breaker = { failures = 5, open_for = "1s" }
    };
    ProductOptions {
        poll_timeout_s: 20,
        turns_in_flight: 8,
        llm_concurrency: llm_slots,
        log_level: log_level.to_owned(),
        providers: vec![ProviderOptions::main().saying(hasty)],
        settings,
        ..ProductOptions::default()
    }
}
