//! Runs a whole fleet of real actors: store in memory, scripted Telegram and providers. Part of the testkit.
//!
//! Made for paused time: the clock is tokio's. [`Stage::killed`] ends the actors in the middle of their work and leaves
//! the rows, the updates and the providers for [`Scenery::raise`] to start again.
//!
//! This file is longer than others: it covers a fleet from its start to its end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use ractor::{Actor, ActorRef};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::faulty_store::FaultyStore;
use super::journal::Journal;
use super::memory_store::MemoryStore;
use super::rows::{at, person, plan};
use super::scripted_bus::ScriptedBus;
use super::scripted_llm::ScriptedLlm;
use super::scripted_telegram::{ScriptDecoder, ScriptedTelegram};
use crate::actors::bot::intake::messages::{DeliveryError, IntakeMsg};
use crate::actors::bot::messages::BotMsg;
use crate::actors::bot::settings::BotSettings;
use crate::actors::bot::snapshot::BotSnapshot;
use crate::actors::chat::settings::ChatSettings;
use crate::actors::fleet::actor::FleetActor;
use crate::actors::fleet::apis::{ApiFactory, NoApi};
use crate::actors::fleet::child::Child;
use crate::actors::fleet::messages::FleetMsg;
use crate::actors::fleet::settings::FleetSettings;
use crate::actors::fleet::setup::ProviderSetup;
use crate::actors::fleet::snapshot::FleetSnapshot;
use crate::actors::fleet::state::FleetArgs;
use crate::actors::node::arrivals::receive;
use crate::actors::node::directory::Directory;
use crate::actors::node::webhooks::Webhooks;
use crate::actors::node::{Node, Place, Seat};
use crate::actors::provider::messages::ProviderMsg;
use crate::actors::provider::settings::ProviderSettings;
use crate::actors::provider::snapshot::ProviderSnapshot;
use crate::behaviour::generator::Generator;
use crate::domain::allowance::BudgetSpec;
use crate::domain::commit::operations::{LiftPauses, Operation};
use crate::domain::ids::{BotId, ChatId, MessageId, Number, TelegramChatId};
use crate::domain::incoming::{ChatKind, Entity, EntityKind, Event, Incoming, Message, command_word};
use crate::domain::roster::{ChatPolicy, DeliveryMode, ModelRef, Physics, RosterPlan};
use crate::domain::time::Timestamp;
use crate::domain::transcript::TranscriptEntry;
use crate::policy::backoff::BackoffSettings;
use crate::policy::ownership::settings::OwnershipSettings;
use crate::policy::restart::RestartSettings;
use crate::ports::clock::Clock;
use crate::ports::llm::LlmProvider;
use crate::ports::outcomes::{OutcomeCursor, OutcomeRecord};
use crate::ports::store::{Store, Tenure};
use crate::ports::telegram::{BotApi, WebhookSecret};

/// The time after which an event counts as missing. In paused time it costs nothing.
const DEADLINE: Duration = Duration::from_secs(300);

/// The interval at which a condition is checked.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A clock on tokio's time that a test can set.
pub struct StageClock {
    since: Instant,
    /// The milliseconds by which this clock is ahead of Telegram's.
    wrong_ms: AtomicI64,
    steps: AtomicU64,
}

impl StageClock {
    /// Returns the time that the clock would show if nobody had set it.
    fn right(&self) -> Timestamp {
        at(0) + self.since.elapsed()
    }
}

impl Clock for StageClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.right().as_millis() + self.wrong_ms.load(Ordering::SeqCst))
    }

    fn boot_time(&self) -> Duration {
        self.since.elapsed()
    }

    fn steps(&self) -> u64 {
        self.steps.load(Ordering::SeqCst)
    }

    fn telegram_ahead(&self) -> i64 {
        -self.wrong_ms.load(Ordering::SeqCst)
    }
}

/// Everything that outlives a process (rows, Telegram, providers), and the plan for the next process.
pub struct Scenery {
    /// The record of events.
    pub journal: Journal,
    /// The roster to apply.
    pub plan: RosterPlan,
    /// Settings of all bots: no limits, short polls.
    pub bots: BotSettings,
    /// Settings of all chats.
    pub chats: ChatSettings,
    /// Settings of all providers.
    pub providers: ProviderSettings,
    /// Settings of the fleet: quick restarts.
    pub fleet: FleetSettings,
    /// The address that webhooks lead to; `None` turns webhooks off.
    pub public_url: Option<String>,
    /// True when webhooks that others set are deleted.
    pub delete_foreign: bool,
    /// Settings of ownership, for several nodes.
    pub ownership: OwnershipSettings,
    /// The budgets for models; none by default.
    pub budgets: Vec<BudgetSpec>,
    /// Telegram, for each bot of the plan.
    pub telegram: Vec<Arc<ScriptedTelegram>>,
    /// The providers, in the order in which bots call them.
    pub llms: Vec<Arc<ScriptedLlm>>,
    rows: MemoryStore,
    clock: Arc<StageClock>,
    processes: u64,
    message_ids: Arc<AtomicI64>,
    update_ids: i64,
}

impl Scenery {
    /// A plan of this many bots, all of them in each of this many chats. Each bot answers every message of a person
    /// that it hears, at once. There are no limits and one provider.
    #[allow(clippy::needless_update, reason = "a further key has its built-in value")]
    pub fn new(bots: i64, chats: i64) -> Self {
        let journal = Journal::default();
        let mut plan = plan(bots, chats);
        for bot in &mut plan.bots {
            bot.hourly_cap = None;
        }
        for chat in &mut plan.chats {
            chat.policy = ChatPolicy::Every;
            chat.pacing.enabled = false;
            chat.pacing.quiet_tick = None;
            chat.physics = Physics {
                chain_depth_max: None,
                pair_per_ten_minutes: None,
                person_per_ten_minutes: None,
                chat_per_minute: None,
                fleet_per_minute: None,
                cool_down: Duration::ZERO,
                stagnation_turns: None,
                unheard_max: None,
                ..Physics::default()
            };
            chat.quiet_hours = None;
            chat.disclosure = Some(String::new());
            chat.strategy.salutation = false;
            chat.novelty.enabled = false;
        }
        let message_ids = Arc::new(AtomicI64::new(1));
        let telegram = plan
            .bots
            .iter()
            .map(|bot| Arc::new(ScriptedTelegram::new(bot.telegram_id, journal.clone(), Arc::clone(&message_ids))));
        let backoff = BackoffSettings { first: Duration::from_millis(10), max: Duration::from_millis(20) };
        Self {
            telegram: telegram.collect(),
            llms: vec![Arc::new(ScriptedLlm::new("sim", journal.clone()))],
            bots: BotSettings {
                poll_timeout: Duration::from_secs(2),
                sends_per_second: None,
                sends_per_chat_per_minute: None,
                ..BotSettings::default()
            },
            chats: ChatSettings::default(),
            providers: ProviderSettings::default(),
            fleet: FleetSettings {
                restart: RestartSettings { backoff, ..RestartSettings::default() },
                ..FleetSettings::default()
            },
            public_url: Some("https://fleet.example".to_owned()),
            delete_foreign: false,
            ownership: OwnershipSettings::default(),
            budgets: Vec::new(),
            plan,
            journal,
            rows: MemoryStore::default(),
            clock: Arc::new(StageClock {
                since: Instant::now(),
                wrong_ms: AtomicI64::new(0),
                steps: AtomicU64::new(0),
            }),
            processes: 0,
            message_ids,
            update_ids: 100,
        }
    }

    /// Adds a provider, which all bots call when those before it have failed.
    #[must_use]
    pub fn with_provider(mut self, name: &str) -> Self {
        self.llms.push(Arc::new(ScriptedLlm::new(name, self.journal.clone())));
        for bot in &mut self.plan.bots {
            bot.generation.models.push(ModelRef { provider: name.to_owned(), model: "small".to_owned() });
        }
        self
    }

    /// Lets a person write into a chat, where the bots at these places hear it. Returns the message's id.
    pub fn person_says(&mut self, chat: usize, text: &str, heard_by: &[usize]) -> MessageId {
        let message_id = MessageId(self.message_ids.fetch_add(1, Ordering::SeqCst));
        for bot in heard_by {
            self.update_ids += 1;
            self.telegram[*bot].receive(self.update_ids, self.spoken(chat, message_id, text));
        }
        message_id
    }

    /// Builds what a bot receives when a person writes; commands are marked as Telegram marks them.
    pub fn spoken(&self, chat: usize, message_id: MessageId, text: &str) -> Incoming {
        let word = command_word(text, &[]);
        let command = |word: &str| Entity { kind: EntityKind::BotCommand, offset: 0, length: word.len() };
        let message = Message {
            message_id,
            date: self.clock.right(),
            revision: 0,
            thread: None,
            reply_to: None,
            quoted: None,
            author: person(),
            text: Some(text.to_owned()),
            entities: word.map(command).into_iter().collect(),
            media: None,
            service: false,
        };
        let chat = Some(self.plan.chats[chat].telegram_id);
        Incoming { chat, chat_kind: ChatKind::Supergroup, event: Event::Message(message) }
    }

    /// Sets the machine's clock this many milliseconds ahead of Telegram's.
    pub fn clock_is_ahead(&self, millis: i64) {
        let before = self.clock.wrong_ms.swap(millis, Ordering::SeqCst);
        self.clock.steps.fetch_add(u64::from(millis > before), Ordering::SeqCst);
    }

    /// Returns the rows.
    pub(super) fn rows(&self) -> &MemoryStore {
        &self.rows
    }

    /// Returns the clock that all nodes share.
    pub(super) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock) as Arc<dyn Clock>
    }

    /// Returns the source of message ids.
    pub(super) fn message_ids(&self) -> &AtomicI64 {
        &self.message_ids
    }

    /// Returns Telegram for the bots of the plan, by their ids.
    pub(super) fn apis(&self) -> ApiFactory {
        let of = |telegram: &Arc<ScriptedTelegram>| (telegram.id(), Arc::clone(telegram));
        let telegram: HashMap<_, _> = self.telegram.iter().map(of).collect();
        Arc::new(move |bot| match telegram.get(&bot.spec.telegram_id) {
            Some(api) => Ok(Arc::clone(api) as Arc<dyn BotApi>),
            None => Err(NoApi::no_token("no such bot on this stage")),
        })
    }

    /// Returns the providers of the plan.
    pub(super) fn provider_setups(&self) -> Vec<ProviderSetup> {
        let provider = |(at, llm): (usize, &Arc<ScriptedLlm>)| ProviderSetup {
            name: self.plan.bots[0].generation.models[at].provider.clone(),
            llm: Arc::clone(llm) as Arc<dyn LlmProvider>,
            settings: self.providers.clone(),
        };
        self.llms.iter().enumerate().map(provider).collect()
    }

    /// Starts a fleet.
    pub async fn raise(mut self) -> Stage {
        let store = Arc::new(FaultyStore::new(self.rows.reopened(), self.journal.clone()));
        let Playing { node, tenure, bots, chats, actor, ended } = self.play(Arc::clone(&store) as Arc<dyn Store>).await;
        Stage { scenery: self, store, node, tenure, bots, chats, actor, ended }
    }

    /// Starts a fleet over a store of any kind.
    pub async fn play(&mut self, store: Arc<dyn Store>) -> Playing {
        self.processes += 1;
        let roster = store.apply_roster(&self.plan, self.clock.now()).await.unwrap();
        let tenure = store.begin_tenure("stage", self.clock.now()).await.unwrap();
        let (bots, chats) = (roster.bots.keys().copied().collect(), roster.chats.keys().copied().collect());
        let providers = self.provider_setups();
        let node = Node::new(
            store,
            Arc::clone(&self.clock) as Arc<dyn Clock>,
            Arc::new(ScriptDecoder),
            Generator::new().unwrap(),
            Seat { name: "stage".to_owned(), place: Place::Alone(tenure.epoch), bus: Arc::new(ScriptedBus::default()) },
            Directory::new(roster),
            self.processes * 1000,
        );
        let node = Arc::new(node.with_budgets(&self.budgets));
        let secret = |bot: &BotId| (*bot, WebhookSecret::new(format!("secret-{bot}-{}", self.processes)));
        let webhooks = Webhooks {
            public_url: self.public_url.clone(),
            max_connections: 40,
            delete_foreign: self.delete_foreign,
            secrets: RwLock::new(node.directory.known().bots.keys().map(secret).collect()),
            former: RwLock::default(),
        };
        let args = FleetArgs {
            node: Arc::clone(&node),
            apis: self.apis(),
            webhooks: Arc::new(webhooks),
            providers,
            settings: self.fleet.clone(),
            bots: self.bots.clone(),
            chats: self.chats.clone(),
            ownership: self.ownership.clone(),
        };
        let (actor, ended) = FleetActor::spawn(None, FleetActor, args).await.unwrap();
        Playing { node, tenure, bots, chats, actor, ended }
    }
}

/// A running fleet over a store of any kind.
pub struct Playing {
    /// The node of the fleet.
    pub node: Arc<Node>,
    /// The state that the fleet found when it started.
    pub tenure: Tenure,
    /// The bots, in the order of the plan.
    pub bots: Vec<BotId>,
    /// The chats, in the order of the plan.
    pub chats: Vec<ChatId>,
    actor: ActorRef<FleetMsg>,
    ended: JoinHandle<()>,
}

impl Playing {
    /// Kills the process: every actor and task ends at once.
    pub async fn killed(self) {
        self.actor.kill();
        self.ended.await.unwrap();
    }
}

/// A running fleet.
pub struct Stage {
    /// The surroundings of the fleet.
    pub scenery: Scenery,
    /// The store of the fleet.
    pub store: Arc<FaultyStore>,
    /// The node of the fleet.
    pub node: Arc<Node>,
    /// The state that the fleet found when it started.
    pub tenure: Tenure,
    /// The bots, in the order of the plan.
    pub bots: Vec<BotId>,
    /// The chats, in the order of the plan.
    pub chats: Vec<ChatId>,
    actor: ActorRef<FleetMsg>,
    ended: JoinHandle<()>,
}

impl Stage {
    /// Returns Telegram for the bot at that place of the plan.
    pub fn telegram(&self, bot: usize) -> &ScriptedTelegram {
        &self.scenery.telegram[bot]
    }

    /// Returns the provider at that place.
    pub fn llm(&self, at: usize) -> &ScriptedLlm {
        &self.scenery.llms[at]
    }

    /// Returns the record of events.
    pub fn journal(&self) -> &Journal {
        &self.scenery.journal
    }

    /// Returns Telegram's id of the chat at that place of the plan.
    pub fn telegram_chat(&self, chat: usize) -> TelegramChatId {
        self.scenery.plan.chats[chat].telegram_id
    }

    /// Lets a person write into a chat, where the bots at these places hear it. Returns the message's id.
    pub fn person_says(&mut self, chat: usize, text: &str, heard_by: &[usize]) -> MessageId {
        self.scenery.person_says(chat, text, heard_by)
    }

    /// Builds what a bot receives when a person writes.
    pub fn spoken(&self, chat: usize, message_id: MessageId, text: &str) -> Incoming {
        self.scenery.spoken(chat, message_id, text)
    }

    /// Waits until `condition` holds.
    ///
    /// # Panics
    /// When the condition does not come to hold; `what` names it.
    pub async fn until(&self, what: &str, condition: impl AsyncFn(&Self) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !condition(self).await {
            assert!(Instant::now() < deadline, "never happened: {what}; journal: {:#?}", self.journal().all());
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until this many messages have reached Telegram.
    pub async fn until_sent(&self, messages: usize) {
        self.until(&format!("{messages} messages reach Telegram"), async |stage| {
            stage.journal().sent_texts().len() >= messages
        })
        .await;
    }

    /// Waits until Telegram has no unconfirmed updates and nothing waits in the store.
    pub async fn until_at_rest(&self) {
        self.until("everything comes to rest", async |stage| {
            let depths = stage.store.rows.depths().await.unwrap();
            let unconfirmed: usize = stage.scenery.telegram.iter().map(|telegram| telegram.unconfirmed()).sum();
            unconfirmed == 0 && depths.inbox + depths.turns + depths.outbox == 0
        })
        .await;
    }

    /// Lets time pass: long enough for every retry and every reconciling look at the store, several times over.
    pub async fn let_time_pass(&self) {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }

    /// Lets time pass: long enough for whatever happens at once.
    pub async fn let_time_pass_briefly(&self) {
        tokio::time::sleep(LOOK_EVERY * 10).await;
    }

    /// Returns the fleet's snapshot.
    pub async fn fleet(&self) -> FleetSnapshot {
        match self.actor.call(FleetMsg::GetSnapshot, Some(DEADLINE)).await {
            Ok(ractor::rpc::CallResult::Success(snapshot)) => snapshot,
            other => panic!("the fleet does not answer: {other:?}"),
        }
    }

    /// Returns the snapshot of the bot at that place of the plan.
    pub async fn bot(&self, at: usize) -> BotSnapshot {
        let bot = self.node.directory.bot(self.bots[at]).expect("the bot runs");
        match bot.call(BotMsg::GetSnapshot, Some(DEADLINE)).await {
            Ok(ractor::rpc::CallResult::Success(snapshot)) => snapshot,
            other => panic!("the bot does not answer: {other:?}"),
        }
    }

    /// Returns the snapshot of the provider at that place.
    pub async fn provider(&self, at: usize) -> ProviderSnapshot {
        let name = &self.scenery.plan.bots[0].generation.models[at].provider;
        let provider = self.node.directory.provider(name).expect("the provider runs");
        match provider.call(ProviderMsg::GetSnapshot, Some(DEADLINE)).await {
            Ok(ractor::rpc::CallResult::Success(snapshot)) => snapshot,
            other => panic!("the provider does not answer: {other:?}"),
        }
    }

    /// Releases a quarantined child, as a person does. Returns whether it was quarantined.
    pub async fn release(&self, child: Child) -> bool {
        match self.actor.call(|reply| FleetMsg::Release(child, reply), Some(DEADLINE)).await {
            Ok(ractor::rpc::CallResult::Success(released)) => released,
            other => panic!("the fleet does not answer: {other:?}"),
        }
    }

    /// Lifts the pauses of the bot at that place, as a person does. Returns whether that is stored.
    pub async fn lift_pauses(&self, at: usize) -> bool {
        let bot = self.bots[at];
        let lift = LiftPauses { bot, epoch: self.tenure.epoch, until: self.node.clock.now(), order: None };
        let lifted = self.node.committer.commit(Operation::LiftPauses(lift)).await.is_ok();
        if lifted {
            self.node.directory.bot(bot).expect("the bot runs").cast(BotMsg::PausesLifted).expect("it lives");
        }
        lifted
    }

    /// Sets the delivery mode of the bot at that place, as a person does.
    pub async fn set_delivery(&self, at: usize, mode: DeliveryMode) -> Result<(), DeliveryError> {
        let bot = self.node.directory.bot(self.bots[at]).expect("the bot runs");
        match bot.call(|reply| BotMsg::Intake(IntakeMsg::SetDelivery(mode, None, reply)), Some(DEADLINE)).await {
            Ok(ractor::rpc::CallResult::Success(answer)) => answer,
            other => panic!("the bot does not answer: {other:?}"),
        }
    }

    /// Delivers the oldest update of the bot at that place by its webhook; a refused update stays for the next call.
    /// Returns whether there was an update, and a webhook to deliver it to.
    pub async fn bring(&self, at: usize) -> bool {
        let telegram = self.telegram(at);
        let (Some(update), Some(_)) = (telegram.oldest(), telegram.webhook()) else { return false };
        let id = update.update_id;
        if receive(&self.node, self.bots[at], update).await.is_ok() {
            telegram.delivered(id);
        }
        true
    }

    /// Delivers all waiting updates of the bots by their webhooks.
    pub async fn bring_all(&self) {
        for at in 0..self.bots.len() {
            while self.bring(at).await {}
        }
    }

    /// Tells the process to end: it takes no new updates and turns; with `give_back`, unfinished turns are given back.
    pub fn quiesce(&self, give_back: bool) {
        self.actor.cast(if give_back { FleetMsg::GiveBack } else { FleetMsg::Quiesce }).unwrap();
    }

    /// Tells the fleet that the configuration has changed.
    pub fn read_roster(&self) {
        self.actor.cast(FleetMsg::ReadRoster).unwrap();
    }

    /// Returns the outcomes of everything.
    pub async fn outcomes(&self) -> Vec<OutcomeRecord> {
        self.store.rows.outcomes(OutcomeCursor::default(), 10_000).await.unwrap().0
    }

    /// Returns the transcript of the chat at that place of the plan.
    pub async fn transcript(&self, chat: usize) -> Vec<Arc<TranscriptEntry>> {
        self.store.rows.transcript(self.chats[chat], Number(i64::MAX), 10_000).await.unwrap()
    }

    /// Kills the process: every actor and task ends at once.
    pub async fn killed(self) -> Scenery {
        self.actor.kill();
        self.ended.await.unwrap();
        self.scenery
    }
}
