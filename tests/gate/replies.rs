//! Measures a person's message through a whole node on SQLite: update, decision, completion, guards, send, settlement.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use botfleet::store::settings::StoreSettings;
use botfleet::store::sqlite::SqliteStore;
use botfleet::telegram::decode::TelegramDecoder;
use botfleet_actors::actors::bot::settings::BotSettings;
use botfleet_actors::domain::ids::UpdateId;
use botfleet_actors::domain::roster::{ChatPolicy, RosterPlan};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::clock::Clock;
use botfleet_actors::ports::store::Store;
use botfleet_actors::ports::telegram::{ReceivedUpdate, UpdateDecoder};
use botfleet_actors::testkit::journal::Happening;
use botfleet_actors::testkit::rows::{at, plan};
use botfleet_actors::testkit::scripted_llm::Thought;
use botfleet_actors::testkit::solo::Solo;

use super::words::sentence;

/// Time between two messages of people.
const APART: Duration = Duration::from_secs(30);
/// Telegram's id of the first chat of a plan.
const CHAT: i64 = -2001;
/// Telegram's id of the bot before the first one of a plan.
const BOTS_FROM: i64 = 1000;

/// A clock that is moved by hand, in milliseconds after the start.
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        at(0) + self.boot_time()
    }

    fn boot_time(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed).unsigned_abs())
    }
}

/// Measures one bot that answers each message; no guard, no limit.
pub(super) async fn every(units: u64) {
    let mut plan = plan(1, 1);
    for chat in &mut plan.chats {
        chat.policy = ChatPolicy::Every;
        chat.novelty.enabled = false;
        chat.strategy.salutation = false;
    }
    talk(plan, units).await;
}

/// Measures three bots that hear each message; the one that is mentioned answers, through all guards.
pub(super) async fn natural(units: u64) {
    let mut plan = plan(3, 1);
    for chat in &mut plan.chats {
        chat.policy = ChatPolicy::Natural;
        chat.strategy.addressed_by_person = 1.0;
        chat.strategy.addressed_by_bot = 0.0;
        chat.strategy.joins_bot = 0.0;
        chat.strategy.follow_up = 0.0;
        chat.strategy.addressed_max = 1;
        chat.strategy.talked_about = 0.0;
        chat.strategy.reaction = 0.0;
    }
    talk(plan, units).await;
}

async fn talk(mut plan: RosterPlan, units: u64) {
    for bot in &mut plan.bots {
        bot.hourly_cap = None;
        bot.persona.active_hours = None;
    }
    for chat in &mut plan.chats {
        chat.pacing.enabled = false;
        chat.pacing.quiet_tick = None;
        chat.quiet_hours = None;
        chat.disclosure = Some(String::new());
        chat.physics.pair_per_ten_minutes = None;
        chat.physics.person_per_ten_minutes = None;
    }
    let folder = tempfile::tempdir().unwrap();
    let settings = StoreSettings { path: folder.path().join("fleet.db"), ..StoreSettings::default() };
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&settings).await.unwrap());
    let clock = Arc::new(Hand(AtomicI64::new(0)));
    store.apply_roster(&plan, clock.now()).await.unwrap();
    let bots = BotSettings { sends_per_second: None, sends_per_chat_per_minute: None, ..BotSettings::default() };
    let node =
        Solo::raise(Arc::clone(&store), Arc::clone(&clock) as Arc<dyn Clock>, Arc::new(TelegramDecoder), "sim", bots)
            .await;
    let mut seen = 0;
    wait(&node, &mut seen, plan.bots.len(), |happening| matches!(happening, Happening::Polled { .. })).await;

    for unit in 0..units {
        clock.0.fetch_add(APART.as_millis() as i64, Ordering::Relaxed);
        node.llm.next(Thought::Say(sentence(unit * 2 + 1, 9)));
        let called = BOTS_FROM + 1 + (unit % plan.bots.len() as u64) as i64;
        let raw = message(unit as i64 + 1, clock.now(), called, &sentence(unit * 2, 8));
        for api in node.telegram.values() {
            let incoming = TelegramDecoder.decode(&raw);
            let update_id = UpdateId(unit as i64 + 1);
            api.deliver(ReceivedUpdate { update_id, raw: raw.clone(), incoming });
        }
        wait(&node, &mut seen, 1, |happening| matches!(happening, Happening::Sent { .. })).await;
    }
    node.killed().await;
}

/// Returns the update of a person's message that mentions a bot.
fn message(id: i64, date: Timestamp, called: i64, text: &str) -> String {
    let name = format!("@bot_{called}_bot");
    format!(
        r#"{{"update_id":{id},"message":{{"message_id":{id},"from":{{"id":42,"is_bot":false,"first_name":"Selin","username":"selin","language_code":"tr"}},"chat":{{"id":{CHAT},"title":"chat","type":"supergroup"}},"date":{},"text":"{name} {text}","entities":[{{"offset":0,"length":{},"type":"mention"}}]}}}}"#,
        date.as_millis() / 1000,
        name.len(),
    )
}

/// Waits until `count` more events of that kind have happened.
async fn wait(node: &Solo, seen: &mut usize, count: usize, is_it: impl Fn(&Happening) -> bool) {
    let mut found = 0;
    loop {
        let news = node.journal.after(*seen);
        *seen += news.len();
        found += news.iter().filter(|happening| is_it(happening)).count();
        if found >= count {
            return;
        }
        node.journal.changed().await;
    }
}
