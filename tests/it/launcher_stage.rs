//! Runs the program under its launcher, seen as an operator sees it: two processes, printed lines, signals, an exit
//! code.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use botfleet_loadtest::harness::files::{ProductFiles, ProductOptions};
use botfleet_world::ledger::LedgerEvent;
use botfleet_world::provider::spec::{Latency, ProviderSpec};
use botfleet_world::simulation::{Simulation, SimulationSpec};
use botfleet_world::world::event::Post;
use botfleet_world::world::spec::WorldSpec;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::fleet_stage::{DEADLINE, PROVIDER_KEY, binary};

/// A world, and the program under its launcher on it.
pub(crate) struct LauncherStage {
    pub(crate) simulation: Simulation,
    pub(crate) files: ProductFiles,
    pub(crate) launcher: Child,
    lines: Lines<BufReader<ChildStdout>>,
    directory: TempDir,
}

impl LauncherStage {
    /// Starts so many bots in one chat, with a model that takes so long.
    pub(crate) async fn start(bots: usize, options: ProductOptions, median: Duration) -> Self {
        let mut spec = SimulationSpec::of(WorldSpec::fleet(11, bots, 1));
        let latency = Latency { median, sigma: 0.0 };
        spec.provider = ProviderSpec { latency, api_key: Some(PROVIDER_KEY.to_owned()), ..ProviderSpec::default() };
        let simulation = Simulation::start(spec).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let (world, url) = (simulation.world.spec(), simulation.base_url());
        let files = ProductFiles::write(&directory.path().join("fleet"), world, &url, &options).unwrap();
        let mut launcher = command(&files).stderr(File::create(files.log()).unwrap()).spawn().unwrap();
        let lines = BufReader::new(launcher.stdout.take().unwrap()).lines();
        Self { simulation, files, launcher, lines, directory }
    }

    /// Waits for the next printed line with that beginning; returns the rest of the line.
    pub(crate) async fn printed(&mut self, beginning: &str) -> String {
        let read = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                if let Some(rest) = line.strip_prefix(beginning) {
                    return rest.trim().to_owned();
                }
            }
            panic!("it ended before it printed {beginning:?}");
        };
        let printed = tokio::time::timeout(DEADLINE, read).await;
        printed.unwrap_or_else(|_| panic!("{beginning:?} is not printed; the log says:\n{}", self.log()))
    }

    /// Waits for the next start of a worker; returns its process id.
    pub(crate) async fn worker(&mut self) -> u32 {
        self.printed("worker").await.parse().unwrap()
    }

    /// Waits until the fleet tells that all its bots poll.
    pub(crate) async fn until_polling(&mut self) {
        self.printed("polling").await;
    }

    /// Returns the launcher's process id.
    pub(crate) fn launcher_pid(&self) -> u32 {
        self.launcher.id().unwrap()
    }

    /// Waits for the launcher's end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let ended = tokio::time::timeout(DEADLINE, self.launcher.wait()).await;
        ended.unwrap_or_else(|_| panic!("it does not end; the log says:\n{}", self.log())).unwrap()
    }

    /// Returns the log of both processes.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.files.log()).unwrap()
    }

    /// Waits until the log holds this text.
    pub(crate) async fn until_logged(&self, text: &str) {
        let until = Instant::now() + DEADLINE;
        while !self.log().contains(text) {
            assert!(Instant::now() < until, "{text:?} is not logged: {}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Lets a person write into the chat.
    pub(crate) fn say(&self, text: &str) {
        let chat = &self.simulation.world.spec().chats[0];
        self.simulation.world.post(chat.id, chat.people[0], Post::text(text)).unwrap();
    }

    /// Waits until so many messages of bots are in the chat, over all time.
    pub(crate) async fn until_sent(&self, messages: usize) {
        let accepted = |event: &LedgerEvent| matches!(event, LedgerEvent::SendAccepted { .. });
        let ledger = self.simulation.world.ledger();
        assert!(ledger.wait_for(messages, DEADLINE, accepted).await, "{messages} were not sent: {}", self.log());
    }

    /// Waits until the model was asked so often.
    pub(crate) async fn until_asked(&self, calls: usize) {
        let until = Instant::now() + DEADLINE;
        while self.simulation.provider.call_count() < calls {
            assert!(Instant::now() < until, "the model was not asked: {}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Returns the folder of all files.
    pub(crate) fn folder(&self) -> PathBuf {
        self.directory.path().to_owned()
    }
}

/// Makes the command `botfleet run` on these files.
pub(crate) fn command(files: &ProductFiles) -> Command {
    let mut command = Command::new(binary());
    command.arg("run").arg("--config").arg(files.config()).arg("--manifest").arg(files.manifest());
    command.current_dir(files.dir()).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    command
}

/// Returns whether a process with this id runs; one that only waits to be reaped does not.
pub(crate) fn runs(pid: u32) -> bool {
    let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    state.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Waits until no process with this id runs.
pub(crate) async fn until_gone(pid: u32) {
    let until = Instant::now() + DEADLINE;
    while runs(pid) {
        assert!(Instant::now() < until, "process {pid} goes on");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
