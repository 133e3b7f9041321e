//! `botfleet run`: the fleet on this machine. Layer `cli`.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

use crate::admin::server::BoundPort;
use crate::admin::webhook;
use crate::cli::inputs::Inputs;
use crate::logs;
use crate::runtime::fleet::RunningFleet;
use crate::runtime::recorder;

/// A fleet that does not poll as a whole after this is reported bot by bot.
const POLLING_DEADLINE: Duration = Duration::from_secs(20);

/// Runs the fleet until SIGINT or SIGTERM; a second signal ends it at once.
///
/// # Errors
/// Faults of configuration and manifest, or what kept the fleet from starting.
pub async fn execute(inputs: &Inputs) -> anyhow::Result<ExitCode> {
    let (config, manifest) = inputs.load()?;
    logs::init(&config.log)?;
    let started = Instant::now();
    let metrics = recorder::install()?;
    let port = BoundPort::bind(config.server.listen).await?;
    let address = port.address()?;
    let receiver = match config.webhooks.public_url() {
        Some(_) => Some(webhook::bind(config.webhooks.listen).await?),
        None => None,
    };
    let fleet = Arc::new(RunningFleet::start(&config, manifest).await?);
    let mut servers = vec![port.serve(Arc::clone(&fleet), metrics, &config.server.hosts)];
    say(&format!("listening  http://{address}"))?;
    if let Some((node, incarnation)) = fleet.place() {
        say(&format!("joined     {node} as incarnation {incarnation}"))?;
    }
    if let Some(receiver) = receiver {
        say(&format!("webhooks   http://{}", receiver.address()?))?;
        let body_max = usize::try_from(config.webhooks.body_max.bytes()).unwrap_or(usize::MAX);
        servers.push(receiver.receive(Arc::clone(&fleet), body_max));
    }
    let tenure = fleet.tenure();
    if tenure.turns_requeued + tenure.turns_dead + tenure.sends_unknown > 0 {
        tracing::warn!(
            turns.requeued = tenure.turns_requeued,
            turns.dead = tenure.turns_dead,
            sends.unknown = tenure.sends_unknown,
            "the last process ended in the middle of work"
        );
    }

    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        polling = fleet.wait_until_polling(POLLING_DEADLINE) => {
            report_polling(&fleet, polling, started.elapsed()).await?;
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                () = fleet_ended(&fleet) => {
                    anyhow::bail!("the fleet's root actor ended; the log says why");
                }
            }
        }
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }

    // The servers go on: who asks for readiness hears 503, and so does Telegram.
    let ended = tokio::select! {
        () = fleet.stop(config.fleet.stop_deadline) => ExitCode::SUCCESS,
        _ = interrupt.recv() => ExitCode::FAILURE,
        _ = terminate.recv() => ExitCode::FAILURE,
    };
    for server in servers {
        server.abort();
    }
    Ok(ended)
}

async fn fleet_ended(fleet: &RunningFleet) {
    while fleet.is_running() {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn report_polling(fleet: &RunningFleet, all: bool, after: Duration) -> anyhow::Result<()> {
    if all {
        return say(&format!(
            "polling    {} bots in {} chats, all after {:.2} s",
            fleet.bots(),
            fleet.chats(),
            after.as_secs_f64()
        ));
    }
    let view = fleet.view().await?;
    for bot in view.bots {
        let health = serde_json::to_string(&bot.health)?;
        if !(health.contains("polling") || health.contains("receiving")) {
            tracing::warn!(bot.name = %bot.name, health = %health, "bot gets no updates yet, it tries again");
        }
    }
    say(&format!("degraded   {} of {} bots poll; the others try again", fleet.polling().await, fleet.bots()))
}

/// One line to stdout.
fn say(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}
