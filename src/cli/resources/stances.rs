//! `botfleet stance`: the opinions of a persona. Layer `cli`.

use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use super::given::{Common, Given, shown, shown_thing};
use super::verbs::{Personas, change, get};
use crate::api::resource::ResourcePatch;
use crate::runtime::configuration::view::ResourceView;

/// The key of a persona's opinions.
const STANCES: &str = "stances";

/// The commands under `botfleet stance`.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  botfleet stance list ada
  botfleet stance set ada cats --set position='Cats are better than dogs.' --set confidence=0.9
  botfleet stance delete ada cats")]
pub enum StanceCommand {
    /// Lists the opinions of a persona.
    List(OfArgs),
    /// Changes an opinion, or adds it; its version rises.
    Set(SetArgs),
    /// Removes an opinion.
    Delete(TopicArgs),
}

/// Arguments of `botfleet stance list`.
#[derive(Clone, Debug, Args)]
pub struct OfArgs {
    /// Address of the fleet, and the form of the answer.
    #[command(flatten)]
    pub common: Common,
    /// The persona.
    pub persona: String,
}

/// Arguments of `botfleet stance delete`.
#[derive(Clone, Debug, Args)]
pub struct TopicArgs {
    /// The persona.
    #[command(flatten)]
    pub of: OfArgs,
    /// The subject of the opinion.
    pub topic: String,
}

/// Arguments of `botfleet stance set`.
#[derive(Clone, Debug, Args)]
pub struct SetArgs {
    /// The opinion.
    #[command(flatten)]
    pub of: TopicArgs,
    /// The keys.
    #[command(flatten)]
    pub given: Given,
}

/// Runs a command.
///
/// # Errors
/// When the fleet refuses or does not answer.
pub async fn execute(command: &StanceCommand) -> anyhow::Result<ExitCode> {
    match command {
        StanceCommand::List(args) => {
            let stances = stances(&get::<Personas>(&args.common.api.client()?, &args.persona).await?);
            let line = |stance: &Value| format!("{}: {}\n", text(stance, "topic"), text(stance, "position"));
            shown(args.common.json, &stances, &stances.iter().map(line).collect::<String>())?;
        }
        StanceCommand::Set(args) => {
            let keys = args.given.keys()?;
            edit(&args.of, |stances| {
                let at = stances.iter().position(|stance| text(stance, "topic") == args.of.topic);
                let mut stance = match at {
                    Some(at) => stances.remove(at).as_object().cloned().unwrap_or_default(),
                    None => Map::from_iter([("topic".to_owned(), Value::from(args.of.topic.as_str()))]),
                };
                let version = stance.get("version").and_then(Value::as_u64).unwrap_or(u64::from(at.is_some()));
                stance.insert("version".to_owned(), Value::from(version + 1));
                stance.extend(keys.clone());
                stance.retain(|_, value| !value.is_null());
                stances.insert(at.unwrap_or(stances.len()), Value::Object(stance));
                Ok(())
            })
            .await?;
        }
        StanceCommand::Delete(args) => {
            edit(args, |stances| {
                let before = stances.len();
                stances.retain(|stance| text(stance, "topic") != args.topic);
                if stances.len() == before {
                    bail!("{} has no opinion on {:?}", args.of.persona, args.topic);
                }
                Ok(())
            })
            .await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn stances(persona: &ResourceView) -> Vec<Value> {
    persona.keys.get(STANCES).and_then(Value::as_array).cloned().unwrap_or_default()
}

fn text<'a>(stance: &'a Value, key: &str) -> &'a str {
    stance.get(key).and_then(Value::as_str).unwrap_or_default()
}

async fn edit(args: &TopicArgs, how: impl Fn(&mut Vec<Value>) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let client = args.of.common.api.client()?;
    let persona = get::<Personas>(&client, &args.of.persona).await?;
    let mut all = stances(&persona);
    how(&mut all)?;
    let keys = Map::from_iter([(STANCES.to_owned(), Value::Array(all))]);
    let patch = ResourcePatch { keys, enabled: None };
    let changed = change::<Personas>(&client, &args.of.persona, persona.version, patch).await?;
    shown_thing(args.of.common.json, &changed)
}
