//! A node starts: home, adapters, actors. Layer `runtime`: the only place that joins actors and adapters.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use botfleet_actors::actors::directory::Directory;
use botfleet_actors::actors::fleet::actor::{ApiFactory, FleetActor, FleetArgs, ProviderSetup};
use botfleet_actors::actors::node::Node;
use botfleet_actors::behaviour::generator::Generator;
use botfleet_actors::domain::roster::BotProfile;
use botfleet_actors::ports::llm::LlmProvider;
use ractor::Actor;
use tokio::task::JoinSet;

use super::clock::TelegramDates;
use super::credentials::Credentials;
use super::events::{self, EventHub};
use super::fleet::RunningFleet;
use super::home::Home;
use super::webhooks::webhooks;
use crate::config::manifest::{LoadedManifest, ProviderEntry};
use crate::config::secret::ProcessSecrets;
use crate::config::settings::Config;
use crate::llm::provider::OpenAiProvider;
use crate::llm::settings::LlmProviderSettings;
use crate::telegram::client::TelegramClient;
use crate::telegram::decode::TelegramDecoder;

impl RunningFleet {
    /// Opens the store, takes its place and starts all actors.
    ///
    /// # Errors
    /// When the store cannot be opened, the manifest contradicts it, or an adapter cannot be built.
    pub async fn start(config: &Config, manifest: LoadedManifest) -> anyhow::Result<Self> {
        Self::start_as(config, manifest, None).await
    }

    /// The same for a process that a launcher started under this number.
    ///
    /// # Errors
    /// As [`RunningFleet::start`].
    pub async fn start_as(config: &Config, manifest: LoadedManifest, launch: Option<i64>) -> anyhow::Result<Self> {
        let connections = config.connections(&ProcessSecrets)?;
        let telegram = TelegramClient::new(&config.telegram)?;
        let dates = TelegramDates::default();
        telegram.tell_dates(Arc::new(dates.clone()));
        let credentials = Arc::new(Credentials::of(&manifest));
        let providers = manifest.providers.into_iter().map(provider).collect::<anyhow::Result<Vec<_>>>()?;
        let generator = Generator::new()?;
        let Home { store, clock, seat, roster, tenure } =
            Home::open(config, &connections, &manifest.plan, launch, dates).await?;
        for bot in roster.bots.values() {
            if let Err(reason) = credentials.token(&bot.spec) {
                tracing::error!(bot.name = %bot.spec.name, reason, "no token for a bot, it cannot run on this node");
            }
        }
        let webhooks = Arc::new(webhooks(&config.webhooks, roster.bots.values(), &credentials));
        let decoder = Arc::new(TelegramDecoder);
        let node = Node::new(store, clock, decoder, generator, seat, Directory::new(roster), fastrand::u64(..));
        let node = Arc::new(node.with_budgets(&manifest.budgets));
        let args = FleetArgs {
            node: Arc::clone(&node),
            apis: apis(&telegram, &credentials),
            webhooks: Arc::clone(&webhooks),
            providers,
            settings: config.fleet.clone(),
            bots: config.bots.clone(),
            chats: config.chats.clone(),
            ownership: config.cluster.ownership(),
        };
        let (actor, ended) = FleetActor::spawn(None, FleetActor, args).await?;
        let events = Arc::new(EventHub::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(events::run(Arc::clone(&node), Arc::clone(&events)));
        let (unready, stopping, since) = (AtomicBool::new(false), AtomicBool::new(false), Instant::now());
        let (role, ownership) = (config.cluster.role, config.cluster.ownership());
        let fleet = Self {
            node,
            actor,
            webhooks,
            credentials,
            events,
            role,
            ownership,
            unready,
            stopping,
            ended,
            telegram,
            tenure,
            since,
            _tasks: tasks,
        };
        fleet.tell("node.joined", &fleet.node.name);
        Ok(fleet)
    }
}

fn apis(telegram: &TelegramClient, credentials: &Arc<Credentials>) -> ApiFactory {
    let (telegram, credentials) = (telegram.clone(), Arc::clone(credentials));
    Arc::new(move |bot: &BotProfile| credentials.api(&telegram, bot))
}

/// A provider with its adapter.
pub(super) fn provider(entry: ProviderEntry) -> anyhow::Result<ProviderSetup> {
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
    Ok(ProviderSetup { name: entry.name, llm, settings: entry.settings })
}
