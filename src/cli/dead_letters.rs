//! `botfleet dead-letters` and `botfleet redeliver`: lists dead letters, and gives one another try. Layer `cli`.

use std::fmt::Write as _;
use std::io::{Write, stdout};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};

use super::api::Api;

/// Arguments of `botfleet dead-letters`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  botfleet dead-letters
  botfleet dead-letters --api 127.0.0.1:9000 --json")]
pub struct DeadLettersArgs {
    /// Address of the fleet.
    #[command(flatten)]
    pub api: Api,
    /// Writes one JSON object a line instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `botfleet redeliver`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  botfleet redeliver turn-123456789
  botfleet redeliver message-123456789 --confirm-duplicate")]
pub struct RedeliverArgs {
    /// Address of the fleet.
    #[command(flatten)]
    pub api: Api,
    /// The dead letter, as `botfleet dead-letters` shows it.
    pub id: String,
    /// Sends a message of unknown fate again, although it may show up twice.
    #[arg(long)]
    pub confirm_duplicate: bool,
}

/// Lists all dead letters.
///
/// # Errors
/// When the fleet does not answer.
pub async fn list(args: &DeadLettersArgs) -> anyhow::Result<ExitCode> {
    let mut letters: Vec<Value> = Vec::new();
    let mut path = "/api/v1/dead-letters".to_owned();
    loop {
        let page = args.api.get(&path).await?;
        letters.extend(page["dead_letters"].as_array().into_iter().flatten().cloned());
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/dead-letters?after={next}");
    }
    let mut text = String::new();
    if args.json {
        for letter in &letters {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{letter}");
        }
    } else {
        let _ = writeln!(text, "{} dead letters", letters.len());
        for letter in &letters {
            let of = |key: &str| letter[key].as_str().unwrap_or("-").to_owned();
            let _ = writeln!(
                text,
                "{:<28} {:<8} {} tries  {} in {}: {}",
                of("id"),
                of("state"),
                letter["attempts"],
                of("bot"),
                of("chat"),
                of("reason")
            );
        }
    }
    stdout().lock().write_all(text.as_bytes()).context("stdout cannot be written")?;
    Ok(ExitCode::SUCCESS)
}

/// Gives a dead letter another try.
///
/// # Errors
/// When no dead letter has that id, its state does not allow another try, or the fleet does not answer.
pub async fn redeliver(args: &RedeliverArgs) -> anyhow::Result<ExitCode> {
    let sound = args.id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    anyhow::ensure!(sound && !args.id.is_empty(), "{:?} names no dead letter", args.id);
    let path = format!("/api/v1/dead-letters/{}/redeliver", args.id);
    let done = args.api.post(&path, &json!({ "confirm_duplicate": args.confirm_duplicate })).await?;
    let state = done["state"].as_str().unwrap_or("done");
    writeln!(stdout().lock(), "{} {state}", args.id).context("stdout cannot be written")?;
    Ok(ExitCode::SUCCESS)
}
