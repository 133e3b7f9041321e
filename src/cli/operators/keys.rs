//! `botfleet key`: API keys. Layer `cli`. Keeps I12.

use std::fmt::Write as _;
use std::process::ExitCode;

use botfleet_actors::domain::operators::Role;
use clap::{Args, Subcommand};
use secrecy::ExposeSecret as _;

use super::asked::{Scope, asked, minute, permissions, role, shown};
use crate::api::account::{self, Overlap, OwnPart};
use crate::api::keys::{KeyBody, KeyView, NewKeyView};
use crate::api::route::{Call, Nothing};
use crate::api::user_access::{self, PartOfUser};
use crate::api::users::UserNamed;
use crate::cli::api::{Api, order, plain};
use crate::cli::output::tell;
use crate::client::{CallError, Client};

/// The commands under `botfleet key`.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  botfleet key create backup --role viewer --days 90
  botfleet key create ci --role operator --chat lounge --bot Ada --from 192.0.2.0/24 --user bela
  BOTFLEET_API_KEY=bf_... botfleet whoami --api https://fleet.example:8443")]
pub enum KeyCommand {
    /// Lists keys, without their secrets.
    List(OfUser),
    /// Makes a key, and shows it once.
    Create(CreateArgs),
    /// Gives a key another secret, and shows it once.
    Rotate(RotateArgs),
    /// Ends a key.
    End(EndArgs),
}

/// The account whose keys a command is about.
#[derive(Clone, Debug, Args)]
pub struct OfUser {
    /// Address of the fleet.
    #[command(flatten)]
    pub api: Api,
    /// The account; one's own without it.
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Writes one JSON object.
    #[arg(long)]
    pub json: bool,
}

impl OfUser {
    /// Returns the client for what concerns that account; one's own takes one's own proof.
    pub(super) fn client(&self) -> Result<Client, CallError> {
        if self.user.is_some() { self.api.client() } else { self.api.account() }
    }
}

/// Arguments of `botfleet key create`.
#[derive(Clone, Debug, Args)]
pub struct CreateArgs {
    /// The account.
    #[command(flatten)]
    pub of: OfUser,
    /// A name for people.
    pub name: String,
    /// viewer, operator or admin; at most the account's own.
    #[arg(long, value_parser = role)]
    pub role: Role,
    /// The bots and chats of the role.
    #[command(flatten)]
    pub scope: Scope,
    /// A network from which the key is taken, as 192.0.2.0/24; may be given several times. Without: from everywhere.
    #[arg(long = "from", value_name = "NETWORK")]
    pub networks: Vec<String>,
    /// Days until the key ends, 1 to 366.
    #[arg(long, default_value_t = 90)]
    pub days: u32,
}

/// Arguments of `botfleet key rotate`.
#[derive(Clone, Debug, Args)]
pub struct RotateArgs {
    /// Address of the fleet.
    #[command(flatten)]
    pub api: Api,
    /// The key, as the list shows it.
    pub id: String,
    /// Seconds for which the old secret is taken too, at most a day.
    #[arg(long, default_value_t = 3600, value_name = "SECONDS")]
    pub overlap: u32,
    /// Writes one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `botfleet key end`.
#[derive(Clone, Debug, Args)]
pub struct EndArgs {
    /// The account.
    #[command(flatten)]
    pub of: OfUser,
    /// The key, as the list shows it.
    pub id: String,
}

/// Runs a command.
///
/// # Errors
/// When the fleet refuses or does not answer.
pub async fn execute(command: &KeyCommand) -> anyhow::Result<ExitCode> {
    match command {
        KeyCommand::List(args) => {
            let client = args.client()?;
            let keys = match named(args) {
                Some(user) => client.call(Call::<user_access::ListKeys>::new(user, Nothing {}, Nothing {})).await?,
                None => client.call(plain::<account::ListKeys>()).await?,
            };
            shown(args.json, &keys, &table(&keys.keys))?;
        }
        KeyCommand::Create(args) => create(args).await?,
        KeyCommand::Rotate(args) => {
            let client = args.api.account()?;
            let call = || {
                let part = OwnPart { id: args.id.clone() };
                Call::<account::RotateKey>::new(part, Nothing {}, Overlap { overlap_s: args.overlap })
            };
            told(args.json, &asked(&client, call).await?)?;
        }
        KeyCommand::End(args) => {
            let client = args.of.client()?;
            let id = || args.id.clone();
            let done = if let Some(UserNamed { name }) = named(&args.of) {
                let part = || PartOfUser { name: name.clone(), id: id() };
                asked(&client, || Call::<user_access::EndKey>::new(part(), Nothing {}, Nothing {})).await?
            } else {
                let part = || OwnPart { id: id() };
                asked(&client, || Call::<account::EndKey>::new(part(), Nothing {}, Nothing {})).await?
            };
            shown(args.of.json, &done, &format!("ended {}", args.id))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn named(of: &OfUser) -> Option<UserNamed> {
    of.user.clone().map(|name| UserNamed { name })
}

async fn create(args: &CreateArgs) -> anyhow::Result<()> {
    let client = args.of.client()?;
    let body = || KeyBody {
        name: args.name.clone(),
        role: args.role,
        within: args.scope.within(),
        reads_texts: args.scope.texts,
        networks: args.networks.clone(),
        days: args.days,
    };
    let made = match named(&args.of) {
        Some(UserNamed { name }) => {
            let user = || UserNamed { name: name.clone() };
            asked(&client, || Call::<user_access::AddKey>::new(user(), Nothing {}, body())).await?
        }
        None => asked(&client, || order::<account::AddKey>(body())).await?,
    };
    told(args.of.json, &made)
}

fn told(json: bool, made: &NewKeyView) -> anyhow::Result<()> {
    if !json {
        tell(&format!("key {} until {} UTC; it is shown this once:\n", made.view.id, minute(made.view.expires_at)));
    }
    shown(json, made, made.key.0.expose_secret())
}

fn table(keys: &[KeyView]) -> String {
    if keys.is_empty() {
        return "no keys".to_owned();
    }
    let width = keys.iter().map(|key| key.name.chars().count()).max().unwrap_or(0).max(4);
    let mut text = format!("{:16}  {:width$}  {:16}  {:16}  may\n", "id", "name", "until", "last used");
    for key in keys {
        let may = permissions(key.role, key.within.as_ref(), key.reads_texts);
        let from = if key.networks.is_empty() { String::new() } else { format!(", from {}", key.networks.join(", ")) };
        let (until, used) = (minute(key.expires_at), minute(key.used_at));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:16}  {:width$}  {until:16}  {used:16}  {may}{from}", key.id, key.name);
    }
    text
}
