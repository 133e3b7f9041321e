//! Measures how long after a node's failure each of its bots is polled again. Layer: harness.

use std::sync::Arc;
use std::time::Duration;

use super::args::{FigureArgs, under_traffic};
use super::figure::Figure;
use crate::harness::cluster::polls::bots_of;
use crate::harness::cluster::probe::{back_after, wait_until_spread};
use crate::harness::cluster::stage::ClusterStage;
use crate::harness::error::HarnessError;
use crate::harness::measure::Spread;
use crate::harness::traffic::Traffic;
use crate::servers::proxy::{Mode, Way};

/// The time after which a bot that is not polled again counts as lost.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(20);
/// How long the fleet may take to spread its bots evenly again.
const EVEN_WITHIN: Duration = Duration::from_secs(90);

/// How a node fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The worker is killed; the launcher lives.
    WorkerKilled,
    /// Launcher and worker are killed.
    AllKilled,
    /// The worker is stopped by SIGSTOP.
    Frozen,
    /// The link to the database loses bytes in both directions.
    DatabaseLost,
    /// The link to Telegram loses bytes in both directions.
    TelegramLost,
}

impl Failure {
    fn name(self) -> &'static str {
        match self {
            Self::WorkerKilled => "crash",
            Self::AllKilled => "kill-all",
            Self::Frozen => "freeze",
            Self::DatabaseLost => "partition",
            Self::TelegramLost => "telegram-partition",
        }
    }

    /// Returns the promised quantile and its limit in milliseconds; `None` for a lost Telegram, which has no promise.
    fn limit(self) -> Option<(f64, f64)> {
        match self {
            Self::WorkerKilled => Some((0.99, 1000.0)),
            Self::AllKilled | Self::Frozen | Self::DatabaseLost => Some((1.0, 4500.0)),
            Self::TelegramLost => None,
        }
    }

    async fn strike(self, stage: &mut ClusterStage, place: usize) -> Result<(), HarnessError> {
        let node = &mut stage.nodes[place];
        match self {
            Self::WorkerKilled => node.kill_worker().await,
            Self::AllKilled => node.kill_all().await,
            Self::Frozen => node.freeze().await,
            Self::DatabaseLost => {
                node.links.database.set(Mode::BlackHole(Way::Both));
                Ok(())
            }
            Self::TelegramLost => {
                node.links.telegram.set(Mode::BlackHole(Way::Both));
                Ok(())
            }
        }
    }

    async fn heal(self, stage: &mut ClusterStage, place: usize) -> Result<(), HarnessError> {
        let node = &mut stage.nodes[place];
        if self == Self::AllKilled {
            return node.start().await;
        }
        node.heal().await
    }
}

/// Lets one node fail in each round, by turns, and measures.
///
/// # Errors
/// The run could not be completed.
pub async fn run(args: &FigureArgs, failure: Failure) -> Result<Figure, HarnessError> {
    let mut stage = args.open().await?;
    let world = Arc::clone(&stage.simulation.world);
    let mut traffic = Traffic::new(&world);
    let work = rounds(args, failure, &mut stage);
    let (back, silent, lost) = under_traffic(&mut traffic, args.rate, work).await?;
    let mut figure = Figure::new(failure.name(), args.fleet());
    figure.tell("rounds", args.rounds);
    figure.tell_spread("from the failure to the next poll", &back);
    figure.tell_spread("from the last word to the next poll", &silent);
    if let Some((share, limit)) = failure.limit() {
        let name = if share < 1.0 { "p99 until polled again" } else { "longest until polled again" };
        let found = if share < 1.0 { back.within_ms(share) } else { back.longest_ms() };
        figure.promise(name, found, limit, "ms");
    }
    figure.promise("bots not polled within 20 s", lost as f64, 0.0, "");
    stage.close(figure.is_clean()).await?;
    Ok(figure)
}

async fn rounds(
    args: &FigureArgs,
    failure: Failure,
    stage: &mut ClusterStage,
) -> Result<(Spread, Spread, usize), HarnessError> {
    let (mut back, mut silent, mut lost) = (Spread::default(), Spread::default(), 0);
    for round in 0..args.rounds {
        let place = round % stage.nodes.len();
        let victim = stage.nodes[place].name.clone();
        wait_until_spread(stage, EVEN_WITHIN).await?;
        let at_us = stage.now_us();
        let bots = bots_of(&stage.polls(), &victim, at_us);
        let at_us = stage.now_us();
        failure.strike(stage, place).await?;
        // A killed worker's bots may come back on its own node: any poll opened after the kill is a new one.
        let by_anybody = failure == Failure::WorkerKilled;
        let by = |poll: &crate::harness::cluster::polls::Poll| by_anybody || poll.node.as_deref() != Some(&victim);
        let found = back_after(stage, &bots, at_us, GIVEN_UP_AFTER, by).await;
        let polls = stage.polls();
        for (bot, found) in bots.iter().zip(&found) {
            let Some(after_us) = found else {
                lost += 1;
                continue;
            };
            back.add(Duration::from_micros(*after_us));
            let own = polls.get(bot).into_iter().flatten().filter(|poll| poll.opened_us < at_us + after_us);
            let heard = own.filter_map(|poll| poll.closed_us).filter(|end| *end < at_us + after_us).max();
            let heard = heard.unwrap_or(at_us).max(at_us);
            silent.add(Duration::from_micros((at_us + after_us).saturating_sub(heard)));
        }
        failure.heal(stage, place).await?;
    }
    Ok((back, silent, lost))
}
