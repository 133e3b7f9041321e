//! `botfleet style`: shows how differently the personas of the running fleet write. Layer `cli`.

use std::fmt::Write as _;
use std::io::{Write, stdout};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde_json::Value;

use super::api::Api;
use super::check::table;

/// Arguments of `botfleet style`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  botfleet style             the pairs of bots that sound most alike
  botfleet style --pairs 3
  botfleet style --json

A distance is 0 for the same hand and 1 for nothing in common; below 0.15 people mix the two up.")]
pub struct StyleArgs {
    /// Address of the fleet.
    #[command(flatten)]
    pub api: Api,
    /// Number of pairs shown, up to 50.
    #[arg(long, default_value_t = 10)]
    pub pairs: usize,
    /// Writes one JSON object instead of tables.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
///
/// # Errors
/// When the fleet does not answer.
pub async fn execute(args: &StyleArgs) -> anyhow::Result<ExitCode> {
    let style = args.api.get("/api/v1/style").await?;
    let text = if args.json { format!("{style}\n") } else { shown(&style, args.pairs) };
    let mut out = stdout().lock();
    out.write_all(text.as_bytes()).context("stdout cannot be written")?;
    out.flush().context("stdout cannot be written")?;
    Ok(ExitCode::SUCCESS)
}

fn shown(style: &Value, pairs: usize) -> String {
    let list = |key: &str| style[key].as_array().cloned().unwrap_or_default();
    let of = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let figure = |value: &Value| value.as_f64().map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
    let pair = |pair: &Value| vec![of(&pair["one"]), of(&pair["other"]), figure(&pair["distance"])];
    let nearest: Vec<Vec<String>> = list("nearest").iter().take(pairs).map(pair).collect();
    let bot = |bot: &Value| {
        let letters = bot["letters"].as_f64().map_or_else(|| "-".to_owned(), |letters| format!("{letters:.0}"));
        vec![of(&bot["name"]), bot["messages"].to_string(), letters, figure(&bot["nearest"])]
    };
    let bots: Vec<Vec<String>> = list("bots").iter().map(bot).collect();
    let mut text = table("Nearest pairs", &["one", "other", "distance"], &nearest);
    text.push_str(&table("Bots", &["bot", "messages", "letters", "nearest"], &bots));
    let _ = writeln!(
        text,
        "Mean distance {}; not measured: {} (a hand is told by {} messages)",
        figure(&style["mean_distance"]),
        style["not_measured"],
        style["messages_min"]
    );
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn styles_read_as_a_table_of_pairs_and_one_of_bots() {
        let style = json!({
            "bots": [{ "name": "Ada", "messages": 40, "letters": 61.4, "nearest": 0.12 },
                     { "name": "Deniz", "messages": 7, "letters": 12.0, "nearest": null }],
            "nearest": [{ "one": "Ada", "other": "Deniz", "distance": 0.1234 },
                        { "one": "Ada", "other": "Tom", "distance": 0.5 }],
            "not_measured": 3, "messages_min": 5, "mean_distance": 0.31,
        });
        let text = shown(&style, 1);
        assert!(text.contains("Ada") && text.contains("0.12") && !text.contains("Tom"), "{text}");
        assert!(text.contains("Mean distance 0.31; not measured: 3 (a hand is told by 5 messages)"), "{text}");
    }
}
