//! Tells the cluster's store that a start of the worker is over. Part of `launcher`. Keeps I5.
//!
//! Other nodes would find out by themselves, three seconds after the last beat. The launcher saw the process end, so it
//! tells the store at once, over a connection that it keeps open for this. The launcher never waits for the store: an
//! end that cannot be told now is told when the store answers again, and nobody is worse off than without a launcher.

use std::sync::Arc;
use std::time::Duration;

use botfleet_actors::ports::bus::{Audience, Bus, BusMessage, Hint};
use botfleet_actors::ports::cluster::Cluster;
use futures::future::BoxFuture;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// The launcher's access to the cluster.
#[derive(Clone)]
pub struct Registry {
    /// The store in which nodes are registered.
    pub cluster: Arc<dyn Cluster>,
    /// The bus on which other nodes listen for news.
    pub bus: Arc<dyn Bus>,
}

/// Opens the registry; called again until it succeeds.
pub type Opener = Box<dyn Fn() -> BoxFuture<'static, anyhow::Result<Registry>> + Send + Sync>;

/// Most time for an answer of the store.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Wait before an end that was not told is told again.
const RETRY_EVERY: Duration = Duration::from_millis(250);

/// Interval of the looks that keep the connection open.
const LOOK_EVERY: Duration = Duration::from_secs(20);

/// Most ends that wait to be told; older ones are forgotten first, since other nodes know them by now.
const WAITING_MAX: usize = 64;

/// Tells the cluster's store about ended workers, if there is a cluster.
pub struct Graves {
    launches: Option<mpsc::Sender<i64>>,
    digger: JoinSet<()>,
}

impl Graves {
    /// Opens the registry now and keeps it open. Without an opener there is nobody to tell.
    pub fn start(opener: Option<Opener>) -> Self {
        let mut digger = JoinSet::new();
        let launches = opener.map(|open| {
            let (launches, waiting) = mpsc::channel(WAITING_MAX);
            digger.spawn(dig(open, waiting));
            launches
        });
        Self { launches, digger }
    }

    /// Queues the end of this start to be told soon; returns at once.
    pub fn bury(&self, launch: i64) {
        if let Some(launches) = &self.launches
            && launches.try_send(launch).is_err()
        {
            tracing::warn!("the end of a worker is not told: too many wait for the database");
        }
    }

    /// Waits up to `within` until every end is told, then stops.
    pub async fn close(mut self, within: Duration) {
        drop(self.launches.take());
        let _ = timeout(within, self.digger.join_next()).await;
    }
}

async fn dig(open: Opener, mut launches: mpsc::Receiver<i64>) {
    let mut registry: Option<Registry> = None;
    let mut waiting: Vec<i64> = Vec::new();
    let mut told_of_trouble = false;
    loop {
        if registry.is_none() {
            match timeout(ANSWER_WITHIN, open()).await {
                Ok(Ok(opened)) => registry = Some(opened),
                Ok(Err(error)) => warn_once(&mut told_of_trouble, &format!("{error:#}")),
                Err(_) => warn_once(&mut told_of_trouble, "no answer in time"),
            }
        }
        if let Some(registry) = &registry {
            match tell(registry, &mut waiting).await {
                Ok(()) => told_of_trouble = false,
                Err(error) => warn_once(&mut told_of_trouble, &error),
            }
        }
        if launches.is_closed() && launches.is_empty() && waiting.is_empty() {
            return;
        }
        let pause = if registry.is_some() && waiting.is_empty() { LOOK_EVERY } else { RETRY_EVERY };
        tokio::select! {
            next = launches.recv(), if !launches.is_closed() || !launches.is_empty() => {
                waiting.extend(next);
                let beyond = waiting.len().saturating_sub(WAITING_MAX);
                waiting.drain(..beyond);
            }
            () = sleep(pause) => {}
        }
    }
}

/// Tells all waiting ends; with nothing to tell, reads the nodes to keep the connection open.
async fn tell(registry: &Registry, waiting: &mut Vec<i64>) -> Result<(), String> {
    let late = |_| "no answer in time".to_owned();
    if waiting.is_empty() {
        let looked = timeout(ANSWER_WITHIN, registry.cluster.nodes()).await.map_err(late)?;
        return looked.map(drop).map_err(|error| error.to_string());
    }
    while let Some(launch) = waiting.first().copied() {
        let buried = timeout(ANSWER_WITHIN, registry.cluster.bury_launch(launch)).await.map_err(late)?;
        buried.map_err(|error| error.to_string())?;
        waiting.remove(0);
        registry.bus.publish(Audience::Everybody, BusMessage::Hints(vec![Hint::Nodes]));
        tracing::info!(launch, "the cluster knows that the worker ended");
    }
    Ok(())
}

fn warn_once(told: &mut bool, error: &str) {
    if !std::mem::replace(told, true) {
        tracing::warn!(error, "the launcher does not reach the database; others find a dead worker by its beats");
    }
}
