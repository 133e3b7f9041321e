//! Holds the fleet under test: one node on SQLite, or nodes on PostgreSQL and Redis. Layer: harness.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use botfleet_world::simulation::Simulation;

use super::scenario::LoadScenario;
use super::stages::Ways;
use super::store;
use crate::harness::cluster::node::Node;
use crate::harness::cluster::stage::{ClusterSpec, ClusterStage, DATABASE};
use crate::harness::error::HarnessError;
use crate::harness::product::ProductError;
use crate::harness::settle::{Settled, settle, settled};
use crate::harness::stage::Stage;
use crate::servers::postgres::PostgresOptions;

/// How long a product may take to end by SIGTERM.
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// The program to test, and the folder of a run.
#[derive(Debug, Clone)]
pub struct Under {
    /// The product's program.
    pub binary: PathBuf,
    /// The folder of the run, which is kept; without it, a temporary one.
    pub dir: Option<PathBuf>,
    /// The product's log level.
    pub product_log: String,
}

/// A running fleet.
#[derive(Debug)]
pub enum Ground {
    /// One node on SQLite.
    One(Box<Stage>),
    /// Nodes on PostgreSQL and Redis.
    Many(Box<ClusterStage>),
}

impl Ground {
    /// Starts the fleet and waits until all bots poll; returns also how long one node took for that.
    ///
    /// # Errors
    /// A part does not start, or not all bots poll in time.
    pub async fn open(scenario: &LoadScenario, under: &Under) -> Result<(Self, Option<Duration>), HarnessError> {
        let options = scenario.options(&under.product_log);
        let Some(nodes) = scenario.product.nodes else {
            let stage = Stage::open(&under.binary, scenario.simulation(), under.dir.as_deref(), &options).await?;
            let (listened_in, began) = (stage.started_in, Instant::now());
            stage.wait_until_polling(scenario.world.bots).await?;
            return Ok((Self::One(Box::new(stage)), Some(listened_in + began.elapsed())));
        };
        let spec = ClusterSpec {
            binary: under.binary.clone(),
            simulation: scenario.simulation(),
            options,
            nodes,
            roles: Vec::new(),
            dir: under.dir.clone(),
            postgres: PostgresOptions::default(),
            shifted_clock: false,
        };
        Ok((Self::Many(Box::new(ClusterStage::open(spec).await?)), None))
    }

    /// Returns the simulated world and LLM.
    pub fn simulation(&self) -> &Simulation {
        match self {
            Self::One(stage) => &stage.simulation,
            Self::Many(stage) => &stage.simulation,
        }
    }

    /// Returns the folder of the run.
    pub fn dir(&self) -> &Path {
        match self {
            Self::One(stage) => stage.dir(),
            Self::Many(stage) => stage.dir(),
        }
    }

    /// Returns the product's processes.
    ///
    /// # Errors
    /// The product does not run.
    pub fn pids(&self) -> Result<Vec<u32>, HarnessError> {
        match self {
            Self::One(stage) => Ok(vec![stage.product.pid().ok_or(ProductError::NotRunning)?]),
            Self::Many(stage) => Ok(stage.nodes.iter().filter_map(Node::worker_pid).collect()),
        }
    }

    /// Returns the addresses of the product's ports.
    ///
    /// # Errors
    /// The product does not run.
    pub fn urls(&self) -> Result<Vec<String>, HarnessError> {
        match self {
            Self::One(stage) => Ok(vec![stage.product_url()?]),
            Self::Many(stage) => Ok(stage.nodes.iter().map(Node::base_url).collect()),
        }
    }

    /// Returns the size of the product's database in bytes.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn database_bytes(&self) -> Result<u64, HarnessError> {
        match self {
            Self::One(stage) => {
                let database = stage.product.files().database();
                let mut log = database.clone().into_os_string();
                log.push("-wal");
                let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
                Ok(size(&database) + size(Path::new(&log)))
            }
            Self::Many(stage) => {
                let told = stage.postgres.query("postgres", &format!("SELECT pg_database_size('{DATABASE}')")).await?;
                Ok(told.trim().parse().unwrap_or(0))
            }
        }
    }

    /// Waits for the fleet to come to rest, and reads the product's account.
    ///
    /// # Errors
    /// The product does not answer.
    pub async fn settle(&mut self, within: Duration) -> Result<Settled, HarnessError> {
        match self {
            Self::One(stage) => settle(stage, within).await,
            Self::Many(stage) => {
                let world = std::sync::Arc::clone(&stage.simulation.world);
                settled(&world, tokio::time::Instant::now() + within, async || stage.api().await).await
            }
        }
    }

    /// Reads the instants of each answer from the product's store; ends a product on SQLite for that.
    ///
    /// # Errors
    /// The product does not end in time, or the store cannot be read.
    pub async fn ways(&mut self) -> Result<Ways, HarnessError> {
        match self {
            Self::One(stage) => {
                stage.product.stop(STOP_WITHIN).await?;
                store::ways_of_file(&stage.product.files().database()).await
            }
            Self::Many(stage) => Ok(store::ways_of_text(&stage.postgres.query(DATABASE, store::WAYS).await?)),
        }
    }

    /// Ends everything; a temporary folder is removed after a clean run.
    ///
    /// # Errors
    /// The folder cannot be removed.
    pub async fn close(self, clean: bool) -> Result<(), HarnessError> {
        match self {
            Self::One(stage) if clean => stage.discard().await,
            Self::One(stage) => {
                stage.simulation.stop().await;
                Ok(())
            }
            Self::Many(stage) => stage.close(clean).await,
        }
    }
}
