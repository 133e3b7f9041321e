//! Shows and steers a node. Layer `runtime`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use botfleet_actors::actors::bot::messages::BotMsg;
use botfleet_actors::actors::chat::messages::ChatMsg;
use botfleet_actors::actors::fleet::messages::FleetMsg;
use botfleet_actors::actors::node::Node;
use botfleet_actors::actors::node::webhooks::Webhooks;
use botfleet_actors::actors::provider::messages::ProviderMsg;
use botfleet_actors::domain::allowance::BudgetScope;
use botfleet_actors::domain::audit::AuditEntry;
use botfleet_actors::domain::commit::operations::{Audited, Operation, SetStop};
use botfleet_actors::domain::commit::outcome::Applied;
use botfleet_actors::domain::control::{Rank, StopOrder, StopScope};
use botfleet_actors::domain::ids::{BotId, ChatId};
use botfleet_actors::domain::ownership::{Incarnation, LeaseKey, NodeRole, Picture};
use botfleet_actors::policy::ownership::settings::OwnershipSettings;
use botfleet_actors::policy::treasury::BudgetSnapshot;
use botfleet_actors::ports::event::EventKind;
use botfleet_actors::ports::outcomes::{OutcomeCursor, OutcomeRecord};
use botfleet_actors::ports::store::{StoreError, Tenure};
use futures::future::join_all;
use ractor::{ActorRef, Message, RpcReplyPort};
use tokio::task::{JoinHandle, JoinSet};

use super::accounts::Accounts;
use super::audit::Audit;
use super::configuration::commit::Stored;
use super::credentials::Credentials;
use super::health::{HealthWatch, share};
use super::secrets::book::SealedSecrets;
use super::secrets::providers::KeyedProviders;
use super::stream::hub::EventHub;
use super::view::{BudgetView, FleetView, Health, SilentBot};
use crate::outbound::guard::Guard;

/// Time within which an actor must answer; otherwise the view leaves it out.
const SNAPSHOT_DEADLINE: Duration = Duration::from_millis(500);

/// Pause between two looks at whether all bots poll, and how many times the length of a look it is at least: questions
/// to thousands of bots keep them from what they are asked about.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
const LOOK_PAUSE: u32 = 4;

/// A running node.
pub struct RunningFleet {
    pub(super) node: Arc<Node>,
    pub(super) actor: ActorRef<FleetMsg>,
    pub(super) webhooks: Arc<Webhooks>,
    /// Times at which bots' tokens were last looked up again, for a secret that the receiver did not know.
    pub(super) tokens_looked_up: Mutex<HashMap<BotId, Instant>>,
    pub(super) credentials: Arc<Credentials>,
    pub(super) secrets: Arc<SealedSecrets>,
    /// The providers in force, and the addresses that their keys are for.
    pub(super) keyed: Arc<KeyedProviders>,
    pub(super) guard: Arc<Guard>,
    /// Events for watchers.
    pub events: Arc<EventHub>,
    /// The audit of what operators do.
    pub audit: Arc<Audit>,
    pub(super) configuration: Arc<Stored>,
    pub(super) role: NodeRole,
    pub(super) ownership: OwnershipSettings,
    pub(super) unready: AtomicBool,
    pub(super) stopping: AtomicBool,
    pub(super) ended: JoinHandle<()>,
    pub(super) health: Arc<HealthWatch>,
    pub(super) tenure: Tenure,
    pub(super) accounts: Accounts,
    pub(super) since: Instant,
    pub(super) _tasks: JoinSet<()>,
}

impl RunningFleet {
    /// Returns the state that this process found in the store when it took the leases.
    pub fn tenure(&self) -> Tenure {
        self.tenure
    }

    /// Returns the node's role.
    pub fn role(&self) -> NodeRole {
        self.role
    }

    /// Returns the node's name and the number of this start in a cluster; `None` where one process owns everything.
    pub fn place(&self) -> Option<(&str, Incarnation)> {
        self.node.cluster.as_ref().map(|_| (self.node.name.as_str(), self.node.me))
    }

    /// Returns the number of bots that this node shall run: all of the configuration, or those that it owns or is about
    /// to own.
    pub fn bots(&self) -> usize {
        share(&self.node, "bot").unwrap_or_else(|| self.node.directory.known().bots.len())
    }

    /// Returns the number of chats that this node shall run.
    pub fn chats(&self) -> usize {
        share(&self.node, "chat").unwrap_or_else(|| self.node.directory.known().chats.len())
    }

    /// Returns whether the configuration in force has no bots.
    pub fn has_no_bots(&self) -> bool {
        self.node.directory.known().bots.is_empty()
    }

    /// Returns whether the node knows its share: a node that has just joined does not.
    fn knows_its_share(&self) -> bool {
        let free = |picture: &Picture| picture.leases.iter().any(|lease| lease.owner.is_none());
        let settled = |picture: Arc<Picture>| picture.lives(self.node.me) && (!free(&picture) || !self.role.owns());
        self.node.leases.picture().is_none_or(settled)
    }

    /// Returns the number of bots that get their updates now, by polls or by webhooks.
    pub async fn polling(&self) -> usize {
        let bots = self.node.directory.live_bots();
        let healths = join_all(bots.into_iter().map(|(_, bot)| ask(bot, BotMsg::GetSnapshot))).await;
        healths.into_iter().flatten().filter(|bot| bot.health.gets_updates()).count()
    }

    /// Waits until all bots of this node get their updates; returns false when they do not within `deadline`.
    pub async fn wait_until_polling(&self, deadline: Duration) -> bool {
        let until = Instant::now() + deadline;
        loop {
            let asked = Instant::now();
            if self.knows_its_share() && self.polling().await >= self.bots() {
                return true;
            }
            if Instant::now() >= until {
                return false;
            }
            tokio::time::sleep(asked.elapsed().saturating_mul(LOOK_PAUSE).max(LOOK_AGAIN)).await;
        }
    }

    /// Returns the view of the node.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn view(&self) -> Result<FleetView, StoreError> {
        let directory = &self.node.directory;
        let (bots, chats, providers) = tokio::join!(
            join_all(directory.live_bots().into_iter().map(|(_, bot)| ask(bot, BotMsg::GetSnapshot))),
            join_all(directory.live_chats().into_iter().map(|(_, chat)| ask(chat.actor, ChatMsg::GetSnapshot))),
            join_all(
                directory.live_providers().into_iter().map(|(_, provider)| ask(provider, ProviderMsg::GetSnapshot))
            ),
        );
        let mut bots: Vec<_> = bots.into_iter().flatten().collect();
        let mut chats: Vec<_> = chats.into_iter().flatten().collect();
        let mut providers: Vec<_> = providers.into_iter().flatten().collect();
        bots.sort_by(|a, b| a.name.cmp(&b.name));
        chats.sort_by(|a, b| a.name.cmp(&b.name));
        providers.sort_by(|a, b| a.name.cmp(&b.name));
        let fleet = ask(self.actor.clone(), FleetMsg::GetSnapshot).await;
        let fleet = fleet.ok_or_else(|| StoreError::Unavailable("the fleet does not answer".to_owned()))?;
        let stops = self.node.store.stops().await?;
        let stops = stops.in_force(self.node.clock.now()).map(|scope| self.scope_name(scope)).collect();
        let budgets = self.node.treasury.snapshot(&self.node.store.allowances().await?, self.node.clock.now());
        let budgets = budgets.into_iter().map(|budget| BudgetView { name: self.owner_name(&budget), budget }).collect();
        let silent = self.node.voices.silent_bots(self.node.clock.now()).into_iter().filter_map(|(bot, why)| {
            let bot = self.node.directory.bot_profile(bot)?.spec.name.clone();
            Some(SilentBot { bot, why: why.label() })
        });
        let mut silent: Vec<SilentBot> = silent.collect();
        silent.sort_by(|a, b| a.bot.cmp(&b.bot));
        let queues = self.node.store.depths().await?;
        Ok(FleetView { fleet, bots, silent, chats, providers, budgets, stops, queues })
    }

    fn owner_name(&self, budget: &BudgetSnapshot) -> Option<String> {
        let names = self.names();
        match budget.budget.scope {
            BudgetScope::Fleet => None,
            BudgetScope::Bot(id) => names.bots.get(&id).cloned(),
            BudgetScope::Chat(id) => names.chats.get(&id).cloned(),
        }
    }

    fn scope_name(&self, scope: StopScope) -> String {
        match scope {
            StopScope::Fleet => "fleet".to_owned(),
            StopScope::Chat(id) => format!("chat {}", self.names().of(LeaseKey::Chat(id))),
            StopScope::Bot(id) => format!("bot {}", self.names().of(LeaseKey::Bot(id))),
        }
    }

    /// Returns the chat of that name in the configuration.
    pub fn chat_named(&self, name: &str) -> Option<ChatId> {
        self.node.directory.known().chats.values().find(|chat| chat.spec.name == name).map(|chat| chat.id)
    }

    /// Returns the bot of that name in the configuration.
    pub fn bot_named(&self, name: &str) -> Option<BotId> {
        self.node.directory.known().bots.values().find(|bot| bot.spec.name == name).map(|bot| bot.id)
    }

    /// Stops or starts a scope; the change, and its entry of the audit where it has one, are durable when the call returns.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn set_stop(
        &self,
        scope: StopScope,
        stopped: bool,
        by: &str,
        entry: Option<AuditEntry>,
    ) -> anyhow::Result<()> {
        let at = self.node.clock.now();
        let rank = Rank::Operator;
        let order = if stopped { StopOrder::Set { until: None, rank } } else { StopOrder::Lift { rank } };
        let stop = SetStop { scope, order, by: by.to_owned(), at };
        let act = match entry {
            Some(entry) => Audited::operation(Operation::SetStop(stop), entry),
            None => Operation::SetStop(stop),
        };
        if let Applied::StopSet(stop) = self.node.committer.commit(act).await? {
            self.node.people.stop_set(scope, stop);
        }
        let name = self.scope_name(scope);
        self.node.announce(if stopped { EventKind::StopSet } else { EventKind::StopLifted }, name.as_str());
        tracing::warn!(scope = %name, stopped, by, "control");
        Ok(())
    }

    /// Returns a page of outcomes.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn outcomes(
        &self,
        cursor: OutcomeCursor,
        limit: usize,
    ) -> Result<(Vec<OutcomeRecord>, OutcomeCursor), StoreError> {
        self.node.store.outcomes(cursor, limit).await
    }

    /// Returns whether the node can do its work: the store takes writes, and the node is not about to end.
    pub fn is_ready(&self) -> bool {
        !self.is_leaving() && self.health.store_writes()
    }

    /// Returns the health of the parts, soon, even if one of them hangs.
    pub async fn health(&self) -> Health {
        self.health.health().await
    }

    /// Returns the reason why nobody can speak for want of a model; waits at most `within` until all providers were
    /// asked.
    pub async fn mute(&self, within: Duration) -> Option<String> {
        self.health.mute(within).await
    }

    /// Returns whether the node wants no new requests, since it ends at once or soon.
    pub fn is_leaving(&self) -> bool {
        self.unready.load(Ordering::Acquire)
    }

    /// Turns readiness off, for good.
    pub(super) fn begin_leaving(&self) {
        self.unready.store(true, Ordering::Release);
    }

    /// Returns whether the node is ending, and takes no updates.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub(super) fn begin_stopping(&self) {
        self.health.fall_silent();
        self.stopping.store(true, Ordering::Release);
        self.events.close();
    }

    /// Returns whether the fleet's root runs.
    pub fn is_running(&self) -> bool {
        !self.ended.is_finished()
    }
}

/// Asks an actor, under a deadline.
pub(super) async fn ask<M: Message, T: Send + 'static>(
    actor: ActorRef<M>,
    question: impl FnOnce(RpcReplyPort<T>) -> M,
) -> Option<T> {
    match actor.call(question, Some(SNAPSHOT_DEADLINE)).await {
        Ok(ractor::rpc::CallResult::Success(answer)) => Some(answer),
        _ => None,
    }
}
