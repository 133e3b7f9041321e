//! Defines the command lines of `run` and of its alias `load`. Layer: harness.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use toml::Table;

use super::compare::{self, Comparison};
use super::ground::Under;
use super::html;
use super::perform::perform;
use super::ramp::ramp;
use super::reading::read;
use super::report::Report;
use super::scenario::{
    Arrivals, LlmPart, LoadScenario, LoopKind, Phase, PolicyPart, ProductPart, SendSpeed, Spacing, WorldPart,
};
use crate::harness::args::{LlmArgs, SendLatency, StageArgs, product};
use crate::harness::error::HarnessError;

/// The command-line arguments of `run`.
#[derive(Debug, Clone, Args)]
pub struct RunScenarioArgs {
    /// The scenario, such as loadtest/scenarios/steady-50.toml.
    #[arg(value_name = "SCENARIO.toml")]
    pub scenario: PathBuf,
    /// Lays a key over the scenario, as in --set 'world.bots = 2000'; may be given again.
    #[arg(long, value_name = "KEY = VALUE")]
    pub set: Vec<String>,
    /// The product's program; without it, the one beside this program or under target.
    #[arg(long, value_name = "PATH")]
    pub binary: Option<PathBuf>,
    /// The seed of every random draw, in place of the scenario's.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Shortens or lengthens the measurement: each phase takes its share of so many seconds.
    #[arg(long)]
    pub seconds: Option<f64>,
    /// The folder of the run, which is kept; without it, a temporary one that is removed after a clean run.
    #[arg(long, value_name = "PATH")]
    pub dir: Option<PathBuf>,
    /// The product's log level; the log is product.log in the folder.
    #[arg(long, default_value = "warn", value_name = "LEVEL")]
    pub product_log: String,
    /// Writes the report as JSON; `-` prints it in place of the table.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Writes the report as one HTML file that needs no other.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Compares with the JSON of an earlier run; exit code 1 when a figure is worse by more than the margin.
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// The share by which a figure may become worse, in per cent; without it, the scenario's.
    #[arg(long, value_name = "PERCENT", requires = "baseline")]
    pub margin: Option<f64>,
}

/// The command-line arguments of `compare`.
#[derive(Debug, Clone, Args)]
pub struct CompareArgs {
    /// The JSON of the earlier run.
    #[arg(value_name = "BASELINE.json")]
    pub baseline: PathBuf,
    /// The JSON of the run to judge.
    #[arg(value_name = "RUN.json")]
    pub run: PathBuf,
    /// The share by which a figure may become worse, in per cent; without it, that of the run's scenario.
    #[arg(long, value_name = "PERCENT")]
    pub margin: Option<f64>,
    /// Writes the report of the run, with the comparison, as one HTML file.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Prints one JSON object instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// A finished run, its comparison, and how to print both.
#[derive(Debug, Serialize)]
pub struct Finished {
    /// The report.
    #[serde(flatten)]
    pub report: Report,
    /// The comparison with an earlier run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    /// True if the report is printed as JSON.
    #[serde(skip)]
    pub as_json: bool,
}

impl Finished {
    /// Returns whether every promise and objective was kept, and no figure became worse.
    pub fn is_clean(&self) -> bool {
        self.report.is_clean() && self.comparison.as_ref().is_none_or(|one| one.regressions().is_empty())
    }

    /// Says in one line what was not kept; empty after a clean run.
    pub fn complaint(&self) -> String {
        let report = &self.report;
        let mut complaints = Vec::new();
        let broken = report.objectives.iter().filter(|judged| !judged.kept);
        let broken: Vec<String> = broken.map(|judged| judged.objective.to_string()).collect();
        if !broken.is_empty() {
            complaints.push(format!("objectives broken: {}", broken.join(", ")));
        }
        if !report.at_rest {
            complaints.push("the fleet did not come to rest".to_owned());
        }
        if !report.checker.is_clean() || report.checker.breaches.unknown > 0 {
            complaints.push("the checker found breaches".to_owned());
        }
        let worse = self.comparison.as_ref().map(Comparison::regressions).unwrap_or_default();
        if !worse.is_empty() {
            complaints.push(format!("worse than the baseline: {}", worse.join(", ")));
        }
        complaints.join("; ")
    }
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.report.fmt(f)?;
        self.comparison.as_ref().map_or(Ok(()), |comparison| write!(f, "\n\n{comparison}"))
    }
}

/// Runs a scenario from its file.
///
/// # Errors
/// The scenario cannot be read, or the run could not be completed.
pub async fn run(args: &RunScenarioArgs) -> Result<Finished, HarnessError> {
    let mut scenario = read(&args.scenario, &args.set)?;
    scenario.seed = args.seed.unwrap_or(scenario.seed);
    if let Some(seconds) = args.seconds {
        stretch(&mut scenario, seconds);
    }
    let baseline = args.baseline.as_deref().map(compare::read).transpose()?;
    let under =
        Under { binary: product(args.binary.as_ref())?, dir: args.dir.clone(), product_log: args.product_log.clone() };
    let report = run_one(&scenario, &under).await?;
    let margin = args.margin.map_or(scenario.margin, |percent| percent / 100.0);
    let comparison = baseline.map(|baseline| compare::compare(&baseline, &report, margin)).transpose()?;
    let as_json = args.json.as_ref().is_some_and(|path| path.as_os_str() == "-");
    let finished = Finished { report, comparison, as_json };
    if let Some(path) = args.json.as_ref().filter(|_| !as_json) {
        let text = serde_json::to_string_pretty(&finished).map_err(|error| HarnessError::file(path)(error.into()))?;
        std::fs::write(path, text).map_err(HarnessError::file(path))?;
    }
    write_page(&finished, args.html.as_deref())?;
    Ok(finished)
}

/// Compares two reports that were written before.
///
/// # Errors
/// A file is no report, both are the same run, or the page cannot be written.
pub fn compare_files(args: &CompareArgs) -> Result<Finished, HarnessError> {
    let (baseline, report) = (compare::read(&args.baseline)?, compare::read(&args.run)?);
    let margin = args.margin.map_or(report.scenario.margin, |percent| percent / 100.0);
    let comparison = Some(compare::compare(&baseline, &report, margin)?);
    let finished = Finished { report, comparison, as_json: args.json };
    write_page(&finished, args.html.as_deref())?;
    Ok(finished)
}

fn write_page(finished: &Finished, file: Option<&Path>) -> Result<(), HarnessError> {
    let Some(path) = file else { return Ok(()) };
    let unfit = |error| HarnessError::file(path)(std::io::Error::other(error));
    let page = html::page(&finished.report, finished.comparison.as_ref()).map_err(unfit)?;
    std::fs::write(path, page).map_err(HarnessError::file(path))
}

async fn run_one(scenario: &LoadScenario, under: &Under) -> Result<Report, HarnessError> {
    if scenario.arrivals.shape == LoopKind::Ramp { ramp(scenario, under).await } else { perform(scenario, under).await }
}

/// Gives the measurement another length; the phases keep their shares of it.
fn stretch(scenario: &mut LoadScenario, seconds: f64) {
    let factor = seconds.max(1.0) / scenario.measured_seconds().max(f64::MIN_POSITIVE);
    scenario.arrivals.phases.iter_mut().for_each(|phase| phase.seconds *= factor);
    if let Some(seconds) = &mut scenario.arrivals.seconds {
        *seconds *= factor;
    }
}

/// The command-line arguments of `load`: a scenario by flags, for comparisons of one setting at a time.
#[derive(Debug, Clone, Args)]
#[command(group = clap::ArgGroup::new("shape").required(true))]
pub struct LoadArgs {
    /// World and product.
    #[command(flatten)]
    pub stage: StageArgs,
    /// The LLM.
    #[command(flatten)]
    pub llm: LlmArgs,
    /// The number of nodes on PostgreSQL and Redis; without it, one node on SQLite.
    #[arg(long)]
    pub nodes: Option<usize>,
    /// Messages of people a second, over all chats, sent without waiting for answers.
    #[arg(long, group = "shape")]
    pub rate: Option<f64>,
    /// Messages that still miss answers at any time, over all chats.
    #[arg(long, group = "shape")]
    pub closed: Option<usize>,
    /// How many seconds are measured.
    #[arg(long, default_value_t = 15.0)]
    pub seconds: f64,
    /// Seconds of traffic before the measurement.
    #[arg(long, default_value_t = 3.0)]
    pub warmup: f64,
    /// How many seconds the fleet may take to come to rest at the end.
    #[arg(long, default_value_t = 60)]
    pub settle_seconds: u64,
}

/// Runs the scenario that the flags describe.
///
/// # Errors
/// The run could not be completed.
pub async fn load(args: &LoadArgs) -> Result<Finished, HarnessError> {
    let run = &args.stage.run;
    let under = Under { binary: run.product()?, dir: run.dir.clone(), product_log: run.product_log.clone() };
    let report = perform(&of_flags(args), &under).await?;
    Ok(Finished { report, comparison: None, as_json: run.json })
}

/// Returns the scenario that the flags of `load` describe.
fn of_flags(args: &LoadArgs) -> LoadScenario {
    let (shape, phases) = match args.rate {
        Some(rate) => (LoopKind::Open, vec![Phase { rate, seconds: args.seconds }]),
        None => (LoopKind::Closed, Vec::new()),
    };
    LoadScenario {
        name: "load".to_owned(),
        about: "One rate or one number of outstanding messages, by flags.".to_owned(),
        seed: args.stage.run.seed,
        warmup_seconds: args.warmup,
        settle_seconds: args.settle_seconds,
        margin: 0.1,
        world: WorldPart {
            bots: args.stage.bots,
            chats: args.stage.chats,
            send_latency: match args.stage.send_latency {
                SendLatency::Zero => SendSpeed::Zero,
                SendLatency::Realistic => SendSpeed::Realistic,
            },
        },
        llm: LlmPart { median_ms: args.llm.llm_latency_ms, sigma: args.llm.llm_sigma },
        product: ProductPart {
            policy: PolicyPart::Every,
            nodes: args.nodes,
            synchronous: args.stage.run.synchronous,
            defaults: Table::new(),
            settings: Table::new(),
        },
        arrivals: Arrivals {
            shape,
            phases,
            spacing: Spacing::Even,
            calls: 0.0,
            outstanding: args.closed,
            seconds: (shape == LoopKind::Closed).then_some(args.seconds),
            from: None,
            factor: None,
            most: None,
        },
        objectives: std::collections::BTreeMap::new(),
    }
}
