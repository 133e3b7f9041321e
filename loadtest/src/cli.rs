//! Defines the command line of `botfleet-loadtest`. Layer: cli, the top.
//!
//! Results go to stdout. `serve` runs until Ctrl-C. A harness starts the product, runs to its end and fails when the
//! product broke a promise. A signal ends the harness and the product with it.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use botfleet_world::people::drive::drive;
use botfleet_world::people::script::PeopleScript;
use botfleet_world::people::spec::PeopleSpec;
use botfleet_world::provider::ProviderSpec;
use botfleet_world::provider::spec::{Latency as LlmLatency, Mode};
use botfleet_world::simulation::{Simulation, SimulationSpec};
use botfleet_world::world::spec::WorldSpec;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use crate::groups::grouped;
use crate::harness::abuse::{self, AbuseArgs, AbuseResult};
use crate::harness::args::SendLatency;
use crate::harness::budget::{self, BudgetArgs, BudgetResult};
use crate::harness::clock::{self, ClockArgs, ClockResult};
use crate::harness::cluster::faults::args::ClusterFaultsArgs;
use crate::harness::cluster::faults::run as cluster_run;
use crate::harness::cluster::faults::series::{self as cluster_series, ClusterSeries};
use crate::harness::cluster::figures::ClusterFigure;
use crate::harness::cluster::figures::figure::Figure;
use crate::harness::crash::{self, CrashArgs, CrashResult};
use crate::harness::error::HarnessError;
use crate::harness::faults::slices::{self, SeriesReport};
use crate::harness::faults::{self, FaultsArgs};
use crate::harness::isolate::{self, IsolateArgs, IsolateResult};
use crate::harness::limits::{self, LimitsArgs, LimitsResult};
use crate::harness::peer::{self, PeerArgs, PeerResult};
use crate::harness::recording::{self, RecordingArgs, RecordingResult};
use crate::harness::run::args::{self as scenario, CompareArgs, Finished, LoadArgs, RunScenarioArgs};
use crate::harness::run::pictures::{PlotArgs, plot};
use crate::harness::stop::{self, StopArgs, StopResult};

/// Measures and breaks a fleet of botfleet on a simulated Telegram and LLM provider.
#[derive(Debug, Parser)]
#[command(name = "botfleet-loadtest", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves the simulation until Ctrl-C.
    Serve(Box<Serve>),
    /// Kills the product again and again under full traffic; fails when something was lost or doubled.
    Crash(Box<CrashArgs>),
    /// Injects faults of every kind for a while, heals them, and fails when something was lost or doubled.
    Faults(Box<FaultsArgs>),
    /// Lets nodes, links, servers and clocks of a cluster fail for a while, heals them, and fails when something was
    /// lost or doubled, or when two nodes polled one bot at a time.
    ClusterFaults(Box<ClusterFaultsArgs>),
    /// Measures one promise of a fleet of many nodes.
    #[command(subcommand)]
    Cluster(Box<ClusterFigure>),
    /// Runs a load scenario: table, JSON and HTML; fails when an objective breaks.
    Run(Box<RunScenarioArgs>),
    /// Compares the JSON of two runs; fails when a figure is worse by more than the margin.
    Compare(Box<CompareArgs>),
    /// Writes the plots of reports as SVG files.
    Plot(Box<PlotArgs>),
    /// Measures the product at one rate by policy `every`: a scenario by flags.
    Load(Box<LoadArgs>),
    /// Measures how much of Telegram's or of a provider's limits the product uses, and whether it keeps them.
    Limits(Box<LimitsArgs>),
    /// Measures whether bots of one provider notice that another is slow.
    Isolate(Box<IsolateArgs>),
    /// Measures whether an abusive member of one chat disturbs another chat, and what that member spends.
    Abuse(Box<AbuseArgs>),
    /// Checks that messages are answered while clocks differ, are corrected, or after a suspension.
    Clock(Box<ClockArgs>),
    /// Spends a budget of tokens through kills and faults; fails when more is billed.
    Budget(Box<BudgetArgs>),
    /// Stops a busy fleet, and a chat; fails when a message is sent more than a second later.
    Stop(Box<StopArgs>),
    /// Runs the product for some seconds as peer.sh sets it up; fails when a message stays unanswered.
    Peer(Box<PeerArgs>),
    /// Replays recorded answers of the real Telegram against the simulated one and reports the differences.
    Recording {
        #[command(flatten)]
        args: RecordingArgs,
        /// Writes one JSON object instead of a table.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
struct Serve {
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8081")]
    listen: SocketAddr,
    /// Serves the demo world: twelve bots in three chats (the default).
    #[arg(long, conflicts_with_all = ["bots", "chats", "spec"])]
    demo: bool,
    /// Serves a fleet of this many bots, each in one chat.
    #[arg(long, conflicts_with = "spec")]
    bots: Option<usize>,
    /// The number of the fleet's chats; one for every ten bots by default.
    #[arg(long, requires = "bots")]
    chats: Option<usize>,
    /// Serves the world that a JSON file describes.
    #[arg(long, value_name = "FILE")]
    spec: Option<PathBuf>,
    /// The seed of every random draw; by default the file's own seed, or 1 without a file.
    #[arg(long)]
    seed: Option<u64>,
    /// How fast sends are answered; by default as the world says.
    #[arg(long, value_enum)]
    send_latency: Option<SendLatency>,
    /// The median of the LLM's latency in milliseconds.
    #[arg(long, default_value_t = 300)]
    llm_latency_ms: u64,
    /// The spread of the LLM's latency (sigma of a lognormal).
    #[arg(long, default_value_t = 0.5)]
    llm_sigma: f64,
    /// Lets the LLM echo the marker `#m<n>` of the message it answers, for load tests.
    #[arg(long)]
    echo_marker: bool,
    /// Lets the simulated people post small talk.
    #[arg(long)]
    people: bool,
    /// How much the people post, in messages a minute and chat.
    #[arg(long, default_value_t = 6.0, requires = "people")]
    people_rate: f64,
}

impl Cli {
    /// Reads the command line; the help lists the commands in groups.
    pub fn from_command_line() -> Self {
        let matches = grouped(Self::command()).get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }

    /// Runs the chosen command.
    ///
    /// # Errors
    /// A description that cannot be read, an address that cannot be listened on, a harness that cannot
    /// run to its end, or a promise that the product broke.
    pub async fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Serve(serve) => serve.run().await,
            Command::Crash(args) => report(crash::run(&args), args.stage.run.json, CrashResult::is_clean).await,
            Command::Faults(args) => run_faults(*args).await,
            Command::ClusterFaults(args) => run_cluster_faults(*args).await,
            Command::Cluster(figure) => report(figure.run(), figure.json(), Figure::is_clean).await,
            Command::Run(args) => finish(scenario::run(&args)).await,
            Command::Compare(args) => finish(std::future::ready(scenario::compare_files(&args))).await,
            Command::Plot(args) => report(std::future::ready(plot(&args)), args.json, |_| true).await,
            Command::Load(args) => finish(scenario::load(&args)).await,
            Command::Limits(args) => report(limits::run(&args), args.run.json, LimitsResult::is_clean).await,
            Command::Abuse(args) => report(abuse::run(&args), args.run.json, AbuseResult::is_clean).await,
            Command::Clock(args) => report(clock::run(&args), args.run.json, ClockResult::is_clean).await,
            Command::Isolate(args) => report(isolate::run(&args), args.run.json, IsolateResult::is_clean).await,
            Command::Budget(args) => report(budget::run(&args), args.run.json, BudgetResult::is_clean).await,
            Command::Stop(args) => report(stop::run(&args), args.run.json, StopResult::is_clean).await,
            Command::Recording { args, json } => report(recording::run(&args), json, RecordingResult::is_clean).await,
            Command::Peer(args) => report(peer::run(&args), args.json, PeerResult::is_clean).await,
        }
    }
}

/// Runs one seed, or a series of seeds.
async fn run_faults(mut args: FaultsArgs) -> anyhow::Result<()> {
    if args.commit.is_none() {
        args.commit = Some(slices::commit_of_checkout().await);
    }
    if let Some(seeds) = args.seeds {
        return report(slices::series(&args, seeds), args.json, SeriesReport::is_clean).await;
    }
    let result = unless_ended(faults::run(&args)).await??;
    if let Some(file) = &args.append {
        slices::append_report(file, &result)?;
    }
    show(&result, args.json, result.is_clean())
}

/// Runs one seed of the cluster, or a series of seeds.
async fn run_cluster_faults(mut args: ClusterFaultsArgs) -> anyhow::Result<()> {
    if args.commit.is_none() {
        args.commit = Some(slices::commit_of_checkout().await);
    }
    if let Some(seeds) = args.seeds {
        return report(cluster_series::series(&args, seeds), args.json, ClusterSeries::is_clean).await;
    }
    let result = unless_ended(cluster_run::run(&args)).await??;
    if let Some(file) = &args.append {
        slices::append(file, &result)?;
    }
    show(&result, args.json, result.is_clean())
}

/// Runs `work` to its end, or fails when a signal ends this process. Dropping `work` stops the product that it runs.
async fn unless_ended<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    tokio::select! {
        done = work => Ok(done),
        () = interrupted() => anyhow::bail!("interrupted"),
        _ = terminate.recv() => anyhow::bail!("ended by SIGTERM"),
    }
}

/// Runs a harness to its end, prints its result and fails when the result is not clean.
fn report<R: Serialize + std::fmt::Display>(
    run: impl Future<Output = Result<R, HarnessError>>,
    json: bool,
    is_clean: fn(&R) -> bool,
) -> impl Future<Output = anyhow::Result<()>> {
    let run = Box::pin(run);
    async move {
        let result = unless_ended(run).await??;
        show(&result, json, is_clean(&result))
    }
}

/// Runs a scenario to its end, prints its report and fails when an objective broke.
async fn finish(run: impl Future<Output = Result<Finished, HarnessError>>) -> anyhow::Result<()> {
    let finished = unless_ended(Box::pin(run)).await??;
    show(&finished, finished.as_json, true)?;
    anyhow::ensure!(finished.is_clean(), finished.complaint());
    Ok(())
}

/// Prints a result and fails when the result is not clean.
fn show(result: &(impl Serialize + std::fmt::Display), json: bool, clean: bool) -> anyhow::Result<()> {
    let text = if json { serde_json::to_string(result)? } else { result.to_string() };
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).context("cannot write to stdout")?;
    anyhow::ensure!(clean, "the product broke a promise");
    Ok(())
}

impl Serve {
    async fn run(self) -> anyhow::Result<()> {
        let simulation = Simulation::start(self.simulation()?).await?;
        announce(&simulation).context("cannot write to stdout")?;
        if self.people {
            let world = &simulation.world;
            let spec =
                PeopleSpec { messages_per_minute_per_chat: self.people_rate, ..PeopleSpec::of_world(world.spec()) };
            let script = PeopleScript::new(world.spec().seed, spec);
            drive(world, script, interrupted()).await;
        } else {
            interrupted().await;
        }
        simulation.stop().await;
        Ok(())
    }

    fn simulation(&self) -> anyhow::Result<SimulationSpec> {
        let world = self.world()?;
        Ok(SimulationSpec {
            provider: ProviderSpec {
                seed: world.seed,
                latency: LlmLatency { median: Duration::from_millis(self.llm_latency_ms), sigma: self.llm_sigma },
                mode: if self.echo_marker { Mode::EchoMarker } else { Mode::SmallTalk },
                ..ProviderSpec::default()
            },
            listen: self.listen,
            ..SimulationSpec::of(world)
        })
    }

    fn world(&self) -> anyhow::Result<WorldSpec> {
        let seed = self.seed.unwrap_or(1);
        let mut world = match (&self.spec, self.bots) {
            (Some(file), _) => read_world(file, self.seed)?,
            (None, Some(bots)) => {
                let chats = self.chats.unwrap_or_else(|| bots.div_ceil(10));
                WorldSpec::fleet(seed, bots, chats)
            }
            (None, None) => WorldSpec::demo(seed),
        };
        if let Some(send_latency) = self.send_latency {
            world.send_latency = send_latency.latency();
        }
        Ok(world)
    }
}

/// Waits for Ctrl-C; returns at once when the system cannot report it.
async fn interrupted() {
    if let Err(error) = tokio::signal::ctrl_c().await {
        tracing::error!(%error, "cannot wait for Ctrl-C");
    }
}

fn read_world(file: &Path, seed: Option<u64>) -> anyhow::Result<WorldSpec> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut world: WorldSpec =
        serde_json::from_str(&text).with_context(|| format!("{} does not describe a world", file.display()))?;
    if let Some(seed) = seed {
        world.seed = seed;
    }
    Ok(world)
}

fn announce(simulation: &Simulation) -> std::io::Result<()> {
    let base = simulation.base_url();
    let spec = simulation.world.spec();
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening  {base}")?;
    writeln!(out, "telegram   {base}/bot<token>/<method>")?;
    writeln!(out, "provider   {base}/v1")?;
    writeln!(out, "control    {base}/sim/health")?;
    writeln!(out, "world      {} bots, {} chats", spec.bots.len(), spec.chats.len())?;
    writeln!(out, "tokens     {base}/sim/world (simulated, in spec.bots[].token)")?;
    out.flush()
}
