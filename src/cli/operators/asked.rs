//! Calls that may ask for a fresh proof, and what they show. Layer `cli`.

use std::io::{Write as _, stdout};

use anyhow::Context;
use botfleet_actors::domain::operators::Role;
use botfleet_actors::domain::time::Timestamp;
use clap::Args;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::typed;
use crate::api::answer::Answer;
use crate::api::route::{Call, Route};
use crate::api::secret::Secret;
use crate::api::session::{Confirm, Proving};
use crate::api::users::Within;
use crate::cli::api::order;
use crate::client::{CallError, Client};
use crate::operate::failure::Code;

/// Calls a route; asks for a fresh proof and calls again where the fleet wants one.
pub(in crate::cli) async fn asked<R: Route>(
    client: &Client,
    call: impl Fn() -> Call<R>,
) -> anyhow::Result<<R::Answer as Answer>::Item>
where
    <R::Answer as Answer>::Item: DeserializeOwned,
{
    match client.call(call()).await {
        Err(error) if is(&error, Code::ConfirmFirst) => {
            confirm(client).await?;
            Ok(client.call(call()).await?)
        }
        other => Ok(other?),
    }
}

/// Returns whether the fleet refused with this code.
pub(in crate::cli) fn is(error: &CallError, code: Code) -> bool {
    matches!(error, CallError::Refused { code: found, .. } if found == code.as_str())
}

/// Proves again that the account is the caller's: by a code where a second factor is enrolled, else by the password.
pub(in crate::cli) async fn confirm(client: &Client) -> anyhow::Result<()> {
    let proven = async |proof: Proving| client.call(order::<Confirm>(proof)).await;
    // Without any proof the fleet says which one it wants.
    let proof = match proven(Proving::default()).await {
        Ok(_) => return Ok(()),
        Err(error) if is(&error, Code::CodeNeeded) => {
            let code =
                typed::secret("code of your authenticator app, or a recovery code, since ten minutes have passed")?;
            Proving { password: None, code: Some(code.expose_secret().to_owned()) }
        }
        Err(error) if is(&error, Code::BadRequest) => {
            let password = typed::secret("your password, since ten minutes have passed")?;
            Proving { password: Some(Secret(password)), code: None }
        }
        Err(error) => return Err(error.into()),
    };
    proven(proof).await?;
    Ok(())
}

/// Writes a text to stdout, or the value as one line of JSON.
pub(super) fn shown(json: bool, value: &impl Serialize, text: &str) -> anyhow::Result<()> {
    let text = if json { serde_json::to_string(value)? } else { text.trim_end().to_owned() };
    writeln!(stdout().lock(), "{text}").context("stdout cannot be written")
}

/// Returns an instant to the minute, in UTC.
pub(super) fn minute(at: Option<Timestamp>) -> String {
    let at = at.and_then(|at| chrono::DateTime::from_timestamp_millis(at.as_millis()));
    at.map_or_else(|| "-".to_owned(), |at| at.format("%Y-%m-%d %H:%M").to_string())
}

/// The bots and chats that a role concerns.
#[derive(Clone, Debug, Default, Args)]
pub struct Scope {
    /// A bot within reach, by name; may be given several times. Without --bot and --chat: the whole fleet for a new account, all
    /// that its owner reaches for a key, and the same as before for a change.
    #[arg(long = "bot", value_name = "NAME")]
    pub bots: Vec<String>,
    /// A chat within reach, by name; may be given several times.
    #[arg(long = "chat", value_name = "NAME")]
    pub chats: Vec<String>,
    /// Lets texts of messages be read, apart from the role.
    #[arg(long)]
    pub texts: bool,
}

impl Scope {
    pub(super) fn within(&self) -> Option<Within> {
        let named = !self.bots.is_empty() || !self.chats.is_empty();
        named.then(|| Within { bots: self.bots.clone(), chats: self.chats.clone() })
    }
}

/// Describes permissions in a few words.
pub(super) fn permissions(role: Role, within: Option<&Within>, texts: bool) -> String {
    let reach = within.map_or_else(String::new, |within| {
        let all: Vec<&str> = within.bots.iter().chain(&within.chats).map(String::as_str).collect();
        format!(" of {}", if all.is_empty() { "nothing".to_owned() } else { all.join(", ") })
    });
    format!("{role}{reach}{}", if texts { ", reads texts" } else { "" })
}

/// Reads a role.
pub(super) fn role(name: &str) -> Result<Role, String> {
    let role = Role::parse(name).filter(|role| *role != Role::Stranger);
    role.ok_or_else(|| "give viewer, operator or admin".to_owned())
}
