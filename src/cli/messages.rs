//! `botfleet messages`: lists what was said in a chat, or shows one message with its why. Layer `cli`.

use std::fmt::Write as _;
use std::io::{Write, stdout};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::api::Api;
use crate::api::chats::ChatCalled;
use crate::api::messages::{EntryNumbered, Get, List, MessageDetail, MessageFilter};
use crate::api::route::{Call, Nothing};
use crate::runtime::messages::{EntryView, MessageWhy};

/// Arguments of `botfleet messages`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  botfleet messages --chat lounge                  the last 20 messages, oldest first
  botfleet messages --chat lounge --text           with their words; the audit tells that you read them
  botfleet messages --chat lounge --before 480     the 20 before entry 480
  botfleet messages --chat lounge --entry 480      one message, and why it is there")]
pub struct MessagesArgs {
    /// Address of the fleet.
    #[command(flatten)]
    pub api: Api,
    /// The chat, by its name in the manifest, its id in the store, or Telegram's id.
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    pub chat: String,
    /// The entry of the transcript to show with its why.
    #[arg(long, value_name = "N", conflicts_with_all = ["before", "after", "last"])]
    pub entry: Option<i64>,
    /// Only entries before this one.
    #[arg(long, value_name = "N", conflicts_with = "after")]
    pub before: Option<i64>,
    /// Only entries after this one.
    #[arg(long, value_name = "N")]
    pub after: Option<i64>,
    /// Number of entries.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=200))]
    pub last: u64,
    /// Shows the words too.
    #[arg(long)]
    pub text: bool,
    /// Writes one JSON object a line.
    #[arg(long)]
    pub json: bool,
}

/// Lists entries, the oldest first, or shows one.
///
/// # Errors
/// When the chat or the entry is unknown, or the fleet does not answer.
pub async fn execute(args: &MessagesArgs) -> anyhow::Result<ExitCode> {
    let text = match args.entry {
        Some(number) => one(args, number).await?,
        None => page(args).await?,
    };
    stdout().lock().write_all(text.as_bytes()).context("stdout cannot be written")?;
    Ok(ExitCode::SUCCESS)
}

async fn page(args: &MessagesArgs) -> anyhow::Result<String> {
    let path = ChatCalled { chat: args.chat.clone() };
    let limit = usize::try_from(args.last).ok();
    let filter = MessageFilter { before: args.before, after: args.after, limit, text: args.text };
    let mut entries = args.api.client()?.call(Call::<List>::new(path, filter, Nothing {})).await?.entries;
    if args.after.is_none() {
        entries.reverse();
    }
    let mut text = String::new();
    for entry in &entries {
        let line = if args.json { serde_json::to_string(entry)? } else { line(entry) };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{line}");
    }
    Ok(text)
}

async fn one(args: &MessagesArgs, number: i64) -> anyhow::Result<String> {
    let path = EntryNumbered { chat: args.chat.clone(), number };
    let call = Call::<Get>::new(path, MessageDetail { text: args.text }, Nothing {});
    let found = args.api.client()?.call(call).await?;
    if args.json {
        return Ok(format!("{}\n", serde_json::to_string(&found)?));
    }
    Ok(told(&found))
}

/// Tells an entry with its why.
fn told(MessageWhy { entry, made_by, decisions }: &MessageWhy) -> String {
    let mut text = format!("{}\n", line(entry));
    // Writing to a String cannot fail.
    if let Some(made_by) = made_by {
        let _ = writeln!(text, "\nWhy it was said:");
        for line in &made_by.decision.explanation {
            let _ = writeln!(text, "{line}");
        }
        let turns = made_by.decision.turns.iter().flatten();
        for turn in turns.filter(|turn| turn.id == made_by.turn) {
            let model = turn.model.as_deref().unwrap_or("no model");
            let tokens = turn.tokens.map(|tokens| format!(", {tokens} tokens")).unwrap_or_default();
            let _ = writeln!(text, "Turn {} of {}: {model}{tokens}.", turn.id, turn.bot);
        }
    }
    for decision in decisions {
        let _ = writeln!(text, "\nWhat came of it:");
        for line in &decision.explanation {
            let _ = writeln!(text, "{line}");
        }
    }
    text
}

/// Tells an entry in one line.
pub(super) fn line(entry: &EntryView) -> String {
    let at = chrono::DateTime::from_timestamp_millis(entry.at.as_millis());
    let at = at.map_or_else(|| "-".to_owned(), |at| at.format("%Y-%m-%d %H:%M:%S").to_string());
    let author = match (&entry.bot, &entry.words) {
        (Some(bot), _) => bot.clone(),
        (None, Some(words)) if !words.name.is_empty() => words.name.clone(),
        (None, _) => {
            format!("({})", serde_json::to_value(entry.author).ok().as_ref().and_then(named).unwrap_or_default())
        }
    };
    let words = entry.words.as_ref();
    let said =
        words.and_then(|words| words.text.clone().or_else(|| words.media.as_ref().map(|kind| format!("[{kind}]"))));
    // An entry is one line, whatever was written.
    let said = said.map(|said| format!(": {}", said.replace(['\n', '\r'], " "))).unwrap_or_default();
    format!("{at}  #{}  {}  {author}{said}", entry.number, entry.kind.as_str())
}

fn named(value: &serde_json::Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use botfleet_actors::domain::ids::{MessageId, Number, TelegramUserId};
    use botfleet_actors::domain::incoming::AuthorKind;
    use botfleet_actors::domain::time::Timestamp;
    use botfleet_actors::domain::transcript::EntryKind;

    use super::*;
    use crate::runtime::messages::WordsView;

    #[test]
    fn an_entry_is_one_line() {
        let words = WordsView {
            author: TelegramUserId(7),
            name: "Ayse".to_owned(),
            username: None,
            text: Some("one\ntwo".to_owned()),
            media: None,
        };
        let mut entry = EntryView {
            chat: "lounge".to_owned(),
            number: Number(12),
            kind: EntryKind::Message,
            message: MessageId(4711),
            thread: None,
            reply_to: None,
            at: Timestamp::from_millis(1_790_000_000_000),
            chain_depth: 0,
            author: AuthorKind::Person,
            bot: None,
            words: Some(words),
        };
        assert_eq!(line(&entry), "2026-09-21 14:13:20  #12  message  Ayse: one two");
        entry.words = None;
        assert_eq!(line(&entry), "2026-09-21 14:13:20  #12  message  (person)");
        entry.bot = Some("Ada".to_owned());
        assert_eq!(line(&entry), "2026-09-21 14:13:20  #12  message  Ada");
    }
}
