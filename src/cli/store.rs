//! `botfleet store`: looks after the file of the store. Layer `cli`.

use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::json;

use super::inputs::StoreInputs;
use super::output::say;
use crate::store::settings::Backend;
use crate::store::sqlite::compact::compact;

/// The commands for the store.
#[derive(Clone, Debug, Subcommand)]
pub enum StoreCommand {
    /// Rewrites the file of SQLite without its free space, and lets it shrink by itself from then on.
    Compact(CompactArgs),
}

/// Arguments of `botfleet store compact`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  botfleet store compact                        the file of the settings; stop the fleet first
  botfleet store compact --store backup.db --json

Files that this version made shrink by themselves; those of 0.1 do once they were rewritten.")]
pub struct CompactArgs {
    /// The store whose file is rewritten.
    #[command(flatten)]
    pub inputs: StoreInputs,
}

/// Runs the command.
///
/// # Errors
/// Faults of the settings, or the reason why the file could not be rewritten.
pub async fn execute(StoreCommand::Compact(args): &StoreCommand) -> anyhow::Result<ExitCode> {
    let path = if let Some(path) = &args.inputs.store {
        path.clone()
    } else {
        let config = args.inputs.settings.load()?;
        if config.store.backend == Backend::Postgres {
            bail!(
                "PostgreSQL looks after its own files (autovacuum); store compact is for SQLite: name a file with --store"
            );
        }
        config.store.path
    };
    let sizes = compact(&path).await?;
    let mib = |bytes: u64| bytes as f64 / 1_048_576.0;
    let line = format!("{}: {:.1} MiB, before {:.1} MiB", path.display(), mib(sizes.after), mib(sizes.before));
    let json = json!({ "path": path, "before_bytes": sizes.before, "after_bytes": sizes.after });
    say(&if args.inputs.settings.json { json.to_string() } else { line })?;
    Ok(ExitCode::SUCCESS)
}
