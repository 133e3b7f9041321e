//! Starts a node: home, adapters, actors. Layer `runtime`: the only place that joins actors and adapters.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::Context;
use botfleet_actors::actors::fleet::actor::FleetActor;
use botfleet_actors::actors::fleet::apis::ApiFactory;
use botfleet_actors::actors::fleet::setup::ProviderSetup;
use botfleet_actors::actors::fleet::state::FleetArgs;
use botfleet_actors::actors::node::Node;
use botfleet_actors::actors::node::directory::Directory;
use botfleet_actors::behaviour::generator::Generator;
use botfleet_actors::domain::ids::TelegramChatId;
use botfleet_actors::domain::roster::BotProfile;
use botfleet_actors::ports::event::EventKind;
use botfleet_actors::ports::llm::LlmProvider;
use botfleet_actors::ports::telegram::BotApi;
use ractor::Actor;
use tokio::task::JoinSet;

use super::accounts::{self, Accounts};
use super::alerts::Alerts;
use super::audit::Audit;
use super::audit_key::audit_key;
use super::clock::TelegramDates;
use super::configuration::live::Follower;
use super::configuration::start::put_in_force;
use super::credentials::Credentials;
use super::events::{self, EventHub};
use super::fleet::RunningFleet;
use super::health::{HealthWatch, Providers, Watched};
use super::home::Home;
use super::recorder;
use super::webhooks::webhooks;
use crate::config::manifest::LoadedManifest;
use crate::config::manifest::entry::ProviderEntry;
use crate::config::secret::ProcessSecrets;
use crate::config::settings::Config;
use crate::hook::webhook::Webhook;
use crate::llm::provider::HttpProvider;
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

    /// Does the same for a process that a launcher started under this number.
    ///
    /// # Errors
    /// The same as of [`RunningFleet::start`].
    pub async fn start_as(config: &Config, mut manifest: LoadedManifest, launch: Option<i64>) -> anyhow::Result<Self> {
        let connections = config.connections(&ProcessSecrets)?;
        let telegram = TelegramClient::new(&config.telegram)?;
        let dates = TelegramDates::default();
        telegram.tell_dates(Arc::new(dates.clone()));
        let credentials = Arc::new(Credentials::of(&manifest));
        let secret = config.alert_secret(&ProcessSecrets).map_err(anyhow::Error::msg)?;
        let webhook = match (config.alerts.webhook_url.as_deref(), &secret) {
            (Some(url), Some(secret)) => {
                Some(Webhook::new(url, &config.alerts.private_hosts, secret).context("alerts.webhook_url")?)
            }
            _ => None,
        };
        let generator = Generator::new()?;
        let Home { store, operators, audit, requests, configuration, clock, seat, roster, tenure } =
            Home::open(config, &connections, &manifest, launch, dates).await?;
        let begun = configuration.store.configuration().await?;
        put_in_force(&begun, &mut manifest, &configuration.folder);
        let providers = providers(std::mem::take(&mut manifest.providers))?;
        let models: Providers = providers.iter().map(|setup| (setup.name.clone(), Arc::clone(&setup.llm))).collect();
        // Once the store is open, no other process makes the key meanwhile.
        let audit_key = audit_key(config, &ProcessSecrets)?;
        let audit = Arc::new(Audit::new(audit, audit_key, Arc::clone(&clock), seat.name.as_str()));
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
        let chat = operators_chat(config, &node, &telegram, &credentials);
        let (actor, ended) = FleetActor::spawn(None, FleetActor, args).await?;
        let watched = Watched {
            telegram,
            providers: models.clone(),
            folder: (!config.many_nodes()).then(|| folder_of(&config.store.path)),
            redis: config.many_nodes() && config.redis.url.is_some(),
        };
        let health = Arc::new(HealthWatch::new(Arc::clone(&node), actor.clone(), watched));
        let events = Arc::new(EventHub::default());
        let mut tasks = JoinSet::new();
        let (stored, watch) = (Arc::clone(&configuration), Arc::clone(&health));
        tasks.spawn(Follower::new(Arc::clone(&node), actor.clone(), stored, watch, &begun, models).run());
        tasks.spawn(events::run(Arc::clone(&node), Arc::clone(&events)));
        tasks.spawn(recorder::add_up());
        tasks.spawn(accounts::tidy(Arc::clone(&operators), Arc::clone(&requests), Arc::clone(&node.clock)));
        tasks.spawn(Arc::clone(&audit).keep());
        let (alerts, teller) = Alerts::new(&node.name, Arc::clone(&node.clock), config.alerts.every, webhook, chat);
        let told = config.alerts.is_on();
        tasks.spawn(teller.run());
        tasks.spawn(Arc::clone(&health).run(move |health| {
            if told {
                alerts.heard(health);
            }
        }));
        let (unready, stopping, since) = (AtomicBool::new(false), AtomicBool::new(false), Instant::now());
        let (role, ownership) = (config.cluster.role, config.cluster.ownership());
        let fleet = Self {
            node,
            actor,
            webhooks,
            tokens_looked_up: std::sync::Mutex::default(),
            credentials,
            events,
            audit,
            configuration,
            role,
            ownership,
            unready,
            stopping,
            ended,
            health,
            tenure,
            accounts: Accounts { store: operators, key_file: config.key_file(), requests },
            since,
            _tasks: tasks,
        };
        fleet.node.announce(EventKind::NodeJoined, fleet.node.name.as_str());
        Ok(fleet)
    }
}

/// Returns the folder in which a file lies.
fn folder_of(path: &Path) -> PathBuf {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// Returns the chat of operators, and the bot that writes there.
fn operators_chat(
    config: &Config,
    node: &Node,
    telegram: &TelegramClient,
    credentials: &Credentials,
) -> Option<(Arc<dyn BotApi>, TelegramChatId)> {
    let (chat, name) = config.alerts.chat.zip(config.alerts.bot.as_deref())?;
    let known = node.directory.known();
    let bot = known.bots.values().find(|bot| bot.spec.name == name);
    let api = bot.map_or_else(|| Err("no such bot".to_owned()), |bot| credentials.api(telegram, bot));
    let told = |reason: String| {
        tracing::error!(bot.name = name, reason, "no bot for the chat of operators: alerts do not go there");
    };
    let _ = node.operators.set(TelegramChatId(chat));
    Some((api.map_err(told).ok()?, TelegramChatId(chat)))
}

fn apis(telegram: &TelegramClient, credentials: &Arc<Credentials>) -> ApiFactory {
    let (telegram, credentials) = (telegram.clone(), Arc::clone(credentials));
    Arc::new(move |bot: &BotProfile| credentials.api(&telegram, bot))
}

/// Builds the adapters of providers; one that has no key on this node is told of and left out.
fn providers(entries: Vec<ProviderEntry>) -> anyhow::Result<Vec<ProviderSetup>> {
    let mut setups = Vec::with_capacity(entries.len());
    for entry in entries {
        if entry.lacks_keys() {
            tracing::error!(provider = entry.name, "no key for a provider, this node does not ask it");
        } else {
            setups.push(provider(entry)?);
        }
    }
    Ok(setups)
}

/// Builds a provider's adapter.
///
/// # Errors
/// When no key of the provider is found here, or its address is none.
pub(super) fn provider(entry: ProviderEntry) -> anyhow::Result<ProviderSetup> {
    if entry.lacks_keys() {
        anyhow::bail!("this node finds none of its keys");
    }
    let settings = LlmProviderSettings {
        kind: entry.kind,
        base_url: entry.base_url,
        api_keys: entry.api_keys,
        stream: entry.stream,
        roles: entry.roles,
        omit: entry.omit,
        connect_timeout: entry.connect_timeout,
        first_token_timeout: entry.first_token_timeout,
        timeout: entry.settings.timeout,
    };
    let llm: Arc<dyn LlmProvider> = Arc::new(HttpProvider::new(&entry.name, &settings)?);
    Ok(ProviderSetup { name: entry.name, llm, settings: entry.settings })
}
