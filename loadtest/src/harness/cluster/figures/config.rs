//! Measures how soon live actors prompt by a changed roster, with hints and with every hint lost. Layer: harness (I10).
//!
//! Each round gives the bots a model of another name and looks at the calls after the API's answer: a call that names
//! the old model was made by an actor that did not know the change yet. The rate must stay below what the machine can
//! answer: a prompt that waited in a queue is as old as its wait.

use std::sync::Arc;
use std::time::Duration;

use super::args::{FigureArgs, under_traffic};
use super::figure::Figure;
use crate::harness::cluster::stage::ClusterStage;
use crate::harness::error::HarnessError;
use crate::harness::measure::Spread;
use crate::harness::traffic::Traffic;
use crate::servers::proxy::Mode;

/// How long after the API's answer calls are looked at.
const LOOKED_FOR: Duration = Duration::from_secs(2);
/// The LLM's latency in milliseconds, so short that a call is made as soon as its turn begins.
const LLM_MS: u64 = 20;

/// The calls seen in one kind of round: all, the age of those by the old roster, those by the new.
#[derive(Debug, Default)]
struct Seen {
    calls: u64,
    stale: Spread,
    fresh: u64,
}

/// Changes the roster `rounds` times with hints, and as often with every hint lost.
///
/// # Errors
/// The run could not be completed.
pub async fn run(args: &FigureArgs) -> Result<Figure, HarnessError> {
    let args = FigureArgs { llm_latency_ms: LLM_MS, llm_slots: 64, ..args.clone() };
    let mut stage = args.open().await?;
    let world = Arc::clone(&stage.simulation.world);
    let mut traffic = Traffic::new(&world);
    let work = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let heard = rounds(&stage, args.rounds, 1).await?;
        for node in &stage.nodes {
            node.links.redis.set(Mode::DropMessages);
        }
        let unheard = rounds(&stage, args.rounds, 1 + args.rounds).await?;
        for node in &stage.nodes {
            node.links.redis.set(Mode::Pass);
        }
        Ok((heard, unheard))
    };
    let (heard, unheard) = under_traffic(&mut traffic, args.rate, work).await?;
    let mut figure = Figure::new("config", args.fleet());
    for (name, seen, share, limit) in [("with hints", heard, 0.99, 50.0), ("every hint lost", unheard, 1.0, 1000.0)] {
        figure.tell(
            format!("{name}: calls after an answer, by the new roster"),
            format!("{} of {}", seen.fresh, seen.calls),
        );
        figure.tell_spread(format!("{name}: age of calls by the old one"), &seen.stale);
        let age = if share < 1.0 { seen.stale.within_ms(share) } else { seen.stale.longest_ms() };
        figure.promise(format!("{name}: old roster at most so long"), age, limit, "ms");
        figure.promise_least(format!("{name}: calls by the new roster"), seen.fresh as f64, 1.0, "");
    }
    stage.view().await?;
    stage.close(figure.is_clean()).await?;
    Ok(figure)
}

async fn rounds(stage: &ClusterStage, rounds: usize, first: usize) -> Result<Seen, HarnessError> {
    let mut seen = Seen::default();
    let provider = &stage.simulation.provider;
    for round in first..first + rounds {
        let model = format!("gen-{round}");
        let node = stage.nodes.first().ok_or(HarnessError::NoBinary)?;
        let file = node.files().dir().join(format!("fleet-{round}.toml"));
        let text = std::fs::read_to_string(node.files().manifest()).map_err(HarnessError::file(&file))?;
        let changed = text.replace("models = [\"sim\"]", &format!("models = [\"sim/{model}\"]"));
        std::fs::write(&file, changed).map_err(HarnessError::file(&file))?;
        let path = file.to_string_lossy().into_owned();
        let address = node.api().address();
        stage.command(node, &["apply", "--api", &address, "--manifest", &path]).await?;
        let answered_us = provider.now_us();
        tokio::time::sleep(LOOKED_FOR).await;
        let calls = provider.ledger();
        let after = calls.iter().filter(|call| call.at_us > answered_us);
        for call in after {
            seen.calls += 1;
            if call.model == model {
                seen.fresh += 1;
            } else {
                seen.stale.add(Duration::from_micros(call.at_us - answered_us));
            }
        }
    }
    Ok(seen)
}
