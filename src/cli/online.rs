//! `botfleet check --online`: compares the world outside with the manifest. Layer `cli`.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write, stderr, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::check::table;
use crate::config::connections::Connections;
use crate::config::manifest::LoadedManifest;
use crate::config::settings::Config;
use crate::runtime::online::trial::{self, Trial};
use crate::runtime::online::{self, Finding, Verdict};

/// Options of the online check.
#[derive(Clone, Debug, Args)]
pub struct OnlineArgs {
    /// Asks Telegram about every token, chat and right, each model for one tiny answer, database, Redis and the clock.
    /// Sends nothing, and costs a running fleet nothing.
    #[arg(long)]
    pub online: bool,
    /// With --try: the chat, by its name in the manifest.
    #[arg(long, value_name = "NAME", requires_all = ["online", "try_out"])]
    pub chat: Option<String>,
    /// Sends, replies, quotes, reacts, edits and deletes in the chat, which must be a small private group; tells how
    /// Telegram differed from the fleet's assumptions.
    #[arg(long = "try", id = "try_out", requires_all = ["online", "chat"])]
    pub try_out: bool,
    /// File for the trial's recording: calls and answers without names, ids, tokens and texts of others.
    #[arg(long, value_name = "FILE", requires = "try_out", default_value = "telegram-recording.jsonl")]
    pub recording: PathBuf,
}

/// Asks the world outside and prints the findings; the exit code is a failure when one of them is a fault.
///
/// # Errors
/// When an adapter cannot be built, a trial cannot begin, or stdout is closed.
pub(super) async fn execute(
    args: &OnlineArgs,
    json: bool,
    config: &Config,
    connections: &Connections,
    manifest: LoadedManifest,
) -> anyhow::Result<ExitCode> {
    if let Some(chat) = &args.chat {
        progress(&format!("trying things in {chat}"));
        let trial = trial::run(config, &manifest, chat).await?;
        return tell_trial(args, json, &trial);
    }
    let mut findings = online::look(config, connections, manifest, &progress).await?;
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.verdict));
    let worst = findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Sound);
    let text = if json {
        format!("{:#}\n", json!({ "sound": worst != Verdict::Fault, "findings": findings }))
    } else {
        as_text(&findings)
    };
    stdout().lock().write_all(text.as_bytes()).context("stdout cannot be written")?;
    Ok(if worst == Verdict::Fault { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn progress(what: &str) {
    if stderr().is_terminal() {
        super::output::tell(&format!("asking about {what} ...\n"));
    }
}

fn as_text(findings: &[Finding]) -> String {
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let (faults, warnings) = (count(Verdict::Fault), count(Verdict::Warning));
    let mut text = String::new();
    for finding in findings.iter().filter(|finding| finding.verdict != Verdict::Sound) {
        let level = if finding.verdict == Verdict::Fault { "error" } else { "warning" };
        let _ = writeln!(text, "{level}: {} {}: {}", finding.part, finding.subject, finding.what);
        let _ = writeln!(text, "hint: {}", finding.remedy);
    }
    if !text.is_empty() {
        text.push('\n');
    }
    let row = |finding: &Finding| {
        vec![
            finding.verdict.as_str().to_owned(),
            finding.part.to_owned(),
            finding.subject.clone(),
            finding.what.clone(),
        ]
    };
    let rows: Vec<_> = findings.iter().map(row).collect();
    text.push_str(&table("Asked", &["", "part", "which", "found"], &rows));
    let _ = writeln!(text, "{faults} faults, {warnings} warnings.");
    text
}

fn tell_trial(args: &OnlineArgs, json: bool, trial: &Trial) -> anyhow::Result<ExitCode> {
    let file = args.recording.display().to_string();
    std::fs::write(&args.recording, trial.recording.to_lines())
        .with_context(|| format!("{file} cannot be written; choose another place with --recording"))?;
    let as_expected = trial.tried.iter().all(|tried| tried.differences.is_empty());
    let text = if json {
        format!("{:#}\n", json!({ "as_expected": as_expected, "tried": trial.tried, "recording": file }))
    } else {
        let row = |tried: &trial::Tried| {
            let found =
                if tried.differences.is_empty() { "as expected".to_owned() } else { tried.differences.join("; ") };
            vec![tried.what.to_owned(), found]
        };
        let rows: Vec<_> = trial.tried.iter().map(row).collect();
        format!("{}Recorded in {file}, without names, ids and tokens.\n", table("Tried", &["what", "found"], &rows))
    };
    stdout().lock().write_all(text.as_bytes()).context("stdout cannot be written")?;
    Ok(if as_expected { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
