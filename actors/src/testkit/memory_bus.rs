//! A bus in memory that loses, doubles and withholds messages as told. Part of the testkit.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::domain::ownership::Incarnation;
use crate::ports::bus::{Audience, Bus, BusMessage};

/// The most messages that wait for a node.
const WAITING_MAX: usize = 4096;

/// The treatment of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Weather {
    /// The share of messages that are lost, from 0 to 1.
    pub lost: f64,
    /// The share of messages that arrive twice.
    pub doubled: f64,
    /// True when all messages wait for [`MemoryBus::release`].
    pub withheld: bool,
    /// True when the bus reports that it is down; this loses nothing by itself.
    pub down: bool,
}

/// A bus in memory; clones share it.
#[derive(Clone)]
pub struct MemoryBus(Arc<Mutex<Wires>>);

struct Wires {
    weather: Weather,
    random: fastrand::Rng,
    nodes: BTreeMap<Incarnation, mpsc::Sender<BusMessage>>,
    withheld: Vec<(Audience, BusMessage)>,
    sent: Vec<(Audience, BusMessage)>,
}

impl Default for MemoryBus {
    fn default() -> Self {
        Self::new(0)
    }
}

impl MemoryBus {
    /// A bus that loses nothing until it is told to; `seed` decides which messages are lost or doubled.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Wires {
            weather: Weather::default(),
            random: fastrand::Rng::with_seed(seed),
            nodes: BTreeMap::new(),
            withheld: Vec::new(),
            sent: Vec::new(),
        })))
    }

    /// Changes the treatment of messages from here on.
    pub fn set_weather(&self, weather: Weather) {
        self.wires().weather = weather;
    }

    /// Delivers the withheld messages.
    pub fn release(&self) {
        let mut wires = self.wires();
        for (to, message) in std::mem::take(&mut wires.withheld) {
            wires.deliver(to, &message);
        }
    }

    /// Returns every published message, lost or not.
    pub fn published(&self) -> Vec<(Audience, BusMessage)> {
        self.wires().sent.clone()
    }

    fn wires(&self) -> MutexGuard<'_, Wires> {
        self.0.lock().unwrap()
    }
}

impl Wires {
    fn deliver(&mut self, to: Audience, message: &BusMessage) {
        self.nodes.retain(|_, node| !node.is_closed());
        let nodes = self.nodes.iter().filter(|(node, _)| to == Audience::Everybody || to == Audience::Node(**node));
        for (_, node) in nodes {
            // A full mailbox loses the message, as the port allows.
            let _ = node.try_send(message.clone());
        }
    }
}

#[async_trait]
impl Bus for MemoryBus {
    fn publish(&self, to: Audience, message: BusMessage) {
        let mut wires = self.wires();
        wires.sent.push((to, message.clone()));
        let (lost, doubled) = (wires.random.f64(), wires.random.f64());
        if lost < wires.weather.lost {
            return;
        }
        let times = if doubled < wires.weather.doubled { 2 } else { 1 };
        for _ in 0..times {
            if wires.weather.withheld {
                wires.withheld.push((to, message.clone()));
            } else {
                wires.deliver(to, &message);
            }
        }
    }

    async fn subscribe(&self, me: Incarnation) -> mpsc::Receiver<BusMessage> {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        self.wires().nodes.insert(me, sender);
        receiver
    }

    fn is_up(&self) -> bool {
        !self.wires().weather.down
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{BotId, ConfigSeq};
    use crate::ports::bus::Hint;

    fn hint(bot: i64) -> BusMessage {
        BusMessage::Hints(vec![Hint::Bot(BotId(bot))])
    }

    #[tokio::test]
    async fn a_message_reaches_whom_it_is_for() {
        let bus = MemoryBus::default();
        let (mut one, mut two) = (bus.subscribe(Incarnation(1)).await, bus.subscribe(Incarnation(2)).await);
        bus.publish(Audience::Node(Incarnation(2)), hint(7));
        bus.publish(Audience::Everybody, BusMessage::ConfigurationChanged(ConfigSeq(3)));
        assert_eq!(two.recv().await, Some(hint(7)));
        assert_eq!(one.recv().await, Some(BusMessage::ConfigurationChanged(ConfigSeq(3))));
    }

    #[tokio::test]
    async fn it_loses_doubles_and_withholds_as_told() {
        let bus = MemoryBus::new(7);
        let mut one = bus.subscribe(Incarnation(1)).await;
        bus.set_weather(Weather { lost: 1.0, ..Weather::default() });
        bus.publish(Audience::Everybody, hint(1));
        bus.set_weather(Weather { doubled: 1.0, withheld: true, ..Weather::default() });
        bus.publish(Audience::Everybody, hint(2));
        assert!(one.try_recv().is_err());
        bus.release();
        assert_eq!((one.try_recv(), one.try_recv()), (Ok(hint(2)), Ok(hint(2))));
        assert!(one.try_recv().is_err());
    }
}
