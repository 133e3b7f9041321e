//! Keeps people's rights on this node up to date, and carries out erasure requests. Layer `actors`. Keeps I8, I9.
//!
//! An erasure request is a row of the store before anything is removed, so that a crash loses none. The node that took
//! a request carries it out at once; any other node does so if it finds the request still open after a while. A node
//! carries out one request after the other. A request that fails is tried again after a while, without delaying the
//! others.

use std::sync::Arc;
use std::time::Duration;

use ractor::ActorRef;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::actors::bot::messages::BotMsg;
use crate::actors::chat::messages::ChatMsg;
use crate::actors::fleet::messages::FleetMsg;
use crate::actors::fleet::state::FleetState;
use crate::actors::node::Node;
use crate::domain::ids::TelegramUserId;
use crate::domain::people::{Forgotten, Rights};
use crate::domain::retraction::REMEMBERED_FOR;
use crate::policy::backoff::BackoffSettings;
use crate::ports::bus::Hint;
use crate::ports::metrics;
use crate::ports::store::StoreError;

/// Age from which any node may carry out an open erasure request.
const ORPHANED_AFTER: Duration = Duration::from_secs(30);

/// Waits before a failed erasure request is tried again.
const FORGET_BACKOFF: BackoffSettings = BackoffSettings { first: Duration::from_secs(1), max: Duration::from_mins(5) };

/// The words of one person are not removed again within this time (I15). A request that comes in the meantime waits,
/// and the store merges a newer request into the waiting one.
const FORGET_AGAIN: Duration = Duration::from_mins(2);

/// Wait before a second removal. Work in hand when the request was stored, here or at other nodes, may write quotations
/// a moment later.
const SECOND_LOOK: Duration = Duration::from_secs(2);

/// Reads stops, interventions of operators and rights; returns whether words are to be dropped from memory: a person's, or those
/// of a message that was deleted.
pub(super) async fn learn(node: &Arc<Node>) -> bool {
    let deleted = match node.store.interventions(node.clock.now() - REMEMBERED_FOR).await {
        Ok(interventions) => node.steering.learned(interventions),
        Err(error) => {
            tracing::warn!(error = %error, "interventions of operators cannot be read now");
            false
        }
    };
    match node.store.stops().await {
        Ok(stops) => node.people.learned_stops(stops),
        Err(error) => tracing::warn!(error = %error, "stops cannot be read now"),
    }
    let known = node.people.rights();
    match node.store.rights(known.seq).await {
        Ok(Some(rights)) => {
            let anew = are_gone(&known, &rights);
            node.people.learned(rights);
            anew || deleted
        }
        Ok(None) => deleted,
        Err(error) => {
            tracing::warn!(error = %error, "people's rights cannot be read now");
            deleted
        }
    }
}

/// Returns whether some person's words were removed since `known`: true once for each request. Until then the words are
/// held back wherever they would be used.
fn are_gone(known: &Rights, rights: &Rights) -> bool {
    let open = |rights: &Rights, person| rights.pending.iter().any(|(_, other, _)| *other == person);
    rights.forgotten.iter().any(|(person, until)| {
        !open(rights, *person) && (known.forgotten.get(person) != Some(until) || open(known, *person))
    })
}

/// Removes a person's words from the store, twice.
async fn forget(node: &Node, person: TelegramUserId, wish: i64) -> Result<Forgotten, StoreError> {
    let cut = |payload: &str| node.decoder.without(payload, &|author, _| author == person);
    let mut forgotten = node.store.forget(person, None, &cut).await?;
    tokio::time::sleep(SECOND_LOOK).await;
    forgotten += node.store.forget(person, Some(wish), &cut).await?;
    Ok(forgotten)
}

/// Removes a person's words, with as many tries as it takes, while the request is open.
async fn fulfil(node: &Node, lane: &Mutex<()>, person: TelegramUserId, wish: i64) {
    let is_open = || node.people.rights().pending.iter().any(|(open, ..)| *open == wish);
    let mut failures = 0;
    while is_open() {
        let turn = lane.lock().await;
        let done = forget(node, person, wish).await;
        drop(turn);
        match done {
            Ok(Forgotten { entries, updates, messages, decisions }) => {
                metrics::people_forgotten_total.increment(1);
                tracing::info!(wish, entries, updates, messages, decisions, "a person's words were removed");
                node.tell([Hint::People]);
                return;
            }
            Err(error) => {
                failures += 1;
                tracing::error!(wish, failures, error = %error, "a person's words cannot be removed yet, it is tried again");
                tokio::time::sleep(FORGET_BACKOFF.wait(failures, node.jitter.next())).await;
            }
        }
    }
}

impl FleetState {
    pub(super) fn look_at_people(&mut self, myself: &ActorRef<FleetMsg>) {
        let (node, myself) = (Arc::clone(&self.args.node), myself.clone());
        self.tasks.spawn(async move {
            let anew = learn(&node).await;
            let _ = myself.cast(FleetMsg::PeopleLearned(anew));
        });
    }

    /// Makes chats and bots forget the words of people whose words were removed, and carries out open erasure requests.
    pub(super) fn on_people_learned(&mut self, myself: &ActorRef<FleetMsg>, anew: bool) {
        let node = Arc::clone(&self.args.node);
        if anew {
            node.said.clear();
            for (_, bot) in node.directory.live_bots() {
                let _ = bot.cast(BotMsg::WordsRemoved);
            }
            for (_, chat) in node.directory.live_chats() {
                let _ = chat.actor.cast(ChatMsg::Reload);
            }
        }
        let rights = node.people.rights();
        if rights.pending.is_empty() || self.quiescing {
            return;
        }
        let now = node.clock.now();
        for (wish, person, since) in &rights.pending {
            let ours = node.cluster.is_none() || node.people.took_wish_of(*person);
            let lately = self.forgot.get(person).is_some_and(|(at, last)| last != wish && at.elapsed() < FORGET_AGAIN);
            if lately || !(ours || now.since(*since) >= ORPHANED_AFTER) || !self.forgetting.insert(*wish) {
                continue;
            }
            self.forgot.retain(|_, (at, _)| at.elapsed() < FORGET_AGAIN);
            self.forgot.insert(*person, (Instant::now(), *wish));
            let (node, myself, wish, person) = (Arc::clone(&node), myself.clone(), *wish, *person);
            let lane = Arc::clone(&self.forget_lane);
            self.tasks.spawn(async move {
                fulfil(&node, &lane, person, wish).await;
                let _ = myself.cast(FleetMsg::Forgot(wish));
            });
        }
    }

    pub(super) fn on_forgot(&mut self, myself: &ActorRef<FleetMsg>, wish: i64) {
        self.forgetting.remove(&wish);
        self.look_at_people(myself);
    }
}
