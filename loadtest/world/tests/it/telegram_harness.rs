//! Provides a small world behind a real listener, and a client of its Bot API.

use std::sync::Arc;
use std::time::Duration;

use botfleet_world::ledger::{LedgerEvent, LedgerRecord};
use botfleet_world::people::http;
use botfleet_world::simulation::{Simulation, SimulationSpec};
use botfleet_world::world::World;
use botfleet_world::world::spec::{BotSpec, ChatKind, ChatSpec, PersonSpec, WorldSpec};
use serde_json::{Value, json};

/// Bots: `OPEN` hears everything, `PRIVATE` has privacy mode on, `ADMIN` is an administrator with privacy mode on.
pub(crate) const OPEN: i64 = 101;
pub(crate) const PRIVATE: i64 = 102;
pub(crate) const ADMIN: i64 = 103;
/// People: `OWNER` created the chats, `GUEST` did not.
pub(crate) const OWNER: i64 = 501;
pub(crate) const GUEST: i64 = 502;
pub(crate) const GROUP: i64 = -1_001_000_000_001;
pub(crate) const FORUM: i64 = -1_001_000_000_002;
pub(crate) const BASIC: i64 = -4_001;

/// The longest that a step of a test may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

pub(crate) fn token(bot: i64) -> String {
    format!("{bot}:{}", "A".repeat(35))
}

pub(crate) fn spec() -> WorldSpec {
    let bot = |id: i64, name: &str, can_read_all_group_messages: bool| BotSpec {
        id,
        token: token(id),
        username: format!("{}_bot", name.to_lowercase()),
        first_name: name.to_owned(),
        can_read_all_group_messages,
        bot_to_bot: false,
    };
    let person = |id: i64, name: &str| PersonSpec {
        id,
        first_name: name.to_owned(),
        username: Some(format!("{}_p", name.to_lowercase())),
        language_code: "tr".to_owned(),
    };
    let chat = |id: i64, title: &str, kind: ChatKind| ChatSpec {
        id,
        title: title.to_owned(),
        kind,
        language_code: "tr".to_owned(),
        bots: vec![OPEN, PRIVATE, ADMIN],
        people: vec![OWNER, GUEST],
        admins: vec![OWNER, ADMIN],
    };
    WorldSpec {
        seed: 11,
        bots: vec![bot(OPEN, "Open", true), bot(PRIVATE, "Private", false), bot(ADMIN, "Admin", false)],
        people: vec![person(OWNER, "Owner"), person(GUEST, "Guest")],
        chats: vec![
            chat(GROUP, "Group", ChatKind::Supergroup),
            chat(FORUM, "Forum", ChatKind::Forum),
            chat(BASIC, "Basic", ChatKind::Basic),
        ],
        ..WorldSpec::default()
    }
}

/// A running simulation and a client.
pub(crate) struct Sim {
    simulation: Simulation,
    pub(crate) client: reqwest::Client,
}

impl Sim {
    pub(crate) async fn start() -> Self {
        Self::of(spec()).await
    }

    pub(crate) async fn of(spec: WorldSpec) -> Self {
        Self { simulation: Simulation::start(SimulationSpec::of(spec)).await.unwrap(), client: http::client().unwrap() }
    }

    pub(crate) fn world(&self) -> &Arc<World> {
        &self.simulation.world
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.simulation.base_url())
    }

    pub(crate) fn method(&self, bot: i64, method: &str) -> String {
        self.url(&format!("/bot{}/{method}", token(bot)))
    }

    /// Calls a method with JSON and returns the HTTP status and the body.
    pub(crate) async fn call(&self, bot: i64, method: &str, params: Value) -> (u16, Value) {
        let request = self.client.post(self.method(bot, method)).json(&params);
        let answer = request.timeout(DEADLINE).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap())
    }

    /// Calls a method that must succeed and returns its result.
    pub(crate) async fn ok(&self, bot: i64, method: &str, params: Value) -> Value {
        let (status, mut body) = self.call(bot, method, params).await;
        assert_eq!((status, &body["ok"]), (200, &json!(true)), "{body}");
        body["result"].take()
    }

    /// Calls a method that must be refused, and checks the whole refusal.
    pub(crate) async fn refused(&self, bot: i64, method: &str, params: Value, code: u16, why: &str) {
        let (status, body) = self.call(bot, method, params).await;
        let expected = json!({"ok": false, "error_code": code, "description": why});
        assert_eq!((status, body), (code, expected));
    }

    /// Returns every update queued for a bot, without waiting and without confirming.
    pub(crate) async fn pending(&self, bot: i64) -> Vec<Value> {
        let updates = self.ok(bot, "getUpdates", json!({"offset": 0})).await;
        updates.as_array().unwrap().clone()
    }

    /// Returns the texts queued for a bot.
    pub(crate) async fn texts(&self, bot: i64) -> Vec<String> {
        let updates = self.pending(bot).await;
        let text = |update: &Value| update["message"]["text"].as_str().map(str::to_owned);
        updates.iter().filter_map(text).collect()
    }

    #[allow(clippy::needless_pass_by_value, reason = "callers write the parameters in place, as for every other call")]
    /// Sends a `getUpdates` request in a task of its own.
    pub(crate) fn long_poll(&self, bot: i64, params: Value) -> tokio::task::JoinHandle<(u16, Value)> {
        let request = self.client.post(self.method(bot, "getUpdates")).json(&params);
        tokio::spawn(async move {
            let answer = request.timeout(DEADLINE).send().await.unwrap();
            (answer.status().as_u16(), answer.json().await.unwrap())
        })
    }

    pub(crate) fn ledger(&self) -> Vec<LedgerRecord> {
        self.world().ledger().snapshot()
    }

    pub(crate) fn count(&self, wanted: impl Fn(&LedgerEvent) -> bool) -> usize {
        self.ledger().iter().filter(|record| wanted(&record.event)).count()
    }

    /// Waits until the ledger holds `count` events that `wanted` accepts.
    pub(crate) async fn until(&self, count: usize, wanted: impl Fn(&LedgerEvent) -> bool) {
        let held = self.world().ledger().wait_for(count, DEADLINE, wanted).await;
        assert!(held, "the ledger never held it");
    }

    pub(crate) async fn stop(self) {
        self.simulation.stop().await;
    }
}
