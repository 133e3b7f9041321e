//! The flags that all figures share, and the fleet they make. Layer: harness.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::harness::args::{SendLatency, product};
use crate::harness::cluster::stage::{ClusterSpec, ClusterStage};
use crate::harness::error::HarnessError;
use crate::harness::files::{ProductOptions, ProviderOptions};
use crate::harness::traffic::{Shape, Traffic};
use crate::provider::ProviderSpec;
use crate::provider::spec::{Latency, Mode};
use crate::servers::postgres::PostgresOptions;
use crate::simulation::SimulationSpec;
use crate::world::spec::WorldSpec;

/// What every figure is told.
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
    /// How often what is measured is repeated.
    #[arg(long, default_value_t = 5)]
    pub rounds: usize,
    /// LLM calls that a node makes at the same time.
    #[arg(long, default_value_t = 16)]
    pub llm_slots: u32,
    /// How long each LLM call takes, in milliseconds.
    #[arg(long, default_value_t = 500)]
    pub llm_latency_ms: u64,
    /// Messages of people a second, over all chats, while it is measured; 0 for silence.
    #[arg(long, default_value_t = 2.0)]
    pub rate: f64,
    /// How many seconds a measurement, or an outage, lasts.
    #[arg(long, default_value_t = 10)]
    pub seconds: u64,
    /// The folder of the run, which stays; without it, a temporary one.
    #[arg(long, value_name = "PATH")]
    pub dir: Option<PathBuf>,
    /// What the nodes log, to product.log in their folders.
    #[arg(long, default_value = "warn", value_name = "LEVEL")]
    pub product_log: String,
    /// One JSON object instead of a table.
    #[arg(long)]
    pub json: bool,
}

impl FigureArgs {
    /// The fleet.
    ///
    /// # Errors
    /// The product's program is not found.
    pub fn spec(&self) -> Result<ClusterSpec, HarnessError> {
        let world = WorldSpec {
            send_latency: SendLatency::Zero.latency(),
            ..WorldSpec::fleet(self.seed, self.bots, self.chats)
        };
        let latency = Latency { median: Duration::from_millis(self.llm_latency_ms), sigma: 0.0 };
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

    /// The fleet, running.
    ///
    /// # Errors
    /// It does not come up.
    pub async fn open(&self) -> Result<ClusterStage, HarnessError> {
        ClusterStage::open(self.spec()?).await
    }

    /// In a few words.
    pub fn fleet(&self) -> String {
        format!(
            "{} nodes, {} bots, {} chats, LLM {} ms with {} slots a node, {} messages/s, seed {}",
            self.nodes, self.bots, self.chats, self.llm_latency_ms, self.llm_slots, self.rate, self.seed
        )
    }
}

/// Does a work while people post; a rate of 0 leaves them silent.
///
/// # Errors
/// Those of the work, and a world in which nobody can post.
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

/// Nodes whose timeouts are as short as a run needs, and whose safety is as shipped.
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
