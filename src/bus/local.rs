//! Implements the bus of a fleet on one node: messages are handed over within the process. Layer: adapter.

use async_trait::async_trait;
use botfleet_actors::domain::ownership::Incarnation;
use botfleet_actors::ports::bus::{Audience, Bus, BusMessage};
use botfleet_actors::ports::rates::{Counted, Rate, Rates};
use tokio::sync::mpsc;

use super::listeners::Listeners;

/// A bus without a network. It loses a message only when a listener's queue is full.
#[derive(Default)]
pub struct LocalBus(Listeners);

#[async_trait]
impl Bus for LocalBus {
    fn publish(&self, to: Audience, message: BusMessage) {
        self.0.deliver(to, &message);
    }

    async fn subscribe(&self, me: Incarnation) -> mpsc::Receiver<BusMessage> {
        self.0.add(me)
    }

    fn is_up(&self) -> bool {
        true
    }
}

#[async_trait]
impl Rates for LocalBus {
    async fn count(&self, _: &str, _: Rate) -> Counted {
        Counted::Unknown
    }
}

#[cfg(test)]
mod tests {
    use botfleet_actors::domain::ids::{BotId, ConfigSeq};
    use botfleet_actors::ports::bus::Hint;

    use super::*;

    #[tokio::test]
    async fn a_message_reaches_its_audience_only() {
        let bus = LocalBus::default();
        let (mut one, mut other) = (bus.subscribe(Incarnation(1)).await, bus.subscribe(Incarnation(2)).await);
        let hint = BusMessage::Hints(vec![Hint::Bot(BotId(7))]);
        bus.publish(Audience::Node(Incarnation(2)), hint.clone());
        bus.publish(Audience::Everybody, BusMessage::ConfigurationChanged(ConfigSeq(3)));
        assert_eq!(other.recv().await, Some(hint));
        assert_eq!(other.recv().await, Some(BusMessage::ConfigurationChanged(ConfigSeq(3))));
        assert_eq!(one.recv().await, Some(BusMessage::ConfigurationChanged(ConfigSeq(3))));
    }

    #[tokio::test]
    async fn a_listener_that_does_not_read_is_bounded_and_hinders_nobody() {
        let bus = LocalBus::default();
        let (mut slow, gone) = (bus.subscribe(Incarnation(1)).await, bus.subscribe(Incarnation(2)).await);
        drop(gone);
        for seq in 0..5000 {
            bus.publish(Audience::Everybody, BusMessage::ConfigurationChanged(ConfigSeq(seq)));
        }
        let mut got = 0;
        while slow.try_recv().is_ok() {
            got += 1;
        }
        assert_eq!(got, 4096);
    }
}
