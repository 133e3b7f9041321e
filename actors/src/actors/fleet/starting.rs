//! Starting children, for the first time or again. Layer `actors`. Keeps I1, I7, I8.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorRef};

use super::actor::{FleetMsg, FleetState};
use super::supervision::Child;
use crate::actors::bot::actor::{BotActor, BotArgs};
use crate::actors::chat::actor::{ChatActor, ChatArgs, in_time};
use crate::actors::committer::STORE_RETRY;
use crate::actors::node::{ChatHandle, RowPermits};
use crate::actors::provider::actor::{ProviderActor, ProviderArgs};
use crate::domain::commit::operation::{Operation, Receive};
use crate::domain::ids::{BotId, ChatId};
use crate::ports::store::StoreError;

impl FleetState {
    /// Providers first, then chats, then bots: whoever brings work finds whom to give it to.
    pub(super) async fn start_all(&mut self, myself: &ActorRef<FleetMsg>) {
        let node = Arc::clone(&self.args.node);
        for name in self.args.providers.iter().map(|provider| provider.name.clone()).collect::<Vec<_>>() {
            self.start(myself, Child::Provider(name)).await;
        }
        for chat in node.directory.chats.keys() {
            self.start(myself, Child::Chat(*chat)).await;
        }
        let mut ramp = self.args.settings.ramp_per_minute.map(Ramp::new);
        for (id, bot) in &node.directory.bots {
            let wait = match &mut ramp {
                Some(ramp) if bot.next_offset.is_none() => ramp.next_wait(),
                _ => Duration::ZERO,
            };
            let child = Child::Bot(*id);
            if wait.is_zero() {
                self.start(myself, child).await;
            } else {
                drop(myself.send_after(wait, move || FleetMsg::Start(child)));
            }
        }
    }

    pub(super) async fn start(&mut self, myself: &ActorRef<FleetMsg>, child: Child) {
        if self.book.is_quarantined(&child) || self.book.is_alive(&child) || self.quiescing {
            return;
        }
        let started = match &child {
            Child::Bot(id) => self.start_bot(myself, *id).await,
            Child::Chat(id) => self.start_chat(myself, *id).await,
            Child::Provider(name) => self.start_provider(myself, name).await,
        };
        match started {
            Ok(Some(cell)) => self.book.started(&cell, child),
            Ok(None) => {}
            Err(error) => self.child_failed(myself, child, &error.to_string()),
        }
    }

    async fn start_bot(
        &mut self,
        myself: &ActorRef<FleetMsg>,
        id: BotId,
    ) -> Result<Option<ractor::ActorCell>, ractor::SpawnErr> {
        let node = &self.args.node;
        let (Some(profile), Some(api)) = (node.directory.bots.get(&id), self.args.apis.get(&id)) else {
            return Ok(None);
        };
        // What a failed predecessor had in hand counts as failed; an outage of the store must pass first.
        // A restarted bot goes on from the offset and the way in the store, not from those it was first started with.
        let mut profile = (**profile).clone();
        if self.started_bots.contains(&id) {
            let read = async {
                // What the failed actor had queued is judged first: it must not move rows behind the reclaiming.
                let _ =
                    in_time(async { Ok(node.committer.commit(Operation::Receive(Receive::default())).await) }).await?;
                in_time(node.store.reclaim(id)).await?;
                Ok::<_, StoreError>((
                    in_time(node.store.next_offset(id)).await?,
                    in_time(node.store.delivery(id)).await?,
                ))
            };
            let Ok((offset, delivery)) = read.await else {
                drop(myself.send_after(STORE_RETRY, move || FleetMsg::Start(Child::Bot(id))));
                return Ok(None);
            };
            profile.next_offset = offset;
            profile.delivery = delivery.unwrap_or_default();
        }
        self.started_bots.insert(id);
        let args = BotArgs {
            node: Arc::clone(node),
            profile: Arc::new(profile),
            api: Arc::clone(api),
            settings: Arc::clone(&self.bot_settings),
            webhooks: Arc::clone(&self.args.webhooks),
        };
        let (actor, _) = BotActor::spawn_linked(None, BotActor, args, myself.get_cell()).await?;
        node.directory.set_bot(id, Some(actor.clone()));
        metrics::gauge!("botfleet_active_bots").set(node.directory.live_bots().len() as f64);
        Ok(Some(actor.get_cell()))
    }

    async fn start_chat(
        &self,
        myself: &ActorRef<FleetMsg>,
        id: ChatId,
    ) -> Result<Option<ractor::ActorCell>, ractor::SpawnErr> {
        let node = &self.args.node;
        let Some(profile) = node.directory.chats.get(&id) else {
            return Ok(None);
        };
        let rows = Arc::new(RowPermits::new(self.args.chats.rows_waiting.get()));
        let args = ChatArgs {
            node: Arc::clone(node),
            profile: Arc::clone(profile),
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
struct Ramp {
    step: Duration,
    next: Duration,
}

impl Ramp {
    fn new(per_minute: NonZeroU32) -> Self {
        Self { step: Duration::from_mins(1) / per_minute.get(), next: Duration::ZERO }
    }

    fn next_wait(&mut self) -> Duration {
        let wait = self.next;
        self.next += self.step;
        wait
    }
}
