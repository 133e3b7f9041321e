//! Lets providers and budgets follow the configuration while the node runs. Layer `runtime`. Keeps I10, I12.
//!
//! The node hears of another number with its bots and chats, by a hint or within half a second without one. This task looks
//! at the number that the node knows, and reads the configuration when the number is another one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use botfleet_actors::actors::fleet::messages::FleetMsg;
use botfleet_actors::actors::fleet::setup::ProviderSetup;
use botfleet_actors::actors::node::Node;
use botfleet_actors::domain::configuration::{Configuration, Keys, ResourceId, ResourceKind};
use botfleet_actors::ports::llm::LlmProvider;
use ractor::ActorRef;

use super::commit::Stored;
use super::start::keys_of;
use crate::config::manifest::LoadedManifest;
use crate::config::manifest::declared;
use crate::runtime::health::HealthWatch;
use crate::runtime::secrets::providers::KeyedProviders;
use crate::runtime::starting::keyed_provider;

/// Interval of looks at the number that the node knows.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The keys of a provider, and whether its address is guarded.
type Described = (Keys, bool);

/// Follows the configuration of one node.
pub(in crate::runtime) struct Follower {
    node: Arc<Node>,
    fleet: ActorRef<FleetMsg>,
    stored: Arc<Stored>,
    health: Arc<HealthWatch>,
    /// The providers whose keys may be given.
    keyed: Arc<KeyedProviders>,
    /// The keys of the providers in force, and of the budgets with what they name.
    providers: BTreeMap<String, Described>,
    budgets: BTreeMap<ResourceId, Keys>,
    adapters: BTreeMap<String, Arc<dyn LlmProvider>>,
}

impl Follower {
    /// Begins with the configuration that the node started with.
    pub(in crate::runtime) fn new(
        node: Arc<Node>,
        fleet: ActorRef<FleetMsg>,
        stored: Arc<Stored>,
        health: Arc<HealthWatch>,
        keyed: Arc<KeyedProviders>,
        configuration: &Configuration,
        adapters: impl IntoIterator<Item = (String, Arc<dyn LlmProvider>)>,
    ) -> Self {
        let adapters: BTreeMap<_, _> = adapters.into_iter().collect();
        let mut providers = providers_of(configuration);
        // A provider that could not be set up, or has no key here, is tried again with the next change.
        providers.retain(|name, _| adapters.contains_key(name) && !keyed.lacks_key(name));
        let budgets = budgets_of(configuration);
        Self { node, fleet, stored, health, keyed, providers, budgets, adapters }
    }

    /// Follows for ever.
    pub(in crate::runtime) async fn run(mut self) {
        // The configuration may have changed since the node read it.
        let mut seen = None;
        let mut every = tokio::time::interval(LOOK_EVERY);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            let known = self.node.directory.known().config_seq;
            if seen == Some(known) {
                continue;
            }
            match self.stored.store.configuration().await {
                Ok(configuration) => {
                    self.follow(&configuration);
                    seen = Some(known);
                }
                Err(error) => tracing::debug!(%error, "the configuration cannot be read now"),
            }
        }
    }

    fn follow(&mut self, configuration: &Configuration) {
        // A configuration without origin is the manifest's, which this node has.
        if configuration.resources.is_empty() {
            return;
        }
        let (providers, budgets) = (providers_of(configuration), budgets_of(configuration));
        if providers == self.providers && budgets == self.budgets {
            return;
        }
        let read = match declared::read(configuration, &self.stored.folder, &self.stored.sources) {
            Ok(read) => read.manifest,
            Err(faults) => {
                tracing::error!(%faults, "the stored configuration has faults; providers and budgets stay as they are");
                return;
            }
        };
        if budgets != self.budgets {
            self.node.set_budgets(&read.budgets);
            self.budgets = budgets;
        }
        self.put_providers(providers, read);
    }

    fn put_providers(&mut self, providers: BTreeMap<String, Described>, read: LoadedManifest) {
        let gone: Vec<String> = self.adapters.keys().filter(|name| !providers.contains_key(*name)).cloned().collect();
        let mut setups: Vec<ProviderSetup> = Vec::new();
        for entry in read.providers {
            if self.providers.get(&entry.name) == providers.get(&entry.name) {
                continue;
            }
            let name = entry.name.clone();
            match keyed_provider(&entry, &self.stored.guard) {
                Ok((setup, keyed)) => {
                    // It has the key that counts before its actor makes the first call.
                    self.keyed.put(keyed);
                    self.adapters.insert(name, Arc::clone(&setup.llm));
                    setups.push(setup);
                }
                Err(error) => {
                    tracing::error!(provider = name, error = %format!("{error:#}"), "the provider stays as it was");
                }
            }
        }
        for name in &gone {
            self.adapters.remove(name);
            self.keyed.remove(name);
        }
        let changed: Vec<&str> = setups.iter().map(|setup| setup.name.as_str()).collect();
        if !changed.is_empty() || !gone.is_empty() {
            tracing::info!(changed = changed.join(", "), gone = gone.join(", "), "other providers are in force");
            self.health
                .set_providers(self.adapters.iter().map(|(name, llm)| (name.clone(), Arc::clone(llm))).collect());
        }
        self.providers = providers;
        self.providers.retain(|name, _| !self.keyed.lacks_key(name));
        if !setups.is_empty() || !gone.is_empty() {
            let _ = self.fleet.cast(FleetMsg::ProvidersChanged(setups, gone));
        }
    }
}

fn providers_of(configuration: &Configuration) -> BTreeMap<String, Described> {
    let keys = keys_of(configuration.resources.iter().map(|(id, thing)| (id, thing.in_force())));
    let guarded = |name: &str| {
        let thing = configuration.resources.get(&ResourceId::new(ResourceKind::Provider, name));
        thing.is_some_and(|thing| thing.guarded_address().is_some())
    };
    keys.into_iter().map(|(name, keys)| (name.clone(), (keys, guarded(&name)))).collect()
}

fn budgets_of(configuration: &Configuration) -> BTreeMap<ResourceId, Keys> {
    let budgets = configuration.resources.iter().filter(|(id, _)| id.kind == ResourceKind::Budget);
    budgets.map(|(id, thing)| (id.clone(), thing.in_force())).collect()
}
