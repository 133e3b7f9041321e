//! Runs PostgreSQL, Redis, the simulated world and the nodes, in a folder of their own. Layer: harness.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use botfleet_world::api::Api;
use botfleet_world::checker::origins::{Origin, Origins};
use botfleet_world::simulation::{Simulation, SimulationSpec};
use futures::future::try_join_all;
use tokio::process::Command;
use toml::{Table, Value};

use super::node::{Links, Node, Role};
use super::probe;
use super::view::{ClusterApi, ClusterView};
use crate::harness::error::HarnessError;
use crate::harness::files::{ProductFiles, ProductOptions, lay_over};
use crate::harness::stage::Scratch;
use crate::servers::daemon::free_port;
use crate::servers::postgres::{Postgres, PostgresOptions};
use crate::servers::proxy::TcpProxy;
use crate::servers::redis::Redis;

/// The name of the fleet's database.
pub const DATABASE: &str = "botfleet";
/// How long all bots may take to poll.
const POLLING_WITHIN: Duration = Duration::from_mins(1);
/// How long the leases may take to settle.
const SETTLED_WITHIN: Duration = Duration::from_mins(1);
/// How long a node may take to end by SIGTERM.
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// The parts of a cluster stage.
#[derive(Debug, Clone)]
pub struct ClusterSpec {
    /// The product's program.
    pub binary: PathBuf,
    /// The world.
    pub simulation: SimulationSpec,
    /// The product's settings and manifest.
    pub options: ProductOptions,
    /// How many nodes.
    pub nodes: usize,
    /// The role of each node; nodes beyond the list have [`Role::All`].
    pub roles: Vec<Role>,
    /// The folder of the run, which is kept; without it, a temporary one.
    pub dir: Option<PathBuf>,
    /// The settings of PostgreSQL.
    pub postgres: PostgresOptions,
    /// True if the wall clock of the first node shall be shiftable, where this machine allows that.
    pub shifted_clock: bool,
}

/// Servers, world and nodes.
#[derive(Debug)]
pub struct ClusterStage {
    /// The nodes, `n1` first.
    pub nodes: Vec<Node>,
    /// The simulation.
    pub simulation: Simulation,
    /// The database server.
    pub postgres: Postgres,
    /// The Redis server.
    pub redis: Redis,
    /// True if the first node's wall clock can be shifted.
    pub clock_shifts: bool,
    spec: ClusterSpec,
    scratch: Scratch,
    /// The links of removed nodes, whose polls are still in the ledger.
    retired: Vec<(String, Links)>,
}

impl ClusterStage {
    /// Starts servers and world, migrates the schema, starts all nodes, and waits until every bot polls and every
    /// lease has an owner.
    ///
    /// # Errors
    /// A part does not come up in time.
    pub async fn open(spec: ClusterSpec) -> Result<Self, HarnessError> {
        let mut stage = Self::prepare(spec).await?;
        for index in 0..stage.spec.nodes {
            stage.add(stage.spec.roles.get(index).copied().unwrap_or(Role::All)).await?;
        }
        if stage.spec.shifted_clock
            && let Some(first) = stage.nodes.first_mut()
        {
            stage.clock_shifts = first.with_shifted_clock()?;
        }
        stage.migrate().await?;
        try_join_all(stage.nodes.iter_mut().map(Node::start)).await?;
        stage.wait_until_polling().await?;
        stage.wait_until_settled().await?;
        Ok(stage)
    }

    /// Starts only servers and world.
    ///
    /// # Errors
    /// A server or the world does not start.
    pub async fn prepare(spec: ClusterSpec) -> Result<Self, HarnessError> {
        let simulation = Simulation::start(spec.simulation.clone()).await?;
        let scratch = Scratch::open(spec.dir.as_deref())?;
        let (postgres, redis) = tokio::try_join!(Postgres::start(None, spec.postgres.clone()), Redis::start(None))?;
        postgres.create_database(DATABASE).await?;
        Ok(Self {
            nodes: Vec::new(),
            simulation,
            postgres,
            redis,
            clock_shifts: false,
            spec,
            scratch,
            retired: Vec::new(),
        })
    }

    /// Adds a node that does not run yet, under the next name.
    ///
    /// # Errors
    /// The node's files or links cannot be made.
    pub async fn add(&mut self, role: Role) -> Result<&mut Node, HarnessError> {
        let name = format!("n{}", self.nodes.len() + 1);
        let links = Links {
            database: TcpProxy::to_port(self.postgres.port()).await?,
            redis: TcpProxy::to_port(self.redis.port()).await?,
            telegram: TcpProxy::start(self.simulation.addr).await?,
        };
        let port = free_port()?;
        let mut options = self.spec.options.clone();
        lay_over(&mut options.settings, settings(&name, role, &links, port));
        let dir = self.scratch.path.join(&name);
        let files = ProductFiles::write(&dir, self.simulation.world.spec(), &self.simulation.base_url(), &options)?;
        let node = Node::new(name, role, links, &self.spec.binary, files, port)?;
        self.nodes.push(node);
        self.nodes.last_mut().ok_or(HarnessError::NoBinary)
    }

    /// Ends the last node by SIGTERM and removes it from the stage; returns how long the end took.
    ///
    /// # Errors
    /// The node does not end in time.
    pub async fn remove_last(&mut self) -> Result<Duration, HarnessError> {
        let Some(mut node) = self.nodes.pop() else { return Ok(Duration::ZERO) };
        let took = if node.is_started() { node.stop(STOP_WITHIN).await?.1 } else { Duration::ZERO };
        self.retired.push((node.name.clone(), node.links));
        Ok(took)
    }

    /// Migrates the schema, with the files of the first node.
    ///
    /// # Errors
    /// The command fails.
    pub async fn migrate(&self) -> Result<(), HarnessError> {
        let Some(first) = self.nodes.first() else { return Ok(()) };
        let config = first.files().config().to_string_lossy().into_owned();
        self.command(first, &["migrate", "up", "--config", &config]).await.map(drop)
    }

    /// Runs a command of the product in a node's folder; returns its standard output.
    ///
    /// # Errors
    /// The command cannot be run, or fails.
    pub async fn command(&self, node: &Node, words: &[&str]) -> Result<String, HarnessError> {
        let mut command = Command::new(&self.spec.binary);
        let done =
            command.args(words).current_dir(node.files().dir()).stdin(Stdio::null()).kill_on_drop(true).output().await;
        let done = done.map_err(HarnessError::file(&self.spec.binary))?;
        if done.status.success() {
            return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
        }
        let told = format!("{}\n{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        Err(HarnessError::Command { command: words.join(" "), told: told.trim().to_owned() })
    }

    /// Returns the parts of the stage.
    pub fn spec(&self) -> &ClusterSpec {
        &self.spec
    }

    /// Returns the folder of the run.
    pub fn dir(&self) -> &Path {
        &self.scratch.path
    }

    /// Returns the time on the ledger's clock.
    pub fn now_us(&self) -> u64 {
        self.simulation.world.ledger().now_us()
    }

    /// Returns the node with a name.
    pub fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// Returns the API of a node that runs and answers.
    ///
    /// # Errors
    /// No node answers.
    pub async fn api(&mut self) -> Result<Api, HarnessError> {
        Ok(self.answering().await?.0)
    }

    /// Reads the cluster view from any node that answers.
    ///
    /// # Errors
    /// No node answers.
    pub async fn view(&mut self) -> Result<ClusterView, HarnessError> {
        Ok(self.answering().await?.1)
    }

    async fn answering(&mut self) -> Result<(Api, ClusterView), HarnessError> {
        let mut last = None;
        for node in &mut self.nodes {
            if node.runs() && node.role != Role::Worker {
                match ClusterApi::new(node.api().clone()).view().await {
                    Ok(view) => return Ok((node.api().clone(), view)),
                    Err(error) => last = Some(error),
                }
            }
        }
        Err(last.map_or(HarnessError::Product(crate::harness::product::ProductError::NotRunning), HarnessError::Http))
    }

    /// Waits until every bot polls.
    ///
    /// # Errors
    /// Not all bots poll in time.
    pub async fn wait_until_polling(&self) -> Result<(), HarnessError> {
        let world = &self.simulation.world;
        let bots = world.spec().bots.len();
        if world.wait_until_polling(bots, POLLING_WITHIN).await {
            return Ok(());
        }
        Err(HarnessError::NotPolling {
            polling: world.polling_bots(),
            bots,
            seconds: POLLING_WITHIN.as_secs(),
            log: self.scratch.path.join("n1").join("product.log"),
        })
    }

    /// Waits until every lease has a living owner and no move is under way, twice in a row.
    ///
    /// # Errors
    /// The leases do not settle in time.
    pub async fn wait_until_settled(&mut self) -> Result<ClusterView, HarnessError> {
        let until = tokio::time::Instant::now() + SETTLED_WITHIN;
        let mut calm = 0;
        loop {
            let view = self.view().await;
            calm = if view.as_ref().is_ok_and(ClusterView::is_settled) { calm + 1 } else { 0 };
            // Twice in a row: after one calm view, moves of a new plan may be about to begin.
            if calm > 1 {
                return view;
            }
            if tokio::time::Instant::now() > until {
                let what = match view {
                    Ok(view) => format!("{} leases without owner, {} moves", view.unowned, view.moves.len()),
                    Err(error) => error.to_string(),
                };
                return Err(HarnessError::NotInTime { what, seconds: SETTLED_WITHIN.as_secs() });
            }
            tokio::time::sleep(Duration::from_millis(400)).await;
        }
    }

    /// Returns which node opened which connection to Telegram.
    pub fn origins(&self) -> Origins {
        let (now, now_us) = (Instant::now(), self.now_us());
        let us = |at: Instant| now_us.saturating_sub(now.saturating_duration_since(at).as_micros() as u64);
        let mut origins = Origins::default();
        let present = self.nodes.iter().map(|node| (&node.name, &node.links));
        for (name, links) in present.chain(self.retired.iter().map(|(name, links)| (name, links))) {
            for upstream in links.telegram.upstreams() {
                let left_us = upstream.left.map(us);
                let origin = Origin { node: name.clone(), opened_us: us(upstream.opened), left_us };
                origins.add(upstream.local.to_string(), origin);
            }
        }
        origins
    }

    /// Returns all polls so far, by bot.
    pub fn polls(&self) -> std::collections::BTreeMap<i64, Vec<super::polls::Poll>> {
        super::polls::polls(&self.simulation.world.ledger().snapshot(), &self.origins())
    }

    /// Returns how many connections to Telegram were cut or lost bytes; each may have cost the answer to a send.
    pub fn damaged(&self) -> u64 {
        let present = self.nodes.iter().map(|node| node.links.telegram.damaged());
        present.chain(self.retired.iter().map(|(_, links)| links.telegram.damaged())).sum()
    }

    /// Returns whether every chat of more than two bots has them on several nodes, by the cluster view.
    pub fn chats_are_spread(&self, view: &ClusterView) -> bool {
        let owners = view.owners("bot");
        let world = self.simulation.world.spec();
        let name = |id: &i64| world.bots.iter().find(|bot| bot.id == *id).map(|bot| bot.username.as_str());
        world.chats.iter().filter(|chat| chat.bots.len() > 2).all(|chat| {
            let nodes: std::collections::BTreeSet<_> =
                chat.bots.iter().filter_map(name).filter_map(|bot| owners.get(bot)).collect();
            nodes.len() > 1
        })
    }

    /// Kills the nodes and stops the servers; a temporary folder is removed after a clean run.
    ///
    /// # Errors
    /// The folder cannot be removed.
    pub async fn close(mut self, clean: bool) -> Result<(), HarnessError> {
        for node in &mut self.nodes {
            if node.is_started() {
                // A node may have ended by itself, which is no error: the run is judged by the ledger.
                let _ = node.kill_all().await;
            }
        }
        self.nodes.clear();
        self.simulation.stop().await;
        probe::blocking_drop(self.postgres).await;
        probe::blocking_drop(self.redis).await;
        if clean { self.scratch.remove() } else { Ok(()) }
    }
}

fn settings(name: &str, role: Role, links: &Links, port: u16) -> Table {
    let mut settings = toml::toml! {
        [store]
        backend = "postgres"
    };
    let mut say = |section: &str, key: &str, value: Value| {
        let section = settings.entry(section).or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(section) = section {
            section.insert(key.to_owned(), value);
        }
    };
    say("store", "url", Postgres::url_through(links.database.port(), DATABASE).into());
    say("redis", "url", Redis::url_through(links.redis.port()).into());
    say("telegram", "api_url", format!("http://127.0.0.1:{}", links.telegram.port()).into());
    say("cluster", "node", name.into());
    say("cluster", "role", role.as_str().into());
    say("cluster", "address", format!("127.0.0.1:{port}").into());
    say("server", "listen", format!("127.0.0.1:{port}").into());
    settings
}
