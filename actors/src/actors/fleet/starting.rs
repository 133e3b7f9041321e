//! Starts children, for the first time or again. Layer `actors`. Keeps I1, I7, I8.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorRef};
use tokio::time::Instant;

use crate::actors::bot::actor::BotActor;
use crate::actors::bot::state::BotArgs;
use crate::actors::chat::actor::{ChatActor, ChatArgs};
use crate::actors::fleet::child::Child;
use crate::actors::fleet::messages::FleetMsg;
use crate::actors::fleet::state::FleetState;
use crate::actors::node::committer::STORE_RETRY;
use crate::actors::node::deadline::in_time;
use crate::actors::node::permits::{ChatHandle, RowPermits};
use crate::actors::provider::actor::{ProviderActor, ProviderArgs};
use crate::domain::ids::{BotId, ChatId, Epoch};
use crate::domain::ownership::LeaseKey;
use crate::ports::metrics;

impl FleetState {
    /// Starts providers first, then chats, then bots, so that each finds the actors that it passes work to.
    pub(super) async fn start_all(&mut self, myself: &ActorRef<FleetMsg>) {
        let node = Arc::clone(&self.args.node);
        for name in self.args.providers.iter().map(|provider| provider.name.clone()).collect::<Vec<_>>() {
            self.start(myself, Child::Provider(name)).await;
        }
        // In a cluster, chats and bots come with their leases.
        if node.cluster.is_none() {
            let known = node.directory.known();
            for key in known
                .chats
                .keys()
                .map(|chat| LeaseKey::Chat(*chat))
                .chain(known.bots.keys().map(|bot| LeaseKey::Bot(*bot)))
            {
                self.start_ramped(myself, key).await;
            }
        }
    }

    /// Starts the child of a lease; a bot that never polled starts when the ramp lets it.
    pub(super) async fn start_ramped(&mut self, myself: &ActorRef<FleetMsg>, key: LeaseKey) {
        let child = Child::from(key);
        let new = |bot| self.args.node.directory.bot_profile(bot).is_some_and(|bot| bot.next_offset.is_none());
        let ramped = matches!(key, LeaseKey::Bot(bot) if new(bot));
        let wait = self.ramp.as_mut().filter(|_| ramped).map_or(Duration::ZERO, Ramp::next_wait);
        if wait.is_zero() {
            self.start(myself, child).await;
        } else {
            drop(myself.send_after(wait, move || FleetMsg::Start(child)));
        }
    }

    pub(super) async fn start(&mut self, myself: &ActorRef<FleetMsg>, child: Child) {
        if self.book.is_quarantined(&child) || self.book.is_alive(&child) || self.quiescing {
            return;
        }
        let Ok(epoch) = self.fence_of(&child) else {
            return;
        };
        let started = match &child {
            Child::Bot(id) => self.start_bot(myself, *id, epoch).await,
            Child::Chat(id) => self.start_chat(myself, *id, epoch).await,
            Child::Provider(name) => self.start_provider(myself, name).await,
        };
        match started {
            Ok(Some(cell)) => {
                self.leasing.started(&child, epoch);
                self.book.started(&cell, child);
            }
            Ok(None) => {}
            Err(error) => self.child_failed(myself, child, &error.to_string()),
        }
    }

    async fn start_bot(
        &mut self,
        myself: &ActorRef<FleetMsg>,
        id: BotId,
        epoch: Epoch,
    ) -> Result<Option<ractor::ActorCell>, ractor::SpawnErr> {
        let node = Arc::clone(&self.args.node);
        let Some(profile) = node.directory.bot_profile(id) else {
            return Ok(None);
        };
        let api = match self.leasing.api(&node, &self.args.apis, &profile) {
            Ok(api) => api,
            Err(missing) => {
                tracing::error!(bot.id = %id, reason = %missing, "the bot has no way to Telegram, it is tried again");
                self.set_silence(id, Some(missing.silence));
                drop(myself.send_after(self.bot_settings.refused_retry, move || FleetMsg::Start(Child::Bot(id))));
                return Ok(None);
            }
        };
        // The work in hand of a failed predecessor counts as failed; an outage of the store must pass first.
        let again = self.started_bots.contains(&id);
        if again {
            let read = async {
                // Operations that the failed actor had queued are judged first: they must not move rows after the
                // reclaim.
                let _ = in_time(async { Ok(node.committer.flush().await) }).await?;
                in_time(node.store.reclaim(id)).await
            };
            if read.await.is_err() {
                drop(myself.send_after(STORE_RETRY, move || FleetMsg::Start(Child::Bot(id))));
                return Ok(None);
            }
        }
        self.started_bots.insert(id);
        self.set_silence(id, None);
        let args = BotArgs {
            node: Arc::clone(&node),
            profile,
            api,
            epoch,
            // A bot goes on from the offset and the delivery mode in the store, not from those of the configuration.
            stored: again || node.cluster.is_some(),
            warm: self.leasing.warm.remove(&id),
            send_patience: self.args.ownership.send_patience,
            settings: Arc::clone(&self.bot_settings),
            webhooks: Arc::clone(&self.args.webhooks),
        };
        let (actor, _) = BotActor::spawn_linked(None, BotActor, args, myself.get_cell()).await?;
        node.directory.set_bot(id, Some(actor.clone()));
        metrics::active_bots.handle().set(node.directory.live_bot_count() as f64);
        Ok(Some(actor.get_cell()))
    }

    async fn start_chat(
        &self,
        myself: &ActorRef<FleetMsg>,
        id: ChatId,
        epoch: Epoch,
    ) -> Result<Option<ractor::ActorCell>, ractor::SpawnErr> {
        let node = &self.args.node;
        let Some(profile) = node.directory.chat_profile(id) else {
            return Ok(None);
        };
        let rows = Arc::new(RowPermits::new(self.args.chats.rows_waiting.get()));
        let args = ChatArgs {
            node: Arc::clone(node),
            profile,
            epoch,
            settings: self.args.chats.clone(),
            rows: Arc::clone(&rows),
        };
        let (actor, _) = ChatActor::spawn_linked(None, ChatActor, args, myself.get_cell()).await?;
        node.directory.set_chat(id, Some(ChatHandle { actor: actor.clone(), rows }));
        Ok(Some(actor.get_cell()))
    }

    async fn start_provider(
        &self,
        myself: &ActorRef<FleetMsg>,
        name: &str,
    ) -> Result<Option<ractor::ActorCell>, ractor::SpawnErr> {
        let Some(setup) = self.args.providers.iter().find(|provider| provider.name == name).cloned() else {
            return Ok(None);
        };
        let args = ProviderArgs {
            name: setup.name,
            llm: setup.llm,
            settings: setup.settings,
            node: Arc::clone(&self.args.node),
        };
        let (actor, _) = ProviderActor::spawn_linked(None, ProviderActor, args, myself.get_cell()).await?;
        self.args.node.directory.set_provider(name, Some(actor.clone()));
        Ok(Some(actor.get_cell()))
    }
}

/// Spreads the first polls of new tokens.
pub(super) struct Ramp {
    step: Duration,
    next: Instant,
}

impl Ramp {
    pub(super) fn new(per_minute: NonZeroU32) -> Self {
        Self { step: Duration::from_mins(1) / per_minute.get(), next: Instant::now() }
    }

    fn next_wait(&mut self) -> Duration {
        let now = Instant::now();
        let at = self.next.max(now);
        self.next = at + self.step;
        at - now
    }
}
