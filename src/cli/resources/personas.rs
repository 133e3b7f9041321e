//! `botfleet persona`: characters while the fleet runs. Layer `cli`.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::given::{Common, Given, shown, shown_thing};
use super::verbs::{self, NamedArgs, Personas, ThingCommand, change, get};
use crate::api::personas::{Create, Restore, Restored, Revision, Versions};
use crate::api::resource::{Named, NewResource, ResourcePatch};
use crate::api::route::{Call, Nothing};
use crate::cli::api::order;
use crate::client::{CallError, Client};

/// The code of a thing that there is not.
const UNKNOWN: &str = "unknown_resource";

/// The commands under `botfleet persona`.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  botfleet persona set ada --set voice='You are Ada, a retired engineer.' --set talkativeness=0.4
  botfleet persona versions ada
  botfleet persona diff ada 1 3
  botfleet persona restore ada 1")]
pub enum PersonaCommand {
    /// The commands that all kinds of things have.
    #[command(flatten)]
    Thing(ThingCommand),
    /// Changes a persona, or makes it when there is none of that name.
    Set(SetArgs),
    /// Lists the revisions of a persona, newest first.
    Versions(NamedArgs),
    /// Shows how two revisions of a persona differ.
    Diff(DiffArgs),
    /// Gives a persona the keys of an earlier revision.
    Restore(RestoreArgs),
}

/// Arguments of `botfleet persona set`.
#[derive(Clone, Debug, Args)]
pub struct SetArgs {
    /// Address of the fleet, and the form of the answer.
    #[command(flatten)]
    pub common: Common,
    /// The name.
    pub name: String,
    /// The keys.
    #[command(flatten)]
    pub given: Given,
}

/// Arguments of `botfleet persona diff`.
#[derive(Clone, Debug, Args)]
pub struct DiffArgs {
    /// Address of the fleet, and the form of the answer.
    #[command(flatten)]
    pub common: Common,
    /// The name.
    pub name: String,
    /// The one revision.
    pub from: i64,
    /// The other revision; the newest without it.
    pub to: Option<i64>,
}

/// Arguments of `botfleet persona restore`.
#[derive(Clone, Debug, Args)]
pub struct RestoreArgs {
    /// Address of the fleet, and the form of the answer.
    #[command(flatten)]
    pub common: Common,
    /// The name.
    pub name: String,
    /// The revision.
    pub revision: i64,
}

/// Runs a command.
///
/// # Errors
/// When the fleet refuses or does not answer.
pub async fn execute(command: &PersonaCommand) -> anyhow::Result<ExitCode> {
    match command {
        PersonaCommand::Thing(command) => return verbs::execute::<Personas>(command).await,
        PersonaCommand::Set(args) => set(args).await?,
        PersonaCommand::Versions(args) => {
            let revisions = revisions(&args.common.api.client()?, &args.name).await?;
            let line = |revision: &Revision| {
                let keys: Vec<&str> = revision.keys.keys().map(String::as_str).collect();
                format!("{:>4}  {}\n", revision.revision, keys.join(", "))
            };
            shown(args.common.json, &revisions, &revisions.iter().map(line).collect::<String>())?;
        }
        PersonaCommand::Diff(args) => diff(args).await?,
        PersonaCommand::Restore(args) => {
            let (path, body) = (Named { name: args.name.clone() }, Restored { revision: args.revision });
            let call = Call::<Restore>::new(path, Nothing {}, body);
            shown_thing(args.common.json, &args.common.api.client()?.call(call).await?)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn set(args: &SetArgs) -> anyhow::Result<()> {
    let (client, keys) = (args.common.api.client()?, args.given.keys()?);
    let known = client
        .call(Call::<crate::api::personas::Get>::new(Named { name: args.name.clone() }, Nothing {}, Nothing {}))
        .await;
    let thing = match known {
        Ok(known) => {
            change::<Personas>(&client, &args.name, known.version, ResourcePatch { keys, enabled: None }).await?
        }
        Err(CallError::Refused { code, .. }) if code == UNKNOWN => {
            client.call(order::<Create>(NewResource { name: Some(args.name.clone()), keys })).await?
        }
        Err(error) => return Err(error.into()),
    };
    shown_thing(args.common.json, &thing)
}

async fn revisions(client: &Client, name: &str) -> anyhow::Result<Vec<Revision>> {
    let path = Named { name: name.to_owned() };
    Ok(client.call(Call::<Versions>::new(path, Nothing {}, Nothing {})).await?.revisions)
}

async fn diff(args: &DiffArgs) -> anyhow::Result<()> {
    let client = args.common.api.client()?;
    get::<Personas>(&client, &args.name).await?;
    let all = revisions(&client, &args.name).await?;
    let find = |number: Option<i64>| {
        let found = all.iter().find(|revision| number.is_none_or(|number| revision.revision == number));
        found.with_context(|| format!("no revision {} among the last hundred", number.unwrap_or_default()))
    };
    let (from, to) = (find(Some(args.from))?, find(args.to)?);
    let mut keys: Vec<&String> = from.keys.keys().chain(to.keys.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    let mut text = String::new();
    let mut changed = serde_json::Map::new();
    for key in keys {
        let value = |of: &Revision| of.keys.get(key).cloned().unwrap_or(Value::Null);
        let (before, after) = (value(from), value(to));
        if before != after {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{key}\n- {before}\n+ {after}");
            changed.insert(key.clone(), serde_json::json!({ "before": before, "after": after }));
        }
    }
    if text.is_empty() {
        text.push_str("no difference");
    }
    shown(args.common.json, &changed, &text)
}
