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
use botfleet_actors::domain::ids::{BotId, TelegramChatId};
use botfleet_actors::domain::roster::{BotProfile, Roster};
use botfleet_actors::ports::event::EventKind;
use botfleet_actors::ports::llm::LlmProvider;
use botfleet_actors::ports::telegram::BotApi;
use ractor::Actor;
use secrecy::SecretString;
use tokio::task::JoinSet;

use super::accounts::{self, Accounts};
use super::alerts::Alerts;
use super::audit::Audit;
use super::audit_key::audit_key;
use super::clock::TelegramDates;
use super::configuration::live::Follower;
use super::configuration::start::put_in_force;
use super::credentials::Credentials;
use super::events;
use super::fleet::RunningFleet;
use super::health::{HealthWatch, Providers, Watched};
use super::home::Home;
use super::recorder;
use super::secrets::book::SealedSecrets;
use super::secrets::keeper::Keeper as SecretKeeper;
use super::secrets::providers::{KeyedProvider, KeyedProviders};
use super::stream::hub::EventHub;
use super::stream::keeper::Keeper;
use super::vault::SecretSources;
use super::webhooks::webhooks;
use crate::config::manifest::LoadedManifest;
use crate::config::manifest::entry::ProviderEntry;
use crate::config::secret::ProcessSecrets;
use crate::config::settings::Config;
use crate::hook::webhook::Webhook;
use crate::llm::provider::HttpProvider;
use crate::llm::settings::LlmProviderSettings;
use crate::outbound::guard::Guard;
use crate::outbound::origin::Origin;
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
    #[allow(clippy::too_many_lines, reason = "it starts the parts one after the other")]
    pub async fn start_as(config: &Config, mut manifest: LoadedManifest, launch: Option<i64>) -> anyhow::Result<Self> {
        let connections = config.connections(&ProcessSecrets)?;
        let telegram = TelegramClient::new(&config.telegram)?;
        let dates = TelegramDates::default();
        telegram.tell_dates(Arc::new(dates.clone()));
        let webhook = alert_webhook(config)?;
        let generator = Generator::new()?;
        let sources = SecretSources::of(config).map_err(anyhow::Error::msg)?;
        note_values(&sources, &manifest);
        let home = Home::open(config, &connections, (&manifest, &sources), launch, dates).await?;
        let Home { store, operators, audit, requests, rates, secrets, configuration, clock, seat, roster, tenure } =
            home;
        let secrets = SealedSecrets::open(config, secrets, operators.as_ref(), Arc::clone(&clock), &seat.name);
        let secrets = Arc::new(secrets.await?);
        let credentials = Arc::new(Credentials::of(&manifest, Arc::clone(&secrets), sources.clone()));
        let begun = configuration.store.configuration().await?;
        put_in_force(&begun, &mut manifest, &configuration.folder, &sources);
        let keyed = Arc::new(KeyedProviders::new(Arc::clone(&secrets), sources.clone()));
        let providers = providers(&manifest.providers, &configuration.guard, &keyed)?;
        let models: Providers = providers.iter().map(|setup| (setup.name.clone(), Arc::clone(&setup.llm))).collect();
        // Once the store is open, no other process makes the key meanwhile.
        let audit_key = audit_key(config, &ProcessSecrets)?;
        let audit = Arc::new(Audit::new(audit, audit_key, Arc::clone(&clock), seat.name.as_str()));
        tell_missing(&credentials, &roster);
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
        let beside = chat.as_ref().map(|(bot, api, _)| (*bot, Arc::clone(api)));
        let chat = chat.map(|(_, api, chat)| (api, chat));
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
        let follower =
            Follower::new(Arc::clone(&node), actor.clone(), stored, watch, Arc::clone(&keyed), &begun, models);
        tasks.spawn(follower.run());
        tasks.spawn(events::run(Arc::clone(&node), Arc::clone(&events)));
        let keeper = Keeper {
            node: Arc::clone(&node),
            hub: Arc::clone(&events),
            audit: Arc::clone(&audit),
            health: Arc::clone(&health),
            rights: Arc::default(),
        };
        tasks.spawn(keeper.keep());
        tasks.spawn(recorder::add_up());
        tasks.spawn(accounts::tidy(Arc::clone(&operators), Arc::clone(&requests), Arc::clone(&node.clock)));
        tasks.spawn(Arc::clone(&audit).keep());
        let keeper = SecretKeeper {
            secrets: Arc::clone(&secrets),
            credentials: Arc::clone(&credentials),
            node: Arc::clone(&node),
            fleet: actor.clone(),
            webhooks: Arc::clone(&webhooks),
            providers: Arc::clone(&keyed),
            vault: sources.vault,
            vault_every: config.secrets.vault.every,
            beside,
        };
        tasks.spawn(keeper.run());
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
            secrets,
            keyed,
            guard: Arc::clone(&configuration.guard),
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
            accounts: Accounts { store: operators, key_file: config.key_file(), requests, rates },
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
    credentials: &Arc<Credentials>,
) -> Option<(BotId, Arc<dyn BotApi>, TelegramChatId)> {
    let (chat, name) = config.alerts.chat.zip(config.alerts.bot.as_deref())?;
    let known = node.directory.known();
    let bot = known.bots.values().find(|bot| bot.spec.name == name);
    let _ = node.operators.set(TelegramChatId(chat));
    let told = |reason: &str| {
        tracing::error!(bot.name = name, reason, "no bot for the chat of operators: alerts do not go there");
    };
    let Some(bot) = bot else {
        told("no such bot");
        return None;
    };
    let api = credentials.api(telegram, bot).map_err(|none| told(&none.why)).ok()?;
    Some((bot.id, api, TelegramChatId(chat)))
}

fn apis(telegram: &TelegramClient, credentials: &Arc<Credentials>) -> ApiFactory {
    let (telegram, credentials) = (telegram.clone(), Arc::clone(credentials));
    Arc::new(move |bot: &BotProfile| credentials.api(&telegram, bot))
}

/// Makes the webhook that takes alerts, where one is set.
fn alert_webhook(config: &Config) -> anyhow::Result<Option<Webhook>> {
    let secret = config.alert_secret(&ProcessSecrets).map_err(anyhow::Error::msg)?;
    let Some((url, secret)) = config.alerts.webhook_url.as_deref().zip(secret) else { return Ok(None) };
    Webhook::new(url, &config.alerts.private_hosts, &secret).context("alerts.webhook_url").map(Some)
}

/// Tells the log which bots have no token here.
fn tell_missing(credentials: &Credentials, roster: &Roster) {
    for bot in roster.bots.values() {
        if let Err(reason) = credentials.token(bot) {
            tracing::error!(bot.name = %bot.spec.name, %reason, "no token for a bot, it cannot run on this node");
        }
    }
}

/// Tells the vault's book what the manifest has read from the vault already.
fn note_values(sources: &SecretSources, manifest: &LoadedManifest) {
    let Some(vault) = &sources.vault else { return };
    for bot in &manifest.plan.bots {
        if let Some(token) = manifest.tokens.get(&bot.name) {
            vault.note(&bot.credential, token.clone());
        }
    }
    for provider in &manifest.providers {
        if let Some((reference, key)) = provider.first_reference().zip(provider.api_keys.first()) {
            vault.note(reference, key.clone());
        }
    }
}

/// Builds the adapters of providers, each with the key that counts. One that cannot be built is a fault of the manifest; one that
/// the API made is told of and left out, so that the node starts.
fn providers(
    entries: &[ProviderEntry],
    guard: &Arc<Guard>,
    keyed: &KeyedProviders,
) -> anyhow::Result<Vec<ProviderSetup>> {
    let mut setups = Vec::with_capacity(entries.len());
    for entry in entries {
        match keyed_provider(entry, guard) {
            Ok((setup, provider)) => {
                keyed.put(provider);
                setups.push(setup);
            }
            Err(error) if entry.guarded => {
                tracing::error!(provider = entry.name, error = %format!("{error:#}"), "this node does not ask a provider");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(setups)
}

/// Builds a provider's adapter, for the operator's own manifest.
pub(super) fn provider(entry: &ProviderEntry) -> anyhow::Result<ProviderSetup> {
    let llm: Arc<dyn LlmProvider> = Arc::new(adapter(entry, entry.api_keys.clone(), &Origin::Trusted)?);
    Ok(ProviderSetup { name: entry.name.clone(), llm, settings: entry.settings.clone() })
}

/// Builds the adapter of a provider whose key may be given.
///
/// # Errors
/// When the address is none, or may not be asked.
pub(super) fn keyed_provider(
    entry: &ProviderEntry,
    guard: &Arc<Guard>,
) -> anyhow::Result<(ProviderSetup, KeyedProvider)> {
    let origin = if entry.guarded { Origin::Guarded(Arc::clone(guard)) } else { Origin::Trusted };
    let first = entry.api_keys.first().cloned();
    let needs_key = entry.lacks_keys() || (first.is_none() && entry.kind.needs_key());
    let written = if needs_key { first } else { Some(first.unwrap_or_default()) };
    // A place for the key that is given later.
    let keys = if needs_key { vec![SecretString::default()] } else { entry.api_keys.clone() };
    let llm = Arc::new(adapter(entry, keys, &origin)?);
    let (name, reference) = (entry.name.clone(), entry.first_reference().map(str::to_owned));
    let keyed = KeyedProvider { name, llm: Arc::clone(&llm), written, reference };
    Ok((ProviderSetup { name: entry.name.clone(), llm, settings: entry.settings.clone() }, keyed))
}

fn adapter(entry: &ProviderEntry, api_keys: Vec<SecretString>, origin: &Origin) -> anyhow::Result<HttpProvider> {
    let settings = LlmProviderSettings {
        kind: entry.kind,
        base_url: entry.base_url.clone(),
        api_keys,
        stream: entry.stream,
        roles: entry.roles,
        omit: entry.omit.clone(),
        connect_timeout: entry.connect_timeout,
        first_token_timeout: entry.first_token_timeout,
        timeout: entry.settings.timeout,
    };
    Ok(HttpProvider::new(&entry.name, &settings, origin)?)
}
