//! Starts and ends children as their leases come and go. Layer `actors`. Keeps I4, I5, I6.
//!
//! A bot that leaves is taken out of the book at once, so that it may come back under another epoch, and lingers until
//! its sends are settled. A lease whose actor does not run is handed over without an actor.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ractor::{ActorId, ActorRef};

use crate::actors::bot::messages::BotMsg;
use crate::actors::chat::messages::ChatMsg;
use crate::actors::fleet::apis::{ApiFactory, NoApi};
use crate::actors::fleet::child::Child;
use crate::actors::fleet::messages::FleetMsg;
use crate::actors::fleet::state::FleetState;
use crate::actors::node::Node;
use crate::actors::node::committer::CommitError;
use crate::actors::node::deadline::in_time;
use crate::actors::node::ended::Ended;
use crate::actors::ownership::messages::OwnershipMsg;
use crate::actors::provider::messages::ProviderMsg;
use crate::domain::commit::operations::{HandOver, Operation};
use crate::domain::commit::outcome::Refusal;
use crate::domain::ids::{BotId, Epoch};
use crate::domain::ownership::{Incarnation, LeaseKey};
use crate::domain::roster::BotProfile;
use crate::policy::ownership::event::Event;
use crate::ports::bus::{Audience, BusMessage, Hint};
use crate::ports::metrics;
use crate::ports::telegram::{BotApi, Me};

/// The fleet's memory of leases.
#[derive(Default)]
pub(in crate::actors) struct Leasing {
    /// Epochs of the actors that run.
    epochs: HashMap<LeaseKey, Epoch>,
    /// Hand-overs that have been asked for.
    handing: HashMap<LeaseKey, (Epoch, Incarnation)>,
    /// Actors whose lease has left this node and that still settle their sends here.
    pub(super) lingering: HashSet<ActorId>,
    /// Bots whose identity is known before they start.
    pub(super) warm: HashMap<BotId, Me>,
    apis: HashMap<BotId, (i64, String, Arc<dyn BotApi>)>,
    drained: bool,
}

impl Leasing {
    /// Records that a child runs under that epoch.
    pub(super) fn started(&mut self, child: &Child, epoch: Epoch) {
        if let Some(key) = child.lease() {
            self.epochs.insert(key, epoch);
        }
    }

    /// Returns the Telegram API for a bot, made once for each token.
    pub(super) fn api(
        &mut self,
        node: &Arc<Node>,
        make: &ApiFactory,
        bot: &BotProfile,
    ) -> Result<Arc<dyn BotApi>, NoApi> {
        if let Some(api) = self.known_api(bot) {
            return Ok(api);
        }
        let api = node.bounded(make(bot)?);
        self.apis.insert(bot.id, (bot.token_generation, bot.spec.credential.clone(), Arc::clone(&api)));
        Ok(api)
    }

    /// Forgets the Telegram API of a bot whose token was replaced: the next one is made anew.
    pub(super) fn forget_api(&mut self, bot: BotId) {
        self.apis.remove(&bot);
    }

    /// Returns the Telegram API for a bot, if it was made for the bot's present token.
    pub(super) fn known_api(&self, bot: &BotProfile) -> Option<Arc<dyn BotApi>> {
        let (generation, credential, api) = self.apis.get(&bot.id)?;
        (*generation == bot.token_generation && *credential == bot.spec.credential).then(|| Arc::clone(api))
    }
}

impl FleetState {
    /// Returns the epoch under which a child may start; an error when its lease is not here.
    pub(super) fn fence_of(&self, child: &Child) -> Result<Epoch, ()> {
        let Some(key) = child.lease() else {
            return Ok(Epoch::default());
        };
        if self.leasing.handing.contains_key(&key) {
            return Err(());
        }
        self.args.node.leases.epoch(key).ok_or(())
    }

    fn tell_ownership(&self, event: Event) {
        if let Some(actor) = self.args.node.directory.ownership() {
            let _ = actor.cast(OwnershipMsg::Heard(event));
        }
    }

    pub(super) async fn acquire(&mut self, myself: &ActorRef<FleetMsg>, key: LeaseKey, epoch: Epoch, warm: Option<Me>) {
        if self.leasing.epochs.get(&key).is_some_and(|running| *running != epoch) {
            // An actor that runs under an older epoch has lost the lease in the meantime.
            self.send_away(key);
        }
        self.leasing.handing.remove(&key);
        if let (LeaseKey::Bot(bot), Some(me)) = (key, warm) {
            self.leasing.warm.insert(bot, me);
        }
        if let LeaseKey::Bot(bot) = key {
            self.started_bots.remove(&bot);
        }
        self.start_ramped(myself, key).await;
    }

    pub(super) fn leave(&mut self, key: LeaseKey, epoch: Epoch) {
        if self.leasing.epochs.get(&key).is_some_and(|running| *running <= epoch) {
            self.send_away(key);
        }
        self.leasing.handing.remove(&key);
    }

    /// Tells the actor of a lease to end, and forgets it.
    fn send_away(&mut self, key: LeaseKey) {
        let Some(epoch) = self.leasing.epochs.get(&key).copied() else {
            return;
        };
        match key {
            LeaseKey::Bot(bot) => {
                self.args.node.directory.bot(bot).map(|actor| actor.cast(BotMsg::Leave(epoch)));
            }
            LeaseKey::Chat(chat) => {
                self.args.node.directory.chat(chat).map(|chat| chat.actor.cast(ChatMsg::Leave(epoch)));
            }
        }
        self.detach(key);
    }

    /// Forgets which child actor runs under a lease. The actor is not stopped here; it ends on its own.
    pub(super) fn detach(&mut self, key: LeaseKey) {
        let child = Child::from(key);
        self.leasing.epochs.remove(&key);
        if let Some(actor) = self.book.detach(&child) {
            self.leasing.lingering.insert(actor);
        }
        if let LeaseKey::Bot(bot) = key {
            self.started_bots.remove(&bot);
            self.args.node.voices.forget(bot);
        }
        self.unlist(&child);
    }

    pub(super) fn hand_over(&mut self, myself: &ActorRef<FleetMsg>, key: LeaseKey, epoch: Epoch, to: Incarnation) {
        self.leasing.handing.insert(key, (epoch, to));
        let directory = &self.args.node.directory;
        let told = self.book.is_alive(&Child::from(key))
            && match key {
                LeaseKey::Bot(bot) => {
                    directory.bot(bot).is_some_and(|actor| actor.cast(BotMsg::HandOver(epoch, to)).is_ok())
                }
                LeaseKey::Chat(chat) => {
                    directory.chat(chat).is_some_and(|chat| chat.actor.cast(ChatMsg::HandOver(epoch, to)).is_ok())
                }
            };
        if !told {
            self.hand_over_without_actor(myself, &Child::from(key));
        }
    }

    /// Hands over the lease of a child that does not run, if a hand-over was asked for.
    pub(super) fn hand_over_without_actor(&mut self, myself: &ActorRef<FleetMsg>, child: &Child) {
        let Some((key, (epoch, to))) = child.lease().and_then(|key| Some((key, *self.leasing.handing.get(&key)?)))
        else {
            return;
        };
        let (node, fleet) = (Arc::clone(&self.args.node), myself.clone());
        let failed = matches!(key, LeaseKey::Bot(bot) if self.started_bots.contains(&bot));
        self.tasks.spawn(async move {
            if let (LeaseKey::Bot(bot), true) = (key, failed) {
                // Its work in hand at the failure counts as failed, here as anywhere, once what lingers is judged.
                let _ = node.committer.flush().await;
                let _ = in_time(node.store.reclaim(bot)).await;
            }
            let result = node.committer.commit(Operation::HandOver(HandOver { key, epoch, to })).await;
            let _ = match result {
                Ok(_) => {
                    node.bus.publish(Audience::Node(to), BusMessage::Hints(vec![Hint::Lease(key)]));
                    fleet.cast(FleetMsg::HandedOver(key, epoch, Some(to)))
                }
                Err(CommitError::Refused(Refusal::Fenced)) => fleet.cast(FleetMsg::Fenced(key, epoch)),
                Err(_) => fleet.cast(FleetMsg::NotHandedOver(key)),
            };
        });
    }

    pub(super) fn on_handed_over(&mut self, key: LeaseKey, epoch: Epoch, to: Option<Incarnation>) {
        metrics::leases_handed_over_total { kind: key.kind() }.increment(1);
        self.args.node.leases.release(key, epoch, to);
        if self.leasing.handing.get(&key).is_some_and(|(of, _)| *of == epoch) {
            self.leasing.handing.remove(&key);
        }
        if self.leasing.epochs.get(&key).is_none_or(|running| *running <= epoch) {
            self.detach(key);
        }
        self.tell_ownership(Event::HandedOver(key));
    }

    pub(super) async fn on_not_handed_over(&mut self, myself: &ActorRef<FleetMsg>, key: LeaseKey) {
        self.leasing.handing.remove(&key);
        self.tell_ownership(Event::NotHandedOver(key));
        self.start(myself, Child::from(key)).await;
    }

    pub(super) fn on_fenced(&mut self, key: LeaseKey, epoch: Epoch) {
        metrics::fenced_total { kind: key.kind() }.increment(1);
        if self.leasing.epochs.get(&key).is_none_or(|running| *running == epoch) {
            self.detach(key);
            self.leasing.handing.remove(&key);
        }
        self.args.node.leases.release(key, epoch, None);
        self.tell_ownership(Event::Fenced(key, epoch));
    }

    pub(super) fn drain(&mut self) {
        if self.args.node.cluster.is_some() {
            self.tell_ownership(Event::Drain);
        } else {
            self.args.node.end(Ended::Drained);
        }
    }

    pub(super) fn on_end(&mut self, myself: &ActorRef<FleetMsg>, ended: Ended) {
        if ended == Ended::Drained {
            self.leasing.drained = true;
            return self.end_if_drained();
        }
        // All further writes of its actors would be fenced: they end at once.
        self.args.node.bound.end();
        self.args.node.end(ended);
        myself.stop(Some("superseded".to_owned()));
    }

    /// Ends the node's work after a drain, once all sends are settled.
    pub(super) fn end_if_drained(&self) {
        if self.leasing.drained && self.leasing.lingering.is_empty() {
            self.args.node.end(Ended::Drained);
        }
    }

    /// Tells providers how many nodes share their keys' limits.
    pub(super) fn on_shared(&self, nodes: u64) {
        for (_, provider) in self.args.node.directory.live_providers() {
            let _ = provider.cast(ProviderMsg::Shared(nodes));
        }
    }
}
