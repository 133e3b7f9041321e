//! `botfleet config`: the numbers of the configuration, and the way back. Layer `cli`.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::given::{Common, shown};
use crate::api::config::{ConfigBack, GoBack, List, Numbered, One};
use crate::api::roster::Manner;
use crate::api::route::{Call, Nothing};
use crate::cli::api::plain;
use crate::cli::apply::shown as told;
use crate::runtime::configuration::view::StepView;

/// The commands under `botfleet config`.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  botfleet config list
  botfleet config show 41
  botfleet config back 40 --dry-run")]
pub enum ConfigCommand {
    /// Lists the last changes of the configuration, newest first.
    List(ListArgs),
    /// Shows what a change changed, field by field.
    Show(ShowArgs),
    /// Makes the configuration as it was under an earlier number.
    Back(BackArgs),
}

/// Arguments of `botfleet config list`.
#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// Address of the fleet, and the form of the answer.
    #[command(flatten)]
    pub common: Common,
}

/// Arguments of `botfleet config show`.
#[derive(Clone, Debug, Args)]
pub struct ShowArgs {
    /// Address of the fleet, and the form of the answer.
    #[command(flatten)]
    pub common: Common,
    /// The number.
    pub number: i64,
}

/// Arguments of `botfleet config back`.
#[derive(Clone, Debug, Args)]
pub struct BackArgs {
    /// Address of the fleet, and the form of the answer.
    #[command(flatten)]
    pub common: Common,
    /// The number.
    pub number: i64,
    /// Changes nothing, only tells what would change.
    #[arg(long)]
    pub dry_run: bool,
}

/// Runs a command.
///
/// # Errors
/// When the fleet refuses or does not answer.
pub async fn execute(command: &ConfigCommand) -> anyhow::Result<ExitCode> {
    match command {
        ConfigCommand::List(args) => {
            let numbers = args.common.api.client()?.call(plain::<List>()).await?;
            shown(args.common.json, &numbers, &numbers.numbers.iter().map(line).collect::<String>())?;
        }
        ConfigCommand::Show(args) => {
            let path = Numbered { number: args.number };
            let one = args.common.api.client()?.call(Call::<One>::new(path, Nothing {}, Nothing {})).await?;
            let mut text = line(&one.step);
            for field in &one.fields {
                // Writing to a String cannot fail.
                let _ = writeln!(
                    text,
                    "  {} {}: {}\n  - {}\n  + {}",
                    field.kind.as_str(),
                    field.name,
                    field.field,
                    field.before,
                    field.after
                );
            }
            shown(args.common.json, &one, &text)?;
        }
        ConfigCommand::Back(args) => {
            let manner = Manner { dry_run: args.dry_run, on: None };
            let call = Call::<GoBack>::new(Nothing {}, manner, ConfigBack { number: args.number });
            let applied = args.common.api.client()?.call(call).await?;
            shown(args.common.json, &applied, &told(&applied))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn line(step: &StepView) -> String {
    format!("{:>5}  {}  {}\n", step.number, step.by, step.diff.lines().join("; "))
}
