//! `botfleet user`: accounts of those who operate the fleet. Layer `cli`. Keeps I12.

use std::fmt::Write as _;
use std::process::ExitCode;

use botfleet_actors::domain::operators::Role;
use clap::{Args, Subcommand};

use super::asked::{Scope, asked, minute, permissions, role, shown};
use super::typed;
use crate::api::route::{Call, Nothing};
use crate::api::secret::Secret;
use crate::api::users::{Add, Change, Get, GrantsBody, List, NewUser, Remove, User, UserNamed, UserPatch};
use crate::cli::api::{Api, order, plain};
use crate::cli::output::say;
use crate::operate::access::password::{self, Hasher};

/// The commands under `botfleet user`.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  botfleet user create ada --role admin            the first admin, on the machine itself
  botfleet user create bela --role operator --chat lounge --bot Ada
  botfleet user change bela --role viewer           within the same bots and chats
  botfleet user change bela --everything            within the whole fleet
  botfleet user change bela --disable
  botfleet user change ada --reset-second-factor   the phone is lost")]
pub enum UserCommand {
    /// Lists the accounts.
    List(ListArgs),
    /// Makes an account; asks for its password.
    Create(CreateArgs),
    /// Changes an account.
    Change(ChangeArgs),
    /// Removes an account with its sessions and keys.
    Remove(RemoveArgs),
    /// Prints the hash of a password, for the file of the first admin; asks no fleet.
    Hash,
}

/// Arguments of `botfleet user list`.
#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// Address of the fleet.
    #[command(flatten)]
    pub api: Api,
    /// Writes one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `botfleet user create`.
#[derive(Clone, Debug, Args)]
pub struct CreateArgs {
    /// Address of the fleet, and the form of the answer.
    #[command(flatten)]
    pub common: ListArgs,
    /// The name to sign in with: letters a to z, digits, and . - _ @
    pub name: String,
    /// viewer, operator or admin.
    #[arg(long, value_parser = role)]
    pub role: Role,
    /// The bots and chats of the role.
    #[command(flatten)]
    pub scope: Scope,
    /// E-mail address.
    #[arg(long)]
    pub email: Option<String>,
    /// Language of pages: en or tr.
    #[arg(long)]
    pub language: Option<String>,
    /// IANA time zone, as Europe/Istanbul.
    #[arg(long)]
    pub time_zone: Option<String>,
    /// Asks for no password: the account is for API keys alone.
    #[arg(long)]
    pub no_password: bool,
}

/// Arguments of `botfleet user change`.
#[derive(Clone, Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub struct ChangeArgs {
    /// Address of the fleet, and the form of the answer.
    #[command(flatten)]
    pub common: ListArgs,
    /// The name of the account.
    pub name: String,
    /// Another role. The bots, chats and texts of the role stay as they are, unless other flags name them.
    #[arg(long, value_parser = role)]
    pub role: Option<Role>,
    /// The bots and chats of the role.
    #[command(flatten)]
    pub scope: Scope,
    /// Puts the whole fleet within reach.
    #[arg(long, conflicts_with_all = ["bots", "chats"])]
    pub everything: bool,
    /// Lets texts of messages be read no more, but by an admin.
    #[arg(long, conflicts_with = "texts")]
    pub no_texts: bool,
    /// Ends the account's sessions, and takes no further sign-in.
    #[arg(long, conflicts_with = "enable")]
    pub disable: bool,
    /// Takes sign-ins again.
    #[arg(long)]
    pub enable: bool,
    /// Asks for another password.
    #[arg(long)]
    pub password: bool,
    /// Takes the second factor away, when it was lost.
    #[arg(long)]
    pub reset_second_factor: bool,
}

/// Arguments of `botfleet user remove`.
#[derive(Clone, Debug, Args)]
pub struct RemoveArgs {
    /// Address of the fleet, and the form of the answer.
    #[command(flatten)]
    pub common: ListArgs,
    /// The name of the account.
    pub name: String,
}

/// Runs a command.
///
/// # Errors
/// When the fleet refuses or does not answer.
pub async fn execute(command: &UserCommand) -> anyhow::Result<ExitCode> {
    match command {
        UserCommand::List(args) => {
            let users = args.api.client()?.call(plain::<List>()).await?;
            shown(args.json, &users, &table(&users.users))?;
        }
        UserCommand::Create(args) => create(args).await?,
        UserCommand::Hash => {
            let password = typed::new_secret("password, of 12 characters or more")?;
            password::check_new(&password, "admin").map_err(|failure| anyhow::anyhow!("{failure}"))?;
            let hash = Hasher::default().hash(None, password).await.map_err(|failure| anyhow::anyhow!("{failure}"))?;
            say(&hash)?;
        }
        UserCommand::Change(args) => change(args).await?,
        UserCommand::Remove(args) => {
            let client = args.common.api.client()?;
            let user = client.call(Call::<Get>::new(named(&args.name), Nothing {}, Nothing {})).await?;
            let call = || Call::<Remove>::new(named(&args.name), Nothing {}, Nothing {}).of_version(user.version);
            shown(args.common.json, &asked(&client, call).await?, &format!("removed {}", user.name))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn named(name: &str) -> UserNamed {
    UserNamed { name: name.to_owned() }
}

async fn create(args: &CreateArgs) -> anyhow::Result<()> {
    let client = args.common.api.client()?;
    let question = format!("password of {}, of 12 characters or more", args.name);
    let password = if args.no_password { None } else { Some(Secret(typed::new_secret(&question)?)) };
    let body = || NewUser {
        name: args.name.clone(),
        role: args.role,
        within: args.scope.within(),
        reads_texts: args.scope.texts,
        email: args.email.clone(),
        language: args.language.clone(),
        time_zone: args.time_zone.clone(),
        password: password.clone(),
    };
    let user = asked(&client, || order::<Add>(body())).await?;
    shown(args.common.json, &user, &table(std::slice::from_ref(&user)))
}

async fn change(args: &ChangeArgs) -> anyhow::Result<()> {
    let client = args.common.api.client()?;
    let user = client.call(Call::<Get>::new(named(&args.name), Nothing {}, Nothing {})).await?;
    let question = format!("new password of {}", args.name);
    let password = if args.password { Some(Secret(typed::new_secret(&question)?)) } else { None };
    let patch = || UserPatch {
        grants: grants(args, &user),
        profile: None,
        disabled: if args.disable { Some(true) } else { args.enable.then_some(false) },
        password: password.clone(),
        reset_second_factor: args.reset_second_factor,
    };
    let call = || Call::<Change>::new(named(&args.name), Nothing {}, patch()).of_version(user.version);
    let user = asked(&client, call).await?;
    shown(args.common.json, &user, &table(std::slice::from_ref(&user)))
}

/// Returns the changed permissions; what no flag names stays as it is.
fn grants(args: &ChangeArgs, user: &User) -> Option<GrantsBody> {
    let ChangeArgs { role, scope, everything, no_texts, .. } = args;
    let named = scope.within();
    if role.is_none() && named.is_none() && !everything && !scope.texts && !no_texts {
        return None;
    }
    Some(GrantsBody {
        role: role.unwrap_or(user.role),
        within: if *everything { None } else { named.or_else(|| user.within.clone()) },
        reads_texts: scope.texts || user.reads_texts && !no_texts,
    })
}

fn table(users: &[User]) -> String {
    if users.is_empty() {
        return "no accounts; botfleet user create NAME --role admin makes the first".to_owned();
    }
    let width = users.iter().map(|user| user.name.len()).max().unwrap_or(0).max(4);
    let mut text = format!("{:width$}  {:16}  {:8}  may\n", "name", "since", "code");
    for user in users {
        let code = if user.second_factor { "yes" } else { "no" };
        let may = permissions(user.role, user.within.as_ref(), user.reads_texts);
        let disabled = if user.disabled_at.is_some() { " (disabled)" } else { "" };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:width$}  {}  {code:8}  {may}{disabled}", user.name, minute(Some(user.created_at)));
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use botfleet_actors::domain::time::Timestamp;
    use clap::Parser as _;

    use super::*;
    use crate::api::users::Within;
    use crate::cli::{Cli, Command};

    fn changed(flags: &[&str]) -> Option<(Role, Option<Within>, bool)> {
        let user = User {
            name: "bela".to_owned(),
            role: Role::Operator,
            within: Some(Within { bots: vec!["Ada".to_owned()], chats: vec!["lounge".to_owned()] }),
            reads_texts: true,
            email: None,
            language: None,
            time_zone: None,
            has_password: true,
            second_factor: false,
            disabled_at: None,
            created_at: Timestamp::from_millis(0),
            version: 1,
        };
        let cli = Cli::try_parse_from(["botfleet", "user", "change", "bela"].iter().chain(flags)).unwrap();
        let Command::User(UserCommand::Change(args)) = cli.command else { panic!("another command") };
        grants(&args, &user).map(|grants| (grants.role, grants.within, grants.reads_texts))
    }

    #[test]
    fn i12_another_role_widens_nothing_that_no_flag_names() {
        let within = |bots: &[&str], chats: &[&str]| {
            let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            Some(Within { bots: own(bots), chats: own(chats) })
        };
        let before = || within(&["Ada"], &["lounge"]);
        assert_eq!(changed(&["--disable"]), None);
        assert_eq!(changed(&["--role", "viewer"]), Some((Role::Viewer, before(), true)));
        assert_eq!(changed(&["--role", "viewer", "--no-texts"]), Some((Role::Viewer, before(), false)));
        assert_eq!(changed(&["--chat", "garden"]), Some((Role::Operator, within(&[], &["garden"]), true)));
        assert_eq!(changed(&["--everything"]), Some((Role::Operator, None, true)));
        assert!(Cli::try_parse_from(["botfleet", "user", "change", "bela", "--everything", "--bot", "Ada"]).is_err());
    }
}
