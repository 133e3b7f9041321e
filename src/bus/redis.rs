//! Implements the bus of many nodes: publish and subscribe over Redis. Layer: adapter.
//!
//! Callers of the bus never wait and never fail. When a session ends, another is tried within a second. Messages published in
//! between are dropped and counted.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use botfleet_actors::domain::ownership::Incarnation;
use botfleet_actors::ports::bus::{Audience, Bus, BusMessage};
use botfleet_actors::ports::rates::{Counted, Rate, Rates};
use fred::prelude::Config;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::listeners::{Listeners, dropped};
use super::rates::Counters;
use super::session::{Link, Pulse, run};
use super::wire::Channels;

/// The most messages that wait to be published; further ones are dropped (I9).
const OUTGOING_MAX: usize = 4096;

/// The longest time that a new subscriber waits for Redis to confirm; without Redis it would hear nothing anyway.
const SUBSCRIBED_WITHIN: Duration = Duration::from_secs(1);

/// The address of Redis cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("redis.url is no address of redis, as redis://HOST:PORT would be")]
pub struct BadAddress;

/// A bus over Redis. Its connections end when it is dropped.
pub struct RedisBus {
    outgoing: mpsc::Sender<(Audience, BusMessage)>,
    pulse: Arc<Pulse>,
    listeners: Arc<Listeners>,
    wanted: watch::Sender<BTreeSet<Incarnation>>,
    heard: watch::Receiver<BTreeSet<Incarnation>>,
    counters: Counters,
    _sessions: JoinSet<()>,
}

impl RedisBus {
    /// Begins to connect and returns at once, since Redis may be away.
    ///
    /// # Errors
    /// When `url` is no address of Redis. The error never shows the address, which may hold a password (I12).
    pub fn start(url: &SecretString, prefix: &str) -> Result<Self, BadAddress> {
        let config = Config::from_url(url.expose_secret()).map_err(|_| BadAddress)?;
        let (outgoing, outgoing_rx) = mpsc::channel(OUTGOING_MAX);
        let (wanted, wanted_rx) = watch::channel(BTreeSet::new());
        let (heard_tx, heard) = watch::channel(BTreeSet::new());
        let (client_tx, client) = watch::channel(None);
        let (pulse, listeners) = (Arc::new(Pulse::new()), Arc::new(Listeners::default()));
        let link = Link {
            config,
            channels: Channels::new(prefix),
            process: fastrand::u64(..),
            pulse: Arc::clone(&pulse),
            listeners: Arc::clone(&listeners),
            wanted: wanted_rx,
            heard: heard_tx,
            client: client_tx,
        };
        let mut sessions = JoinSet::new();
        sessions.spawn(run(link, outgoing_rx));
        let counters = Counters::new(prefix, client);
        Ok(Self { outgoing, pulse, listeners, wanted, heard, counters, _sessions: sessions })
    }
}

#[async_trait]
impl Bus for RedisBus {
    fn publish(&self, to: Audience, message: BusMessage) {
        if !self.pulse.is_up() {
            dropped("down", 1);
        } else if self.outgoing.try_send((to, message)).is_err() {
            dropped("outgoing", 1);
        }
    }

    async fn subscribe(&self, me: Incarnation) -> mpsc::Receiver<BusMessage> {
        let receiver = self.listeners.add(me);
        self.wanted.send_modify(|wanted| {
            wanted.insert(me);
        });
        let mut heard = self.heard.clone();
        let _ = tokio::time::timeout(SUBSCRIBED_WITHIN, heard.wait_for(|heard| heard.contains(&me))).await;
        receiver
    }

    fn is_up(&self) -> bool {
        self.pulse.is_up()
    }
}

#[async_trait]
impl Rates for RedisBus {
    async fn count(&self, key: &str, rate: Rate) -> Counted {
        if self.pulse.is_up() { self.counters.count(key, rate).await } else { Counted::Unknown }
    }
}
