//! `botfleet session`: open sessions. Layer `cli`. Keeps I12.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::asked::{asked, minute, shown};
use super::keys::OfUser;
use crate::api::account::{self, OwnPart};
use crate::api::route::{Call, Nothing};
use crate::api::user_access::{self, PartOfUser, SessionView};
use crate::api::users::UserNamed;
use crate::cli::api::plain;

/// The commands under `botfleet session`.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  botfleet session list
  botfleet session end 0123456789abcdef --user bela   a laptop was stolen")]
pub enum SessionCommand {
    /// Lists open sessions.
    List(OfUser),
    /// Ends a session at once, on every node within a second.
    End(EndArgs),
}

/// Arguments of `botfleet session end`.
#[derive(Clone, Debug, Args)]
pub struct EndArgs {
    /// The account.
    #[command(flatten)]
    pub of: OfUser,
    /// The session, as the list shows it.
    pub id: String,
}

/// Runs a command.
///
/// # Errors
/// When the fleet refuses or does not answer.
pub async fn execute(command: &SessionCommand) -> anyhow::Result<ExitCode> {
    match command {
        SessionCommand::List(args) => {
            let client = args.client()?;
            let sessions = match args.user.clone() {
                Some(name) => {
                    client
                        .call(Call::<user_access::ListSessions>::new(UserNamed { name }, Nothing {}, Nothing {}))
                        .await?
                }
                None => client.call(plain::<account::ListSessions>()).await?,
            };
            shown(args.json, &sessions, &table(&sessions.sessions))?;
        }
        SessionCommand::End(args) => {
            let client = args.of.client()?;
            let id = || args.id.clone();
            let done = if let Some(name) = args.of.user.clone() {
                let part = || PartOfUser { name: name.clone(), id: id() };
                asked(&client, || Call::<user_access::EndSession>::new(part(), Nothing {}, Nothing {})).await?
            } else {
                let part = || OwnPart { id: id() };
                asked(&client, || Call::<account::EndSession>::new(part(), Nothing {}, Nothing {})).await?
            };
            shown(args.of.json, &done, &format!("ended {}", args.id))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn table(sessions: &[SessionView]) -> String {
    if sessions.is_empty() {
        return "no open sessions".to_owned();
    }
    let mut text = format!("{:16}  {:16}  {:16}  from\n", "id", "since", "last seen");
    for open in sessions {
        let (since, seen) = (minute(Some(open.created_at)), minute(Some(open.seen_at)));
        let from =
            [open.address.as_deref(), open.agent.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(", ");
        let this = if open.asks { "  (this one)" } else { "" };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:16}  {since}  {seen}  {from}{this}", open.id);
    }
    text
}
