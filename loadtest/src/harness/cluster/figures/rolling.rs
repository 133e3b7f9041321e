//! Measures a rolling restart of all nodes under API load, behind a balancer that honours readiness. Layer: harness.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use botfleet_world::api::Api;
use botfleet_world::people::http;
use futures::future::join_all;
use tokio::sync::watch;
use tokio::time::Instant;

use super::args::{FigureArgs, under_traffic};
use super::figure::Figure;
use crate::harness::cluster::polls::silences_at_moves;
use crate::harness::cluster::stage::{ClusterSpec, ClusterStage};
use crate::harness::error::HarnessError;
use crate::harness::files::lay_over;
use crate::harness::measure::Spread;
use crate::harness::traffic::Traffic;

/// How often the balancer asks each node whether it is ready.
const ASKED_EVERY: Duration = Duration::from_millis(250);
/// How long an answer may take.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);
/// How long a node may take to end.
const STOP_WITHIN: Duration = Duration::from_secs(30);
/// The number of clients, and how long each client waits between two requests.
const CLIENTS: usize = 8;
const PAUSE: Duration = Duration::from_millis(50);

/// The answers that clients got.
#[derive(Debug, Default)]
struct Answers {
    good: u64,
    latency: Spread,
    failed: Vec<String>,
}

/// Restarts every node in turn and returns how long each took to end.
async fn restarted(stage: &mut ClusterStage) -> Result<Spread, HarnessError> {
    let mut ends = Spread::default();
    tokio::time::sleep(Duration::from_secs(2)).await;
    for node in &mut stage.nodes {
        ends.add(node.stop(STOP_WITHIN).await?.1);
        node.start().await?;
    }
    stage.wait_until_settled().await?;
    Ok(ends)
}

/// Restarts every node once.
///
/// # Errors
/// The run could not be completed.
pub async fn run(args: &FigureArgs) -> Result<Figure, HarnessError> {
    let mut spec = args.spec()?;
    let drain = toml::toml! {
        [server]
        drain_for = "2s"
    };
    lay_over(&mut spec.options.settings, drain);
    let mut stage = ClusterStage::open(ClusterSpec { ..spec }).await?;
    let world = Arc::clone(&stage.simulation.world);
    let mut traffic = Traffic::new(&world);
    let urls: Vec<String> = stage.nodes.iter().map(super::super::node::Node::base_url).collect();
    let apis: Vec<Api> = stage.nodes.iter().map(|node| node.api().clone()).collect();
    let (told, ready) = watch::channel(vec![true; urls.len()]);
    let from_us = stage.now_us();
    let restarts = async {
        let (stop, stopped) = watch::channel(false);
        let restart = async {
            let ends = restarted(&mut stage).await;
            // The others end in any case: else an error here would never be told.
            stop.send_replace(true);
            ends
        };
        let balance = watch_readiness(&urls, &told, stopped.clone());
        let load = load(&apis, &ready, &stopped);
        let (ends, (), answers) = tokio::join!(restart, balance, load);
        Ok((ends?, answers?))
    };
    let (ends, answers) = under_traffic(&mut traffic, args.rate, restarts).await?;
    let to_us = stage.now_us();
    let mut silences = Spread::default();
    for polls in stage.polls().values() {
        for silence in silences_at_moves(polls, from_us, to_us) {
            silences.add(Duration::from_micros(silence));
        }
    }
    let mut figure = Figure::new("rolling", args.fleet());
    figure.tell_spread("from SIGTERM to the end of a node", &ends);
    figure.tell("requests answered", answers.good);
    figure.tell_spread("latency of a request", &answers.latency);
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    for failure in &answers.failed {
        *kinds.entry(failure.as_str()).or_default() += 1;
    }
    for (kind, count) in kinds.iter().take(8) {
        figure.tell(format!("failed {count} times"), *kind);
    }
    figure.promise("failed requests", answers.failed.len() as f64, 0.0, "");
    figure.promise_least("requests", answers.good as f64, 1.0, "");
    figure.tell_spread("silence of a bot that moved", &silences);
    stage.close(figure.is_clean()).await?;
    Ok(figure)
}

/// Asks all nodes again and again whether they are ready, as a balancer does.
async fn watch_readiness(urls: &[String], told: &watch::Sender<Vec<bool>>, stopped: watch::Receiver<bool>) {
    let Ok(client) = http::client() else { return };
    while !*stopped.borrow() {
        let asked = urls.iter().map(|url| {
            let request = client.get(format!("{url}/health/ready")).timeout(Duration::from_secs(1));
            async move { request.send().await.is_ok_and(|answer| answer.status().is_success()) }
        });
        told.send_replace(join_all(asked).await);
        tokio::time::sleep(ASKED_EVERY).await;
    }
}

async fn load(
    apis: &[Api],
    ready: &watch::Receiver<Vec<bool>>,
    stopped: &watch::Receiver<bool>,
) -> Result<Answers, HarnessError> {
    let turn = AtomicUsize::new(0);
    let clients = (0..CLIENTS).map(|_| async {
        let mut answers = Answers::default();
        while !*stopped.borrow() {
            let next = {
                let ready = ready.borrow();
                let from = turn.fetch_add(1, Ordering::Relaxed);
                (0..apis.len()).map(|step| (from + step) % apis.len()).find(|place| ready[*place])
            };
            match next {
                None => answers.failed.push("no node is ready".to_owned()),
                Some(place) => {
                    let began = Instant::now();
                    match apis[place].look("/api/v1/dead-letters", ANSWERED_WITHIN).await {
                        Ok(answer) => match answer.bytes().await {
                            Ok(_) => {
                                answers.good += 1;
                                answers.latency.add(began.elapsed());
                            }
                            Err(error) => answers.failed.push(error.without_url().to_string()),
                        },
                        Err(error) => {
                            answers
                                .failed
                                .push(error.to_string().replace(&apis[place].address(), &format!("n{}", place + 1)));
                        }
                    }
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        answers
    });
    let mut all = Answers::default();
    for answers in join_all(clients).await {
        all.good += answers.good;
        all.latency.merge(&answers.latency);
        all.failed.extend(answers.failed);
    }
    Ok(all)
}
