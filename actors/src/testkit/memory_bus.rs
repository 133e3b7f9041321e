//! A bus in memory that loses, doubles and withholds what it is told to. Part of the testkit.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::domain::ownership::Incarnation;
use crate::ports::bus::{Audience, Bus, BusMessage};

/// How many messages wait for a node at most.
const WAITING_MAX: usize = 4096;

/// What becomes of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Weather {
    /// Share that is lost, from 0 to 1; all with 1.
    pub lost: f64,
    /// Share that comes twice.
    pub doubled: f64,
    /// Everything waits for [`MemoryBus::release`].
    pub withheld: bool,
    /// It says that it is down; what is lost is another matter.
    pub down: bool,
}

/// A bus in memory; clones are the same bus.
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
    /// A bus that loses nothing until it is told to; `seed` decides what.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Wires {
            weather: Weather::default(),
            random: fastrand::Rng::with_seed(seed),
            nodes: BTreeMap::new(),
            withheld: Vec::new(),
            sent: Vec::new(),
        })))
    }

    /// Changes what becomes of messages from now on.
    pub fn set_weather(&self, weather: Weather) {
        self.wires().weather = weather;
    }

    /// Delivers what was withheld.
    pub fn release(&self) {
        let mut wires = self.wires();
        for (to, message) in std::mem::take(&mut wires.withheld) {
            wires.deliver(to, &message);
        }
    }

    /// Everything that was published, lost or not.
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
            // A full mailbox loses the message, as the port says.
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
