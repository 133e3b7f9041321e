//! `botfleet migrate`: brings the schema of the store up or down, or tells its state. Layer `cli`.
//!
//! Only this command migrates PostgreSQL, and a node refuses a schema that is behind: an operator chooses which version
//! of the program changes the schema, and when. A file of SQLite is brought up to date at start.

use std::io::{Write, stdout};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::inputs::SettingsInputs;
use crate::config::secret::ProcessSecrets;
use crate::config::settings::Config;
use crate::store::postgres::migrations::{Kind, Schema, Standing, Step};
use crate::store::postgres::open::Address;
use crate::store::settings::Backend;

/// Arguments of `botfleet migrate`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  botfleet migrate status --profile production
  botfleet migrate up                      before the first node of a new version starts
  botfleet migrate grant botfleet_run      lets another role than the owner run the fleet
  botfleet migrate check --json            exit code 0 when this version may run, 1 when not
  botfleet migrate down --to 1 --yes       takes migrations back, with what they stored")]
pub struct MigrateArgs {
    /// The command.
    #[command(subcommand)]
    pub command: MigrateCommand,
    /// The settings that name the database.
    #[command(flatten)]
    pub settings: SettingsInputs,
}

/// The commands for the schema.
#[derive(Clone, Debug, Subcommand)]
pub enum MigrateCommand {
    /// Applies the pending migrations.
    Up {
        /// Applies also those that take away what running nodes of another version need.
        #[arg(long)]
        force: bool,
    },
    /// Lists applied migrations with their time, and pending ones.
    Status,
    /// Tells by its exit code whether this version may run on the schema.
    Check,
    /// Gives an existing role what a node needs to run, so that another one than the owner of the tables runs the fleet.
    Grant {
        /// The role.
        role: String,
    },
    /// Takes migrations back, the newest first.
    Down {
        /// The newest migration that stays; 0 for none.
        #[arg(long, value_name = "N")]
        to: i64,
        /// Confirms that everything the migrations made is lost.
        #[arg(long)]
        yes: bool,
    },
}

/// Runs the command.
///
/// # Errors
/// Faults of the configuration, or the reason why the schema could not be changed or read.
pub async fn execute(args: &MigrateArgs) -> anyhow::Result<ExitCode> {
    let config = args.settings.load()?;
    if config.store.backend == Backend::Sqlite {
        let text = "SQLite: the file is brought up to date when the fleet starts, after a copy of it was made.";
        say(args, text, &json!({ "backend": "sqlite" }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let (mut schema, place) = connect(&config).await?;
    match &args.command {
        MigrateCommand::Up { force } => {
            if *force {
                super::output::tell("warning: nodes of other versions may fail on what this takes away\n");
            }
            let applied = schema.up(env!("CARGO_PKG_VERSION"), *force).await.context(place.clone())?;
            let text = if applied.is_empty() { "up to date".to_owned() } else { lines("applied", &applied) };
            say(args, &text, &json!({ "applied": steps_json(&applied) }))?;
        }
        MigrateCommand::Status => {
            let steps = schema.steps().await.context(place)?;
            say(args, &status(&steps), &json!({ "migrations": steps_json(&steps) }))?;
        }
        MigrateCommand::Check => {
            let standing = Standing::of(&schema.steps().await.context(place.clone())?);
            return check(args, &place, &standing);
        }
        MigrateCommand::Grant { role } => {
            schema.grant(role).await.context(place)?;
            say(args, &format!("{role} may run the fleet"), &json!({ "granted": role }))?;
        }
        MigrateCommand::Down { to, yes } => {
            if !yes {
                bail!("this drops what the migrations above {to} made, with all that is stored there; add --yes");
            }
            let taken = schema.down(*to).await.context(place)?;
            let text = if taken.is_empty() { "nothing to take back".to_owned() } else { lines("taken back", &taken) };
            say(args, &text, &json!({ "taken_back": steps_json(&taken) }))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn connect(config: &Config) -> anyhow::Result<(Schema, String)> {
    let connections = config.connections(&ProcessSecrets)?;
    let url = connections.postgres.context("store.url is missing")?;
    let address = Address::new(&url, connections.postgres_password.as_ref())?;
    Ok((Schema::connect(&address).await?, address.place().to_owned()))
}

fn check(args: &MigrateArgs, place: &str, standing: &Standing) -> anyhow::Result<ExitCode> {
    let fits = standing.needed.is_empty() && standing.newer_contract.is_none();
    let text = match standing.newer_contract {
        Some(found) => format!("{place}: schema {found:04} is of a newer botfleet; run that one"),
        None if !fits => format!("{place}: {} pending; run botfleet migrate up", standing.needed.len()),
        None => format!("{place}: this version may run"),
    };
    let value = json!({
        "fits": fits, "pending": standing.pending, "known": standing.known, "newer": standing.newer,
        "newer_contract": standing.newer_contract,
    });
    say(args, &text, &value)?;
    Ok(if fits { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn lines(what: &str, steps: &[Step]) -> String {
    let line = |step: &Step| format!("{what:<11} {:04} {} ({})", step.version, step.name, step.kind.as_str());
    steps.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn status(steps: &[Step]) -> String {
    let line = |step: &Step| {
        let when =
            step.applied_at.map_or_else(|| "pending".to_owned(), |at| format!("applied {}", date(at.as_millis())));
        let note = if step.known { "" } else { "  of a newer botfleet" };
        format!("{:04}  {:<8}  {when:<28}  {}{note}", step.version, step.kind.as_str(), step.name)
    };
    steps.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn date(millis: i64) -> String {
    chrono::DateTime::from_timestamp_millis(millis)
        .map_or_else(|| millis.to_string(), |at| at.format("%Y-%m-%d %H:%M:%SZ").to_string())
}

fn steps_json(steps: &[Step]) -> Vec<Value> {
    let one = |step: &Step| {
        json!({
            "version": step.version, "name": step.name, "kind": step.kind.as_str(), "known": step.known,
            "contract": step.kind == Kind::Contract, "applied_at": step.applied_at.map(|at| date(at.as_millis())),
        })
    };
    steps.iter().map(one).collect()
}

fn say(args: &MigrateArgs, text: &str, value: &Value) -> anyhow::Result<()> {
    let text = if args.settings.json { format!("{value:#}\n") } else { format!("{text}\n") };
    stdout().lock().write_all(text.as_bytes()).context("stdout cannot be written")
}
