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
use serde_json::Value;

use super::api::Api;
use crate::config::manifest::Manifest;
use crate::config::secret::ProcessSecrets;

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
    let manifest = Manifest::load(&args.manifest, &ProcessSecrets)?;
    super::output::tell_warnings(&manifest.warnings);
    let path = if args.dry_run { "/api/v1/roster?dry_run=true" } else { "/api/v1/roster" };
    let answer = args.api.put(path, &serde_json::to_value(&manifest.plan)?).await?;
    let text = if args.json { format!("{answer:#}\n") } else { shown(&answer) };
    stdout().lock().write_all(text.as_bytes()).context("stdout cannot be written")?;
    Ok(ExitCode::SUCCESS)
}

/// Formats one line for each change, and a last line that counts the changes.
fn shown(answer: &Value) -> String {
    let mut text = String::new();
    let mut changes = 0;
    for kind in ["bots", "chats", "personas"] {
        let one = kind.trim_end_matches('s');
        let of = |key: &str| answer[kind][key].as_array().into_iter().flatten();
        for name in of("added").filter_map(Value::as_str) {
            changes += 1;
            // Writing to a String cannot fail.
            let _ = writeln!(text, "+ {one} {name}");
        }
        for changed in of("changed") {
            changes += 1;
            let keys: Vec<&str> = changed["keys"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let _ = writeln!(text, "~ {one} {}: {}", changed["name"].as_str().unwrap_or("-"), keys.join(", "));
        }
        for name in of("left_out").filter_map(Value::as_str) {
            changes += 1;
            let _ = writeln!(text, "- {one} {name}");
        }
    }
    let seq = &answer["config_seq"];
    let _ = match (changes, answer["dry_run"].as_bool().unwrap_or(false)) {
        (0, _) => writeln!(text, "Nothing changes; configuration {seq} stays in force."),
        (_, true) => writeln!(text, "{changes} changes; nothing was done, configuration {seq} stays in force."),
        (_, false) => writeln!(text, "{changes} changes; configuration {seq} is in force."),
    };
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_difference_reads_as_one_line_for_each_change() {
        let answer = json!({
            "dry_run": true,
            "config_seq": 4,
            "bots": { "added": ["Deniz"], "changed": [{ "name": "Ada", "keys": ["persona"] }], "left_out": ["Cem"] },
            "chats": { "added": [], "changed": [], "left_out": [] },
            "personas": { "added": [], "changed": [{ "name": "ada", "keys": ["style", "voice"] }], "left_out": [] },
        });
        assert_eq!(
            shown(&answer),
            "+ bot Deniz\n~ bot Ada: persona\n- bot Cem\n~ persona ada: style, voice\n\
             4 changes; nothing was done, configuration 4 stays in force.\n"
        );
        assert_eq!(shown(&json!({ "config_seq": 4 })), "Nothing changes; configuration 4 stays in force.\n");
    }
}
