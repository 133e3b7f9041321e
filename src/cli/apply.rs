//! `botfleet apply`: gives the running fleet another manifest. Layer `cli`. Keeps I10, I12.
//!
//! The command reads and checks the manifest. It sends bots and chats to the fleet, never tokens. Providers, budgets
//! and settings belong to each node and change when the node restarts.

use std::fmt::Write as _;
use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::api::Api;
use crate::api::roster::{Manner, Replace, RosterBody};
use crate::api::route::{Call, Nothing};
use crate::cli::inputs::Inputs;
use crate::config::manifest::Manifest;
use crate::runtime::cluster_orders::AppliedRoster;
use crate::runtime::roster_diff::Changes;
use crate::runtime::vault::SecretSources;

/// Arguments of `botfleet apply`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  botfleet apply --manifest fleet.toml --dry-run   tell what would change
  botfleet apply --manifest fleet.toml             change it, on every node, within a second")]
pub struct ApplyArgs {
    /// Address of the fleet.
    #[command(flatten)]
    pub api: Api,
    /// The manifest: bots, personas and chats.
    #[arg(long, value_name = "FILE", default_value = "config/fleet.toml")]
    pub manifest: PathBuf,
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
    let settings = Inputs::settings_alone(None, None).unwrap_or_default();
    let manifest = Manifest::load(&args.manifest, &SecretSources::of(&settings).map_err(anyhow::Error::msg)?)?;
    super::output::tell_warnings(&manifest.warnings);
    let query = Manner { dry_run: args.dry_run };
    let call = Call::<Replace>::new(Nothing {}, query, RosterBody(manifest.plan));
    let applied = args.api.client()?.call(call).await?;
    let text = if args.json { format!("{:#}\n", serde_json::to_value(&applied)?) } else { shown(&applied) };
    stdout().lock().write_all(text.as_bytes()).context("stdout cannot be written")?;
    Ok(ExitCode::SUCCESS)
}

/// Formats one line for each change, and a last line that counts the changes.
fn shown(applied: &AppliedRoster) -> String {
    let mut text = String::new();
    let mut count = 0;
    let diff = &applied.diff;
    for (one, Changes { added, changed, left_out }) in
        [("bot", &diff.bots), ("chat", &diff.chats), ("persona", &diff.personas)]
    {
        count += added.len() + changed.len() + left_out.len();
        for name in added {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "+ {one} {name}");
        }
        for changed in changed {
            let _ = writeln!(text, "~ {one} {}: {}", changed.name, changed.keys.join(", "));
        }
        for name in left_out {
            let _ = writeln!(text, "- {one} {name}");
        }
    }
    let seq = applied.config_seq;
    let _ = match (count, applied.dry_run) {
        (0, _) => writeln!(text, "Nothing changes; configuration {seq} stays in force."),
        (_, true) => writeln!(text, "{count} changes; nothing was done, configuration {seq} stays in force."),
        (_, false) => writeln!(text, "{count} changes; configuration {seq} is in force."),
    };
    text
}

#[cfg(test)]
mod tests {
    use botfleet_actors::domain::ids::ConfigSeq;
    use serde_json::json;

    use super::*;
    use crate::runtime::roster_diff::RosterDiff;

    #[test]
    fn a_difference_reads_as_one_line_for_each_change() {
        let applied = json!({
            "dry_run": true,
            "config_seq": 4,
            "bots": { "added": ["Deniz"], "changed": [{ "name": "Ada", "keys": ["persona"] }], "left_out": ["Cem"] },
            "chats": { "added": [], "changed": [], "left_out": [] },
            "personas": { "added": [], "changed": [{ "name": "ada", "keys": ["style", "voice"] }], "left_out": [] },
        });
        assert_eq!(
            shown(&serde_json::from_value(applied).unwrap()),
            "+ bot Deniz\n~ bot Ada: persona\n- bot Cem\n~ persona ada: style, voice\n\
             4 changes; nothing was done, configuration 4 stays in force.\n"
        );
        let nothing = AppliedRoster { dry_run: false, config_seq: ConfigSeq(4), diff: RosterDiff::default() };
        assert_eq!(shown(&nothing), "Nothing changes; configuration 4 stays in force.\n");
    }
}
