//! `botfleet run`: the fleet on this machine. Layer `cli`.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

use crate::admin::server::BoundPort;
use crate::cli::inputs::Inputs;
use crate::logs;
use crate::runtime::fleet::RunningFleet;
use crate::runtime::recorder;

/// A fleet that does not poll as a whole after this is reported bot by bot.
const POLLING_DEADLINE: Duration = Duration::from_secs(20);

/// How long a stop may take: under the 30 s that container platforms grant.
const STOP_DEADLINE: Duration = Duration::from_secs(20);

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
    let fleet = Arc::new(RunningFleet::start(&config, manifest).await?);
    let server = port.serve(Arc::clone(&fleet), metrics);
    say(&format!("listening  http://{address}"))?;
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
                    server.abort();
                    anyhow::bail!("the fleet's root actor ended; the log says why");
                }
            }
        }
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }

    tracing::info!("stopping: what is being sent is finished, the rest is in the store");
    server.abort();
    let _ = server.await;
    let stopping = async {
        match Arc::try_unwrap(fleet) {
            Ok(fleet) => fleet.stop(STOP_DEADLINE).await,
            Err(shared) => shared.quiesce(STOP_DEADLINE).await,
        }
    };
    tokio::select! {
        () = stopping => Ok(ExitCode::SUCCESS),
        _ = interrupt.recv() => Ok(ExitCode::FAILURE),
        _ = terminate.recv() => Ok(ExitCode::FAILURE),
    }
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
        if !health.contains("polling") {
            tracing::warn!(bot.name = %bot.name, health = %health, "bot does not poll yet, it tries again");
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
