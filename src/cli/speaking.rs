//! `botfleet say` and `botfleet takeover`: speaks as a bot, and takes bots over. Layer `cli`.

use std::io::{Write, stdout};
use std::process::ExitCode;

use anyhow::Context;
use botfleet_actors::domain::ids::Number;
use botfleet_actors::domain::time::Timestamp;
use clap::{Args, Subcommand};

use super::api::Api;
use crate::api::chats::ChatCalled;
use crate::api::route::{Call, Nothing};
use crate::api::speaking::{BotInChat, EndTakeover, ListTakeovers, Say, TakeOver, Taken, Taking, Words};
use crate::runtime::speaking::{Fate, TakeoverView};

/// The place in which an operator speaks.
#[derive(Clone, Debug, Args)]
pub struct Place {
    /// Address of the fleet.
    #[command(flatten)]
    pub api: Api,
    /// The chat, by its name in the manifest, its id in the store, or Telegram's id.
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    pub chat: String,
    /// Writes one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `botfleet say`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  botfleet say --chat lounge --bot Ada 'Welcome, everybody.'
  botfleet say --chat lounge --bot Ada --reply-to 4711 'That was a mistake of mine.'

Exit codes: 0 sent or waiting, 1 refused, or nobody knows whether it was sent")]
pub struct SayArgs {
    /// The place.
    #[command(flatten)]
    pub place: Place,
    /// Name of the bot in the manifest.
    #[arg(long, value_name = "NAME")]
    pub bot: String,
    /// The entry of the transcript to reply to.
    #[arg(long, value_name = "N")]
    pub reply_to: Option<i64>,
    /// The text.
    pub text: String,
}

/// The commands under `botfleet takeover`.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  botfleet takeover begin --chat lounge --bot Ada --idle-minutes 10
  botfleet takeover show --chat lounge
  botfleet takeover end --chat lounge --bot Ada")]
pub enum TakeoverCommand {
    /// Takes a bot over: it keeps silent in the chat, and `botfleet say` speaks as it.
    Begin(BeginArgs),
    /// Gives a bot back.
    End(EndArgs),
    /// Shows which bots of a chat are taken over, and by whom.
    Show(Place),
}

/// Arguments of `botfleet takeover begin`.
#[derive(Clone, Debug, Args)]
pub struct BeginArgs {
    /// The place.
    #[command(flatten)]
    pub place: Place,
    /// Name of the bot in the manifest.
    #[arg(long, value_name = "NAME")]
    pub bot: String,
    /// Minutes without a message after which the take-over ends by itself; 15 without it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=60))]
    pub idle_minutes: Option<u32>,
    /// Takes the bot from another operator who holds it, as an admin may.
    #[arg(long)]
    pub take: bool,
}

/// Arguments of `botfleet takeover end`.
#[derive(Clone, Debug, Args)]
pub struct EndArgs {
    /// The place.
    #[command(flatten)]
    pub place: Place,
    /// Name of the bot in the manifest.
    #[arg(long, value_name = "NAME")]
    pub bot: String,
}

/// Says something as a bot.
///
/// # Errors
/// When the bot cannot speak there, or the fleet does not answer.
pub async fn say(args: &SayArgs) -> anyhow::Result<ExitCode> {
    let path = ChatCalled { chat: args.place.chat.clone() };
    let body = Words { bot: args.bot.clone(), text: args.text.clone(), reply_to: args.reply_to.map(Number) };
    let said = args.place.api.client()?.call(Call::<Say>::new(path, Nothing {}, body)).await?;
    let or = |number: Option<i64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let fate = match said.fate {
        Fate::Waiting => "waiting",
        Fate::Sending => "sending",
        Fate::Sent => "sent",
        Fate::Refused => "refused",
        Fate::Unknown => "unknown",
    };
    let why = said.reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    let (message, entry) = (or(said.message.map(|id| id.0)), or(said.entry.map(|number| number.0)));
    let text = format!("{fate}  message {message}  entry {entry}{why}");
    write(&if args.place.json { serde_json::to_string(&said)? } else { text })?;
    let fine = !matches!(said.fate, Fate::Refused | Fate::Unknown);
    Ok(if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs a command.
///
/// # Errors
/// When another operator holds the bot, nobody does, or the fleet does not answer.
pub async fn takeover(command: &TakeoverCommand) -> anyhow::Result<ExitCode> {
    let text = match command {
        TakeoverCommand::Begin(args) => begin(args).await?,
        TakeoverCommand::End(EndArgs { place, bot }) => {
            let path = BotInChat { chat: place.chat.clone(), bot: bot.clone() };
            let done = place.api.client()?.call(Call::<EndTakeover>::new(path, Nothing {}, Nothing {})).await?;
            if place.json { serde_json::to_string(&done)? } else { format!("{bot} speaks for itself again") }
        }
        TakeoverCommand::Show(place) => {
            let path = ChatCalled { chat: place.chat.clone() };
            let held = place.api.client()?.call(Call::<ListTakeovers>::new(path, Nothing {}, Nothing {})).await?;
            match (place.json, held.takeovers.is_empty()) {
                (true, _) => serde_json::to_string(&held)?,
                (false, true) => "every bot speaks for itself".to_owned(),
                (false, false) => held.takeovers.iter().map(line).collect::<Vec<_>>().join("\n"),
            }
        }
    };
    write(&text)?;
    Ok(ExitCode::SUCCESS)
}

async fn begin(args: &BeginArgs) -> anyhow::Result<String> {
    let BeginArgs { place, bot, idle_minutes, take } = args;
    let path = ChatCalled { chat: place.chat.clone() };
    let body = Taking { bot: bot.clone(), idle_minutes: *idle_minutes, take: *take };
    let taken = place.api.client()?.call(Call::<TakeOver>::new(path, Nothing {}, body)).await?;
    if place.json {
        return Ok(serde_json::to_string(&taken)?);
    }
    let Taken { takeover, cancelled_turns, cancelled_messages, sending } = &taken;
    Ok(format!(
        "{}\n{cancelled_turns} turns and {cancelled_messages} messages of the bot were cancelled, {} are being sent",
        line(takeover),
        sending.len()
    ))
}

fn line(TakeoverView { chat, bot, holder, until, .. }: &TakeoverView) -> String {
    format!("{bot} in {chat} is held by {holder} until {}", clock(*until))
}

fn clock(at: Timestamp) -> String {
    let at = chrono::DateTime::from_timestamp_millis(at.as_millis());
    at.map_or_else(|| "-".to_owned(), |at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string())
}

fn write(text: &str) -> anyhow::Result<()> {
    writeln!(stdout().lock(), "{text}").context("stdout cannot be written")
}
