//! `botfleet people`: shows what is stored about a person, and carries out their rights. Layer `cli`.

use std::io::{Write, stdout};
use std::process::ExitCode;

use anyhow::Context;
use botfleet_actors::domain::time::Timestamp;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::api::Api;
use crate::api::answer::Answer;
use crate::api::people::{Claimed, Forget, Get, OptIn, OptOut, Person, PersonOf};
use crate::api::route::{Call, Nothing, Route};

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
        PeopleCommand::Forget(args) => order::<Forget>(&args.person, "what they wrote is being removed").await?,
        PeopleCommand::Optout(person) => order::<OptOut>(person, "nothing they write is stored").await?,
        PeopleCommand::Optin(person) => order::<OptIn>(person, "what they write is stored").await?,
    };
    let text = if person.json { value.to_string() } else { text };
    writeln!(stdout().lock(), "{}", text.trim_end()).context("stdout cannot be written")?;
    Ok(ExitCode::SUCCESS)
}

fn about<R: Route<Path = PersonOf, Query = Nothing, Body = Nothing>>(person: &PersonArgs) -> Call<R> {
    Call::new(PersonOf { id: person.id }, Nothing {}, Nothing {})
}

async fn show<'a>(person: &'a PersonArgs, what: &str) -> anyhow::Result<(&'a PersonArgs, String, Value)> {
    let record = person.api.client()?.call(about::<Get>(person)).await?;
    Ok((person, table(what, &record), serde_json::to_value(record)?))
}

async fn order<'a, R>(person: &'a PersonArgs, done: &str) -> anyhow::Result<(&'a PersonArgs, String, Value)>
where
    R: Route<Path = PersonOf, Query = Nothing, Body = Nothing>,
    R::Answer: Answer<Item = Claimed>,
{
    let claimed = person.api.client()?.call(about::<R>(person)).await?;
    let already = if claimed.already { " already" } else { "" };
    Ok((person, format!("{}: {done}{already}", person.id), serde_json::to_value(claimed)?))
}

fn table(what: &str, Person { telegram_id, record }: &Person) -> String {
    let day = |at: Option<Timestamp>| {
        let at = at.and_then(|at| chrono::DateTime::from_timestamp_millis(at.as_millis()));
        at.map_or_else(|| "-".to_owned(), |at| at.format("%Y-%m-%d").to_string())
    };
    format!(
        "{what} {telegram_id}\n  entries    {} ({} to {})\n  answers    {}\n  updates    {}\n  opted out  {}\n",
        record.entries,
        day(record.first),
        day(record.last),
        record.answers,
        record.updates,
        day(record.opted_out_since)
    )
}

#[cfg(test)]
mod tests {
    use botfleet_actors::domain::people::PersonRecord;

    use super::*;

    #[test]
    fn a_record_reads_as_counts_and_days() {
        let record = PersonRecord {
            entries: 3,
            answers: 1,
            updates: 2,
            first: Some(Timestamp::from_millis(1_790_000_000_000)),
            last: Some(Timestamp::from_millis(1_790_090_000_000)),
            opted_out_since: None,
        };
        let text = table("stored about", &Person { telegram_id: 7, record });
        assert!(text.contains("entries    3 (2026-09-21 to 2026-09-22)"), "{text}");
        assert!(text.contains("opted out  -"), "{text}");
    }
}
