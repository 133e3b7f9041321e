//! Asks the world outside for `botfleet check --online`. Layer `runtime`.
//!
//! | file | asks |
//! |---|---|
//! | `telegram` | Telegram: tokens, chats, rights of each bot in each chat, its clock |
//! | `models` | each model for one tiny completion, with each key |
//! | `servers` | database and Redis |
//! | `trial` | one chat, by sending into it and taking back what was sent |
//! | `recording` | records the trial, without anything personal |
//!
//! Beside a running fleet the check costs no 409, since it never polls. The check moves no offset, and only the trial
//! sends.

mod models;
pub mod recording;
mod servers;
mod telegram;
pub mod trial;

use serde::Serialize;

use crate::config::connections::Connections;
use crate::config::manifest::LoadedManifest;
use crate::config::settings::Config;
use crate::telegram::client::TelegramClient;
use botfleet_actors::domain::names::names;

/// The verdict of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All is as it should be.
    Sound,
    /// The thing works, and should be looked at.
    Warning,
    /// The thing does not work.
    Fault,
}

names! { Verdict { Sound = "ok", Warning = "warning", Fault = "FAULT" } }

/// A finding about one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The kind of thing: `bot`, `chat`, `member`, `model`, `database`, `redis`, `clock`.
    pub part: &'static str,
    /// Name of the thing, by the manifest where it has one.
    pub subject: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Description of what was found.
    pub what: String,
    /// Remedy; empty when there is nothing to do.
    pub remedy: String,
}

impl Finding {
    fn sound(part: &'static str, subject: impl Into<String>, what: impl Into<String>) -> Self {
        Self { part, subject: subject.into(), verdict: Verdict::Sound, what: what.into(), remedy: String::new() }
    }

    fn warning(
        part: &'static str,
        subject: impl Into<String>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let (subject, what, remedy) = (subject.into(), what.into(), remedy.into());
        Self { part, subject, verdict: Verdict::Warning, what, remedy }
    }

    fn fault(
        part: &'static str,
        subject: impl Into<String>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let (subject, what, remedy) = (subject.into(), what.into(), remedy.into());
        Self { part, subject, verdict: Verdict::Fault, what, remedy }
    }
}

/// Asks everything; `progress` hears what is being asked.
///
/// # Errors
/// When an adapter cannot be built from the configuration.
pub async fn look(
    config: &Config,
    connections: &Connections,
    manifest: LoadedManifest,
    progress: &dyn Fn(&str),
) -> anyhow::Result<Vec<Finding>> {
    let client = TelegramClient::new(&config.telegram)?;
    progress("database and Redis");
    let mut findings = servers::look(config, connections).await;
    progress("Telegram: tokens");
    findings.extend(telegram::look(&client, &manifest, progress).await);
    progress("models");
    findings.extend(models::look(manifest).await?);
    Ok(findings)
}
