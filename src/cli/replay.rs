//! `botfleet replay`: runs a recorded chat under another manifest. Layer `cli`.
//!
//! The command reads the store of the settings itself: it neither needs a running fleet nor disturbs one.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::check::table;
use super::inputs::StoreInputs;
use crate::config::manifest::Manifest;
use crate::config::secret::ProcessSecrets;
use crate::runtime::replay::calls::Models;
use crate::runtime::replay::record;
use crate::runtime::replay::report::{BotCount, Differing, Report};
use crate::runtime::replay::run::{Asked, replay};
use crate::runtime::replay::set::Sets;
use crate::runtime::vault::SecretSources;

/// Number of differing decisions that are shown unless all are asked for.
const SHOWN: usize = 20;

/// Billionths in one.
const NANOS: f64 = 1e9;

/// Arguments of `botfleet replay`.
#[derive(Clone, Debug, Args)]
#[command(
    long_about = "Runs the recorded decisions of a chat through the engine again, under another manifest, and tells \
what would differ: who speaks, when, to what, and what the prompts would hold and cost. Nothing is sent, and nothing \
is written.\n\nIt is teacher-forced: the transcript stays as it was recorded, whatever the bots would have said \
instead; ticks stay where they were, and messages on which nothing was decided then are not asked anew. Under the \
manifest that was in force every decision comes out exactly the same.",
    after_help = "\
Examples:
  botfleet replay --chat lounge --with livelier.toml
  botfleet replay --chat lounge --with fleet.toml --store backup.db --json
  botfleet replay --chat lounge --with fleet.toml --call-models --max-calls 5"
)]
pub struct ReplayArgs {
    /// The chat, by its name in the manifest.
    #[arg(long, value_name = "NAME")]
    pub chat: String,
    /// The manifest to try.
    #[arg(long = "with", value_name = "FILE")]
    pub manifest: PathBuf,
    /// The store that is read.
    #[command(flatten)]
    pub inputs: StoreInputs,
    /// The first decision to run again.
    #[arg(long, value_name = "N")]
    pub from: Option<i64>,
    /// The last decision to run again.
    #[arg(long, value_name = "N")]
    pub to: Option<i64>,
    /// Number mixed into every recorded seed: other dice, as the engine might have rolled them.
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub seed: u64,
    /// Asks the manifest's models for the texts of turns that differ; the calls cost money.
    #[arg(long)]
    pub call_models: bool,
    /// Most calls of models.
    #[arg(long, value_name = "N", default_value_t = 20, requires = "call_models")]
    pub max_calls: u32,
    /// Shows every decision that differs, also those that differ in words alone.
    #[arg(long)]
    pub all: bool,
}

/// Runs the command.
///
/// # Errors
/// Faults of settings and manifest, or the reason why the record could not be read.
pub async fn execute(args: &ReplayArgs) -> anyhow::Result<ExitCode> {
    let config = args.inputs.settings.load()?;
    let manifest = Manifest::load(&args.manifest, &SecretSources::of(&config).map_err(anyhow::Error::msg)?)?;
    super::output::tell_warnings(&manifest.warnings);
    let archive = record::open(&config, args.inputs.store.as_deref(), &ProcessSecrets).await?;
    let sets = Sets::of(&archive.recorded_roster().await?, &manifest.plan, &args.chat)?;
    let prices: BTreeMap<_, _> =
        manifest.providers.iter().map(|entry| (entry.name.clone(), entry.settings.clone())).collect();
    let mut models = args.call_models.then(|| Models::of(manifest.providers, args.max_calls)).transpose()?;
    let asked = Asked { from: args.from, to: args.to, seed: args.seed };
    let report = replay(&*archive, &sets, prices, asked, models.as_mut()).await?;
    let text = if args.inputs.settings.json {
        format!("{:#}\n", serde_json::to_value(&report)?)
    } else {
        as_text(&report, args.all)
    };
    stdout().lock().write_all(text.as_bytes()).context("stdout cannot be written")?;
    Ok(ExitCode::SUCCESS)
}

fn as_text(report: &Report, all: bool) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "Chat {:?}: {} decisions, {} made again.", report.chat, report.decisions, report.replayed);
    let deeds = report.differing.iter().filter(|differing| differing.is_of_deeds()).count();
    let _ = writeln!(
        text,
        "{} came out exactly the same, {deeds} differ in who does what and when, {} in words alone.",
        report.same,
        report.differing.len() - deeds
    );
    for (why, count) in &report.not_replayed {
        let _ = writeln!(text, "{count} could not be made again: {why}.");
    }
    if report.with_forgotten > 0 {
        let count = report.with_forgotten;
        let _ = writeln!(text, "{count} saw messages that have been forgotten since, and may differ for that alone.");
    }
    text.push_str("The transcript stays as it was recorded (teacher-forced); nothing was sent.\n");
    if !report.aspects.is_empty() {
        let aspects =
            report.aspects.iter().map(|(aspect, count)| format!("{} {count}", format!("{aspect:?}").to_lowercase()));
        let _ = writeln!(text, "Differences: {}.", aspects.collect::<Vec<_>>().join(", "));
    }
    text.push('\n');
    let rows = report.bots.iter().map(|(name, count)| row(name, count)).chain([row("together", &report.total)]);
    let heads = ["name", "acts", "then", "prompt tokens", "then", "cost", "then"];
    text.push_str(&table("Bots", &heads, &rows.collect::<Vec<_>>()));
    if report.calls > 0 {
        let _ = writeln!(text, "{} calls of models were made.\n", report.calls);
    }
    let shown: Vec<&Differing> = report.differing.iter().filter(|differing| all || differing.is_of_deeds()).collect();
    let most = if all { shown.len() } else { SHOWN };
    for differing in shown.iter().take(most) {
        let about = differing.entry.map_or_else(|| "a tick".to_owned(), |entry| format!("entry {entry}"));
        let _ = writeln!(text, "Decision {} on {about}:", differing.decision);
        let _ = writeln!(text, "  recorded: {}", differing.recorded);
        let _ = writeln!(text, "  replayed: {}", differing.replayed);
        if all {
            for difference in &differing.differences {
                let aspect = format!("{:?}", difference.aspect).to_lowercase();
                let _ = writeln!(text, "    {aspect}: {} -> {}", difference.recorded, difference.replayed);
            }
        }
        for new in &differing.texts {
            let said = new.text.as_deref().or(new.error.as_deref()).unwrap_or_default().replace('\n', " ");
            let _ = writeln!(text, "  {}: {said}", new.bot);
        }
    }
    if shown.len() > most {
        let _ = writeln!(text, "{} more; --all shows them.", shown.len() - most);
    }
    text
}

fn row(name: &str, count: &BotCount) -> Vec<String> {
    let money = |nanos: i64| format!("{:.4}", nanos as f64 / NANOS);
    let BotCount { acts, spent } = count;
    vec![
        name.to_owned(),
        acts.before.to_string(),
        acts.after.to_string(),
        spent.before.prompt_tokens.to_string(),
        spent.after.prompt_tokens.to_string(),
        money(spent.before.nanos),
        money(spent.after.nanos),
    ]
}
