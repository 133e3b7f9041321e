//! `botfleet apply`: gives the running fleet another manifest, or an earlier configuration. Layer `cli`. Keeps I10, I12.
//!
//! The command reads and checks the manifest. It sends the manifest's things with `[defaults]` in their places, never tokens or
//! keys. Settings belong to each node and change when the node restarts.

use std::fmt::Write as _;
use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::api::{Api, plain};
use crate::api::config::{ConfigBack, Get, GoBack};
use crate::api::roster::{AppliedRoster, ManifestBody, Manner, Replace};
use crate::api::route::{Call, Nothing};
use crate::cli::inputs::Inputs;
use crate::config::manifest::Manifest;
use crate::runtime::vault::SecretSources;

/// Arguments of `botfleet apply`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  botfleet apply --manifest fleet.toml --dry-run   tell what would change
  botfleet apply --manifest fleet.toml             change it, on every node, within a second
  botfleet apply --to 40                           as it was under number 40 (botfleet config list)")]
pub struct ApplyArgs {
    /// Address of the fleet.
    #[command(flatten)]
    pub api: Api,
    /// The manifest: bots, personas, chats, providers and budgets.
    #[arg(long, value_name = "FILE", default_value = "config/fleet.toml")]
    pub manifest: PathBuf,
    /// Goes back to the configuration of an earlier number, without a manifest.
    #[arg(long, value_name = "NUMBER", conflicts_with = "manifest")]
    pub to: Option<i64>,
    /// The number of the configuration that the difference was looked at of; another one in force refuses the change.
    #[arg(long, value_name = "NUMBER")]
    pub on: Option<i64>,
    /// Changes nothing, only tells what would change.
    #[arg(long)]
    pub dry_run: bool,
    /// Writes the answer as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
///
/// # Errors
/// The faults of the manifest, or the fleet's reason for refusing it.
pub async fn execute(args: &ApplyArgs) -> anyhow::Result<ExitCode> {
    let applied = match args.to {
        Some(number) => {
            let query = Manner { dry_run: args.dry_run, on: args.on };
            args.api.client()?.call(Call::<GoBack>::new(Nothing {}, query, ConfigBack { number })).await?
        }
        None => apply(args).await?,
    };
    for warning in &applied.warnings {
        super::output::tell(&format!("warning: {warning}\n"));
    }
    let text = if args.json { format!("{:#}\n", serde_json::to_value(&applied)?) } else { shown(&applied) };
    stdout().lock().write_all(text.as_bytes()).context("stdout cannot be written")?;
    Ok(ExitCode::SUCCESS)
}

async fn apply(args: &ApplyArgs) -> anyhow::Result<AppliedRoster> {
    let settings = Inputs::settings_alone(None, None).unwrap_or_default();
    let manifest = Manifest::load(&args.manifest, &SecretSources::of(&settings).map_err(anyhow::Error::msg)?)?;
    super::output::tell_warnings(&manifest.warnings);
    let client = args.api.client()?;
    // Whoever changes something between this look and the change is not overwritten.
    let on = match args.on {
        Some(on) => on,
        None => client.call(plain::<Get>()).await?.number,
    };
    let query = Manner { dry_run: args.dry_run, on: Some(on) };
    let things = manifest.declared.iter().map(Into::into).collect();
    let body = ManifestBody { source: manifest.source, things };
    Ok(client.call(Call::<Replace>::new(Nothing {}, query, body)).await?)
}

/// Formats one line for each change, and a last line that counts the changes.
pub(super) fn shown(applied: &AppliedRoster) -> String {
    let lines = applied.diff.lines();
    let mut text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
    let (count, seq) = (lines.len(), applied.config_seq);
    // Writing to a String cannot fail.
    let _ = match (count, applied.dry_run) {
        (0, _) => writeln!(text, "Nothing changes; configuration {seq} stays in force."),
        (_, true) => writeln!(text, "{count} changes; nothing was done, configuration {seq} stays in force."),
        (_, false) => writeln!(text, "{count} changes; configuration {seq} is in force."),
    };
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    #[test]
    fn a_difference_reads_as_one_line_for_each_change() {
        let applied = json!({
            "dry_run": true,
            "config_seq": 4,
            "bots": { "added": ["Deniz"], "changed": [{ "name": "Ada", "keys": ["persona"] }], "left_out": ["Cem"] },
            "personas": { "added": [], "changed": [{ "name": "ada", "keys": ["style", "voice"] }], "left_out": [] },
        });
        assert_eq!(
            shown(&serde_json::from_value(applied).unwrap()),
            "~ persona ada: style, voice\n+ bot Deniz\n~ bot Ada: persona\n- bot Cem\n\
             4 changes; nothing was done, configuration 4 stays in force.\n"
        );
        let nothing = json!({ "dry_run": false, "config_seq": 4 });
        let nothing = serde_json::from_value(nothing).unwrap();
        assert_eq!(shown(&nothing), "Nothing changes; configuration 4 stays in force.\n");
    }
}
