//! `botfleet message delete` and `botfleet retract`: deletes what bots said. Layer `cli`.

use std::io::{Write, stdout};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use botfleet_actors::domain::time::Timestamp;
use clap::{Args, Subcommand};

use super::speaking::Place;
use crate::api::chats::ChatCalled;
use crate::api::retracting::{DeleteMessage, MessageOf, Retract, Retracted, Retracting};
use crate::api::route::{Call, Nothing};
use crate::runtime::speaking::{Deletion, RetractionView};

/// The commands under `botfleet message`.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  botfleet message delete --chat lounge 4711")]
pub enum MessageCommand {
    /// Deletes a message of a bot: the fleet forgets the words, and Telegram is asked to delete it.
    Delete(DeleteArgs),
}

/// Arguments of `botfleet message delete`.
#[derive(Clone, Debug, Args)]
pub struct DeleteArgs {
    /// The place.
    #[command(flatten)]
    pub place: Place,
    /// The entry of the transcript.
    pub entry: i64,
}

/// Arguments of `botfleet retract`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  botfleet retract --chat lounge --since 2h --dry-run     counts what every bot said in the last two hours
  botfleet retract --chat lounge --bot Ada --since 30m")]
pub struct RetractArgs {
    /// The place.
    #[command(flatten)]
    pub place: Place,
    /// Name of the bot in the manifest; every bot of the chat without it.
    #[arg(long, value_name = "NAME")]
    pub bot: Option<String>,
    /// The time that has passed since the first message that goes, as `90m`, `2h` or `1d`.
    #[arg(long, value_name = "TIME", value_parser = humantime_serde::re::humantime::parse_duration)]
    pub since: Duration,
    /// Counts the messages, and deletes none.
    #[arg(long)]
    pub dry_run: bool,
}

/// Runs a command.
///
/// # Errors
/// When the entry is no message of a bot, or the fleet does not answer.
pub async fn message(command: &MessageCommand) -> anyhow::Result<ExitCode> {
    let MessageCommand::Delete(DeleteArgs { place, entry }) = command;
    let path = MessageOf { chat: place.chat.clone(), number: *entry };
    let deletion = place.api.client()?.call(Call::<DeleteMessage>::new(path, Nothing {}, Nothing {})).await?;
    let text = if place.json { serde_json::to_string(&deletion)? } else { told(&deletion) };
    writeln!(stdout().lock(), "{text}").context("stdout cannot be written")?;
    Ok(if deletion.state == Deletion::Refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn told(RetractionView { message, bot, state, reason, .. }: &RetractionView) -> String {
    let why = reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    let state = match state {
        Deletion::Waiting => "the fleet has forgotten it, Telegram is yet to answer",
        Deletion::Deleted => "deleted",
        Deletion::Refused => "the fleet has forgotten it, Telegram refuses to delete it",
    };
    format!("message {message} of {bot}: {state}{why}")
}

/// Deletes what a bot, or every bot, said from a time on.
///
/// # Errors
/// When the fleet does not answer.
pub async fn retract(args: &RetractArgs) -> anyhow::Result<ExitCode> {
    let RetractArgs { place, bot, since, dry_run } = args;
    let client = place.api.client()?;
    let since = Timestamp::from_millis(chrono::Utc::now().timestamp_millis()) - *since;
    let mut all = Retracted { messages: 0, too_old: 0, more: false, dry_run: *dry_run };
    loop {
        let path = ChatCalled { chat: place.chat.clone() };
        let body = Retracting { bot: bot.clone(), since, dry_run: *dry_run };
        let some = client.call(Call::<Retract>::new(path, Nothing {}, body)).await?;
        all.messages += some.messages;
        all.too_old += some.too_old;
        all.more = some.more;
        if *dry_run || !some.more {
            break;
        }
    }
    let text = if place.json { serde_json::to_string(&all)? } else { counted(&all) };
    writeln!(stdout().lock(), "{text}").context("stdout cannot be written")?;
    Ok(ExitCode::SUCCESS)
}

fn counted(Retracted { messages, too_old, more, dry_run }: &Retracted) -> String {
    let (more, done) = (if *more { " or more" } else { "" }, if *dry_run { "would be" } else { "are being" });
    let old = match too_old {
        0 => String::new(),
        old => format!(
            "; {old} of them are 48 hours old, and Telegram deletes them only for bots that may delete messages"
        ),
    };
    format!("{messages}{more} messages {done} deleted{old}")
}
