//! `botfleet watch`: follows what happens. Layer `cli`.

use std::io::{Write, stdout};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};

use super::api::Api;
use super::messages::line;
use super::output::tell;
use crate::api::events::{StreamFilter, Watch};
use crate::api::route::{Call, Nothing};
use crate::client::{CallError, Received};
use crate::runtime::messages::EntryView;

/// Wait before the stream is opened again after it ended.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Arguments of `botfleet watch`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  botfleet watch                                everything that you may see
  botfleet watch --chat lounge --text           one chat, with the words; the audit tells that you read them
  botfleet watch --json                         one JSON object a line: event, id, data
  botfleet watch --json --after 3:120.44,a:7    from that id on, without a gap")]
pub struct WatchArgs {
    /// Address of the fleet.
    #[command(flatten)]
    pub api: Api,
    /// A chat, by its name in the manifest, its id in the store, or Telegram's id; may be given several times.
    #[arg(long = "chat", value_name = "NAME", allow_hyphen_values = true)]
    pub chats: Vec<String>,
    /// The id of the last event that was seen.
    #[arg(long, value_name = "ID")]
    pub after: Option<String>,
    /// Shows the words of messages too.
    #[arg(long)]
    pub text: bool,
    /// Writes one JSON object a line.
    #[arg(long)]
    pub json: bool,
    /// Ends when the stream ends, instead of opening it again.
    #[arg(long)]
    pub once: bool,
}

/// Follows the stream; opens it again, from the last id on, when it ends.
///
/// # Errors
/// When the fleet refuses, or cannot be reached at first.
pub async fn execute(args: &WatchArgs) -> anyhow::Result<ExitCode> {
    let client = args.api.client()?;
    let chats = (!args.chats.is_empty()).then(|| args.chats.join(","));
    let mut last = args.after.clone();
    let mut opened = false;
    loop {
        let filter = StreamFilter { chats: chats.clone(), after: None, text: args.text };
        let call = Call::<Watch>::new(Nothing {}, filter, Nothing {}).after_event(last.clone());
        match client.follow(call).await {
            Ok(mut stream) => {
                opened = true;
                while let Some(event) = stream.next().await? {
                    last = event.id.clone().or(last);
                    show(args, &event)?;
                }
            }
            // A node that starts again, or is busy, is waited for once the stream was open.
            Err(CallError::Unreachable { .. } | CallError::Unanswered(_)) if opened && !args.once => {}
            Err(CallError::Refused { status, .. }) if opened && !args.once && (status == 429 || status >= 500) => {}
            Err(error) => return Err(error.into()),
        }
        if args.once {
            return Ok(ExitCode::SUCCESS);
        }
        tell("the stream ended; it is opened again\n");
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

fn show(args: &WatchArgs, event: &Received) -> anyhow::Result<()> {
    let line = if args.json { as_json(event)? } else { as_words(event) };
    writeln!(stdout().lock(), "{line}").context("stdout cannot be written")
}

fn as_json(event: &Received) -> anyhow::Result<String> {
    let data: Value = serde_json::from_str(&event.data)?;
    Ok(json!({ "event": event.name, "id": event.id, "data": data }).to_string())
}

/// Tells an event in one line.
fn as_words(event: &Received) -> String {
    let data: Value = serde_json::from_str(&event.data).unwrap_or_default();
    let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
    match event.name.as_str() {
        "entry" => match serde_json::from_str::<EntryView>(&event.data) {
            Ok(entry) => format!("{}  {}", entry.chat, line(&entry)),
            Err(_) => format!("entry  {}", event.data),
        },
        "decision" => {
            let reason = data["reason"].as_str().map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("{}  decision {}  {}{reason}", text("chat"), data["decision"], text("verdict"))
        }
        "typing" => {
            let bots = data["at_work"].as_array().map(Vec::as_slice).unwrap_or_default();
            let told = |bot: &Value| Some(format!("{} {}", bot["bot"].as_str()?, bot["step"].as_str()?));
            let bots: Vec<String> = bots.iter().filter_map(told).collect();
            let bots = if bots.is_empty() { "nobody".to_owned() } else { bots.join(", ") };
            format!("{}  at work: {bots}", text("chat"))
        }
        name => format!("{name}  {}", event.data),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_read_as_lines() {
        let event = |name: &str, data: &str| Received { name: name.to_owned(), id: None, data: data.to_owned() };
        let decision =
            event("decision", r#"{"chat":"lounge","decision":3,"verdict":"silent","reason":"nobody was called"}"#);
        assert_eq!(as_words(&decision), "lounge  decision 3  silent: nobody was called");
        let typing = event("typing", r#"{"chat":"lounge","at_work":[{"bot":"Ada","step":"thinking"}]}"#);
        assert_eq!(as_words(&typing), "lounge  at work: Ada thinking");
        assert_eq!(as_words(&event("typing", r#"{"chat":"lounge","at_work":[]}"#)), "lounge  at work: nobody");
        assert_eq!(as_words(&event("queues", r#"{"inbox":0}"#)), "queues  {\"inbox\":0}");
    }
}
