//! `botfleet why`: explains why a bot spoke, why the others did not, and what was filtered. Layer `cli`.

use std::fmt::Write as _;
use std::io::{Write, stdout};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::api::Api;
use crate::api::chats::{ChatCalled, DecisionFilter, Decisions};
use crate::api::route::{Call, Nothing};

/// Arguments of `botfleet why`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  botfleet why --chat lounge                       the last decision
  botfleet why --chat lounge --message 4711        what was decided on a message of Telegram's
  botfleet why --chat lounge --last 5 --text       with the beginnings of the messages")]
pub struct WhyArgs {
    /// Address of the fleet.
    #[command(flatten)]
    pub api: Api,
    /// The chat, by its name in the manifest, its id in the store, or Telegram's id.
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    pub chat: String,
    /// Telegram's id of the message.
    #[arg(long, value_name = "ID", conflicts_with_all = ["entry", "last"])]
    pub message: Option<i64>,
    /// The entry of the transcript.
    #[arg(long, value_name = "N", conflicts_with = "last")]
    pub entry: Option<i64>,
    /// Number of latest decisions.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=200))]
    pub last: Option<u64>,
    /// Shows the first 80 characters of the messages too.
    #[arg(long)]
    pub text: bool,
    /// Writes one JSON object a line: the whole record, with its turns.
    #[arg(long)]
    pub json: bool,
}

/// Explains decisions, the oldest first.
///
/// # Errors
/// When the chat or message is unknown, nothing was decided on it, or the fleet does not answer.
pub async fn execute(args: &WhyArgs) -> anyhow::Result<ExitCode> {
    let path = ChatCalled { chat: args.chat.clone() };
    let call = Call::<Decisions>::new(path, filter(args), Nothing {});
    let mut decisions = args.api.client()?.call(call).await?.decisions;
    decisions.reverse();
    if decisions.is_empty() {
        let about = match (args.message, args.entry) {
            (Some(message), _) => format!("message {message}"),
            (_, Some(entry)) => format!("entry {entry}"),
            _ => format!("chat {:?}", args.chat),
        };
        let hint = "edits, reactions and copies ask for no decision";
        anyhow::bail!("nothing was decided on {about} ({hint})");
    }
    let mut text = String::new();
    for (at, decision) in decisions.iter().enumerate() {
        // Writing to a String cannot fail.
        if args.json {
            let _ = writeln!(text, "{}", serde_json::to_string(decision)?);
            continue;
        }
        if at > 0 {
            text.push('\n');
        }
        for line in &decision.explanation {
            let _ = writeln!(text, "{line}");
        }
    }
    stdout().lock().write_all(text.as_bytes()).context("stdout cannot be written")?;
    Ok(ExitCode::SUCCESS)
}

fn filter(args: &WhyArgs) -> DecisionFilter {
    let about_one = args.message.is_some() || args.entry.is_some();
    let last = args.last.and_then(|last| usize::try_from(last).ok());
    DecisionFilter {
        entry: args.entry,
        message: args.message,
        limit: if about_one { None } else { Some(last.unwrap_or(1)) },
        turns: true,
        text: args.text,
        ..DecisionFilter::default()
    }
}
