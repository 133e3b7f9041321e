//! A bus between the nodes of one test: it delivers at once, or loses everything. Part of the testkit.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::domain::ownership::Incarnation;
use crate::ports::bus::{Audience, Bus, BusMessage};

/// The most messages that wait for a node, as the port promises.
const WAITING_MAX: usize = 4_096;

#[derive(Default)]
struct Wire {
    listeners: Mutex<BTreeMap<Incarnation, Vec<mpsc::Sender<BusMessage>>>>,
    losing: AtomicBool,
    down: AtomicBool,
    published: AtomicU64,
}

/// A handle on the bus; all nodes of a test share it.
#[derive(Clone, Default)]
pub struct ScriptedBus(Arc<Wire>);

impl ScriptedBus {
    /// Loses every message without reporting it, or none.
    pub fn lose_all(&self, losing: bool) {
        self.0.losing.store(losing, Ordering::SeqCst);
    }

    /// Takes the bus down, which it reports, or brings it back.
    pub fn go_down(&self, down: bool) {
        self.0.down.store(down, Ordering::SeqCst);
        self.lose_all(down);
    }

    /// Returns how many messages were published.
    pub fn published(&self) -> u64 {
        self.0.published.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Bus for ScriptedBus {
    fn publish(&self, to: Audience, message: BusMessage) {
        self.0.published.fetch_add(1, Ordering::SeqCst);
        if self.0.losing.load(Ordering::SeqCst) {
            return;
        }
        let mut listeners = self.0.listeners.lock().unwrap();
        let hears = |node: &Incarnation| match to {
            Audience::Node(one) => one == *node,
            Audience::Everybody => true,
        };
        for (_, channels) in listeners.iter_mut().filter(|(node, _)| hears(node)) {
            channels.retain(|channel| channel.try_send(message.clone()).is_ok() || !channel.is_closed());
        }
    }

    async fn subscribe(&self, me: Incarnation) -> mpsc::Receiver<BusMessage> {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        self.0.listeners.lock().unwrap().entry(me).or_default().push(sender);
        receiver
    }

    fn is_up(&self) -> bool {
        !self.0.down.load(Ordering::SeqCst)
    }
}
