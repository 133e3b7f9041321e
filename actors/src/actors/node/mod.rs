//! Holds the state that the actors of one node share: store, committer, clock, ids, the node's leases and its channels
//! to other nodes. Layer `actors`.

pub mod arrivals;
pub mod bound;
pub mod committer;
pub mod deadline;
pub mod directory;
pub mod ended;
pub mod hints;
pub mod interventions;
pub mod leases;
pub mod permits;
pub mod records;
pub mod said;
pub mod strangers;
pub mod tasks;
pub mod traffic;
pub mod usernames;
pub mod vitals;
pub mod voices;
pub mod watched;
pub mod webhooks;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use async_trait::async_trait;
use futures::future::join_all;
use tokio::sync::{Notify, mpsc, watch};

use super::chat::notices::Notices;
use super::provider::consult::Consult;
use crate::actors::node::bound::{ActBound, BoundedApi};
use crate::actors::node::committer::Committer;
use crate::actors::node::directory::{Directory, Known};
use crate::actors::node::ended::Ended;
use crate::actors::node::interventions::Steering;
use crate::actors::node::leases::Leases;
use crate::actors::node::records::Records;
use crate::actors::node::said::FleetSaid;
use crate::actors::node::strangers::Strangers;
use crate::actors::node::traffic::Traffic;
use crate::actors::node::usernames::Usernames;
use crate::actors::node::vitals::Vitals;
use crate::actors::node::voices::Voices;
use crate::actors::node::watched::Watched;
use crate::actors::orders::memory::Orders;
use crate::actors::orders::people::People;
use crate::behaviour::generator::Generator;
use crate::domain::allowance::{Budget, BudgetKey, BudgetOwner, BudgetScope, BudgetSpec};
use crate::domain::commit::operations::Operation;
use crate::domain::control::StopScope;
use crate::domain::ids::{AttemptId, BotId, Epoch, IdSource, InboxId, OutboxId, TelegramChatId, TurnId};
use crate::domain::ownership::Incarnation;
use crate::domain::silence::Silence;
use crate::policy::treasury::Treasury;
use crate::ports::bus::{Audience, Bus, BusMessage};
use crate::ports::clock::Clock;
use crate::ports::cluster::Cluster;
use crate::ports::store::Store;
use crate::ports::telegram::{BotApi, UpdateDecoder};

/// The identity of a node, and how it reaches the others.
pub struct Seat {
    /// Name of the node, kept over restarts.
    pub name: String,
    /// The node's place among others, or that it is alone.
    pub place: Place,
    /// The bus that carries hints.
    pub bus: Arc<dyn Bus>,
}

/// Tells whether a node is alone or one of a cluster.
pub enum Place {
    /// One process owns everything, under the epoch of its tenure.
    Alone(Epoch),
    /// One node of a cluster.
    Among {
        /// The incarnation of this process.
        me: Incarnation,
        /// The state that the nodes share.
        cluster: Arc<dyn Cluster>,
    },
}

impl Seat {
    /// Returns the seat of a process that owns everything; its bus drops all messages.
    pub fn alone(name: &str, epoch: Epoch) -> Self {
        Self { name: name.to_owned(), place: Place::Alone(epoch), bus: Arc::new(Nobody) }
    }
}

/// The bus of a node that is alone and that nobody watches.
struct Nobody;

#[async_trait]
impl Bus for Nobody {
    fn publish(&self, _: Audience, _: BusMessage) {}

    async fn subscribe(&self, _: Incarnation) -> mpsc::Receiver<BusMessage> {
        mpsc::channel(1).1
    }

    fn is_up(&self) -> bool {
        true
    }
}

/// The state that all actors of a node share.
pub struct Node {
    /// The store, the single source of truth.
    pub store: Arc<dyn Store>,
    /// The queue in front of the store.
    pub committer: Committer,
    /// The database's clock.
    pub clock: Arc<dyn Clock>,
    /// Decodes stored updates.
    pub decoder: Arc<dyn UpdateDecoder>,
    /// Builds prompts.
    pub generator: Generator,
    /// Name of the node.
    pub name: String,
    /// Incarnation of this process; zero where one process owns everything.
    pub me: Incarnation,
    /// The state that the nodes share; `None` where one process owns everything.
    pub cluster: Option<Arc<dyn Cluster>>,
    /// Usernames that are to be stored.
    pub usernames: Usernames,
    /// Carries hints to the other nodes.
    pub bus: Arc<dyn Bus>,
    /// The leases that this node owns.
    pub leases: Leases,
    /// The time until which this node may act.
    pub bound: Arc<ActBound>,
    /// Counts this node's work, for its beats.
    pub traffic: Arc<Traffic>,
    /// The configuration in force, and the actors that live here.
    pub directory: Directory,
    /// The amounts that this node may spend on models.
    pub treasury: Arc<Treasury>,
    /// Embeddings and classifier answers.
    pub consult: Consult,
    /// Random numbers that need not be replayed: jitter.
    pub jitter: Jitter,
    /// The store's last count of queued or claimed turns, plus those that chats have added since.
    pub turns_open: AtomicU64,
    /// Messages that this node's bots sent lately.
    pub said: FleetSaid,
    /// The bots that cannot speak, with the reasons.
    pub voices: Voices,
    /// Chats that the manifest does not name and that this node's bots stay in.
    pub strangers: Strangers,
    /// Orders of people that were seen lately.
    pub orders: Orders,
    /// Notices that chats were sent about the fleet lately.
    pub notices: Notices,
    /// People's rights and stops, as far as this node knows.
    pub people: People,
    /// Bots that operators have taken over, and messages that they have deleted lately.
    pub steering: Steering,
    /// Answers people who ask for the data stored about them.
    pub records: Records,
    /// The operators' chat, where a bot reports faults: the chat holds no conversation, and no bot leaves it.
    pub operators: OnceLock<TelegramChatId>,
    /// Results of the last calls to Telegram and the providers.
    pub vitals: Vitals,
    /// Wakes whoever waits here for the end of an operator's order.
    pub orders_ended: Notify,
    budgets: RwLock<Vec<BudgetSpec>>,
    /// Chats that somebody watches.
    pub watched: Watched,
    ended: watch::Sender<Option<Ended>>,
    ids: IdSource,
}

impl Node {
    /// Assembles a node.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        decoder: Arc<dyn UpdateDecoder>,
        generator: Generator,
        seat: Seat,
        directory: Directory,
        seed: u64,
    ) -> Self {
        let (me, cluster, leases, bound, place) = match seat.place {
            Place::Alone(epoch) => {
                (Incarnation::default(), None, Leases::all(epoch), ActBound::never(Arc::clone(&clock)), seed)
            }
            Place::Among { me, cluster } => {
                let bound = ActBound::passed_already(Arc::clone(&clock));
                (me, Some(cluster), Leases::none(me), bound, me.0.unsigned_abs())
            }
        };
        Self {
            ids: IdSource::new(clock.now(), place),
            traffic: Arc::new(Traffic::new(Arc::clone(&clock))),
            store,
            committer: Committer::default(),
            clock,
            decoder,
            generator,
            name: seat.name,
            me,
            cluster,
            usernames: Usernames::default(),
            bus: seat.bus,
            leases,
            bound: Arc::new(bound),
            directory,
            treasury: Arc::default(),
            consult: Consult::default(),
            jitter: Jitter(AtomicU64::new(seed)),
            turns_open: AtomicU64::new(0),
            said: FleetSaid::default(),
            voices: Voices::default(),
            strangers: Strangers::default(),
            orders: Orders::default(),
            notices: Notices::default(),
            people: People::default(),
            steering: Steering::default(),
            records: Records::default(),
            operators: OnceLock::new(),
            vitals: Vitals::default(),
            orders_ended: Notify::new(),
            budgets: RwLock::default(),
            watched: Watched::default(),
            ended: watch::Sender::new(None),
        }
    }

    /// Returns the node with these budgets. A budget of one named bot or chat overrides a budget for each.
    #[must_use]
    pub fn with_budgets(self, specs: &[BudgetSpec]) -> Self {
        self.set_budgets(specs);
        self
    }

    /// Puts other budgets in force. What was spent in a budget's period counts on under another limit.
    pub fn set_budgets(&self, specs: &[BudgetSpec]) {
        *self.budgets.write().unwrap_or_else(PoisonError::into_inner) = specs.to_vec();
        self.renew_budgets();
    }

    /// Applies the budgets anew after bots or chats were added or removed.
    pub fn renew_budgets(&self) {
        let mut budgets = HashMap::new();
        let known = self.directory.known();
        let specs = self.budgets.read().unwrap_or_else(PoisonError::into_inner);
        let named = |spec: &&BudgetSpec| matches!(spec.owner, BudgetOwner::Bot(Some(_)) | BudgetOwner::Chat(Some(_)));
        let each = specs.iter().filter(|spec| !named(spec));
        for spec in each.chain(specs.iter().filter(named)) {
            for scope in owners(&known, &spec.owner) {
                let key = BudgetKey { scope, unit: spec.unit, per: spec.per };
                budgets.insert(key, Budget { key, limit: spec.limit });
            }
        }
        self.treasury.set(budgets.into_values());
    }

    /// Returns unspent allowances to the store, at an orderly shutdown.
    pub async fn return_allowances(&self) {
        // All at once, so that they share a commit: there may be many, and the time is short.
        let returns = self.treasury.give_back().into_iter().map(async |returned| {
            if let Err(error) = self.committer.commit(Operation::ReturnAllowance(returned)).await {
                tracing::warn!(budget = %returned.key.budget, error = %error, "an allowance could not be given back");
            }
        });
        join_all(returns).await;
    }

    /// Returns `api` limited by this node's bound: no effect after the bound has passed.
    pub fn bounded(&self, api: Arc<dyn BotApi>) -> Arc<dyn BotApi> {
        Arc::new(BoundedApi::new(api, Arc::clone(&self.bound), Arc::clone(&self.traffic)))
    }

    /// Returns whether an effect on the outside world may begin at present.
    pub fn may_act(&self) -> bool {
        self.bound.may_act()
    }

    /// Ends the work of this node; the first reason given counts.
    pub fn end(&self, ended: Ended) {
        self.ended.send_if_modified(|told| {
            let news = told.is_none();
            *told = told.or(Some(ended));
            news
        });
    }

    /// Waits until the work of this node is over.
    ///
    /// # Cancel safety
    /// Nothing is lost: a later call gets the same answer.
    pub async fn ended(&self) -> Ended {
        let mut told = self.ended.subscribe();
        match told.wait_for(Option::is_some).await.map(|ended| *ended) {
            Ok(Some(ended)) => ended,
            _ => Ended::Failed,
        }
    }

    /// Returns why a bot is silent in all its chats.
    pub fn silence_of(&self, bot: BotId) -> Option<Silence> {
        let now = self.clock.now();
        let stops = self.people.stops();
        let stopped = [StopScope::Fleet, StopScope::Bot(bot)].into_iter().any(|scope| stops.holds(scope, now));
        if stopped { Some(Silence::Stopped) } else { self.voices.everywhere(bot, now) }
    }

    fn next_id(&self) -> i64 {
        self.ids.next(self.clock.now())
    }

    /// Returns the id for a new inbox row.
    pub fn inbox_id(&self) -> InboxId {
        InboxId(self.next_id())
    }

    /// Returns the id for a new turn.
    pub fn turn_id(&self) -> TurnId {
        TurnId(self.next_id())
    }

    /// Returns the id for a new outbox message.
    pub fn outbox_id(&self) -> OutboxId {
        OutboxId(self.next_id())
    }

    /// Returns the id for a new attempt.
    pub fn attempt_id(&self) -> AttemptId {
        AttemptId(self.next_id())
    }
}

/// Uniform random numbers for jitter.
pub struct Jitter(AtomicU64);

impl Jitter {
    /// Returns the next number, in 0..1.
    pub fn next(&self) -> f64 {
        fastrand::Rng::with_seed(self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed)).f64()
    }
}

/// Returns the scopes that a budget of the manifest names.
fn owners(known: &Known, owner: &BudgetOwner) -> Vec<BudgetScope> {
    let is = |wanted: &Option<String>, name: &str| wanted.as_ref().is_none_or(|wanted| wanted == name);
    match owner {
        BudgetOwner::Fleet => vec![BudgetScope::Fleet],
        BudgetOwner::Bot(name) => {
            let bots = known.bots.values().filter(|bot| is(name, &bot.spec.name));
            bots.map(|bot| BudgetScope::Bot(bot.id)).collect()
        }
        BudgetOwner::Chat(name) => {
            let chats = known.chats.values().filter(|chat| is(name, &chat.spec.name));
            chats.map(|chat| BudgetScope::Chat(chat.id)).collect()
        }
    }
}
