//! Passes on what the bus tells whoever watches: live events, and hints that chats grew. Layer `runtime`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use botfleet_actors::actors::node::Node;
use botfleet_actors::domain::ids::Epoch;
use botfleet_actors::domain::ownership::{Incarnation, LeaseKey, Picture};
use botfleet_actors::ports::bus::{BusMessage, Hint};
use botfleet_actors::ports::event::EventKind;
use tokio::time::MissedTickBehavior;

use super::cluster_view::Names;
use super::stream::frame::{Frame, Source};
use super::stream::hub::EventHub;

/// Interval at which leases are compared.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Passes on the bus's events and hints, and tells of leases that came to this node, until the task ends.
pub(super) async fn run(node: Arc<Node>, hub: Arc<EventHub>) {
    let mut messages = node.bus.subscribe(node.me).await;
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen: HashMap<LeaseKey, Epoch> = HashMap::new();
    loop {
        tokio::select! {
            message = messages.recv() => match message {
                Some(BusMessage::Event(event)) => {
                    let frame = Frame::plain(event.kind.clone(), Source::Fleet, &event);
                    if let Some(frame) = frame {
                        hub.pass_on(frame);
                    }
                }
                Some(BusMessage::Watching(chats)) => node.watched.heard(&chats),
                Some(BusMessage::Appended(chats)) => {
                    for (chat, number) in chats {
                        hub.hint(chat, number);
                    }
                }
                Some(BusMessage::Hints(hints)) if hints.contains(&Hint::People) => hub.look_now(),
                Some(BusMessage::Hints(_) | BusMessage::ConfigurationChanged(_)) => {}
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
