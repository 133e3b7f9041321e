//! Sets up the demo: the simulated world and the product on top of it, both in this process, over loopback HTTP.
//! Layer `cli`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use botfleet_actors::behaviour::notices::disclosure;
use botfleet_actors::domain::control::StopScope;
use botfleet_world::api::Api;
use botfleet_world::checker::report::Report;
use botfleet_world::checker::{check, fetch_outcomes};
use botfleet_world::people::{PeopleScript, PeopleSpec, drive};
use botfleet_world::provider::spec::{Latency, ProviderSpec};
use botfleet_world::simulation::{Simulation, SimulationSpec};
use botfleet_world::world::event::{Post, WorldEvent};
use botfleet_world::world::spec::{PersonSpec, WorldSpec};
use futures::future::join_all;
use tokio::sync::broadcast;

use super::DemoArgs;
use super::story::Story;
use crate::cli::transport::limits;
use crate::config::manifest::Manifest;
use crate::config::secret::GivenSecrets;
use crate::config::settings::Config;
use crate::http::closing::Server;
use crate::http::edge::Edge;
use crate::http::port::BoundPort;
use crate::http::socket::LocalSocket;
use crate::http::transport::Transport;
use crate::operate::operations::Operations;
use crate::runtime::fleet::RunningFleet;
use crate::runtime::recorder;

/// Calls at a time to a model of one's own: servers at home work on few at once, and what waits there grows old.
const OWN_MODEL_CALLS: usize = 2;

/// The demo's manifest; the provider's address and the tokens are filled in.
const MANIFEST: &str = include_str!("../../../config/demo.toml");

/// The provider's address as it stands in the manifest: the world of docker-compose.yml.
const MANIFEST_PROVIDER: &str = "http://world:8082/v1";

/// Telegram id of the person at the keyboard.
const YOU: i64 = 510_000_999;

/// Median time for which the simulated model thinks.
const LLM_MEDIAN: Duration = Duration::from_millis(500);

/// The opening message of each chat.
const OPENERS: [&str; 3] = [
    "Günaydın herkese! Çay demlendi, bugün kim ne yapıyor?",
    "Morning all! Tea or coffee, and why?",
    "Günaydın, good morning! Who is on the 8.15 ferry today?",
];

/// Wait before each opening message.
const BETWEEN_OPENERS: Duration = Duration::from_millis(200);

/// Time within which all bots must poll; otherwise the demo fails and says so.
const POLLING_DEADLINE: Duration = Duration::from_secs(10);

/// The running world and product.
pub(super) struct Stage {
    simulation: Simulation,
    fleet: Arc<RunningFleet>,
    servers: Vec<Server>,
    address: String,
    api: Api,
    socket: PathBuf,
    /// Texts by which the fleet tells a chat that its bots are AI.
    notices: Vec<String>,
    /// Folder of the database without `--data`; removed with the stage, however it ends.
    _temporary: Option<TemporaryFolder>,
}

/// A folder that is removed when it is dropped.
struct TemporaryFolder(PathBuf);

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Stage {
    pub(super) async fn start(args: &DemoArgs) -> anyhow::Result<Self> {
        let mut world = WorldSpec::demo(args.seed);
        world.people.push(PersonSpec {
            id: YOU,
            first_name: "You".to_owned(),
            username: Some("you".to_owned()),
            language_code: "en".to_owned(),
        });
        for chat in &mut world.chats {
            chat.people.push(YOU);
        }
        let tokens =
            world.bots.iter().map(|bot| (format!("DEMO_TOKEN_{}", bot.first_name.to_uppercase()), bot.token.clone()));
        let tokens: BTreeMap<String, String> = tokens.collect();
        let mut spec = SimulationSpec::of(world);
        spec.provider = ProviderSpec {
            seed: args.seed,
            latency: Latency { median: LLM_MEDIAN, sigma: 0.4 },
            ..ProviderSpec::default()
        };
        let simulation = Simulation::start(spec).await.context("the simulated world cannot start")?;

        let temporary = std::env::temp_dir().join(format!("botfleet-demo-{}", std::process::id()));
        let folder = args.data.clone().unwrap_or_else(|| temporary.clone());
        let temporary = args.data.is_none().then_some(TemporaryFolder(temporary));
        let mut config = Config::default();
        config.store.path = folder.join("botfleet.sqlite");
        config.telegram.api_url = simulation.base_url();
        config.server.listen.set_port(0);

        let base_url = args.llm_base_url.clone().unwrap_or_else(|| format!("{}/v1", simulation.base_url()));
        let model = args.llm_model.as_deref().unwrap_or("small-talk");
        let mut text = MANIFEST
            .replace(MANIFEST_PROVIDER, &base_url)
            .replace("model = \"small-talk\"", &format!("model = {model:?}"));
        if args.llm_base_url.is_some() {
            text = text.replace("concurrency = 32", &format!("concurrency = {OWN_MODEL_CALLS}"));
        }
        let manifest = Manifest::read(&text, "config/demo.toml", &GivenSecrets(tokens))?;
        let notices = manifest.plan.chats.iter().filter_map(disclosure).collect();
        let metrics = recorder::install()?;
        let port = BoundPort::bind(config.server.listen).await?;
        let address = format!("http://{}", port.address()?);
        let fleet = Arc::new(RunningFleet::start(&config, manifest).await?);
        // The fleet has made the folder.
        let socket = std::path::absolute(config.store.path.with_extension("sock"))?;
        let bound = LocalSocket::bind(&socket).await?;
        let api = Api::new(&socket)?;
        let edge = Edge::new(Operations::new(Arc::clone(&fleet)), metrics, limits(&config.server.limits));
        let servers = vec![
            port.serve(Arc::clone(&fleet), edge.clone(), &config.server.hosts, Transport::default()),
            bound.serve(Arc::clone(&fleet), edge),
        ];
        if !fleet.wait_until_polling(POLLING_DEADLINE).await {
            bail!("only {} of {} bots poll; see {address}/health", fleet.polling().await, fleet.bots());
        }
        Ok(Self { simulation, fleet, servers, address, api, socket, notices, _temporary: temporary })
    }

    pub(super) fn world_spec(&self) -> &WorldSpec {
        self.simulation.world.spec()
    }

    /// Returns the address of the port, where nobody is signed in.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Returns the path of the local socket, through which the API is served.
    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    pub(super) fn notices(&self) -> Vec<String> {
        self.notices.clone()
    }

    pub(super) fn events(&self) -> broadcast::Receiver<WorldEvent> {
        self.simulation.world.subscribe()
    }

    /// Returns the reason why nobody can speak for want of a model, once all providers were asked or `within` has
    /// passed.
    pub(super) async fn mute(&self, within: Duration) -> Option<String> {
        self.fleet.mute(within).await
    }

    pub(super) fn llm_calls(&self) -> u64 {
        self.simulation.provider.call_count() as u64
    }

    /// Lets the simulated people write, until dropped.
    pub(super) async fn people_write(&self, seed: u64, rate: f64) {
        let mut spec = PeopleSpec { messages_per_minute_per_chat: rate, ..PeopleSpec::of_world(self.world_spec()) };
        for chat in &mut spec.chats {
            chat.people.retain(|person| person.id != YOU);
            if chat.chat == self.world_spec().chats.last().map_or(0, |last| last.id) {
                "both".clone_into(&mut chat.language_code);
            }
        }
        // Each chat hears a person at once, so that nobody has to wait for the first message.
        for (chat, opener) in spec.chats.iter().zip(OPENERS) {
            tokio::time::sleep(BETWEEN_OPENERS).await;
            let Some(person) = chat.people.first() else {
                continue;
            };
            if let Err(error) = self.simulation.world.post(chat.chat, person.id, Post::text(opener)) {
                tracing::warn!(error = %error, "an opening message was not posted");
            }
        }
        drive(&self.simulation.world, PeopleScript::new(seed, spec), std::future::pending()).await;
        std::future::pending::<()>().await;
    }

    /// Posts what the person at the keyboard wrote.
    pub(super) fn say(&self, chat: i64, text: &str) -> anyhow::Result<()> {
        self.simulation.world.post(chat, YOU, Post::text(text))?;
        Ok(())
    }

    /// Waits until everything has come to rest, checks the ledger against the product's outcomes, and stops the fleet.
    pub(super) async fn finish(self, deadline: Duration, story: &mut Story) -> anyhow::Result<Report> {
        let mut events = self.events();
        self.fleet.set_stop(StopScope::Fleet, true, "demo", None).await?;
        let until = Instant::now() + deadline;
        loop {
            let quiet =
                self.simulation.world.wait_until_quiet(Duration::from_millis(400), Duration::from_secs(2)).await;
            let queues = self.fleet.view().await?.queues;
            if (quiet && queues.inbox + queues.turns + queues.outbox == 0) || Instant::now() >= until {
                break;
            }
        }
        while let Ok(event) = events.try_recv() {
            story.note(&event);
        }
        story.mute(self.fleet.mute(Duration::ZERO).await);
        let outcomes = fetch_outcomes(&self.api).await?;
        let calls = self.simulation.provider.ledger();
        let asked = self.fleet.view().await?.providers.iter().map(|provider| provider.calls).sum();
        story.llm(asked, &calls);
        let report = check(&self.simulation.world.ledger().snapshot(), &calls, &outcomes);
        self.fleet.stop(Duration::from_secs(5)).await;
        join_all(self.servers.into_iter().map(|server| server.close(Duration::ZERO))).await;
        self.simulation.stop().await;
        Ok(report)
    }
}
