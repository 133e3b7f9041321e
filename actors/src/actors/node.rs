//! What the actors of one node share: store, committer, clock, ids, its leases and its way to the others. Layer
//! `actors`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use futures::future::join_all;
use tokio::sync::{mpsc, watch};

use super::bot::orders::Orders;
use super::bot::strangers::Strangers;
use super::bound::{ActBound, BoundedApi};
use super::chat::notices::Notices;
use super::committer::Committer;
use super::directory::{Directory, Known};
use super::leases::Leases;
use super::people::People;
use super::provider::consult::Consult;
use super::records::Records;
use super::said::FleetSaid;
use super::traffic::Traffic;
use super::vitals::Vitals;
use super::voices::Voices;
use crate::behaviour::generator::Generator;
use crate::domain::allowance::{Budget, BudgetKey, BudgetOwner, BudgetScope, BudgetSpec};
use crate::domain::commit::operation::Operation;
use crate::domain::ids::{AttemptId, Epoch, IdSource, InboxId, OutboxId, TelegramChatId, TurnId};
use crate::domain::ownership::Incarnation;
use crate::policy::treasury::Treasury;
use crate::ports::bus::{Audience, Bus, BusMessage};
use crate::ports::clock::Clock;
use crate::ports::cluster::Cluster;
use crate::ports::store::Store;
use crate::ports::telegram::{BotApi, UpdateDecoder};

/// Which node it is, and how it reaches the others.
pub struct Seat {
    /// Its name, kept over restarts.
    pub name: String,
    /// Its place among others, or that it is alone.
    pub place: Place,
    /// Carries hints.
    pub bus: Arc<dyn Bus>,
}

/// Alone, or one of many.
pub enum Place {
    /// One process owns everything, under the epoch of its tenure.
    Alone(Epoch),
    /// One node of a cluster.
    Among {
        /// Which start of which process.
        me: Incarnation,
        /// What the nodes share about one another.
        cluster: Arc<dyn Cluster>,
    },
}

impl Seat {
    /// The seat of a process that owns everything: there is nobody to tell anything.
    pub fn alone(name: &str, epoch: Epoch) -> Self {
        Self { name: name.to_owned(), place: Place::Alone(epoch), bus: Arc::new(Nobody) }
    }
}

/// The bus of a node that is alone and whom nobody watches.
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

/// Why the work of a node is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It has given everything up, as it was asked to: the process may end.
    Drained,
    /// Others have declared it dead: the process must end, and start as another incarnation.
    Superseded,
    /// Its root has failed.
    Failed,
}

/// Shared by all actors of a node.
pub struct Node {
    /// The only truth.
    pub store: Arc<dyn Store>,
    /// The queue in front of it.
    pub committer: Committer,
    /// The database's clock.
    pub clock: Arc<dyn Clock>,
    /// Reads stored updates.
    pub decoder: Arc<dyn UpdateDecoder>,
    /// Builds prompts.
    pub generator: Generator,
    /// Its name.
    pub name: String,
    /// This start of it; zero where one process owns everything.
    pub me: Incarnation,
    /// What the nodes share about one another; `None` where one process owns everything.
    pub cluster: Option<Arc<dyn Cluster>>,
    /// Carries hints to the other nodes.
    pub bus: Arc<dyn Bus>,
    /// What this node owns.
    pub leases: Leases,
    /// How long it may act.
    pub bound: Arc<ActBound>,
    /// What it does, for its beats.
    pub traffic: Arc<Traffic>,
    /// Who is in the configuration, and who lives here.
    pub directory: Directory,
    /// What this node may spend on models.
    pub treasury: Arc<Treasury>,
    /// Embeddings and classifier answers.
    pub consult: Consult,
    /// Random numbers that need not be replayed: jitter.
    pub jitter: Jitter,
    /// Turns queued or claimed, as the store said last and as chats have added since.
    pub turns_open: AtomicU64,
    /// What its bots said lately.
    pub said: FleetSaid,
    /// Who cannot speak.
    pub voices: Voices,
    /// Chats that the manifest does not name and that its bots stay in.
    pub strangers: Strangers,
    /// Orders of people that were seen lately.
    pub orders: Orders,
    /// What chats were told of the fleet lately.
    pub notices: Notices,
    /// People's rights and stops, as far as this node knows.
    pub people: People,
    /// People who ask what is stored about them.
    pub records: Records,
    /// The chat of operators, where a bot tells what is wrong: no conversation, and no bot leaves it.
    pub operators: OnceLock<TelegramChatId>,
    /// What Telegram and the providers made of the last tries.
    pub vitals: Vitals,
    budgets: Vec<BudgetSpec>,
    ended: watch::Sender<Option<Ended>>,
    ids: IdSource,
}

impl Node {
    /// Puts a node together.
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
            records: Records::default(),
            operators: OnceLock::new(),
            vitals: Vitals::default(),
            budgets: Vec::new(),
            ended: watch::Sender::new(None),
        }
    }

    /// The node under these budgets. A budget of one bot or chat goes before that of each.
    #[must_use]
    pub fn with_budgets(mut self, specs: &[BudgetSpec]) -> Self {
        self.budgets = specs.to_vec();
        self.renew_budgets();
        self
    }

    /// Bots and chats came or went: those that are there now fall under the budgets.
    pub fn renew_budgets(&self) {
        let mut budgets = HashMap::new();
        let known = self.directory.known();
        let named = |spec: &&BudgetSpec| matches!(spec.owner, BudgetOwner::Bot(Some(_)) | BudgetOwner::Chat(Some(_)));
        let each = self.budgets.iter().filter(|spec| !named(spec));
        for spec in each.chain(self.budgets.iter().filter(named)) {
            for scope in owners(&known, &spec.owner) {
                let key = BudgetKey { scope, unit: spec.unit, per: spec.per };
                budgets.insert(key, Budget { key, limit: spec.limit });
            }
        }
        self.treasury.set(budgets.into_values());
    }

    /// Gives back to the store what was taken from budgets and is not spent: at a shutdown in good order.
    pub async fn return_allowances(&self) {
        // All at once, so that they share a commit: there may be many, and little time.
        let returns = self.treasury.give_back().into_iter().map(async |returned| {
            if let Err(error) = self.committer.commit(Operation::ReturnAllowance(returned)).await {
                tracing::warn!(budget = %returned.key.budget, error = %error, "an allowance could not be given back");
            }
        });
        join_all(returns).await;
    }

    /// Telegram as this node may use it: nothing is done beyond its bound.
    pub fn bounded(&self, api: Arc<dyn BotApi>) -> Arc<dyn BotApi> {
        Arc::new(BoundedApi::new(api, Arc::clone(&self.bound), Arc::clone(&self.traffic)))
    }

    /// Whether an effect on the outside world may be begun now.
    pub fn may_act(&self) -> bool {
        self.bound.may_act()
    }

    /// The work of this node is over; what is said first counts.
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
    /// Nothing is lost: whoever asks again hears the same.
    pub async fn ended(&self) -> Ended {
        let mut told = self.ended.subscribe();
        match told.wait_for(Option::is_some).await.map(|ended| *ended) {
            Ok(Some(ended)) => ended,
            _ => Ended::Failed,
        }
    }

    fn next_id(&self) -> i64 {
        self.ids.next(self.clock.now())
    }

    /// A new inbox row's id.
    pub fn inbox_id(&self) -> InboxId {
        InboxId(self.next_id())
    }

    /// A new turn's id.
    pub fn turn_id(&self) -> TurnId {
        TurnId(self.next_id())
    }

    /// A new outbox message's id.
    pub fn outbox_id(&self) -> OutboxId {
        OutboxId(self.next_id())
    }

    /// A new attempt's id.
    pub fn attempt_id(&self) -> AttemptId {
        AttemptId(self.next_id())
    }
}

/// Uniform random numbers for jitter.
pub struct Jitter(AtomicU64);

impl Jitter {
    /// The next number in 0..1.
    pub fn next(&self) -> f64 {
        fastrand::Rng::with_seed(self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed)).f64()
    }
}

/// All whom a budget of the manifest speaks of.
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
