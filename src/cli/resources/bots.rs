//! `botfleet bot`: bots while the fleet runs. Layer `cli`. Keeps I12.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use super::given::{Common, shown, shown_thing};
use super::verbs::{self, Bots, NamedArgs, ThingCommand, get};
use crate::api::control::{Scope, Start, Stop};
use crate::api::resource::ResourcePatch;
use crate::cli::api::order;

/// The commands under `botfleet bot`.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  botfleet bot create Ada --set token=file:secrets/ada --set persona=ada --set models='[\"local\"]'
  botfleet bot change Ada --set temperature=0.5    over the manifest's value, until the manifest changes it
  botfleet bot change Ada --back temperature       as the manifest says again
  botfleet bot disable Ada                         it leaves its chats' conversations until it is enabled
  botfleet bot pause Ada                           it hears and says nothing until it is resumed")]
pub enum BotCommand {
    /// The commands that all kinds of things have.
    #[command(flatten)]
    Thing(ThingCommand),
    /// Switches a bot on.
    Enable(NamedArgs),
    /// Switches a bot off: it is no member of its chats, and takes no updates.
    Disable(NamedArgs),
    /// Stops a bot: it takes updates and says nothing.
    Pause(NamedArgs),
    /// Lets a bot that was paused speak again.
    Resume(NamedArgs),
    /// Names the place of another token of the same bot.
    Token(TokenArgs),
}

/// Arguments of `botfleet bot token`.
#[derive(Clone, Debug, Args)]
pub struct TokenArgs {
    /// Address of the fleet, and the form of the answer.
    #[command(flatten)]
    pub common: Common,
    /// The name of the bot.
    pub name: String,
    /// The place: `file:secrets/NAME` beside the manifest, or `env:BOTFLEET_SECRET_NAME`. Never the token itself, which
    /// `botfleet secrets token` gives.
    pub place: String,
}

/// Runs a command.
///
/// # Errors
/// When the fleet refuses or does not answer.
pub async fn execute(command: &BotCommand) -> anyhow::Result<ExitCode> {
    match command {
        BotCommand::Thing(command) => return verbs::execute::<Bots>(command).await,
        BotCommand::Enable(args) => switch(args, true).await?,
        BotCommand::Disable(args) => switch(args, false).await?,
        BotCommand::Pause(args) => {
            let stopped = args.common.api.client()?.call(order::<Stop>(scope(args))).await?;
            shown(args.common.json, &stopped, &format!("{} is paused", args.name))?;
        }
        BotCommand::Resume(args) => {
            let stopped = args.common.api.client()?.call(order::<Start>(scope(args))).await?;
            shown(args.common.json, &stopped, &format!("{} goes on", args.name))?;
        }
        BotCommand::Token(args) => {
            let keys = Map::from_iter([("token".to_owned(), Value::from(args.place.as_str()))]);
            patch(&args.common, &args.name, ResourcePatch { keys, enabled: None }).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn scope(args: &NamedArgs) -> Scope {
    Scope::Bot { name: args.name.clone() }
}

async fn switch(args: &NamedArgs, enabled: bool) -> anyhow::Result<()> {
    let change = ResourcePatch { keys: Map::new(), enabled: Some(enabled) };
    patch(&args.common, &args.name, change).await
}

async fn patch(common: &Common, name: &str, patch: ResourcePatch) -> anyhow::Result<()> {
    let client = common.api.client()?;
    let version = get::<Bots>(&client, name).await?.version;
    shown_thing(common.json, &verbs::change::<Bots>(&client, name, version, patch).await?)
}
