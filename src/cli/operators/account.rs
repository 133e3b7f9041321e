//! `botfleet login`, `logout`, `whoami`, `password` and `second-factor`: one's own account. Layer `cli`. Keeps I12.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use secrecy::{ExposeSecret as _, SecretString};

use super::asked::{asked, is, minute, permissions, shown};
use super::{kept, typed};
use crate::api::account::{BeginFactor, ChangePassword, FactorProof, NewPassword, TakeFactor};
use crate::api::secret::Secret;
use crate::api::session::{End, Get, Open, SignInBody, SignedIn, Transport};
use crate::cli::api::{Api, order, plain};
use crate::cli::output::tell;
use crate::client::{CallError, Client};
use crate::operate::failure::Code;

/// Arguments of `botfleet login`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  botfleet login ada --api https://fleet.example:8443
  pass botfleet | botfleet login ada")]
pub struct LoginArgs {
    /// Address of the fleet.
    #[command(flatten)]
    pub api: Api,
    /// The name of the account.
    pub name: String,
}

/// Arguments of `botfleet logout` and `botfleet whoami`.
#[derive(Clone, Debug, Args)]
pub struct OwnArgs {
    /// Address of the fleet.
    #[command(flatten)]
    pub api: Api,
    /// Writes one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// The commands under `botfleet second-factor`.
#[derive(Debug, Subcommand)]
pub enum SecondFactorCommand {
    /// Enrols an authenticator app, and shows recovery codes once.
    Enrol(OwnArgs),
}

/// Opens a session and keeps its token.
///
/// # Errors
/// When the fleet refuses, or the token cannot be kept.
pub async fn login(args: &LoginArgs) -> anyhow::Result<ExitCode> {
    let client = args.api.stranger()?;
    let password = typed::secret("password")?;
    let opened = match opened(&client, args, &password, None).await {
        Err(error) if is(&error, Code::CodeNeeded) => {
            let code = typed::secret("code of your authenticator app, or a recovery code")?;
            opened(&client, args, &password, Some(code.expose_secret().to_owned())).await?
        }
        other => other?,
    };
    kept::keep(client.address(), opened.token.map(|token| token.0).as_ref())?;
    tell(&format!("signed in as {} ({}) until {} UTC\n", opened.name, opened.role, minute(Some(opened.ends_at))));
    if client.is_local() {
        tell(
            "commands about your own account use this session; the others act as whoever runs the fleet, unless --signed-in is given\n",
        );
    }
    Ok(ExitCode::SUCCESS)
}

async fn opened(
    client: &Client,
    args: &LoginArgs,
    password: &SecretString,
    code: Option<String>,
) -> Result<SignedIn, CallError> {
    let (name, password) = (args.name.clone(), Secret(password.clone()));
    client.call(order::<Open>(SignInBody { name, password, code, transport: Transport::Token })).await
}

/// Ends the kept session.
///
/// # Errors
/// When the fleet does not answer, or the file of tokens cannot be written.
pub async fn logout(args: &OwnArgs) -> anyhow::Result<ExitCode> {
    let client = args.api.account()?;
    let ended = client.call(plain::<End>()).await;
    kept::keep(client.address(), None)?;
    match ended {
        Ok(done) => shown(args.json, &done, "signed out")?,
        Err(CallError::Refused { status: 401, .. }) => tell("the session was over already\n"),
        Err(error) => return Err(error.into()),
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows who asks.
///
/// # Errors
/// When the fleet does not answer.
pub async fn whoami(args: &OwnArgs) -> anyhow::Result<ExitCode> {
    let who = args.api.client()?.call(plain::<Get>()).await?;
    let may = permissions(who.role, who.within.as_ref(), who.reads_texts);
    shown(args.json, &who, &format!("{} by {}: {may}", who.name, who.proof))?;
    Ok(ExitCode::SUCCESS)
}

/// Changes one's own password.
///
/// # Errors
/// When the fleet refuses.
pub async fn password(args: &OwnArgs) -> anyhow::Result<ExitCode> {
    let client = args.api.account()?;
    let password = typed::new_secret("new password, of 12 characters or more")?;
    let body = || NewPassword { password: Secret(password.clone()) };
    let done = asked(&client, || order::<ChangePassword>(body())).await?;
    shown(args.json, &done, "changed; all sessions of the account ended, so sign in again")?;
    Ok(ExitCode::SUCCESS)
}

/// Enrols a second factor.
///
/// # Errors
/// When the fleet refuses, or the code does not fit.
pub async fn second_factor(command: &SecondFactorCommand) -> anyhow::Result<ExitCode> {
    let SecondFactorCommand::Enrol(args) = command;
    let client = args.api.account()?;
    let begun = asked(&client, plain::<BeginFactor>).await?;
    tell(&format!(
        "Type this into your authenticator app:\n\n  {}\n\nor open this address in it:\n\n  {}\n\n",
        begun.secret.0.expose_secret(),
        begun.address.0.expose_secret()
    ));
    let codes = loop {
        let code = typed::secret("the code that it shows")?.expose_secret().to_owned();
        let body = || FactorProof { sealed: begun.sealed.clone(), code: code.clone() };
        match asked(&client, || order::<TakeFactor>(body())).await {
            // A digit was mistyped, or the code was over: the seed is still good, and the fleet bounds the tries.
            Err(error) if error.downcast_ref().is_some_and(|error| is(error, Code::WrongCredentials)) => {
                tell(&format!("{error}; type the next one\n"));
            }
            other => break other?,
        }
    };
    let lines: Vec<&str> = codes.recovery_codes.iter().map(|code| code.0.expose_secret()).collect();
    tell(
        "Enrolled. Keep these recovery codes apart from your phone; each counts once, and they are shown this once:\n\n",
    );
    shown(args.json, &codes, &lines.join("\n"))?;
    Ok(ExitCode::SUCCESS)
}
