//! Delivers messages to the listeners of this process. Layer: adapter.

use std::sync::{Mutex, PoisonError};

use botfleet_actors::domain::ownership::Incarnation;
use botfleet_actors::ports::bus::{Audience, BusMessage};
use botfleet_actors::ports::metrics;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

/// The most messages that wait for one listener; further ones are dropped (I9).
const WAITING_MAX: usize = 4096;

/// Counts dropped messages, by where they were dropped.
pub(super) fn dropped(at: &'static str, messages: u64) {
    metrics::bus_dropped_total { at }.increment(messages);
}

/// The listeners of this process. A listener that is gone is removed with the next message.
#[derive(Default)]
pub(super) struct Listeners(Mutex<Vec<(Incarnation, mpsc::Sender<BusMessage>)>>);

impl Listeners {
    /// Adds a listener.
    pub(super) fn add(&self, me: Incarnation) -> mpsc::Receiver<BusMessage> {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((me, sender));
        receiver
    }

    /// Gives a message to every listener of its audience.
    pub(super) fn deliver(&self, to: Audience, message: &BusMessage) {
        let meant = |me: Incarnation| match to {
            Audience::Node(node) => node == me,
            Audience::Everybody => true,
        };
        let mut listeners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|(me, sender)| {
            if !meant(*me) {
                return !sender.is_closed();
            }
            match sender.try_send(message.clone()) {
                Ok(()) => true,
                Err(TrySendError::Full(_)) => {
                    dropped("listener", 1);
                    true
                }
                Err(TrySendError::Closed(_)) => false,
            }
        });
    }
}
