//! Passes live events of the fleet to whoever watches. Layer `runtime`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use botfleet_actors::actors::node::Node;
use botfleet_actors::domain::ids::Epoch;
use botfleet_actors::domain::ownership::{Incarnation, LeaseKey, Picture};
use botfleet_actors::ports::bus::BusMessage;
use botfleet_actors::ports::event::{EventKind, LiveEvent};
use tokio::sync::{Semaphore, broadcast};
use tokio::time::MissedTickBehavior;

use super::cluster_view::Names;

/// Most events that wait for one watcher; the watcher is told how many it missed.
const WAITING_MAX: usize = 256;

/// Most watchers at a time.
pub const WATCHERS_MAX: usize = 100;

/// Interval at which leases are compared.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The events for this node's watchers.
pub struct EventHub {
    sender: broadcast::Sender<LiveEvent>,
    /// Room for watchers.
    pub room: Arc<Semaphore>,
}

impl Default for EventHub {
    fn default() -> Self {
        Self { sender: broadcast::channel(WAITING_MAX).0, room: Arc::new(Semaphore::new(WATCHERS_MAX)) }
    }
}

impl EventHub {
    /// Returns the events from now on.
    pub fn watch(&self) -> broadcast::Receiver<LiveEvent> {
        self.sender.subscribe()
    }

    fn pass_on(&self, event: LiveEvent) {
        // Nobody may be watching.
        let _ = self.sender.send(event);
    }
}

/// Passes on the bus's events, and tells of leases that came to this node, until the task ends.
pub(super) async fn run(node: Arc<Node>, hub: Arc<EventHub>) {
    let mut messages = node.bus.subscribe(node.me).await;
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen: HashMap<LeaseKey, Epoch> = HashMap::new();
    loop {
        tokio::select! {
            message = messages.recv() => match message {
                Some(BusMessage::Event(event)) => hub.pass_on(event),
                Some(_) => {}
                None => return,
            },
            _ = look.tick() => {
                if let Some(picture) = node.leases.picture() {
                    for key in arrived(&picture, node.me, &mut seen) {
                        let name = Names::of_directory(&node.directory).of(key);
                        node.announce(EventKind::LeaseMoved, format!("{} {name}", key.kind()));
                    }
                }
            }
        }
    }
}

/// Returns the leases that `me` owns under an epoch that was not seen before.
fn arrived(picture: &Picture, me: Incarnation, seen: &mut HashMap<LeaseKey, Epoch>) -> Vec<LeaseKey> {
    let mine = picture.leases.iter().filter(|lease| lease.owner == Some(me));
    mine.filter(|lease| seen.insert(lease.key, lease.epoch) != Some(lease.epoch)).map(|lease| lease.key).collect()
}

#[cfg(test)]
mod tests {
    use botfleet_actors::domain::ids::{BotId, ConfigSeq};
    use botfleet_actors::domain::ownership::Lease;

    use super::*;

    #[test]
    fn only_the_new_owner_tells_of_a_lease_and_once_for_each_epoch() {
        let key = LeaseKey::Bot(BotId(1));
        let picture = |owner, epoch| Picture {
            leases: vec![Lease {
                key,
                owner: Some(Incarnation(owner)),
                desired: None,
                ready: false,
                epoch: Epoch(epoch),
            }],
            nodes: Vec::new(),
            config_seq: ConfigSeq(1),
        };
        let mut seen = HashMap::new();
        let me = Incarnation(1);
        assert_eq!(arrived(&picture(1, 5), me, &mut seen), [key]);
        assert_eq!(arrived(&picture(1, 5), me, &mut seen), []);
        assert_eq!(arrived(&picture(2, 6), me, &mut seen), []);
        assert_eq!(arrived(&picture(1, 7), me, &mut seen), [key]);
    }
}
