//! The task that reads the store for all readers of this node. Layer `runtime`.
//!
//! Every round costs a handful of statements, however many read: the ends of all watched chats, the rights of people, the
//! bots at work, and pages of what grew. A hint brings a round forward; with every hint lost one comes every 500 ms.
//! Without readers nothing is read.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use botfleet_actors::actors::node::Node;
use botfleet_actors::domain::ids::ChatId;
use botfleet_actors::domain::people::Rights;
use botfleet_actors::ports::bus::{Audience, BusMessage};
use botfleet_actors::ports::store::StoreError;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::cursor::Place;
use super::discretion::Discretion;
use super::history::{blocks, page};
use super::hub::{EventHub, StateKey, place_of};
use super::state;
use crate::runtime::audit::Audit;
use crate::runtime::cluster_view::Names;
use crate::runtime::health::HealthWatch;

/// The longest time between two rounds.
const ROUND_EVERY: Duration = Duration::from_millis(500);

/// The shortest time between two rounds, whatever hints come.
const ROUND_AFTER: Duration = Duration::from_millis(20);

/// Interval at which other nodes are told which chats are watched here.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// Interval at which the health of the node is looked at.
const HEALTH_EVERY: Duration = Duration::from_secs(2);

/// Most chats that are read at once.
const CHATS_AT_ONCE: usize = 500;

/// Wait before the task begins anew after it failed.
const ANEW_AFTER: Duration = Duration::from_secs(1);

/// The task's own things.
#[derive(Clone)]
pub(in crate::runtime) struct Keeper {
    pub(in crate::runtime) node: Arc<Node>,
    pub(in crate::runtime) hub: Arc<EventHub>,
    pub(in crate::runtime) audit: Arc<Audit>,
    pub(in crate::runtime) health: Arc<HealthWatch>,
    pub(in crate::runtime) rights: Arc<Rights>,
}

impl Keeper {
    /// Keeps the ring, for ever; begins anew when that panics.
    pub(in crate::runtime) async fn keep(self) {
        loop {
            let mut tasks = JoinSet::new();
            tasks.spawn(self.clone().run());
            if let Some(Err(error)) = tasks.join_next().await {
                tracing::error!(%error, "the keeper of the stream of events failed, and begins anew");
            }
            tokio::time::sleep(ANEW_AFTER).await;
        }
    }

    async fn run(mut self) {
        let (mut told, mut looked): (Option<(Instant, Vec<ChatId>)>, Option<Instant>) = (None, None);
        loop {
            let begun = Instant::now();
            let watched = self.hub.watched();
            let mut chats: Vec<ChatId> = watched.keys().copied().collect();
            chats.sort_unstable();
            let is_known = told.as_ref().is_some_and(|(at, known)| begun - *at < TELL_EVERY && *known == chats);
            if !is_known && !chats.is_empty() {
                self.tell(&chats);
                told = Some((begun, chats));
            }
            if let Err(error) = self.round(&watched).await {
                tracing::debug!(%error, "the stream of events waits for the store");
            }
            if !self.hub.reads_fleet() {
                looked = None;
            } else if looked.is_none_or(|looked| begun - looked >= HEALTH_EVERY) {
                looked = Some(begun);
                for frame in state::health(&self.node.name, &self.health.health().await) {
                    self.hub.set(StateKey::Fleet(frame.0), frame.1);
                }
            }
            tokio::time::sleep_until(begun + ROUND_AFTER).await;
            // Late or early, the round looks at everything.
            let _ = timeout_at(begun + ROUND_EVERY, self.hub.look.notified()).await;
        }
    }

    fn tell(&self, chats: &[ChatId]) {
        self.node.watched.heard(chats);
        for some in chats.chunks(CHATS_AT_ONCE) {
            self.node.bus.publish(Audience::Everybody, BusMessage::Watching(some.to_vec()));
        }
    }

    async fn round(&mut self, watched: &HashMap<ChatId, Place>) -> Result<(), StoreError> {
        if watched.is_empty() && !self.hub.reads_fleet() {
            return Ok(());
        }
        let store = Arc::clone(&self.node.store);
        let names = Names::of_directory(&self.node.directory);
        let chats: Vec<ChatId> = watched.keys().copied().collect();
        for some in chats.chunks(CHATS_AT_ONCE) {
            for end in store.chat_ends(some).await? {
                let from = watched.get(&end.chat).copied().unwrap_or_default();
                match self.read_on(&names, end.chat, from, place_of(&end)).await {
                    Err(error) if error.is_retryable() => return Err(error),
                    // A row that cannot be read holds up its own chat alone (I7).
                    Err(error) => tracing::error!(chat.id = %end.chat, %error, "a chat's events cannot be read"),
                    Ok(()) => {}
                }
            }
            for (chat, frame) in state::typing(some, &store.at_work(some).await?, &names) {
                let key = StateKey::Typing(chat);
                if !frame.1 || self.hub.knows(&key) {
                    self.hub.set(key, frame.0);
                }
            }
        }
        if !chats.is_empty() {
            let discretion = self.discretion().await?;
            self.hub.withhold(&discretion);
        }
        if let Some(from) = self.hub.watched_block() {
            let upto = self.audit.head().await?.number;
            if upto > from {
                let (frames, block) = blocks(&self.audit, from, upto).await?;
                self.hub.seal(from, block, frames);
            }
        }
        if self.hub.reads_fleet() {
            let depths = store.depths().await?;
            let frames = [state::queues(&depths), state::cluster(&self.node)];
            frames.into_iter().flatten().for_each(|(key, frame)| self.hub.set(StateKey::Fleet(key), frame));
        }
        Ok(())
    }

    /// Reads the history of a chat on, from one place to another.
    async fn read_on(&mut self, names: &Names, chat: ChatId, from: Place, upto: Place) -> Result<(), StoreError> {
        let (store, mut from) = (Arc::clone(&self.node.store), from);
        while !upto.is_within(from) {
            let read = page(&*store, names, chat, from, upto).await?;
            if read.place == from {
                return Ok(());
            }
            // Rights are read after the words: whoever was forgotten before that is known now.
            let discretion = self.discretion().await?;
            for frame in &read.frames {
                if frame.words().is_some_and(|words| discretion.withholds(words)) {
                    frame.withhold();
                }
            }
            if !self.hub.grow(chat, from, read.place, read.frames) {
                return Ok(());
            }
            from = read.place;
        }
        Ok(())
    }

    /// Returns whose words may not be told.
    async fn discretion(&mut self) -> Result<Discretion, StoreError> {
        // The end of a removal has no number of its own.
        let known = if self.rights.pending.is_empty() { self.rights.seq } else { -1 };
        if let Some(rights) = self.node.store.rights(known).await? {
            self.rights = Arc::new(rights);
        }
        Ok(Discretion([Arc::clone(&self.rights), self.node.people.rights()]))
    }
}
