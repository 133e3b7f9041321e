//! The command line. Layer `cli`, the top one: may use everything below.
//!
//! | file | command |
//! |---|---|
//! | `demo` | `botfleet demo`: a simulated world to watch and to join |
//! | `run` | `botfleet run`: the fleet of a manifest |
//! | `first_admin` | the link by which the first admin makes an account |
//! | `launcher` | the process above the fleet's, which starts the fleet again when it dies |
//! | `signals` | the signals that ask a process to end |
//! | `check` | `botfleet check`: finds the faults of configuration and manifest |
//! | `online` | `botfleet check --online`: compares the world outside with the manifest |
//! | `migrate` | `botfleet migrate`: brings the schema of the store up or down, or tells its state |
//! | `store` | `botfleet store compact`: rewrites the file of the store without its free space |
//! | `dead_letters` | `botfleet dead-letters`, `botfleet redeliver`: lists dead letters, and gives one another try |
//! | `speaking` | `botfleet say`, `botfleet takeover`: speaks as a bot, and takes bots over |
//! | `retracting` | `botfleet message delete`, `botfleet retract`: deletes what bots said |
//! | `order` | `botfleet order`: shows orders that were given, and how they ended |
//! | `people` | `botfleet people`: shows what is stored about a person, and carries out their rights |
//! | `audit` | `botfleet audit`: lists what operators did, checks that nobody changed it, and takes it out |
//! | `eval` | `botfleet eval`: measures parts of the engine, without a fleet |
//! | `messages` | `botfleet messages`: lists what was said in a chat, or shows one message with its why |
//! | `watch` | `botfleet watch`: follows what happens |
//! | `why` | `botfleet why`: explains why a bot spoke, and why not the others |
//! | `replay` | `botfleet replay`: runs a recorded chat under another manifest |
//! | `health` | `botfleet health`: tells whether the running node is well, for probes |
//! | `cluster` | `botfleet cluster`: who owns what, drain, rebalance |
//! | `style` | `botfleet style`: shows how differently personas write |
//! | `apply` | `botfleet apply`: gives the running fleet another manifest |
//! | `resources` | `botfleet bot`, `chat`, `persona`, `stance`, `provider`, `budget`, `strategy`, `config`: the configuration while the fleet runs |
//! | `operators` | `botfleet login`, `user`, `key`, `secrets` and others: those who operate the fleet |
//! | `api` | calls the API of the running fleet for a command |
//! | `inputs` | the flags that `run` and `check` share, and the files that they name |
//!
//! Data goes to stdout, everything else to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.

pub mod api;
pub mod apply;
pub mod audit;
pub mod check;
pub mod cluster;
pub mod dead_letters;
pub mod demo;
pub mod eval;
mod first_admin;
pub mod health;
pub mod inputs;
pub mod launcher;
pub mod messages;
pub mod migrate;
mod online;
pub mod operators;
pub mod order;
pub mod output;
pub mod people;
pub mod replay;
pub mod resources;
pub mod retracting;
pub mod run;
mod signals;
pub mod speaking;
pub mod store;
pub mod style;
mod transport;
pub mod watch;
pub mod why;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use futures::FutureExt as _;
use futures::future::LocalBoxFuture;

use crate::cli::operators::{account, keys, secrets, sessions, users};
use crate::cli::output::{EXIT_USAGE, error_text, faults_text, tell};
use crate::cli::resources::verbs::{self, ThingCommand};
use crate::cli::resources::{bots, numbers, personas, stances};
use crate::config::fault::Faults;

const EXAMPLES: &str = "\
Examples:
  botfleet demo                        watch a simulated fleet converse; no token, no key
  botfleet check --manifest fleet.toml find every fault of configuration and manifest
  botfleet run --manifest fleet.toml   run the fleet

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration";

/// Runs a fleet of Telegram bots that converse in group chats through LLM providers.
#[derive(Debug, Parser)]
#[command(name = "botfleet", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Shows a simulated fleet in conversation: no token, no key, no server needed.
    Demo(demo::DemoArgs),
    /// Runs the fleet that a manifest describes, until SIGINT or SIGTERM.
    #[command(after_help = RUN_EXAMPLES)]
    Run(run::RunArgs),
    /// Checks configuration and manifest; with --online also tokens, chats, models, database, Redis and clock.
    Check(check::CheckArgs),
    /// Shows and steers the nodes of the running fleet.
    #[command(subcommand)]
    Cluster(cluster::ClusterCommand),
    /// Gives the running fleet another manifest, or an earlier configuration; prints what changes.
    Apply(apply::ApplyArgs),
    /// Shows and changes the bots of the running fleet.
    #[command(subcommand)]
    Bot(bots::BotCommand),
    /// Shows and changes the chats of the running fleet.
    #[command(subcommand)]
    Chat(ThingCommand),
    /// Shows and changes the personas of the running fleet.
    #[command(subcommand)]
    Persona(personas::PersonaCommand),
    /// Shows and changes the opinions of a persona.
    #[command(subcommand)]
    Stance(stances::StanceCommand),
    /// Shows and changes the providers of models of the running fleet.
    #[command(subcommand)]
    Provider(ThingCommand),
    /// Shows and changes the budgets of the running fleet.
    #[command(subcommand)]
    Budget(ThingCommand),
    /// Shows and changes the strategies of the running fleet.
    #[command(subcommand)]
    Strategy(ThingCommand),
    /// Shows the numbers of the configuration, and goes back to one.
    #[command(subcommand)]
    Config(numbers::ConfigCommand),
    /// Brings the schema of the store up to date, takes it back, or tells its state.
    Migrate(migrate::MigrateArgs),
    /// Looks after the file of the store, while no fleet runs on it.
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// Lists turns, messages and updates of the running fleet that ended badly.
    DeadLetters(dead_letters::DeadLettersArgs),
    /// Gives a dead letter of the running fleet another try.
    Redeliver(dead_letters::RedeliverArgs),
    /// Says something as a bot of the running fleet.
    Say(speaking::SayArgs),
    /// Takes bots of the running fleet over, and gives them back.
    #[command(subcommand)]
    Takeover(speaking::TakeoverCommand),
    /// Deletes a message of a bot.
    #[command(subcommand)]
    Message(retracting::MessageCommand),
    /// Deletes what a bot, or every bot of a chat, said from a time on.
    Retract(retracting::RetractArgs),
    /// Shows the orders that were given to the running fleet, and how they ended.
    #[command(subcommand)]
    Order(order::OrderCommand),
    /// Shows what the running fleet stores about a person, and sees to their rights.
    #[command(subcommand)]
    People(people::PeopleCommand),
    /// Lists what operators did, checks that nobody changed that, and takes it out of the fleet.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Measures parts of the engine, without a fleet and without a network.
    #[command(subcommand)]
    Eval(eval::EvalCommand),
    /// Lists the messages of a chat of the running fleet, or shows one with its why.
    Messages(messages::MessagesArgs),
    /// Follows what happens in the running fleet, for as long as it runs.
    Watch(watch::WatchArgs),
    /// Explains decisions of the running fleet: why a bot spoke, and why not the others.
    Why(why::WhyArgs),
    /// Runs a recorded chat through the engine with another manifest, and tells what would differ; sends nothing.
    Replay(replay::ReplayArgs),
    /// Shows how far apart the personas of the running fleet write.
    Style(style::StyleArgs),
    /// Signs in to the running fleet; later commands to the same address use the session.
    Login(account::LoginArgs),
    /// Signs out.
    Logout(account::OwnArgs),
    /// Shows who asks, and what they may do.
    Whoami(account::OwnArgs),
    /// Changes one's own password.
    Password(account::OwnArgs),
    /// Enrols a second factor for one's own account.
    #[command(subcommand)]
    SecondFactor(account::SecondFactorCommand),
    /// Shows and changes the accounts of those who operate the fleet.
    #[command(subcommand)]
    User(users::UserCommand),
    /// Makes, lists and ends API keys.
    #[command(subcommand)]
    Key(keys::KeyCommand),
    /// Gives tokens and keys to the running fleet, and looks after the keys that seal them.
    #[command(subcommand)]
    Secrets(secrets::SecretsCommand),
    /// Lists and ends sessions.
    #[command(subcommand)]
    Session(sessions::SessionCommand),
    /// Asks the running node whether it is well, for probes and for people.
    Health(health::HealthArgs),
}

const RUN_EXAMPLES: &str = "\
Examples:
  botfleet run                                          config/fleet.toml with the built-in settings
  botfleet run --profile production --manifest fleet.toml
  BOTFLEET__STORE__PATH=/data/fleet.db botfleet run     one setting by variable
  botfleet run --no-launcher                            one process; something else starts it again";

/// Runs a command to its end, writes the reason of a failure to stderr, and returns the exit code.
pub async fn execute(cli: Cli) -> ExitCode {
    let ended = started(&cli.command).await;
    ended.unwrap_or_else(|error| {
        if let Some(faults) = error.downcast_ref::<Faults>() {
            tell(&faults_text(faults));
            return ExitCode::from(EXIT_USAGE);
        }
        tell(&error_text(&error));
        ExitCode::FAILURE
    })
}

/// Starts a command. Each is a future of its own on the heap, so that none is compiled once more into the loop of `main`.
fn started(command: &Command) -> LocalBoxFuture<'_, anyhow::Result<ExitCode>> {
    match command {
        Command::Demo(args) => demo::execute(args).boxed_local(),
        Command::Run(args) => run::execute(args).boxed_local(),
        Command::Check(args) => check::execute(args).boxed_local(),
        Command::Cluster(command) => cluster::execute(command).boxed_local(),
        Command::Apply(args) => apply::execute(args).boxed_local(),
        Command::Bot(command) => bots::execute(command).boxed_local(),
        Command::Chat(command) => verbs::execute::<verbs::Chats>(command).boxed_local(),
        Command::Persona(command) => personas::execute(command).boxed_local(),
        Command::Stance(command) => stances::execute(command).boxed_local(),
        Command::Provider(command) => verbs::execute::<verbs::Providers>(command).boxed_local(),
        Command::Budget(command) => verbs::execute::<verbs::Budgets>(command).boxed_local(),
        Command::Strategy(command) => verbs::execute::<verbs::Strategies>(command).boxed_local(),
        Command::Config(command) => numbers::execute(command).boxed_local(),
        Command::Migrate(args) => migrate::execute(args).boxed_local(),
        Command::Store(command) => store::execute(command).boxed_local(),
        Command::DeadLetters(args) => dead_letters::list(args).boxed_local(),
        Command::Redeliver(args) => dead_letters::redeliver(args).boxed_local(),
        Command::Say(args) => speaking::say(args).boxed_local(),
        Command::Takeover(command) => speaking::takeover(command).boxed_local(),
        Command::Message(command) => retracting::message(command).boxed_local(),
        Command::Retract(args) => retracting::retract(args).boxed_local(),
        Command::Order(command) => order::execute(command).boxed_local(),
        Command::People(command) => people::execute(command).boxed_local(),
        Command::Audit(command) => audit::execute(command).boxed_local(),
        Command::Eval(command) => eval::execute(command).boxed_local(),
        Command::Messages(args) => messages::execute(args).boxed_local(),
        Command::Watch(args) => watch::execute(args).boxed_local(),
        Command::Why(args) => why::execute(args).boxed_local(),
        Command::Replay(args) => replay::execute(args).boxed_local(),
        Command::Style(args) => style::execute(args).boxed_local(),
        Command::Login(args) => account::login(args).boxed_local(),
        Command::Logout(args) => account::logout(args).boxed_local(),
        Command::Whoami(args) => account::whoami(args).boxed_local(),
        Command::Password(args) => account::password(args).boxed_local(),
        Command::SecondFactor(command) => account::second_factor(command).boxed_local(),
        Command::User(command) => users::execute(command).boxed_local(),
        Command::Key(command) => keys::execute(command).boxed_local(),
        Command::Secrets(command) => secrets::execute(command).boxed_local(),
        Command::Session(command) => sessions::execute(command).boxed_local(),
        Command::Health(args) => health::execute(args).boxed_local(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::client::CallError;
    use crate::config::fault::Fault;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_refusal_is_told_with_what_to_do_about_it() {
        let refused =
            |code: &str| CallError::Refused { status: 404, code: code.to_owned(), detail: "no user".to_owned() };
        let text = error_text(&anyhow::Error::from(refused("unknown_user")).context("while looking"));
        assert_eq!(text, "error: while looking: no user (404 unknown_user)\nhint: Give the name of an account.\n");
        assert_eq!(error_text(&refused("of_the_future").into()), "error: no user (404 of_the_future)\n");
        assert_eq!(error_text(&anyhow::anyhow!("disk full")), "error: disk full\n");
    }

    #[test]
    fn a_fault_is_told_as_error_and_hint() {
        let fault = Fault::new("f.toml", "a.b", "is wrong", "mend it");
        assert_eq!(faults_text(&Faults(vec![fault])), "error: f.toml: a.b: is wrong\nhint: mend it\n");
    }
}
