//! `botfleet secrets`: tokens and keys that are given to the running fleet, and the keys that seal them. Layer `cli`. Keeps I12.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use secrecy::SecretString;

use super::asked::{asked, minute, shown};
use super::typed;
use crate::api::bots::BotNamed;
use crate::api::route::{Call, Nothing};
use crate::api::secret::Secret;
use crate::api::secrets::{
    List, ProviderKeyBody, ProviderNamed, RemoveProviderKey, RemoveToken, Reset, ResetBody, Retire, Rotate,
    SealingKeyOf, SetProviderKey, SetToken, TokenBody,
};
use crate::cli::api::{Api, order, plain};
use crate::runtime::secrets::view::{GivenView, LostView, SecretsView};

/// The commands under `botfleet secrets`.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  botfleet secrets token Ada                 asks for the token; the live bot uses it within a second
  botfleet secrets provider-key main < key   reads the key from a file
  botfleet secrets rotate                    seals everything by the newest key
  botfleet secrets retire 6f1e2d3c4b5a6978   once nothing needs the key
  botfleet secrets reset --lost              the key is lost: lists what must be entered again")]
pub enum SecretsCommand {
    /// Lists what was given, and the keys that seal it; never a secret.
    List(ListArgs),
    /// Gives a bot another token, or removes the one that was given.
    Token(GiveArgs),
    /// Gives a provider another key, or removes the one that was given.
    ProviderKey(GiveArgs),
    /// Seals all secrets by the newest key.
    Rotate(ListArgs),
    /// Retires a key that nothing needs any more.
    Retire(RetireArgs),
    /// Gives up the secrets whose key was lost, and lists them.
    Reset(ResetArgs),
}

/// Arguments of `botfleet secrets list`.
#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// Address of the fleet.
    #[command(flatten)]
    pub api: Api,
    /// Writes one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of the commands that give a secret.
#[derive(Clone, Debug, Args)]
pub struct GiveArgs {
    /// Address of the fleet, and the form of the answer.
    #[command(flatten)]
    pub common: ListArgs,
    /// Name of the bot or provider in the manifest.
    pub name: String,
    /// Removes the one that was given: the place that the manifest names counts again.
    #[arg(long)]
    pub remove: bool,
}

/// Arguments of `botfleet secrets retire`.
#[derive(Clone, Debug, Args)]
pub struct RetireArgs {
    /// Address of the fleet, and the form of the answer.
    #[command(flatten)]
    pub common: ListArgs,
    /// The key, as the list shows it.
    pub id: String,
}

/// Arguments of `botfleet secrets reset`.
#[derive(Clone, Debug, Args)]
pub struct ResetArgs {
    /// Address of the fleet, and the form of the answer.
    #[command(flatten)]
    pub common: ListArgs,
    /// Gives up what no living node can open.
    #[arg(long, required = true)]
    pub lost: bool,
}

/// Runs a command.
///
/// # Errors
/// When the fleet refuses or does not answer.
pub async fn execute(command: &SecretsCommand) -> anyhow::Result<ExitCode> {
    match command {
        SecretsCommand::List(args) => {
            let secrets = args.api.client()?.call(plain::<List>()).await?;
            shown(args.json, &secrets, &table(&secrets))?;
        }
        SecretsCommand::Token(args) => token(args).await?,
        SecretsCommand::ProviderKey(args) => provider_key(args).await?,
        SecretsCommand::Rotate(args) => {
            let done = asked(&args.api.client()?, plain::<Rotate>).await?;
            let left = if done.left > 0 {
                format!("; {} are left, sealed by a missing key", done.left)
            } else {
                String::new()
            };
            shown(args.json, &done, &format!("{} sealed by the key {}{left}", done.sealed, done.key))?;
        }
        SecretsCommand::Retire(args) => {
            let call = || Call::<Retire>::new(SealingKeyOf { id: args.id.clone() }, Nothing {}, Nothing {});
            let done = asked(&args.common.api.client()?, call).await?;
            shown(args.common.json, &done, &format!("retired {}", args.id))?;
        }
        SecretsCommand::Reset(args) => {
            let lost = args.lost;
            let lost = asked(&args.common.api.client()?, || order::<Reset>(ResetBody { lost })).await?;
            shown(args.common.json, &lost, &to_enter(&lost))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn token(args: &GiveArgs) -> anyhow::Result<()> {
    let client = args.common.api.client()?;
    let bot = || BotNamed { name: args.name.clone() };
    if args.remove {
        let done = asked(&client, || Call::<RemoveToken>::new(bot(), Nothing {}, Nothing {})).await?;
        return shown(args.common.json, &done, &format!("removed the token of {}", args.name));
    }
    let token: SecretString = typed::secret(&format!("token of {}", args.name))?;
    let body = || TokenBody { token: Secret(token.clone()) };
    given(args, &asked(&client, || Call::<SetToken>::new(bot(), Nothing {}, body())).await?)
}

async fn provider_key(args: &GiveArgs) -> anyhow::Result<()> {
    let client = args.common.api.client()?;
    let provider = || ProviderNamed { name: args.name.clone() };
    if args.remove {
        let done = asked(&client, || Call::<RemoveProviderKey>::new(provider(), Nothing {}, Nothing {})).await?;
        return shown(args.common.json, &done, &format!("removed the key of {}", args.name));
    }
    let key: SecretString = typed::secret(&format!("key of {}", args.name))?;
    let body = || ProviderKeyBody { key: Secret(key.clone()) };
    given(args, &asked(&client, || Call::<SetProviderKey>::new(provider(), Nothing {}, body())).await?)
}

fn given(args: &GiveArgs, given: &GivenView) -> anyhow::Result<()> {
    let GivenView { name, ends, key, version } = given;
    shown(args.common.json, given, &format!("{name} has {ends}, version {version}, sealed by the key {key}"))
}

fn table(SecretsView { keys, secrets }: &SecretsView) -> String {
    let mut text = format!("{:16}  {:7}  {:16}  {:7}  nodes\n", "key", "", "since", "secrets");
    for key in keys {
        let state = match (key.retired_at.is_some(), key.seals, key.held) {
            (true, ..) => "retired",
            (_, true, _) => "seals",
            (.., true) => "opens",
            _ => "MISSING",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{:16}  {state:7}  {:16}  {:7}  {}",
            key.id,
            minute(key.made_at),
            key.secrets,
            key.nodes.join(", ")
        );
    }
    if keys.is_empty() {
        "no keys yet: the first secret makes one, or set secrets.keys\n".clone_into(&mut text);
    }
    let width = secrets.iter().map(|secret| secret.name.chars().count()).max().unwrap_or(0).max(4);
    for secret in secrets {
        let (kind, name) = (secret.kind.replace('_', " "), &secret.name);
        let since = minute(Some(secret.set_at));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{kind:12}  {name:width$}  {:6}  {since} by {}", secret.state, secret.set_by);
    }
    text
}

fn to_enter(LostView { bots, providers, users }: &LostView) -> String {
    if bots.is_empty() && providers.is_empty() && users.is_empty() {
        return "nothing is lost".to_owned();
    }
    let bots = bots.iter().map(|name| format!("botfleet secrets token {name:?}\n"));
    let providers = providers.iter().map(|name| format!("botfleet secrets provider-key {name:?}\n"));
    let users = users.iter().map(|name| format!("{name} enrols a second factor: botfleet second-factor enrol\n"));
    bots.chain(providers).chain(users).collect()
}
