//! Runs one life of the connection to Redis. Layer: adapter.
//!
//! There are two connections: one publishes, one listens. The process also publishes probes to a channel that only it
//! listens to. As long as its probes come back, both directions work, whatever the sockets report. The session, and
//! both connections with it, ends when five probes in a row do not come back: a silent network is noticed like a closed
//! port. fred's own reconnecting is not used, since it cannot see a silent subscriber (docs/adr/0018-bus.md).

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use botfleet_actors::domain::ownership::Incarnation;
use botfleet_actors::ports::bus::{Audience, BusMessage};
use botfleet_actors::ports::metrics;
use fred::clients::SubscriberClient;
use fred::prelude::{
    Builder, Client, ClientLike, Config, Error, ErrorKind, EventInterface, PubsubInterface, TcpConfig,
};
use fred::types::{ConnectHandle, Message};
use futures::future::join_all;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::MissedTickBehavior;

use super::listeners::{Listeners, dropped};
use super::wire::{Channels, decode, encode, merge};

/// The interval between two probes.
const PROBE_EVERY: Duration = Duration::from_millis(200);

/// The number of probes in a row that must be lost for the session to end.
const UNHEARD_MAX: u32 = 5;

/// The bus counts as up while a probe came back within this time.
const UP_WITHIN: Duration = Duration::from_secs(1);

/// The deadline that fred applies to one call and to connecting; [`call`] gives up after twice that time.
const CALL_WITHIN: Duration = Duration::from_secs(1);

/// The shortest and the longest wait between two sessions.
const RETRY_FIRST: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(1);

/// The most messages that are merged at once.
const GATHERED_MAX: usize = 512;

/// The most frames that wait between fred and this module.
const FRAMES_WAITING: usize = 4096;

/// Records when a probe last came back.
pub(super) struct Pulse {
    since: Instant,
    /// Milliseconds after `since`; 0 for never.
    heard: AtomicU64,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self { since: Instant::now(), heard: AtomicU64::new(0) }
    }

    fn heard_now(&self) {
        self.heard.store((self.since.elapsed().as_millis() as u64).max(1), Ordering::Release);
    }

    fn lost(&self) {
        self.heard.store(0, Ordering::Release);
    }

    pub(super) fn is_up(&self) -> bool {
        let heard = self.heard.load(Ordering::Acquire);
        heard != 0 && self.since.elapsed() < Duration::from_millis(heard) + UP_WITHIN
    }
}

/// The state that the sessions of one bus share.
pub(super) struct Link {
    pub(super) config: Config,
    pub(super) channels: Channels,
    pub(super) process: u64,
    pub(super) pulse: Arc<Pulse>,
    pub(super) listeners: Arc<Listeners>,
    /// The incarnations whose channels shall be heard.
    pub(super) wanted: watch::Receiver<BTreeSet<Incarnation>>,
    /// The incarnations whose channels are heard.
    pub(super) heard: watch::Sender<BTreeSet<Incarnation>>,
    /// The connection for calls other than the session's own, while there is one.
    pub(super) client: watch::Sender<Option<Client>>,
}

/// Ends a connection's task when dropped, whatever its state.
struct Connected(ConnectHandle);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Holds one session after another, until the task ends.
pub(super) async fn run(link: Link, mut outgoing: mpsc::Receiver<(Audience, BusMessage)>) {
    let mut wait = RETRY_FIRST;
    let mut told = false;
    loop {
        let began = Instant::now();
        let Err(error) = Box::pin(link.session(&mut outgoing)).await;
        link.pulse.lost();
        link.client.send_replace(None);
        link.heard.send_replace(BTreeSet::new());
        let mut left = 0;
        while outgoing.try_recv().is_ok() {
            left += 1;
        }
        dropped("down", left);
        if began.elapsed() > RETRY_MAX + CALL_WITHIN * 2 {
            (wait, told) = (RETRY_FIRST, false);
        }
        if told {
            tracing::debug!(error = %error, "the bus is still down");
        } else {
            tracing::warn!(error = %error, "the bus is down; work is found in the store, a little later");
            told = true;
        }
        tokio::time::sleep(wait.mul_f64(fastrand::f64().mul_add(0.5, 0.5))).await;
        wait = (wait * 2).min(RETRY_MAX);
    }
}

impl Link {
    async fn session(&self, outgoing: &mut mpsc::Receiver<(Audience, BusMessage)>) -> Result<Infallible, Error> {
        let mut builder = Builder::from_config(self.config.clone());
        builder
            .with_connection_config(|connection| {
                connection.connection_timeout = CALL_WITHIN;
                connection.internal_command_timeout = CALL_WITHIN;
                connection.max_command_attempts = 1;
                connection.tcp = TcpConfig { nodelay: Some(true), ..TcpConfig::default() };
            })
            .with_performance_config(|performance| {
                performance.default_command_timeout = CALL_WITHIN;
                performance.broadcast_channel_capacity = FRAMES_WAITING;
            });
        let (publisher, subscriber) = (builder.build()?, builder.build_subscriber_client()?);
        let mut frames = subscriber.message_rx();
        let connecting = async {
            let publishing = publisher.init().await.map(Connected)?;
            Ok((publishing, subscriber.init().await.map(Connected)?))
        };
        let (mut publishing, mut listening) = Box::pin(call("connect", connecting)).await?;
        let mut wanted = self.wanted.clone();
        let all = [self.channels.all(), self.channels.probe(self.process)];
        call("subscribe", subscriber.subscribe(all.to_vec())).await?;
        self.follow(&subscriber, &mut wanted).await?;
        self.client.send_replace(Some(publisher.clone()));
        tracing::info!("the bus is connected");
        let unheard = AtomicU64::new(0);
        tokio::select! {
            ended = self.listen(&mut frames, &unheard) => ended,
            ended = self.publish(&publisher, outgoing) => ended,
            ended = self.probe(&publisher, &unheard) => ended,
            ended = async {
                loop {
                    let gone = |_| Error::new(ErrorKind::Canceled, "the bus ended");
                    wanted.changed().await.map_err(gone)?;
                    self.follow(&subscriber, &mut wanted).await?;
                }
            } => ended,
            ended = &mut publishing.0 => Err(closed(ended)),
            ended = &mut listening.0 => Err(closed(ended)),
        }
    }

    /// Subscribes to the wanted channels that are not heard yet.
    async fn follow(
        &self,
        subscriber: &SubscriberClient,
        wanted: &mut watch::Receiver<BTreeSet<Incarnation>>,
    ) -> Result<(), Error> {
        let wanted = wanted.borrow_and_update().clone();
        let new: Vec<String> = wanted.difference(&self.heard.borrow()).map(|node| self.channels.node(*node)).collect();
        if !new.is_empty() {
            call("subscribe", subscriber.subscribe(new)).await?;
        }
        self.heard.send_replace(wanted);
        Ok(())
    }

    async fn listen(
        &self,
        frames: &mut broadcast::Receiver<Message>,
        unheard: &AtomicU64,
    ) -> Result<Infallible, Error> {
        let probe = self.channels.probe(self.process);
        loop {
            let frame = match frames.recv().await {
                Ok(frame) => frame,
                Err(RecvError::Lagged(lost)) => {
                    dropped("frames", lost);
                    continue;
                }
                Err(RecvError::Closed) => return Err(Error::new(ErrorKind::Canceled, "the subscriber ended")),
            };
            if frame.channel == probe.as_str() {
                unheard.store(0, Ordering::Release);
                self.pulse.heard_now();
                continue;
            }
            let message = frame.value.as_bytes().and_then(decode);
            match (self.channels.audience(&frame.channel), message) {
                (Some(to), Some(message)) => self.listeners.deliver(to, &message),
                _ => dropped("garbage", 1),
            }
        }
    }

    async fn publish(
        &self,
        publisher: &Client,
        outgoing: &mut mpsc::Receiver<(Audience, BusMessage)>,
    ) -> Result<Infallible, Error> {
        let mut gathered = Vec::new();
        loop {
            if outgoing.recv_many(&mut gathered, GATHERED_MAX).await == 0 {
                return Err(Error::new(ErrorKind::Canceled, "the bus ended"));
            }
            let calls = merge(gathered.drain(..)).into_iter().filter_map(|(to, message)| {
                let text = encode(&message);
                if text.is_none() {
                    dropped("too_large", 1);
                }
                let text = text?;
                Some(call("publish", publisher.publish::<i64, _, _>(self.channels.of(to), text)))
            });
            for published in join_all(calls).await {
                if let Err(error) = published {
                    dropped("publish", 1);
                    return Err(error);
                }
            }
        }
    }

    async fn probe(&self, publisher: &Client, unheard: &AtomicU64) -> Result<Infallible, Error> {
        let mut every = tokio::time::interval(PROBE_EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let channel = self.channels.probe(self.process);
        loop {
            every.tick().await;
            if unheard.fetch_add(1, Ordering::AcqRel) >= u64::from(UNHEARD_MAX) {
                return Err(Error::new(ErrorKind::Timeout, "what is published does not come back"));
            }
            call("probe", publisher.publish::<i64, _, _>(channel.as_str(), "")).await?;
        }
    }
}

/// Makes a call of the session, and counts it.
fn call<T>(
    operation: &'static str,
    call: impl Future<Output = Result<T, Error>>,
) -> impl Future<Output = Result<T, Error>> {
    call_within(CALL_WITHIN * 2, operation, call)
}

/// Makes a call under a deadline, and counts it.
pub(super) async fn call_within<T>(
    within: Duration,
    operation: &'static str,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let late = |_| Error::new(ErrorKind::Timeout, format!("no answer to {operation}"));
    let result = tokio::time::timeout(within, call).await.map_err(late).flatten();
    let status = match &result {
        Ok(_) => "ok",
        Err(error) if *error.kind() == ErrorKind::Timeout => "timeout",
        Err(_) => "error",
    };
    metrics::redis_operations_total { operation, status }.increment(1);
    result
}

fn closed(ended: Result<Result<(), Error>, tokio::task::JoinError>) -> Error {
    match ended {
        Ok(Err(error)) => error,
        _ => Error::new(ErrorKind::IO, "the connection closed"),
    }
}
