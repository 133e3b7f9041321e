//! Holds the roll call after everything healed: without it, a fleet that merely stopped would pass. Layer: harness.
//!
//! Each bot is called in each of its chats, and in a forum also in a topic. A bot that does not answer is called again:
//! a bot learns only by a send that a chat or topic is open again, and sends only when somebody speaks there.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use botfleet_world::ledger::LedgerEvent;
use botfleet_world::world::World;
use botfleet_world::world::spec::ChatKind;
use tokio::time::Instant;

use crate::harness::error::HarnessError;
use crate::harness::operator::Operator;
use crate::harness::stage::Stage;
use crate::harness::traffic::Traffic;

/// How often quarantined actors are released while the fleet recovers.
const RELEASED_EVERY: Duration = Duration::from_secs(2);

/// How often missing bots are called again; an answer takes less time.
const CALLED_EVERY: Duration = Duration::from_secs(8);

/// A bot, and the chat and topic in which the bot must answer.
type Seat = (i64, i64, Option<i64>);

/// Calls every bot in each of its chats; returns the actors that had to be released, and the bots that stayed silent
/// with their chats.
pub(super) async fn hold(
    stage: &Stage,
    operator: &Operator<'_>,
    traffic: &mut Traffic<'_>,
    until: Instant,
) -> Result<(Vec<String>, Vec<(i64, i64)>), HarnessError> {
    let world = &stage.simulation.world;
    let mut released = operator.release_all().await?;
    let mut read = world.ledger().len();
    let mut missing = seats(world);
    let mut calls: HashMap<String, (i64, Option<i64>)> = HashMap::new();
    let (mut next_release, mut next_call) = (Instant::now() + RELEASED_EVERY, Instant::now());
    loop {
        let changed = world.next_change();
        let records = world.ledger().since(read);
        read += records.len();
        for record in records {
            if let LedgerEvent::SendAccepted { bot, marker: Some(marker), .. } = record.event
                && let Some((chat, thread)) = calls.get(&marker)
            {
                missing.remove(&(bot, *chat, *thread));
            }
        }
        let now = Instant::now();
        if missing.is_empty() || now >= until {
            let silent: BTreeSet<_> = missing.into_iter().map(|(bot, chat, _)| (bot, chat)).collect();
            return Ok((released, silent.into_iter().collect()));
        }
        if now >= next_call {
            let places: BTreeSet<_> = missing.iter().map(|(_, chat, thread)| (*chat, *thread)).collect();
            for (chat, thread) in places {
                if let Some(post) = traffic.call(chat, thread) {
                    calls.insert(format!("#m{}", post.number), (chat, thread));
                }
            }
            next_call = now + CALLED_EVERY;
        }
        if now >= next_release {
            released.extend(operator.release_all().await?);
            next_release = now + RELEASED_EVERY;
        }
        // The loop handles a passed deadline at its top.
        let _ = tokio::time::timeout_at(next_release.min(next_call).min(until), changed).await;
    }
}

/// Returns the bots, and the places in which each must answer.
fn seats(world: &World) -> BTreeSet<Seat> {
    let mut seats = BTreeSet::new();
    for chat in &world.spec().chats {
        let topic = (chat.kind == ChatKind::Forum).then(|| world.create_topic(chat.id, "roll call").ok()).flatten();
        for thread in [None, topic].into_iter().take(1 + usize::from(topic.is_some())) {
            seats.extend(chat.bots.iter().map(|bot| (*bot, chat.id, thread)));
        }
    }
    seats
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use botfleet_world::world::spec::WorldSpec;

    #[tokio::test]
    async fn every_bot_has_a_seat_in_each_of_its_chats_and_in_a_topic_of_a_forum() {
        let mut spec = WorldSpec::fleet(1, 4, 2);
        spec.chats[1].kind = ChatKind::Forum;
        let (first, second) = (spec.chats[0].bots.len(), spec.chats[1].bots.len());
        let seats = seats(&World::new(spec).unwrap());
        assert_eq!(seats.len(), first + 2 * second);
        assert_eq!(seats.iter().filter(|(.., thread)| thread.is_some()).count(), second);
    }
}
