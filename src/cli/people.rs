//! `botfleet people`: shows what is stored about a person, and carries out their rights. Layer `cli`.

use std::io::{Write, stdout};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::api::Api;

/// The commands under `botfleet people`.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  botfleet people show 123456789
  botfleet people optout 123456789
  botfleet people forget 123456789 --dry-run")]
pub enum PeopleCommand {
    /// Shows what is stored about a person: counts and dates, no words.
    Show(PersonArgs),
    /// Removes what a person wrote, and what quotes or answers it.
    Forget(ForgetArgs),
    /// Stores nothing of what a person writes from now on.
    Optout(PersonArgs),
    /// Takes an opt-out back.
    Optin(PersonArgs),
}

/// The person that a command is about.
#[derive(Clone, Debug, Args)]
pub struct PersonArgs {
    /// Address of the fleet.
    #[command(flatten)]
    pub api: Api,
    /// Telegram's id of the person.
    pub id: u64,
    /// Writes one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `botfleet people forget`.
#[derive(Clone, Debug, Args)]
pub struct ForgetArgs {
    /// The person to forget.
    #[command(flatten)]
    pub person: PersonArgs,
    /// Only shows what would be removed.
    #[arg(long)]
    pub dry_run: bool,
}

/// Runs a command.
///
/// # Errors
/// When the fleet does not answer.
pub async fn execute(command: &PeopleCommand) -> anyhow::Result<ExitCode> {
    let (person, text, value) = match command {
        PeopleCommand::Show(person) => show(person, "stored about").await?,
        PeopleCommand::Forget(ForgetArgs { person, dry_run: true }) => show(person, "would be removed of").await?,
        PeopleCommand::Forget(args) => order(&args.person, "forget", "what they wrote is being removed").await?,
        PeopleCommand::Optout(person) => order(person, "optout", "nothing they write is stored").await?,
        PeopleCommand::Optin(person) => order(person, "optin", "what they write is stored").await?,
    };
    let text = if person.json { value.to_string() } else { text };
    writeln!(stdout().lock(), "{}", text.trim_end()).context("stdout cannot be written")?;
    Ok(ExitCode::SUCCESS)
}

async fn show<'a>(person: &'a PersonArgs, what: &str) -> anyhow::Result<(&'a PersonArgs, String, Value)> {
    let record = person.api.get(&format!("/api/v1/people/{}", person.id)).await?;
    Ok((person, table(person.id, what, &record), record))
}

async fn order<'a>(person: &'a PersonArgs, right: &str, done: &str) -> anyhow::Result<(&'a PersonArgs, String, Value)> {
    let answer = person.api.post(&format!("/api/v1/people/{}/{right}", person.id), &json!({})).await?;
    let already = if answer["already"].as_bool() == Some(true) { " already" } else { "" };
    Ok((person, format!("{}: {done}{already}", person.id), answer))
}

fn table(id: u64, what: &str, record: &Value) -> String {
    let day = |key: &str| {
        let at = record[key].as_i64().and_then(chrono::DateTime::from_timestamp_millis);
        at.map_or_else(|| "-".to_owned(), |at| at.format("%Y-%m-%d").to_string())
    };
    let count = |key: &str| record[key].as_u64().unwrap_or(0);
    format!(
        "{what} {id}\n  entries    {} ({} to {})\n  answers    {}\n  updates    {}\n  opted out  {}\n",
        count("entries"),
        day("first"),
        day("last"),
        count("answers"),
        count("updates"),
        day("opted_out_since")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_as_counts_and_days() {
        let record = json!({
            "entries": 3, "answers": 1, "updates": 2, "first": 1_790_000_000_000_i64, "last": 1_790_090_000_000_i64,
            "opted_out_since": null
        });
        let text = table(7, "stored about", &record);
        assert!(text.contains("entries    3 (2026-09-21 to 2026-09-22)"), "{text}");
        assert!(text.contains("opted out  -"), "{text}");
    }
}
