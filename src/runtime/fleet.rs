//! Starts, shows, steers and stops a node. Layer `runtime`: the only place that joins actors and adapters.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use botfleet_actors::actors::bot::actor::{BotHealth, BotMsg};
use botfleet_actors::actors::chat::actor::ChatMsg;
use botfleet_actors::actors::directory::Directory;
use botfleet_actors::actors::fleet::actor::{ApiFactory, FleetActor, FleetArgs, FleetMsg, ProviderSetup};
use botfleet_actors::actors::node::{Node, Seat};
use botfleet_actors::actors::provider::actor::ProviderMsg;
use botfleet_actors::actors::webhooks::Webhooks;
use botfleet_actors::behaviour::generator::Generator;
use botfleet_actors::domain::allowance::BudgetScope;
use botfleet_actors::domain::commit::operation::{Operation, SetStop};
use botfleet_actors::domain::control::StopScope;
use botfleet_actors::domain::ids::{BotId, ChatId};
use botfleet_actors::policy::ownership::settings::OwnershipSettings;
use botfleet_actors::policy::treasury::BudgetSnapshot;
use botfleet_actors::ports::clock::Clock;
use botfleet_actors::ports::llm::LlmProvider;
use botfleet_actors::ports::store::{OutcomeCursor, OutcomeRecord, Store, StoreError, Tenure};
use botfleet_actors::ports::telegram::BotApi;
use futures::future::join_all;
use ractor::{Actor, ActorRef, Message, RpcReplyPort};
use secrecy::SecretString;
use tokio::task::JoinHandle;

use super::clock::AnchoredClock;
use super::view::{BudgetView, Check, FleetView, Health};
use super::webhooks::{secrets, webhooks};
use crate::config::manifest::LoadedManifest;
use crate::config::secret::token_again;
use crate::config::settings::Config;
use crate::llm::provider::OpenAiProvider;
use crate::llm::settings::LlmProviderSettings;
use crate::store::sqlite::SqliteStore;
use crate::telegram::client::TelegramClient;
use crate::telegram::decode::TelegramDecoder;

/// An actor that does not tell how it is within this is left out of the view.
const SNAPSHOT_DEADLINE: Duration = Duration::from_millis(500);

/// The store answers the question for its health within this, or is not ready.
const CHECK_WITHIN: Duration = Duration::from_secs(2);

/// The name of the only node of an embedded fleet.
const EMBEDDED_NODE: &str = "embedded";

/// A node at work.
pub struct RunningFleet {
    pub(super) node: Arc<Node>,
    pub(super) actor: ActorRef<FleetMsg>,
    pub(super) webhooks: Arc<Webhooks>,
    stopping: AtomicBool,
    ended: JoinHandle<()>,
    telegram: TelegramClient,
    bots: usize,
    tenure: Tenure,
    since: Instant,
}

impl RunningFleet {
    /// Opens the store, takes the leases and starts all actors.
    ///
    /// # Errors
    /// When the store cannot be opened, the manifest contradicts it, or an adapter cannot be built.
    pub async fn start(config: &Config, manifest: LoadedManifest) -> anyhow::Result<Self> {
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&config.store).await?);
        let clock = AnchoredClock::start();
        let roster = store.apply_roster(&manifest.plan, clock.now()).await?;
        let tenure = store.begin_tenure(EMBEDDED_NODE, clock.now()).await?;
        let telegram = TelegramClient::new(&config.telegram)?;
        let apis = api_factory(&telegram, manifest.tokens, manifest.folder);
        let mut providers = Vec::new();
        for entry in manifest.providers {
            let settings = LlmProviderSettings {
                kind: entry.kind,
                base_url: entry.base_url,
                api_keys: entry.api_keys,
                stream: entry.stream,
                connect_timeout: entry.connect_timeout,
                first_token_timeout: entry.first_token_timeout,
                timeout: entry.settings.timeout,
            };
            let llm: Arc<dyn LlmProvider> = Arc::new(OpenAiProvider::new(&entry.name, &settings)?);
            providers.push(ProviderSetup { name: entry.name, llm, settings: entry.settings });
        }
        let bots = roster.bots.len();
        let webhooks = Arc::new(webhooks(&config.webhooks, secrets(roster.bots.keys().copied())?));
        let node = Node::new(
            store,
            Arc::new(clock),
            Arc::new(TelegramDecoder),
            Generator::new()?,
            Seat::alone(EMBEDDED_NODE, tenure.epoch),
            Directory::new(roster),
            fastrand::u64(..),
        );
        let node = Arc::new(node.with_budgets(&manifest.budgets));
        let args = FleetArgs {
            node: Arc::clone(&node),
            apis,
            webhooks: Arc::clone(&webhooks),
            providers,
            settings: config.fleet.clone(),
            bots: config.bots.clone(),
            chats: config.chats.clone(),
            ownership: OwnershipSettings::default(),
        };
        let (actor, ended) = FleetActor::spawn(None, FleetActor, args).await?;
        let (stopping, since) = (AtomicBool::new(false), Instant::now());
        Ok(Self { node, actor, webhooks, stopping, ended, telegram, bots, tenure, since })
    }

    /// What this process found in the store when it took the leases.
    pub fn tenure(&self) -> Tenure {
        self.tenure
    }

    /// How many bots the manifest has.
    pub fn bots(&self) -> usize {
        self.bots
    }

    /// How many chats the manifest has.
    pub fn chats(&self) -> usize {
        self.node.directory.known().chats.len()
    }

    /// How many bots get their updates now, by polls or by webhooks.
    pub async fn polling(&self) -> usize {
        let bots = self.node.directory.live_bots();
        let healths = join_all(bots.into_iter().map(|(_, bot)| ask(bot, BotMsg::GetSnapshot))).await;
        healths
            .into_iter()
            .flatten()
            .filter(|bot| matches!(bot.health, BotHealth::Polling | BotHealth::Receiving))
            .count()
    }

    /// Waits until the whole fleet polls; false when it does not within `deadline`.
    pub async fn wait_until_polling(&self, deadline: Duration) -> bool {
        let until = Instant::now() + deadline;
        while self.polling().await < self.bots {
            if Instant::now() >= until {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        true
    }

    /// The node at one glance.
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
        let stops = self.node.store.stops().await?.0.into_iter().map(|scope| self.scope_name(scope)).collect();
        let budgets = self.node.treasury.snapshot(&self.node.store.allowances().await?, self.node.clock.now());
        let budgets = budgets.into_iter().map(|budget| BudgetView { name: self.owner_name(&budget), budget }).collect();
        Ok(FleetView { fleet, bots, chats, providers, budgets, stops, queues: self.node.store.depths().await? })
    }

    fn owner_name(&self, budget: &BudgetSnapshot) -> Option<String> {
        let directory = self.node.directory.known();
        match budget.budget.scope {
            BudgetScope::Fleet => None,
            BudgetScope::Bot(id) => directory.bots.get(&id).map(|bot| bot.spec.name.clone()),
            BudgetScope::Chat(id) => directory.chats.get(&id).map(|chat| chat.spec.name.clone()),
        }
    }

    fn scope_name(&self, scope: StopScope) -> String {
        let directory = self.node.directory.known();
        match scope {
            StopScope::Fleet => "fleet".to_owned(),
            StopScope::Chat(id) => format!(
                "chat {}",
                directory.chats.get(&id).map_or_else(|| id.to_string(), |chat| chat.spec.name.clone())
            ),
            StopScope::Bot(id) => {
                format!("bot {}", directory.bots.get(&id).map_or_else(|| id.to_string(), |bot| bot.spec.name.clone()))
            }
        }
    }

    /// The chat of that name in the manifest.
    pub fn chat_named(&self, name: &str) -> Option<ChatId> {
        self.node.directory.known().chats.values().find(|chat| chat.spec.name == name).map(|chat| chat.id)
    }

    /// The bot of that name in the manifest.
    pub fn bot_named(&self, name: &str) -> Option<BotId> {
        self.node.directory.known().bots.values().find(|bot| bot.spec.name == name).map(|bot| bot.id)
    }

    /// Stops or starts something; durable when it returns.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn set_stop(&self, scope: StopScope, stopped: bool, by: &str) -> anyhow::Result<()> {
        let at = self.node.clock.now();
        self.node.committer.commit(Operation::SetStop(SetStop { scope, stopped, by: by.to_owned(), at })).await?;
        if let StopScope::Chat(chat) = scope {
            self.node.orders.decreed(chat, stopped);
        }
        tracing::warn!(scope = %self.scope_name(scope), stopped, by, "control");
        Ok(())
    }

    /// A page of outcomes.
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

    /// Whether it can do its work: the store answers, and it is not coming to its end.
    pub async fn is_ready(&self) -> bool {
        !self.is_stopping() && self.check_store().await.is_ok()
    }

    /// Whether the store answers and can write, within a deadline: one that hangs is not ready.
    async fn check_store(&self) -> Result<(), StoreError> {
        let late = |_| StoreError::Unavailable(format!("no answer within {} s", CHECK_WITHIN.as_secs()));
        tokio::time::timeout(CHECK_WITHIN, self.node.store.check()).await.map_err(late)?
    }

    /// Health of the parts.
    pub async fn health(&self) -> Health {
        let directory = &self.node.directory;
        let store = self.check_store().await;
        let polling = self.polling().await;
        let mut checks = vec![Check {
            name: "database".to_owned(),
            ok: store.is_ok(),
            detail: store.err().map(|error| error.to_string()),
        }];
        let detail = format!("{polling} of {} bots poll", self.bots);
        checks.push(Check {
            name: "telegram".to_owned(),
            ok: polling == self.bots && self.telegram.sends_go(),
            detail: Some(detail),
        });
        let providers = join_all(
            directory.live_providers().into_iter().map(|(_, provider)| ask(provider, ProviderMsg::GetSnapshot)),
        )
        .await;
        for provider in providers.into_iter().flatten() {
            let closed = provider.breaker == botfleet_actors::policy::breaker::BreakerState::Closed;
            checks.push(Check {
                name: format!("provider {}", provider.name),
                ok: closed,
                detail: (!closed).then(|| "its breaker is open".to_owned()),
            });
        }
        let status = match (checks[0].ok, checks.iter().all(|check| check.ok)) {
            (false, _) => "unhealthy",
            (true, false) => "degraded",
            (true, true) => "healthy",
        };
        Health { status, version: env!("CARGO_PKG_VERSION"), uptime_seconds: self.since.elapsed().as_secs(), checks }
    }

    /// Whether it is coming to its end.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub(super) fn begin_stopping(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Whether the fleet's root still runs.
    pub fn is_running(&self) -> bool {
        !self.ended.is_finished()
    }
}

/// Telegram for each bot whose token the manifest gives, or the place that its credential names.
fn api_factory(telegram: &TelegramClient, tokens: BTreeMap<String, SecretString>, folder: PathBuf) -> ApiFactory {
    let telegram = telegram.clone();
    Arc::new(move |bot| {
        let (credential, folder, id) = (bot.spec.credential.clone(), folder.clone(), bot.spec.telegram_id.0);
        let token = match tokens.get(&bot.spec.name) {
            Some(token) if bot.token_generation == 1 => token.clone(),
            _ => token_again(&credential, &folder, id).ok_or_else(|| format!("no token for bot {}", bot.spec.name))?,
        };
        let source = Arc::new(move || token_again(&credential, &folder, id));
        Ok(Arc::new(telegram.bot_with_source(token, source)) as Arc<dyn BotApi>)
    })
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
