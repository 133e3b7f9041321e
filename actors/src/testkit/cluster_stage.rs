//! Runs several nodes of real actors over one store in memory, one bus and one Telegram; each node has links of its own
//! that can be cut. Part of the testkit; made for paused time.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ractor::{Actor, ActorRef};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::faulty_store::FaultyStore;
use super::memory_store::MemoryStore;
use super::node_telegram::{Ledger, Link, NodeTelegram};
use super::scripted_bus::ScriptedBus;
use super::scripted_telegram::ScriptDecoder;
use super::stage::Scenery;
use crate::actors::fleet::actor::FleetActor;
use crate::actors::fleet::apis::{ApiFactory, NoApi};
use crate::actors::fleet::messages::FleetMsg;
use crate::actors::fleet::state::FleetArgs;
use crate::actors::node::directory::Directory;
use crate::actors::node::webhooks::Webhooks;
use crate::actors::node::{Node, Place, Seat};
use crate::behaviour::generator::Generator;
use crate::domain::ids::{BotId, ChatId, MessageId, Number, TelegramUserId};
use crate::domain::ownership::{Incarnation, LeaseKey, NewNode, NodeRole, Picture};
use crate::domain::transcript::TranscriptEntry;
use crate::ports::cluster::Cluster;
use crate::ports::store::Store;
use crate::ports::telegram::BotApi;

const DEADLINE: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A running node.
pub struct StageNode {
    /// The name of the node.
    pub name: String,
    /// The number of this start.
    pub me: Incarnation,
    /// The node of its actors.
    pub node: Arc<Node>,
    /// The node's link to the store.
    pub store: Arc<FaultyStore>,
    /// The node's link to Telegram.
    pub link: Arc<Link>,
    /// The root of the node's actors.
    pub actor: ActorRef<FleetMsg>,
    ended: JoinHandle<()>,
}

/// A cluster of running nodes.
pub struct ClusterStage {
    /// The surroundings of the nodes.
    pub scenery: Scenery,
    /// The bus that carries the nodes' hints.
    pub bus: ScriptedBus,
    /// The ledger of who did what at Telegram.
    pub ledger: Ledger,
    /// A handle on the rows that never fails.
    pub rows: MemoryStore,
    /// The running nodes, by name.
    pub nodes: BTreeMap<String, StageNode>,
    /// The bots, in the order of the plan.
    pub bots: Vec<BotId>,
    /// The chats, in the order of the plan.
    pub chats: Vec<ChatId>,
}

impl ClusterStage {
    /// Applies the roster; no node runs yet.
    pub async fn set(scenery: Scenery) -> Self {
        let rows = scenery.rows().reopened();
        let roster = rows.apply_roster(&scenery.plan, scenery.clock().now()).await.unwrap();
        Self {
            bots: roster.bots.keys().copied().collect(),
            chats: roster.chats.keys().copied().collect(),
            bus: ScriptedBus::default(),
            ledger: Ledger::default(),
            rows,
            nodes: BTreeMap::new(),
            scenery,
        }
    }

    /// Starts this many nodes, `n1`, `n2`, ..., and waits until each has its share and polls.
    pub async fn raise(scenery: Scenery, nodes: usize) -> Self {
        let mut stage = Self::set(scenery).await;
        for node in 1..=nodes {
            stage.join(&format!("n{node}")).await;
        }
        stage.until_settled().await;
        stage
    }

    /// Lets a node join.
    pub async fn join(&mut self, name: &str) {
        self.join_as(name, NodeRole::All).await;
    }

    /// Lets a node of that role join.
    pub async fn join_as(&mut self, name: &str, role: NodeRole) {
        let rows = Arc::new(self.rows.reopened());
        let new = NewNode { name: name.to_owned(), role, address: None, version: "test".to_owned(), launch: None };
        let me = rows.join(&new).await.unwrap();
        let store = Arc::new(FaultyStore::new(Arc::clone(&rows), self.scenery.journal.clone()));
        let link = Link::new(name, self.ledger.clone());
        let node = Arc::new(Node::new(
            Arc::clone(&store) as Arc<dyn Store>,
            self.scenery.clock(),
            Arc::new(ScriptDecoder),
            Generator::new().unwrap(),
            Seat {
                name: name.to_owned(),
                place: Place::Among { me, cluster: rows as Arc<dyn Cluster> },
                bus: Arc::new(self.bus.clone()),
            },
            Directory::new(store.roster().await.unwrap()),
            me.0.unsigned_abs(),
        ));
        let args = FleetArgs {
            node: Arc::clone(&node),
            apis: self.apis(&link),
            webhooks: Arc::new(Webhooks::default()),
            providers: self.scenery.provider_setups(),
            settings: self.scenery.fleet.clone(),
            bots: self.scenery.bots.clone(),
            chats: self.scenery.chats.clone(),
            ownership: self.scenery.ownership.clone(),
        };
        let (actor, ended) = FleetActor::spawn(None, FleetActor, args).await.unwrap();
        let node = StageNode { name: name.to_owned(), me, node, store, link, actor, ended };
        self.nodes.insert(name.to_owned(), node);
    }

    fn apis(&self, link: &Arc<Link>) -> ApiFactory {
        let bots: HashMap<TelegramUserId, _> =
            self.scenery.telegram.iter().map(|telegram| (telegram.id(), Arc::clone(telegram))).collect();
        let link = Arc::clone(link);
        Arc::new(move |bot| match bots.get(&bot.spec.telegram_id) {
            Some(api) => Ok(Arc::new(NodeTelegram::new(Arc::clone(&link), Arc::clone(api))) as Arc<dyn BotApi>),
            None => Err(NoApi::no_token("no such bot on this stage")),
        })
    }

    /// Returns the running node of that name.
    pub fn node(&self, name: &str) -> &StageNode {
        &self.nodes[name]
    }

    /// Kills a node: every actor and task ends at once, and nobody tells the others.
    pub async fn kill(&mut self, name: &str) -> Incarnation {
        let node = self.nodes.remove(name).expect("it runs");
        node.actor.kill();
        node.ended.await.unwrap();
        node.me
    }

    /// Tells the others that a node ended, as its launcher does.
    pub async fn tell_of_death(&self, node: Incarnation) {
        let nodes = self.rows.nodes().await.unwrap();
        let beat = nodes.iter().find(|record| record.incarnation == node).unwrap().beat;
        self.rows.bury(&[(node, beat)]).await.unwrap();
        let hints = crate::ports::bus::BusMessage::Hints(vec![crate::ports::bus::Hint::Nodes]);
        crate::ports::bus::Bus::publish(&self.bus, crate::ports::bus::Audience::Everybody, hints);
    }

    /// Cuts a node off from the store, or connects it again.
    pub fn cut_off(&self, name: &str, cut: bool) {
        self.node(name).store.rows.set_reachable(!cut);
    }

    /// Returns the cluster view: nodes and leases.
    pub async fn picture(&self) -> Picture {
        self.rows.picture().await.unwrap()
    }

    /// Returns the name of the node that owns the lease.
    pub async fn owner(&self, key: LeaseKey) -> Option<String> {
        let picture = self.picture().await;
        let owner = picture.leases.iter().find(|lease| lease.key == key)?.owner?;
        Some(picture.node(owner)?.name.clone())
    }

    /// Returns how many bots and chats each living node owns, by name.
    pub async fn shares(&self) -> Vec<(String, usize, usize)> {
        let picture = self.picture().await;
        let owned = |node: Incarnation, kind: &str| {
            picture.leases.iter().filter(|lease| lease.owner == Some(node) && lease.key.kind() == kind).count()
        };
        let living = picture.nodes.iter().filter(|node| picture.lives(node.incarnation));
        let shares =
            living.map(|node| (node.name.clone(), owned(node.incarnation, "bot"), owned(node.incarnation, "chat")));
        let mut shares: Vec<_> = shares.collect();
        shares.sort();
        shares
    }

    /// Waits until `condition` holds.
    ///
    /// # Panics
    /// When the condition does not come to hold; `what` names it.
    pub async fn until(&self, what: &str, condition: impl AsyncFn(&Self) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !condition(self).await {
            let picture = self.picture().await;
            assert!(Instant::now() < deadline, "never happened: {what}; picture: {picture:#?}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until every lease has a living owner and no other desired owner, and its actor runs there.
    pub async fn until_settled(&self) {
        self.until("every lease rests with a living node", async |stage| {
            let picture = stage.picture().await;
            picture.leases.iter().all(|lease| {
                let Some(owner) = lease.owner.filter(|owner| picture.lives(*owner)) else { return false };
                let node = stage.nodes.values().find(|node| node.me == owner);
                let runs = node.is_some_and(|node| match lease.key {
                    LeaseKey::Bot(bot) => node.node.directory.bot(bot).is_some(),
                    LeaseKey::Chat(_) => node.node.leases.epoch(lease.key) == Some(lease.epoch),
                });
                runs && lease.desired.is_none_or(|desired| desired == owner)
            })
        })
        .await;
    }

    /// Waits until this many messages have reached Telegram.
    pub async fn until_sent(&self, messages: usize) {
        self.until(&format!("{messages} messages reach Telegram"), async |stage| {
            stage.scenery.journal.sent_texts().len() >= messages
        })
        .await;
    }

    /// Waits until Telegram has no unconfirmed updates and nothing waits in the store.
    pub async fn until_at_rest(&self) {
        self.until("everything comes to rest", async |stage| {
            let depths = stage.rows.depths().await.unwrap();
            let unconfirmed: usize = stage.scenery.telegram.iter().map(|telegram| telegram.unconfirmed()).sum();
            unconfirmed == 0 && depths.inbox + depths.turns + depths.outbox == 0
        })
        .await;
    }

    /// Lets a person write into a chat, where the bots at these places hear it. Returns the message's id.
    pub fn person_says(&mut self, chat: usize, text: &str, heard_by: &[usize]) -> MessageId {
        self.scenery.person_says(chat, text, heard_by)
    }

    /// Returns the transcript of the chat at that place of the plan.
    pub async fn transcript(&self, chat: usize) -> Vec<Arc<TranscriptEntry>> {
        self.rows.transcript(self.chats[chat], Number(i64::MAX), 10_000).await.unwrap()
    }

    /// Asks a node to give up what it owns, as an operator does. A node that was declared dead ignores it.
    pub async fn drain(&self, name: &str) {
        self.rows.set_draining(name, true).await.unwrap();
        let hints = crate::ports::bus::BusMessage::Hints(vec![crate::ports::bus::Hint::Nodes]);
        crate::ports::bus::Bus::publish(&self.bus, crate::ports::bus::Audience::Everybody, hints);
    }

    /// Lets that much time pass.
    pub async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Returns the last message id so far.
    pub fn last_message(&self) -> MessageId {
        MessageId(self.scenery.message_ids().load(Ordering::SeqCst) - 1)
    }
}
