//! `botfleet dead-letters` and `botfleet redeliver`: lists dead letters, and gives one another try. Layer `cli`.

use std::fmt::Write as _;
use std::io::{Write, stdout};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::api::Api;
use crate::api::dead_letters::{LetterOf, List, Page, Redeliver, Redelivery};
use crate::api::route::{Call, Nothing};
use crate::runtime::view::DeadLetterView;

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
    let client = args.api.client()?;
    let mut letters: Vec<DeadLetterView> = Vec::new();
    let mut query = Page::default();
    loop {
        let page = client.call(Call::<List>::new(Nothing {}, query, Nothing {})).await?;
        letters.extend(page.dead_letters);
        let Some(next) = page.next else { break };
        query = Page { after: Some(next), limit: None };
    }
    let mut text = String::new();
    if args.json {
        for letter in &letters {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{}", serde_json::to_string(letter)?);
        }
    } else {
        let _ = writeln!(text, "{} dead letters", letters.len());
        for DeadLetterView { id, state, reason, bot, chat, attempts, .. } in &letters {
            let or = |text: &Option<String>| text.as_deref().unwrap_or("-").to_owned();
            let (bot, chat, reason) = (or(bot), or(chat), or(reason));
            let _ = writeln!(text, "{id:<28} {:<8} {attempts} tries  {bot} in {chat}: {reason}", state.as_str());
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
    let path = LetterOf { id: args.id.clone() };
    let body = Redelivery { confirm_duplicate: args.confirm_duplicate };
    let done = args.api.client()?.call(Call::<Redeliver>::new(path, Nothing {}, body)).await?;
    writeln!(stdout().lock(), "{} {}", done.id, done.state).context("stdout cannot be written")?;
    Ok(ExitCode::SUCCESS)
}
