//! Tests time on a node: what Telegram's answers tell of it, and what a clock that was ahead leaves in the store.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use botfleet::store::settings::StoreSettings;
use botfleet::store::sqlite::SqliteStore;
use botfleet::telegram::client::TelegramClient;
use botfleet::telegram::settings::TelegramSettings;
use botfleet_actors::domain::commit::operations::{AddPause, Operation, SetStop};
use botfleet_actors::domain::control::{Rank, StopOrder, StopScope};
use botfleet_actors::domain::ids::{IdSource, TelegramUserId};
use botfleet_actors::domain::pause::Pause;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::clock::DateListener;
use botfleet_actors::ports::store::Store;
use botfleet_actors::ports::telegram::BotApi as _;
use botfleet_actors::testkit::rows::{advance, at, ingest, plan, update};
use botfleet_loadtest::harness::files::ProductFiles;
use botfleet_loadtest::harness::product::Product;
use botfleet_world::ledger::LedgerEvent;
use botfleet_world::people::http;
use botfleet_world::simulation::{Simulation, SimulationSpec};
use botfleet_world::world::event::Post;
use botfleet_world::world::spec::WorldSpec;
use serde_json::{Value, json};

use crate::fleet_stage::{self, DEADLINE};
use crate::scripted_http::{Line, Scripted};

#[derive(Default)]
struct Dates(Mutex<Vec<Timestamp>>);

impl DateListener for Dates {
    fn telegram_answered(&self, date: Timestamp) {
        self.0.lock().unwrap().push(date);
    }
}

#[tokio::test]
async fn the_date_of_an_answer_is_told_now_and_then() {
    let reply = |date: &'static str| Line::Answer(200, date, r#"{"ok":true,"result":true}"#.to_owned());
    let server = Scripted::start([
        reply("date: yesterday\r\n"),
        Line::Answer(502, "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", "<html>".to_owned()),
        reply("date: Sun, 29 Nov 2026 04:27:29 GMT\r\n"),
        reply("date: Sun, 29 Nov 2026 04:27:30 GMT\r\n"),
    ])
    .await;
    let settings = TelegramSettings { api_url: server.url(), ..TelegramSettings::default() };
    let client = TelegramClient::new(&settings).unwrap();
    let dates = Arc::new(Dates::default());
    client.tell_dates(Arc::clone(&dates) as Arc<dyn DateListener>);
    let bot = client.bot("7100000001:AAH-secret_secret_secret_secret_sec".into());
    for _ in 0..4 {
        let _ = bot.delete_webhook().await;
    }
    assert_eq!(*dates.0.lock().unwrap(), [Timestamp::from_secs(1_795_926_449)]);
}

async fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(&StoreSettings { path: path.to_owned(), ..StoreSettings::default() }).await.unwrap()
}

#[tokio::test]
async fn what_a_clock_that_was_ahead_planned_is_set_back_and_no_pause_is_shortened() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fleet.db");
    let (right, ahead) = (at(0), at(0) + Duration::from_hours(24 * 365));
    let store = open(&path).await;
    let roster = store.apply_roster(&plan(1, 1), ahead).await.unwrap();
    let (bot, chat) = (*roster.bots.keys().next().unwrap(), *roster.chats.keys().next().unwrap());
    let epoch = store.begin_tenure("here", ahead).await.unwrap().epoch;
    let inbox = IdSource::new(ahead, 1).next(ahead);
    let minute = Duration::from_mins(1);
    let mut read = advance(chat, epoch, 0, inbox);
    (read.next_tick_at, read.calm_until) = (Some(ahead + 5 * minute), Some(ahead + minute));
    (read.decisions, read.turns) = (Vec::new(), Vec::new());
    read.handled.iter_mut().for_each(|handled| handled.decision = None);
    let pause = AddPause { epoch, pause: Pause { bot, chat: Some(chat), until: ahead + minute } };
    let quiet = StopOrder::Set { until: Some(ahead + 10 * minute), rank: Rank::Administrator };
    let (scope, by) = (StopScope::Chat(chat), "telegram user 7".to_owned());
    let unverified = |author, until| {
        let order = StopOrder::Doubt { until, author: TelegramUserId(author) };
        let stop = SetStop { scope: StopScope::Bot(bot), order, by: format!("telegram user {author}"), at: ahead };
        Operation::SetStop(stop)
    };
    let batch = vec![
        ingest(bot, epoch, vec![update(inbox, bot, chat, 1)]),
        Operation::Advance(read),
        Operation::AddPause(pause),
        Operation::SetStop(SetStop { scope, order: quiet, by, at: ahead }),
        unverified(8, Some(ahead + 20 * minute)),
        unverified(9, None),
    ];
    for result in store.commit(batch).await.unwrap() {
        result.unwrap();
    }
    drop(store);

    let store = open(&path).await;
    store.begin_tenure("here", right).await.unwrap();
    let left = |until: Timestamp| until.since(right).as_secs();
    let pauses = store.pauses(bot).await.unwrap();
    assert_eq!(pauses.iter().map(|pause| left(pause.until)).collect::<Vec<_>>(), [60]);
    let memory = store.chat_memory(chat, 10).await.unwrap();
    assert_eq!((memory.next_tick_at.map(left), memory.calm_until.map(left)), (Some(300), Some(60)));
    let mut stops = store.stops().await.unwrap().0;
    let stop = stops.remove(&scope).unwrap();
    assert_eq!((stop.until().map(left), stop.firm.map(|firm| firm.at)), (Some(600), Some(right)));
    let doubts = stops.remove(&StopScope::Bot(bot)).unwrap().doubts;
    let doubts: Vec<_> = doubts.iter().map(|doubt| (doubt.author.0, doubt.until.map(left), doubt.at)).collect();
    assert_eq!(doubts, [(8, Some(1_200), right), (9, None, right)]);
    drop(store);

    // Another start by the same clock changes nothing: the newest row is still dated ahead, but its plans were set back
    // already.
    let store = open(&path).await;
    store.begin_tenure("here", right).await.unwrap();
    let again = store.pauses(bot).await.unwrap();
    assert_eq!(again.iter().map(|pause| left(pause.until)).collect::<Vec<_>>(), [60], "set back once");
}

#[tokio::test]
async fn a_machine_ten_minutes_off_telegrams_time_answers_says_so_and_leaves_old_calls_alone() {
    for minutes in [10, -10] {
        let simulation = Simulation::start(SimulationSpec::of(WorldSpec::fleet(7, 1, 1))).await.unwrap();
        simulation.world.set_clock_offset(minutes * 60_000);
        let directory = tempfile::tempdir().unwrap();
        let mut options = fleet_stage::options();
        options.defaults = toml::from_str("[pacing]\nstale_after = \"60s\"").unwrap();
        let world = simulation.world.spec();
        let files = ProductFiles::write(directory.path(), world, &simulation.base_url(), &options).unwrap();
        let product = Product::start(fleet_stage::binary(), files).await.unwrap();
        assert!(simulation.world.wait_until_polling(1, DEADLINE).await, "the bot polls");
        let (chat, person) = (world.chats[0].id, world.chats[0].people[0]);
        simulation.world.post(chat, person, Post::text("who was there an hour ago?").dated(-3_600)).unwrap();
        simulation.world.post(chat, person, Post::text("and who is there now?")).unwrap();
        let accepted = |event: &LedgerEvent| matches!(event, LedgerEvent::SendAccepted { .. });
        assert!(simulation.world.ledger().wait_for(1, DEADLINE, accepted).await, "{minutes}: nobody answers");
        assert!(simulation.world.wait_until_quiet(Duration::from_secs(1), DEADLINE).await);
        let sent = simulation.world.ledger().snapshot().iter().filter(|record| accepted(&record.event)).count();
        assert_eq!(sent, 1, "{minutes}: the call of an hour ago is history");
        let url = format!("{}/health", product.base_url().unwrap());
        let health: Value = http::client().unwrap().get(url).send().await.unwrap().json().await.unwrap();
        let clock = health["checks"].as_array().unwrap().iter().find(|check| check["name"] == "clock").unwrap();
        assert_eq!((&clock["ok"], &health["status"]), (&json!(false), &json!("degraded")), "{minutes}: {health}");
    }
}
