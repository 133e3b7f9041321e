//! `botfleet why`: explains why a bot spoke, why the others did not, and what was filtered. Layer `cli`.

use std::fmt::Write as _;
use std::io::{Write, stdout};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde_json::Value;

use super::api::Api;

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
    let answer = args.api.get(&path(args)).await?;
    let mut decisions: Vec<&Value> = answer["decisions"].as_array().into_iter().flatten().collect();
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
            let _ = writeln!(text, "{decision}");
            continue;
        }
        if at > 0 {
            text.push('\n');
        }
        for line in decision["explanation"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let _ = writeln!(text, "{line}");
        }
    }
    stdout().lock().write_all(text.as_bytes()).context("stdout cannot be written")?;
    Ok(ExitCode::SUCCESS)
}

fn path(args: &WhyArgs) -> String {
    let path = format!("/api/v1/chats/{}/decisions?turns=true", encoded(&args.chat));
    let text = if args.text { "&text=true" } else { "" };
    match (args.message, args.entry) {
        (Some(message), _) => format!("{path}&message={message}{text}"),
        (None, Some(entry)) => format!("{path}&entry={entry}{text}"),
        (None, None) => format!("{path}&limit={}{text}", args.last.unwrap_or(1)),
    }
}

/// Encodes a segment of a path.
///
/// # Source
/// RFC 3986, 2.1 and 2.3.
fn encoded(segment: &str) -> String {
    let mut path = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            path.push(char::from(byte));
        } else {
            let _ = write!(path, "%{byte:02X}");
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_any_letters_is_one_segment() {
        assert_eq!(encoded("çay/ev 1"), "%C3%A7ay%2Fev%201");
        assert_eq!(encoded("-1001"), "-1001");
    }
}
