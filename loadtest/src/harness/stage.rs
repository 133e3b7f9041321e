//! Runs simulation and product together, in a folder of their own. Layer: harness.
//!
//! A temporary folder is removed after a clean run, and kept for inspection after any other.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use botfleet_world::provider::spec::Latency;
use botfleet_world::simulation::{Simulation, SimulationSpec};

use super::args::StageArgs;
use super::error::HarnessError;
use super::files::{ProductFiles, ProductOptions};
use super::product::{Product, ProductError};

/// How long all bots may take to poll.
const POLLING_WITHIN: Duration = Duration::from_mins(1);
/// How long a product may take to end by SIGTERM.
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// A simulation and a product that runs on it.
#[derive(Debug)]
pub struct Stage {
    /// The simulation.
    pub simulation: Simulation,
    /// The product.
    pub product: Product,
    /// Time from the product's start until the product listened or, after [`Stage::start`], until all bots polled.
    pub started_in: Duration,
    scratch: Scratch,
}

impl Stage {
    /// Starts simulation and product and waits until all bots poll.
    ///
    /// # Errors
    /// Either does not start, or not all bots poll in time.
    pub async fn start(args: &StageArgs, latency: Latency) -> Result<Self, HarnessError> {
        let spec = args.simulation(latency);
        let bots = spec.world.bots.len();
        let mut stage = Self::open(&args.run.product()?, spec, args.run.dir.as_deref(), &args.run.options()).await?;
        let listened_in = stage.started_in;
        let began = Instant::now();
        stage.wait_until_polling(bots).await?;
        stage.started_in = listened_in + began.elapsed();
        Ok(stage)
    }

    /// Starts a simulation, and the product on it, and waits until the product listens.
    ///
    /// # Errors
    /// Either does not start.
    pub async fn open(
        binary: &Path,
        spec: SimulationSpec,
        dir: Option<&Path>,
        options: &ProductOptions,
    ) -> Result<Self, HarnessError> {
        let simulation = Simulation::start(spec).await?;
        let scratch = Scratch::open(dir)?;
        let world = simulation.world.spec();
        let files = ProductFiles::write(&scratch.path, world, &simulation.base_url(), options)?;
        let started = Instant::now();
        let product = Product::start(binary, files).await?;
        Ok(Self { simulation, product, started_in: started.elapsed(), scratch })
    }

    /// Waits until `bots` bots poll.
    ///
    /// # Errors
    /// Fewer bots poll in time.
    pub async fn wait_until_polling(&self, bots: usize) -> Result<(), HarnessError> {
        let world = &self.simulation.world;
        if world.wait_until_polling(bots, POLLING_WITHIN).await {
            return Ok(());
        }
        Err(HarnessError::NotPolling {
            polling: world.polling_bots(),
            bots,
            seconds: POLLING_WITHIN.as_secs(),
            log: self.product.files().log(),
        })
    }

    /// Returns the folder of the run.
    pub fn dir(&self) -> &Path {
        &self.scratch.path
    }

    /// Returns the address of the product's port.
    ///
    /// # Errors
    /// The product does not run, or its address is not known yet.
    pub fn product_url(&self) -> Result<String, HarnessError> {
        let url = self.product.base_url().ok_or(ProductError::NotRunning)?;
        Ok(url.to_owned())
    }

    /// Stops product and simulation; a temporary folder is removed after a clean run.
    ///
    /// # Errors
    /// The product does not end in time, or the folder cannot be removed.
    pub async fn stop(mut self, clean: bool) -> Result<(), HarnessError> {
        self.product.stop(STOP_WITHIN).await?;
        self.simulation.stop().await;
        if clean { self.scratch.remove() } else { Ok(()) }
    }
}

impl Stage {
    /// Ends product and simulation at once and removes a temporary folder; for runs whose files are not needed.
    ///
    /// # Errors
    /// The folder cannot be removed.
    pub async fn discard(self) -> Result<(), HarnessError> {
        drop(self.product);
        self.simulation.stop().await;
        self.scratch.remove()
    }
}

/// A folder for one run.
#[derive(Debug)]
pub(super) struct Scratch {
    pub(super) path: PathBuf,
    temporary: bool,
}

impl Scratch {
    pub(super) fn open(named: Option<&Path>) -> Result<Self, HarnessError> {
        static RUNS: AtomicU32 = AtomicU32::new(0);
        let path = named.map_or_else(
            || {
                let run = RUNS.fetch_add(1, Ordering::Relaxed);
                std::env::temp_dir().join(format!("botfleet-loadtest-{}-{run}", std::process::id()))
            },
            Path::to_owned,
        );
        DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(HarnessError::file(&path))?;
        Ok(Self { path, temporary: named.is_none() })
    }

    pub(super) fn remove(&self) -> Result<(), HarnessError> {
        if self.temporary {
            std::fs::remove_dir_all(&self.path).map_err(HarnessError::file(&self.path))?;
        }
        Ok(())
    }
}
