//! `botfleet run`: runs the fleet on this machine, under a launcher unless told otherwise. Layer `cli`.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use botfleet_actors::actors::node::ended::Ended;
use botfleet_actors::ports::store::StoreError;
use clap::Args;
use futures::future::join_all;
use rustix::process::{Resource, getrlimit, setrlimit};
use secrecy::ExposeSecret as _;

use super::first_admin;
use super::launcher::graves::Graves;
use super::launcher::parent::Parent;
use super::launcher::registry::opener;
use super::launcher::restarts::{DEAD_INCARNATION, FAILED_AT_WORK};
use super::launcher::supervise::supervise;
use super::signals::Signals;
use super::transport::{limits, transport, warn_of};
use crate::cli::inputs::Inputs;
use crate::cli::output::say;
use crate::config::fault::Faults;
use crate::config::settings::Config;
use crate::http::closing::Server;
use crate::http::edge::Edge;
use crate::http::port::BoundPort;
use crate::http::socket::LocalSocket;
use crate::http::webhook;
use crate::logs;
use crate::operate::operations::Operations;
use crate::runtime::fleet::RunningFleet;
use crate::runtime::recorder;

/// Time after which a fleet that does not poll as a whole is reported bot by bot.
const POLLING_DEADLINE: Duration = Duration::from_secs(20);

/// Time for which the report of the polls waits for news of the providers.
const PROBED_WITHIN: Duration = Duration::from_secs(3);

/// The next steps of whoever runs a fleet without bots.
const NEXT: &str = "\
empty      this fleet has no bots yet. Describe it in a manifest (config/fleet.example.toml) and apply that:
             botfleet apply --manifest fleet.toml
           or make its parts one by one, while it runs:
             botfleet provider create local --set kind=ollama --set model=llama3.2
             botfleet persona create ada --set voice='You are Ada, a retired engineer.'
             botfleet bot create Ada --set token=file:secrets/ada --set persona=ada --set models='[\"local\"]'
             botfleet chat create lounge --set telegram_id=-1001234567890 --set bots='[\"Ada\"]'";

/// Most time for requests under way, when the servers close.
const REQUESTS_WITHIN: Duration = Duration::from_secs(2);

/// Flags of `botfleet run`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Sources of settings and manifest.
    #[command(flatten)]
    pub inputs: Inputs,
    /// Runs the fleet in this process, without a launcher above it that starts it again when it dies.
    #[arg(long)]
    pub no_launcher: bool,
    /// The launcher's number of this start of its worker.
    #[arg(long, hide = true, value_name = "NUMBER", conflicts_with = "no_launcher")]
    pub launch: Option<i64>,
}

/// Runs the fleet until SIGINT or SIGTERM; a second signal ends it at once.
///
/// # Errors
/// Faults of configuration and manifest, or the reason why the fleet could not start.
pub async fn execute(args: &RunArgs) -> anyhow::Result<ExitCode> {
    if args.launch.is_some() {
        let parent = Parent::attach().await?;
        return work(args, Some(parent)).await;
    }
    if args.no_launcher {
        return work(args, None).await;
    }
    let Ok(config) = args.inputs.settings() else {
        // Tell all faults at once, those of the manifest too.
        args.inputs.load_or_none()?;
        return Ok(ExitCode::from(super::output::EXIT_USAGE));
    };
    if !config.cluster.launcher {
        return work(args, None).await;
    }
    logs::init(&config.log)?;
    supervise(Graves::start(opener(&config))).await
}

/// Runs the fleet in this process.
async fn work(args: &RunArgs, parent: Option<Parent>) -> anyhow::Result<ExitCode> {
    let mut ends = Ends { signals: Signals::listen()?, parent };
    allow_many_sockets();
    let (config, manifest) = args.inputs.load_or_none()?;
    logs::init(&config.log)?;
    let started = Instant::now();
    let metrics = recorder::install()?;
    let transport = transport(&config.server).map_err(|fault| Faults(vec![fault]))?;
    warn_of(&config.server, &transport);
    let scheme = if transport.certificate.is_some() { "https" } else { "http" };
    let port = BoundPort::bind(config.server.listen).await?;
    let address = port.address()?;
    let observe = match config.server.observe {
        Some(address) => Some(BoundPort::bind_observe(address).await?),
        None => None,
    };
    // Like the port, a socket that is set is found to be unfit before any work.
    let mut socket = match &config.server.local_socket {
        Some(path) => Some(LocalSocket::bind(path).await?),
        None => None,
    };
    let receiver = match config.webhooks.public_url() {
        Some(_) => Some(webhook::bind(config.webhooks.listen).await?),
        None => None,
    };
    let begun = tokio::select! {
        begun = RunningFleet::start_as(&config, manifest, args.launch) => begun,
        () = ends.asked() => return Ok(ExitCode::SUCCESS),
    };
    let fleet = match begun {
        Ok(fleet) => Arc::new(fleet),
        // The database was found and failed later: nobody has to mend anything, the next start may do better.
        Err(error) if config.many_nodes() && is_passing(&error) => {
            tracing::error!(error = %format!("{error:#}"), "the node could not start now");
            return Ok(ExitCode::from(FAILED_AT_WORK));
        }
        Err(error) => return Err(error),
    };
    if socket.is_none() {
        socket = socket_beside(&config).await;
    }
    let operations = Operations::new(Arc::clone(&fleet));
    let link = first_admin::prepare(&operations, &config).await?;
    let edge = Edge::new(operations, metrics, limits(&config.server.limits));
    let mut servers = vec![port.serve(Arc::clone(&fleet), edge.clone(), &config.server.hosts, transport)];
    if let Some(observe) = observe {
        announce(&format!("observe    http://{}", observe.address()?));
        servers.push(observe.observe(&edge));
    }
    // Who reads that the fleet listens may call the socket too.
    if let Some(socket) = socket {
        announce(&format!("socket     {}", socket.path().display()));
        servers.push(socket.serve(Arc::clone(&fleet), edge));
    }
    announce(&format!("listening  {scheme}://{address}"));
    if let Some(token) = link {
        announce(&first_admin::told(&format!("{scheme}://{address}/setup/{}", token.expose_secret()), &config));
    }
    if let Some((node, incarnation)) = fleet.place() {
        announce(&format!("joined     {node} as incarnation {incarnation}"));
    }
    if let Some(receiver) = receiver {
        announce(&format!("webhooks   http://{}", receiver.address()?));
        let body_max = usize::try_from(config.webhooks.body_max.bytes()).unwrap_or(usize::MAX);
        servers.push(receiver.receive(Arc::clone(&fleet), body_max));
    }
    warn_of_unfinished_work(&fleet);
    if fleet.has_no_bots() {
        announce(NEXT);
    }

    let ended = tokio::select! {
        polling = fleet.wait_until_polling(POLLING_DEADLINE) => {
            report_polling(&fleet, polling, started.elapsed()).await?;
            tokio::select! {
                () = ends.asked() => Ended::Drained,
                ended = fleet.ended() => ended,
            }
        }
        () = ends.asked() => Ended::Drained,
        ended = fleet.ended() => ended,
    };
    match ended {
        Ended::Drained => {}
        Ended::Superseded => {
            tracing::warn!("others declared this node dead; this process ends, the next one joins anew");
            return Ok(ExitCode::from(DEAD_INCARNATION));
        }
        Ended::Failed => {
            tracing::error!("the fleet's root actor ended; what is logged before this says why");
            return Ok(ExitCode::from(FAILED_AT_WORK));
        }
    }
    Ok(tokio::select! {
        () = end_in_good_order(&fleet, servers, &config) => ExitCode::SUCCESS,
        _ = ends.signals.next() => ExitCode::FAILURE,
    })
}

/// Binds the local socket beside the database file, which this process holds by now. The place may not suit a socket.
async fn socket_beside(config: &Config) -> Option<LocalSocket> {
    let bound = LocalSocket::bind(&config.local_socket()?).await;
    bound.inspect_err(|error| tracing::warn!(error = %format!("{error:#}"), "there is no local socket")).ok()
}

/// Raises the soft limit of open files to the hard one: each bot holds a poll, and both ports hold clients.
fn allow_many_sockets() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(error = %error, "the limit of open files stays as it is");
    }
}

/// Writes a line to stdout, if anybody reads it: the fleet goes on without a reader (`botfleet run | head -1`).
fn announce(line: &str) {
    if let Err(error) = say(line) {
        tracing::info!(line, error = %error, "nobody reads stdout");
    }
}

/// Returns whether the same start may succeed later.
fn is_passing(error: &anyhow::Error) -> bool {
    error.downcast_ref::<StoreError>().is_some_and(StoreError::is_retryable)
}

/// The reasons to end this process.
struct Ends {
    signals: Signals,
    parent: Option<Parent>,
}

impl Ends {
    /// Waits for the first reason to end.
    async fn asked(&mut self) {
        let Some(parent) = &mut self.parent else {
            self.signals.next().await;
            return;
        };
        tokio::select! {
            _ = self.signals.next() => {}
            () = parent.gone() => tracing::warn!("the launcher is gone, the fleet stops"),
        }
    }
}

/// Ends the fleet. The servers go on until the work is done: readiness and webhooks answer 503 meanwhile.
async fn end_in_good_order(fleet: &RunningFleet, servers: Vec<Server>, config: &Config) {
    let drain_for = config.server.drain_for(config.many_nodes());
    let until = Instant::now() + drain_for + config.fleet.stop_deadline;
    tokio::join!(fleet.turn_away(drain_for), fleet.hand_over(config.fleet.stop_deadline / 2));
    fleet.drain(until.saturating_duration_since(Instant::now())).await;
    join_all(servers.into_iter().map(|server| server.close(REQUESTS_WITHIN))).await;
    fleet.close().await;
}

fn warn_of_unfinished_work(fleet: &RunningFleet) {
    let tenure = fleet.tenure();
    if tenure.turns_requeued + tenure.turns_dead + tenure.sends_unknown > 0 {
        tracing::warn!(
            turns.requeued = tenure.turns_requeued,
            turns.dead = tenure.turns_dead,
            sends.unknown = tenure.sends_unknown,
            "the last process ended in the middle of work"
        );
    }
}

async fn report_polling(fleet: &RunningFleet, all: bool, after: Duration) -> anyhow::Result<()> {
    let mute = fleet.mute(PROBED_WITHIN).await;
    let mute = mute.map(|reason| format!("; nobody can speak: {reason}")).unwrap_or_default();
    if all {
        announce(&format!(
            "polling    {} bots in {} chats, all after {:.2} s{mute}",
            fleet.bots(),
            fleet.chats(),
            after.as_secs_f64()
        ));
        return Ok(());
    }
    let view = fleet.view().await?;
    for bot in view.bots {
        if !bot.health.gets_updates() {
            let health = serde_json::to_string(&bot.health)?;
            tracing::warn!(bot.name = %bot.name, health = %health, "bot gets no updates yet, it tries again");
        }
    }
    announce(&format!(
        "degraded   {} of {} bots poll; the others try again{mute}",
        fleet.polling().await,
        fleet.bots()
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_fails_at_the_start_asks_for_the_next_start_and_a_bad_schema_for_a_person() {
        let failed = |error: StoreError| is_passing(&anyhow::Error::from(error).context("apply the roster"));
        assert!(failed(StoreError::Unavailable("away".to_owned())));
        assert!(!failed(StoreError::Incompatible("newer".to_owned())));
        assert!(!is_passing(&anyhow::anyhow!("no such file")));
    }
}
