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
//! | `order` | `botfleet order`: shows orders that were given, and how they ended |
//! | `people` | `botfleet people`: shows what is stored about a person, and carries out their rights |
//! | `audit` | `botfleet audit`: lists what operators did, checks that nobody changed it, and takes it out |
//! | `eval` | `botfleet eval`: measures parts of the engine, without a fleet |
//! | `why` | `botfleet why`: explains why a bot spoke, and why not the others |
//! | `replay` | `botfleet replay`: runs a recorded chat under another manifest |
//! | `health` | `botfleet health`: tells whether the running node is well, for probes |
//! | `cluster` | `botfleet cluster`: who owns what, drain, rebalance |
//! | `style` | `botfleet style`: shows how differently personas write |
//! | `apply` | `botfleet apply`: gives the running fleet another manifest |
//! | `resources` | `botfleet bot`, `chat`, `persona`, `stance`, `provider`, `budget`, `strategy`, `config`: the configuration while the fleet runs |
//! | `operators` | `botfleet login`, `user`, `key` and others: those who operate the fleet |
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
pub mod migrate;
mod online;
pub mod operators;
pub mod order;
pub mod output;
pub mod people;
pub mod replay;
pub mod resources;
pub mod run;
mod signals;
pub mod store;
pub mod style;
mod transport;
pub mod why;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::cli::operators::{account, keys, sessions, users};
use crate::cli::output::{EXIT_USAGE, faults_text, tell};
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
    /// Explains decisions of the running fleet: why a bot spoke, and why not the others.
    Why(why::WhyArgs),
    /// Runs a recorded chat through the engine with another manifest, and tells what would differ; sends nothing.
    Replay(replay::ReplayArgs),
    /// Shows how far apart the personas of the running fleet write.
    Style(style::StyleArgs),
    /// Signs in to the running fleet; later commands use the session.
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
    let ended = match &cli.command {
        Command::Demo(args) => demo::execute(args).await,
        Command::Run(args) => run::execute(args).await,
        Command::Check(args) => check::execute(args).await,
        Command::Cluster(command) => cluster::execute(command).await,
        Command::Apply(args) => apply::execute(args).await,
        Command::Bot(command) => bots::execute(command).await,
        Command::Chat(command) => verbs::execute::<verbs::Chats>(command).await,
        Command::Persona(command) => personas::execute(command).await,
        Command::Stance(command) => stances::execute(command).await,
        Command::Provider(command) => verbs::execute::<verbs::Providers>(command).await,
        Command::Budget(command) => verbs::execute::<verbs::Budgets>(command).await,
        Command::Strategy(command) => verbs::execute::<verbs::Strategies>(command).await,
        Command::Config(command) => numbers::execute(command).await,
        Command::Migrate(args) => migrate::execute(args).await,
        Command::Store(command) => store::execute(command).await,
        Command::DeadLetters(args) => dead_letters::list(args).await,
        Command::Redeliver(args) => dead_letters::redeliver(args).await,
        Command::Order(command) => order::execute(command).await,
        Command::People(command) => people::execute(command).await,
        Command::Audit(command) => audit::execute(command).await,
        Command::Eval(command) => eval::execute(command).await,
        Command::Why(args) => why::execute(args).await,
        Command::Replay(args) => replay::execute(args).await,
        Command::Style(args) => style::execute(args).await,
        Command::Login(args) => account::login(args).await,
        Command::Logout(args) => account::logout(args).await,
        Command::Whoami(args) => account::whoami(args).await,
        Command::Password(args) => account::password(args).await,
        Command::SecondFactor(command) => account::second_factor(command).await,
        Command::User(command) => users::execute(command).await,
        Command::Key(command) => keys::execute(command).await,
        Command::Session(command) => sessions::execute(command).await,
        Command::Health(args) => health::execute(args).await,
    };
    ended.unwrap_or_else(|error| {
        if let Some(faults) = error.downcast_ref::<Faults>() {
            tell(&faults_text(faults));
            return ExitCode::from(EXIT_USAGE);
        }
        tell(&format!("error: {error:#}\n"));
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::config::fault::Fault;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_fault_is_told_as_error_and_hint() {
        let fault = Fault::new("f.toml", "a.b", "is wrong", "mend it");
        assert_eq!(faults_text(&Faults(vec![fault])), "error: f.toml: a.b: is wrong\nhint: mend it\n");
    }
}
