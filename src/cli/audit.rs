//! `botfleet audit`: lists what operators did, checks that nobody changed it, and takes it out of the fleet. Layer `cli`.

use std::io::{Write, stdout};
use std::process::ExitCode;

use anyhow::{Context, bail};
use botfleet_actors::domain::audit::{AuditEntry, Phase};
use botfleet_actors::domain::chain::{HeadCheck, Verification};
use botfleet_actors::ports::audit::AUDIT_ENTRIES_MAX;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::api::{Api, order, plain};
use super::operators::asked::{confirm, is};
use super::output::{second, tell};
use crate::api::audit::{AuditLine, Export, Known, List, Page, Verify};
use crate::api::route::{Call, Nothing};
use crate::operate::failure::Code;

/// The commands under `botfleet audit`.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  botfleet audit list                              the newest 100
  botfleet audit list --act stop --since 2026-09-21 --last 20
  botfleet audit list --object bot:7 --json
  botfleet audit verify --head 12-9f86d0...        a head that you kept elsewhere
  botfleet audit export > audit.jsonl")]
pub enum AuditCommand {
    /// Lists what operators did lately; the newest entry comes last.
    List(ListArgs),
    /// Checks the whole chain and names the first bad block; exit code 1 when there is one.
    Verify(VerifyArgs),
    /// Writes the head and then every entry, one JSON object a line.
    Export(ExportArgs),
}

/// Arguments of `botfleet audit list`.
#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// Address of the fleet.
    #[command(flatten)]
    pub api: Api,
    /// Entries of this principal alone, by name: an account, as ada, a key of it, as ada/backup, or local.
    #[arg(long)]
    pub principal: Option<String>,
    /// Entries of this act alone, as `stop`.
    #[arg(long)]
    pub act: Option<String>,
    /// Entries about this thing alone: `fleet`, or a kind and an id, as `bot:7`.
    #[arg(long)]
    pub object: Option<String>,
    /// Entries from this day on, as 2026-09-21, or from this time on, as 2026-09-21T18:30:00Z.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// The newest of these entries alone, so many.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub last: u32,
    /// All of these entries.
    #[arg(long, conflicts_with = "last")]
    pub all: bool,
    /// Writes one JSON object a line instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `botfleet audit verify`.
#[derive(Clone, Debug, Args)]
pub struct VerifyArgs {
    /// Address of the fleet.
    #[command(flatten)]
    pub api: Api,
    /// A head of a time ago, as the log, an export or an earlier check shows it: also checks that its block is there.
    #[arg(long, value_name = "HASH")]
    pub head: Option<String>,
    /// Writes one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `botfleet audit export`.
#[derive(Clone, Debug, Args)]
pub struct ExportArgs {
    /// Address of the fleet.
    #[command(flatten)]
    pub api: Api,
}

/// Runs a command.
///
/// # Errors
/// When the fleet does not answer or refuses.
pub async fn execute(command: &AuditCommand) -> anyhow::Result<ExitCode> {
    match command {
        AuditCommand::List(args) => list(args).await,
        AuditCommand::Verify(args) => verify(args).await,
        AuditCommand::Export(args) => {
            let client = args.api.client()?;
            let mut out = stdout().lock();
            match client.copy::<Export>(plain(), |piece| out.write_all(piece)).await {
                Err(error) if is(&error, Code::ConfirmFirst) => {
                    confirm(&client).await?;
                    client.copy::<Export>(plain(), |piece| out.write_all(piece)).await?;
                }
                copied => copied?,
            }
            out.flush().context("stdout cannot be written")?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn list(args: &ListArgs) -> anyhow::Result<ExitCode> {
    let client = args.api.client()?;
    let since = args.since.as_deref().map(millis).transpose()?;
    let (principal, act, object) = (args.principal.clone(), args.act.clone(), args.object.clone());
    let newest_first = !args.all;
    let mut query = Page { after: None, newest_first, principal, act, object, since, limit: Some(AUDIT_ENTRIES_MAX) };
    let (mut newest, mut wanted) = (Vec::new(), args.last as usize);
    loop {
        if newest_first {
            query.limit = Some(wanted.min(AUDIT_ENTRIES_MAX));
        }
        let page = client.call(Call::<List>::new(Nothing {}, query.clone(), Nothing {})).await?;
        query.after = page.next;
        if newest_first {
            wanted = wanted.saturating_sub(page.entries.len());
            newest.extend(page.entries);
        } else {
            write(&page.entries, args.json)?;
        }
        if query.after.is_none() || (newest_first && wanted == 0) {
            break;
        }
    }
    newest.reverse();
    write(&newest, args.json)?;
    if query.after.is_some() {
        tell(&format!("the newest {} entries; --last N or --all shows more\n", newest.len()));
    }
    Ok(ExitCode::SUCCESS)
}

fn write(lines: &[AuditLine], json: bool) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    for line in lines {
        let text = if json { serde_json::to_string(line)? } else { shown(line) };
        writeln!(out, "{text}").context("stdout cannot be written")?;
    }
    Ok(())
}

fn shown(line: &AuditLine) -> String {
    let place = &line.place;
    let Some(entry) = &line.entry else {
        let why = if line.unread { "is of another version of botfleet" } else { "had contents that were removed" };
        return format!("{place:<10} {}  {why}", line.id);
    };
    let AuditEntry { at, act, phase, principal, object, before, after, origin, .. } = entry;
    let phase = match phase {
        Phase::Act => String::new(),
        Phase::Intent => " begins".to_owned(),
        Phase::Outcome { result, .. } => format!(" ends: {result:?}").to_lowercase(),
    };
    let named = object.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    let from = origin.address.as_ref().map(|address| format!(" from {address}")).unwrap_or_default();
    let state = |name: &str, state: &Option<Value>| match state {
        Some(state) => format!("\n{:<10} {name} {state}", ""),
        None => String::new(),
    };
    format!(
        "{place:<10} {}  {:<12} {}{phase} {}{named}{from} on {}{}{}",
        second(*at),
        principal.name,
        act.as_str(),
        object.key(),
        origin.node,
        state("before", before),
        state("after ", after)
    )
}

/// Reads a day, or a time, as milliseconds.
fn millis(text: &str) -> anyhow::Result<i64> {
    if let Ok(time) = chrono::DateTime::parse_from_rfc3339(text) {
        return Ok(time.timestamp_millis());
    }
    let day = text.parse::<chrono::NaiveDate>().ok().and_then(|day| day.and_hms_opt(0, 0, 0));
    match day {
        Some(day) => Ok(day.and_utc().timestamp_millis()),
        None => bail!("{text:?} is no time: write 2026-09-21, or 2026-09-21T18:30:00Z"),
    }
}

async fn verify(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let body = Known { head: args.head.clone() };
    let found = args.api.client()?.call(order::<Verify>(body)).await?;
    let text = if args.json { serde_json::to_string(&found)? } else { told(&found) };
    writeln!(stdout().lock(), "{text}").context("stdout cannot be written")?;
    Ok(if found.bad.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn told(found: &Verification) -> String {
    if let Some(bad) = &found.bad {
        return format!("block {} {}\nhead   {}", bad.number, bad.why, found.head);
    }
    let mut lines = vec![format!("sound: {} blocks with {} entries", found.blocks, found.entries)];
    let mut note = |number: u64, text: &str| {
        if number > 0 {
            lines.push(format!("{number} {text}"));
        }
    };
    note(found.checkpoint.unsigned_abs(), "older blocks are in the checkpoint");
    note(found.emptied, "entries have no contents: people were forgotten");
    note(found.unsigned, "blocks are not signed: there was no key");
    note(found.unchecked, "signatures were not checked: this node has no key");
    note(found.waiting, "entries wait for their block");
    match found.head_check {
        HeadCheck::Found => lines.push("the head that you gave is in the chain".to_owned()),
        HeadCheck::BeforeCheckpoint => {
            lines.push("the head that you gave is older than the checkpoint: nothing can be told about it".to_owned());
        }
        HeadCheck::Unasked | HeadCheck::Missing => {}
    }
    lines.push(format!("head   {}", found.head));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use botfleet_actors::domain::audit::{
        Act, AuditId, AuditObject, AuditPrincipal, ObjectKind, Origin, PrincipalKind,
    };
    use botfleet_actors::domain::chain::BadBlock;
    use botfleet_actors::domain::time::Timestamp;

    use super::*;

    #[test]
    fn an_entry_reads_as_who_did_what_when() {
        let entry = AuditEntry {
            id: AuditId(7),
            at: Timestamp::from_millis(1_790_000_000_000),
            act: Act::Stop,
            phase: Phase::Act,
            principal: AuditPrincipal { kind: PrincipalKind::Local, id: None, name: "local".to_owned() },
            object: AuditObject::new(ObjectKind::Bot, 3).called("Ada"),
            before: None,
            after: Some(serde_json::json!({ "stop": true })),
            origin: Origin { node: "n1".to_owned(), ..Origin::default() },
        };
        let (place, id) = ("12.1".to_owned(), entry.id.to_string());
        let line = AuditLine { place, id, hash: String::new(), entry: Some(entry), unread: false };
        assert_eq!(
            shown(&line),
            "12.1       2026-09-21 14:13:20Z  local        stop bot:3 (Ada) on n1\n           after  {\"stop\":true}"
        );
        let unread = AuditLine { entry: None, unread: true, ..line.clone() };
        assert!(shown(&unread).ends_with("is of another version of botfleet"));
        assert!(shown(&AuditLine { entry: None, ..line }).ends_with("had contents that were removed"));
    }

    #[test]
    fn a_bad_block_is_named_first() {
        let bad = BadBlock { number: 4, why: "lacks an entry".to_owned() };
        let found = Verification { bad: Some(bad), head: "9-ab".to_owned(), ..Verification::default() };
        assert_eq!(told(&found), "block 4 lacks an entry\nhead   9-ab");
    }

    #[test]
    fn a_time_is_a_day_or_an_instant() {
        assert_eq!(millis("1970-01-02").unwrap(), 86_400_000);
        assert_eq!(millis("1970-01-01T00:00:01Z").unwrap(), 1_000);
        assert!(millis("yesterday").is_err());
    }
}
