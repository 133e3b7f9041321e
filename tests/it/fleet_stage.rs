//! Runs the real program as a process of its own, on the simulated world over HTTP.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::time::{Duration, Instant};

use botfleet_loadtest::harness::files::{ChatPolicy, ProductFiles, ProductOptions, Synchronous};
use botfleet_loadtest::harness::product::Product;
use botfleet_world::checker::fetch_outcomes;
use botfleet_world::checker::outcome::OutcomeLine;
use botfleet_world::ledger::LedgerEvent;
use botfleet_world::people::http;
use botfleet_world::provider::spec::{Latency, ProviderSpec};
use botfleet_world::simulation::{Simulation, SimulationSpec};
use botfleet_world::world::event::Post;
use botfleet_world::world::spec::WorldSpec;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use tempfile::TempDir;

/// Time within which anything that is waited for must happen.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// The key that the simulated provider asks for.
pub(crate) const PROVIDER_KEY: &str = "sk-simulated";

/// Returns the path of the program.
pub(crate) fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_botfleet"))
}

/// The running world and program.
pub(crate) struct FleetStage {
    pub(crate) simulation: Simulation,
    pub(crate) product: Product,
    /// Calls the program's port, where nobody is signed in.
    pub(crate) http: reqwest::Client,
    pub(crate) directory: TempDir,
}

/// Returns options of a quick program, in which every bot answers every person.
pub(crate) fn options() -> ProductOptions {
    // Answers are counted, and the simulated model now and then says the same twice.
    let defaults = toml::toml! { novelty = { enabled = false } };
    ProductOptions { synchronous: Synchronous::Off, poll_timeout_s: 5, defaults, ..ProductOptions::default() }
}

impl FleetStage {
    /// Starts a world of so many bots in so many chats, and the program on it.
    pub(crate) async fn start(bots: usize, chats: usize, options: ProductOptions) -> Self {
        let stage = Self::raise(bots, chats, options, Duration::from_millis(20)).await;
        stage.until_polling().await;
        stage
    }

    /// Does the same with a model that takes so long, and without waiting for the bots to poll. Telegram repeats an
    /// update that a webhook did not take a hundred times as fast.
    pub(crate) async fn raise(bots: usize, chats: usize, options: ProductOptions, median: Duration) -> Self {
        let mut spec = SimulationSpec::of(WorldSpec::fleet(7, bots, chats));
        spec.world.webhooks.time_scale = 0.01;
        let latency = Latency { median, sigma: 0.0 };
        spec.provider = ProviderSpec { latency, api_key: Some(PROVIDER_KEY.to_owned()), ..ProviderSpec::default() };
        let simulation = Simulation::start(spec).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let (world, url) = (simulation.world.spec(), simulation.base_url());
        let files = ProductFiles::write(&directory.path().join("fleet"), world, &url, &options).unwrap();
        let product = Product::start(binary(), files).await.unwrap();
        Self { simulation, product, http: http::client().unwrap(), directory }
    }

    /// Does the same with one bot in one chat.
    pub(crate) async fn small() -> Self {
        Self::start(1, 1, options()).await
    }

    /// Waits until all bots poll.
    pub(crate) async fn until_polling(&self) {
        let bots = self.simulation.world.spec().bots.len();
        assert!(self.simulation.world.wait_until_polling(bots, DEADLINE).await, "not all bots poll");
    }

    /// Returns the address of the program's port with a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.product.base_url().unwrap())
    }

    /// Gets a path through the local socket.
    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    /// Prepares a request through the local socket.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.product.api().request(method, path)
    }

    /// Gets a path through the local socket that answers with JSON.
    pub(crate) async fn json(&self, path: &str) -> Value {
        self.get(path).await.json().await.unwrap()
    }

    /// Posts JSON through the local socket.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> reqwest::Response {
        self.request(Method::POST, path).json(body).send().await.unwrap()
    }

    /// Lets a person write into the chat at that place.
    pub(crate) fn say(&self, chat: usize, text: &str) {
        let chat = &self.simulation.world.spec().chats[chat];
        self.simulation.world.post(chat.id, chat.people[0], Post::text(text)).unwrap();
    }

    /// Waits until so many messages of bots are in the chats, over all time.
    pub(crate) async fn until_sent(&self, messages: usize) {
        let accepted = |event: &LedgerEvent| matches!(event, LedgerEvent::SendAccepted { .. });
        let ledger = self.simulation.world.ledger();
        let sent = ledger.wait_for(messages, DEADLINE, accepted).await;
        if !sent {
            let outcomes = fetch_outcomes(self.product.api()).await;
            panic!("{messages} messages were not sent: {outcomes:#?}\n{}", self.product.log_tail());
        }
    }

    /// Waits until the model was asked so often.
    pub(crate) async fn until_asked(&self, calls: usize) {
        let until = Instant::now() + DEADLINE;
        while self.simulation.provider.call_count() < calls {
            assert!(Instant::now() < until, "the model was not asked");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Returns the number of messages of bots that reached Telegram, over all time.
    pub(crate) fn sends(&self) -> usize {
        let records = self.simulation.world.ledger().snapshot();
        records.iter().filter(|record| matches!(record.event, LedgerEvent::SendReceived { .. })).count()
    }

    /// Waits until nothing waits anywhere; returns the program's account.
    pub(crate) async fn settle(&self) -> Vec<OutcomeLine> {
        let until = Instant::now() + DEADLINE;
        loop {
            let quiet = self.simulation.world.wait_until_quiet(Duration::from_millis(300), DEADLINE).await;
            let queues = &self.json("/api/v1/fleet").await["queues"];
            let waiting: u64 = ["inbox", "turns", "outbox"].iter().map(|queue| queues[queue].as_u64().unwrap()).sum();
            if quiet && waiting == 0 {
                return fetch_outcomes(self.product.api()).await.unwrap();
            }
            assert!(Instant::now() < until, "never comes to rest: {queues}");
        }
    }

    /// Waits until the answer of a path fulfils `condition`; returns the answer.
    pub(crate) async fn until_json(&self, path: &str, condition: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + DEADLINE;
        loop {
            let answer = self.json(path).await;
            if condition(&answer) {
                return answer;
            }
            assert!(Instant::now() < until, "{path} stays at {answer}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Returns options of a fleet that talks as people would.
pub(crate) fn natural() -> ProductOptions {
    ProductOptions { policy: ChatPolicy::Natural, ..options() }
}
