//! `botfleet style`: shows how differently the personas of the running fleet write. Layer `cli`.

use std::fmt::Write as _;
use std::io::{Write, stdout};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::api::{Api, plain};
use super::check::table;
use crate::api::style::Get;
use crate::runtime::style::{StyleOfBot, StylePair, StyleView};

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
    let style = args.api.client()?.call(plain::<Get>()).await?;
    let text = if args.json { format!("{}\n", serde_json::to_string(&style)?) } else { shown(&style, args.pairs) };
    let mut out = stdout().lock();
    out.write_all(text.as_bytes()).context("stdout cannot be written")?;
    out.flush().context("stdout cannot be written")?;
    Ok(ExitCode::SUCCESS)
}

fn shown(style: &StyleView, pairs: usize) -> String {
    let figure = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
    let pair = |pair: &StylePair| vec![pair.one.clone(), pair.other.clone(), figure(Some(pair.distance))];
    let nearest: Vec<Vec<String>> = style.nearest.iter().take(pairs).map(pair).collect();
    let bot = |bot: &StyleOfBot| {
        vec![bot.name.clone(), bot.messages.to_string(), format!("{:.0}", bot.letters), figure(bot.nearest)]
    };
    let bots: Vec<Vec<String>> = style.bots.iter().map(bot).collect();
    let mut text = table("Nearest pairs", &["one", "other", "distance"], &nearest);
    text.push_str(&table("Bots", &["bot", "messages", "letters", "nearest"], &bots));
    let _ = writeln!(
        text,
        "Mean distance {}; not measured: {} (a hand is told by {} messages)",
        figure(style.mean_distance),
        style.not_measured,
        style.messages_min
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
        let text = shown(&serde_json::from_value(style).unwrap(), 1);
        assert!(text.contains("Ada") && text.contains("0.12") && !text.contains("Tom"), "{text}");
        assert!(text.contains("Mean distance 0.31; not measured: 3 (a hand is told by 5 messages)"), "{text}");
    }
}
