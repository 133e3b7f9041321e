//! Runs the product for some seconds as a neutral benchmark does, through `peer.sh`, and fails when a message stays
//! unanswered. Layer: harness.
//!
//! Only the script knows how a peer is set up: the script's manifest leaves the guards on and turns the limits off.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use botfleet_world::ledger::LedgerEvent;
use botfleet_world::provider::ProviderSpec;
use botfleet_world::provider::spec::{Latency, Mode};
use botfleet_world::simulation::{Simulation, SimulationSpec};
use botfleet_world::world::World;
use botfleet_world::world::spec::WorldSpec;
use clap::Args;
use serde::Serialize;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::args::product;
use super::error::HarnessError;
use super::measure::marker_number;
use super::product::{ProductError, SETTING_VARIABLES, signal, tail};
use super::progress;
use super::stage::Scratch;
use super::traffic::Traffic;

/// How long all bots may take to poll.
const POLLING_WITHIN: Duration = Duration::from_mins(1);
/// How long a product may take to end by SIGTERM.
const STOP_WITHIN: Duration = Duration::from_secs(30);
/// How long each call of the simulated model takes.
const THINKS: Duration = Duration::from_millis(50);

/// The command-line arguments of `peer`.
#[derive(Debug, Clone, Args)]
pub struct PeerArgs {
    /// The product's program; without it, the one beside this program or under target.
    #[arg(long, value_name = "PATH")]
    pub binary: Option<PathBuf>,
    /// The script that sets the product up.
    #[arg(long, value_name = "PATH", default_value = "loadtest/peer.sh")]
    pub script: PathBuf,
    /// How many bots the fleet has.
    #[arg(long, default_value_t = 8)]
    pub bots: usize,
    /// How many chats.
    #[arg(long, default_value_t = 4)]
    pub chats: usize,
    /// How many seconds people write.
    #[arg(long, default_value_t = 5.0)]
    pub seconds: f64,
    /// Milliseconds between two messages in each chat.
    #[arg(long, default_value_t = 100)]
    pub every_ms: u64,
    /// How many seconds the last answers may take.
    #[arg(long, default_value_t = 20)]
    pub answers_within: u64,
    /// The folder of the run, which is kept; without it, a temporary one that is removed after a clean run.
    #[arg(long, value_name = "PATH")]
    pub dir: Option<PathBuf>,
    /// Prints one JSON object instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// The result of a `peer` run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PeerResult {
    /// Messages of people.
    pub messages: usize,
    /// Answers that were due: one from each bot of the chat, for each message.
    pub due: usize,
    /// Answers that came, each counted once.
    pub answered: usize,
    /// Answers that came more than once.
    pub doubled: usize,
    /// The markers of messages that some bot left unanswered, in order.
    pub unanswered: Vec<u64>,
    /// How long the last answers took after the last message, in seconds.
    pub drained_in: f64,
}

impl PeerResult {
    /// Returns whether every bot answered every message once, and there were messages.
    pub fn is_clean(&self) -> bool {
        self.messages > 0 && self.unanswered.is_empty() && self.doubled == 0
    }
}

/// Runs the harness.
///
/// # Errors
/// The run could not be completed.
pub async fn run(args: &PeerArgs) -> Result<PeerResult, HarnessError> {
    let world = WorldSpec::fleet(1, args.bots, args.chats);
    let provider = ProviderSpec {
        latency: Latency { median: THINKS, sigma: 0.0 },
        mode: Mode::EchoMarker,
        ..ProviderSpec::default()
    };
    let simulation = Simulation::start(SimulationSpec { provider, ..SimulationSpec::of(world) }).await?;
    let scratch = Scratch::open(args.dir.as_deref())?;
    let log = scratch.path.join("peer.log");
    let mut peer = start(args, &simulation, &scratch.path, &log)?;
    if !simulation.world.wait_until_polling(args.bots, POLLING_WITHIN).await {
        return Err(match peer.try_wait().map_err(ProductError::from)? {
            Some(status) => ProductError::Ended { status, log: tail(&log) }.into(),
            None => HarnessError::NotPolling {
                polling: simulation.world.polling_bots(),
                bots: args.bots,
                seconds: POLLING_WITHIN.as_secs(),
                log,
            },
        });
    }
    let mut due = HashMap::new();
    let writing = write(args, &simulation.world, &mut due);
    progress::during(writing, || "people write".to_owned()).await;
    let result = drained(args, &simulation.world, &due).await;
    stop(&mut peer).await?;
    simulation.stop().await;
    if result.is_clean() {
        scratch.remove()?;
    }
    Ok(result)
}

/// Starts the product through the script.
fn start(args: &PeerArgs, simulation: &Simulation, dir: &Path, log: &Path) -> Result<Child, HarnessError> {
    let spec = simulation.world.spec();
    let joined = |values: Vec<String>| values.join(",");
    let file = std::fs::File::create(log).map_err(HarnessError::file(log))?;
    let mut command = Command::new("sh");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with(SETTING_VARIABLES) {
            command.env_remove(name);
        }
    }
    command
        .arg(&args.script)
        .env("TELEGRAM_API_URL", simulation.base_url())
        .env("OPENAI_BASE_URL", format!("{}/v1", simulation.base_url()))
        .env("OPENAI_API_KEY", "peer")
        .env("BOT_TOKENS", joined(spec.bots.iter().map(|bot| bot.token.clone()).collect()))
        .env("CHAT_IDS", joined(spec.chats.iter().map(|chat| chat.id.to_string()).collect()))
        .env("BENCH_DIR", dir)
        .env("BOTFLEET_BINARY", product(args.binary.as_ref())?)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(file)
        .kill_on_drop(true);
    let spawned = command.spawn();
    Ok(spawned.map_err(|source| ProductError::Spawn { binary: args.script.clone(), source })?)
}

/// Lets people write in every chat; records how many answers are due to each message.
async fn write(args: &PeerArgs, world: &World, due: &mut HashMap<u64, usize>) {
    let bots: HashMap<i64, usize> = world.spec().chats.iter().map(|chat| (chat.id, chat.bots.len())).collect();
    let mut traffic = Traffic::new(world);
    let (began, mut next) = (Instant::now(), Instant::now());
    while began.elapsed().as_secs_f64() < args.seconds {
        for post in traffic.round() {
            due.insert(post.number, bots.get(&post.chat).copied().unwrap_or(0));
        }
        next += Duration::from_millis(args.every_ms.max(1));
        tokio::time::sleep_until(next).await;
    }
}

/// Waits until every answer has come, or the time for answers is over.
async fn drained(args: &PeerArgs, world: &World, due: &HashMap<u64, usize>) -> PeerResult {
    let began = Instant::now();
    let until = began + Duration::from_secs(args.answers_within);
    loop {
        let changed = world.next_change();
        let result = counted(world, due, began.elapsed());
        if result.unanswered.is_empty() {
            return result;
        }
        if tokio::time::timeout_at(until, changed).await.is_err() {
            return PeerResult { drained_in: began.elapsed().as_secs_f64(), ..result };
        }
    }
}

fn counted(world: &World, due: &HashMap<u64, usize>, drained_in: Duration) -> PeerResult {
    let mut answers: HashMap<(u64, i64), usize> = HashMap::new();
    for record in world.ledger().snapshot() {
        let LedgerEvent::SendAccepted { marker: Some(marker), bot, .. } = record.event else { continue };
        if let Some(number) = marker_number(&marker) {
            *answers.entry((number, bot)).or_default() += 1;
        }
    }
    let mut by_message: HashMap<u64, usize> = HashMap::new();
    for (number, _) in answers.keys() {
        *by_message.entry(*number).or_default() += 1;
    }
    let missing =
        |(number, due): (&u64, &usize)| (by_message.get(number).copied().unwrap_or(0) < *due).then_some(*number);
    let mut unanswered: Vec<u64> = due.iter().filter_map(missing).collect();
    unanswered.sort_unstable();
    PeerResult {
        messages: due.len(),
        due: due.values().sum(),
        answered: answers.len(),
        doubled: answers.values().filter(|times| **times > 1).count(),
        unanswered,
        drained_in: drained_in.as_secs_f64(),
    }
}

async fn stop(peer: &mut Child) -> Result<ExitStatus, ProductError> {
    let pid = peer.id().ok_or(ProductError::NotRunning)?;
    signal(pid, "TERM").await?;
    if let Ok(status) = tokio::time::timeout(STOP_WITHIN, peer.wait()).await {
        return Ok(status?);
    }
    peer.kill().await?;
    Err(ProductError::DoesNotStop(STOP_WITHIN))
}

impl fmt::Display for PeerResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<14}{} of people", "messages", self.messages)?;
        writeln!(f, "{:<14}{} of {} due, {} doubled", "answers", self.answered, self.due, self.doubled)?;
        let first: Vec<String> = self.unanswered.iter().take(5).map(|number| format!("#m{number}")).collect();
        if !first.is_empty() {
            writeln!(f, "{:<14}{}, first {}", "unanswered", self.unanswered.len(), first.join(", "))?;
        }
        write!(f, "{:<14}{:.2} s after the last message", "drained", self.drained_in)
    }
}
