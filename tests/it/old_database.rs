//! Tests databases of c573c06 (`tests/fixtures`), of both kinds: they open, they migrate, and the work that waited in
//! them goes on (I3, I4, I8).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use botfleet::store::postgres::PgStore;
use botfleet::store::postgres::migrations::Schema;
use botfleet::store::settings::StoreSettings;
use botfleet::store::sqlite::SqliteStore;
use botfleet::telegram::decode::TelegramDecoder;
use botfleet_actors::actors::bot::settings::BotSettings;
use botfleet_actors::domain::control::StopScope;
use botfleet_actors::domain::dead_letter::DeadLetterState;
use botfleet_actors::domain::ids::{BotId, ChatId, Number, TelegramChatId, TelegramUserId};
use botfleet_actors::domain::outbox::OutboxState;
use botfleet_actors::domain::roster::{DeliveryMode, Roster};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::domain::transcript::EntryKind;
use botfleet_actors::ports::clock::Clock;
use botfleet_actors::ports::store::Store;
use botfleet_actors::testkit::journal::Happening;
use botfleet_actors::testkit::scripted_llm::Thought;
use botfleet_actors::testkit::solo::Solo;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection};
use tempfile::TempDir;

use super::postgres::{address, fresh_name, server};

/// The tables of both kinds.
const TABLES: [&str; 23] = [
    "allowance",
    "audit",
    "bot",
    "bot_cursor",
    "bot_delivery",
    "chat",
    "chat_absence",
    "chat_alias",
    "chat_head",
    "chat_member",
    "control",
    "decision",
    "inbox",
    "lease",
    "node",
    "opt_out",
    "outbox",
    "persona",
    "persona_revision",
    "send_pause",
    "send_window",
    "setting",
    "transcript",
];

/// The states of work that the fixtures must hold, as table and condition.
const WORK: [(&str, &str); 14] = [
    ("inbox", "outcome IS NULL"),
    ("turn", "state = 'claimed'"),
    ("turn", "state = 'queued'"),
    ("turn", "state = 'dead'"),
    ("turn", "act LIKE '%react%'"),
    ("outbox", "state = 'sending'"),
    ("outbox", "state = 'retry_at'"),
    ("outbox", "state = 'unknown'"),
    ("outbox", "state = 'rejected'"),
    ("transcript", "kind = 'edit'"),
    ("transcript", "kind = 'reaction'"),
    ("transcript", "kind = 'member'"),
    ("audit", "action = 'forget'"),
    ("decision", "verdict = 'silent'"),
];

fn fixture(kind: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/c573c06.{kind}.sql"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A database as c573c06 left it.
enum Old {
    /// A file in a folder of its own.
    Sqlite(TempDir),
    /// The name of a database on the shared server.
    Postgres(String),
}

impl Old {
    async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteConnectOptions::new().filename(folder.path().join("fleet.db")).create_if_missing(true);
        let mut connection = options.connect().await.unwrap();
        connection.execute(sqlx::raw_sql(AssertSqlSafe(fixture("sqlite")))).await.unwrap();
        connection.close().await.unwrap();
        Self::Sqlite(folder)
    }

    async fn postgres() -> Self {
        let name = fresh_name();
        let url = server().await.create_database(&name).await.unwrap();
        let mut connection = PgConnection::connect(&url).await.unwrap();
        connection.execute(sqlx::raw_sql(AssertSqlSafe(fixture("postgres")))).await.unwrap();
        connection.close().await.unwrap();
        Self::Postgres(name)
    }

    /// Returns the answer to a query for one column, a line for each row.
    async fn ask(&self, sql: &str) -> Vec<String> {
        match self {
            Self::Sqlite(folder) => {
                let options = SqliteConnectOptions::new().filename(folder.path().join("fleet.db"));
                let mut connection = options.connect().await.unwrap();
                let sql = format!("SELECT CAST(a AS TEXT) FROM ({sql})");
                let rows = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap();
                connection.close().await.unwrap();
                rows
            }
            Self::Postgres(name) => server().await.query(name, sql).await.unwrap().lines().map(str::to_owned).collect(),
        }
    }

    async fn count(&self, table: &str, condition: &str) -> i64 {
        self.ask(&format!("SELECT count(*) AS a FROM {table} WHERE {condition}")).await[0].parse().unwrap()
    }

    async fn tables(&self) -> Vec<String> {
        let sql = match self {
            Self::Sqlite(_) => "SELECT name AS a FROM sqlite_schema WHERE type = 'table' ORDER BY name",
            Self::Postgres(_) => "SELECT tablename AS a FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename",
        };
        self.ask(sql).await
    }

    /// Returns the time of the last update.
    async fn end(&self) -> Timestamp {
        let last = self.ask("SELECT max(received_at) AS a FROM inbox").await;
        Timestamp::from_millis(last[0].parse().unwrap())
    }

    /// Opens the database with this version, which brings its schema up to date.
    async fn open(&self) -> Arc<dyn Store> {
        match self {
            Self::Sqlite(folder) => {
                let settings = StoreSettings { path: folder.path().join("fleet.db"), ..StoreSettings::default() };
                Arc::new(SqliteStore::open(&settings).await.unwrap())
            }
            Self::Postgres(name) => {
                let address = address(&server().await.url(name));
                Schema::connect(&address).await.unwrap().up("test", true).await.unwrap();
                Arc::new(PgStore::open(&StoreSettings::default(), &address).await.unwrap())
            }
        }
    }
}

/// The fixture's own time, which goes on from a moment after its last update.
struct Then {
    end: Timestamp,
    since: Instant,
}

impl Clock for Then {
    fn now(&self) -> Timestamp {
        self.end + Duration::from_secs(1) + self.since.elapsed()
    }

    fn boot_time(&self) -> Duration {
        self.since.elapsed()
    }
}

fn bot(roster: &Roster, name: &str) -> BotId {
    roster.bots.values().find(|bot| bot.spec.name == name).expect("the bot is in the roster").id
}

fn chat(roster: &Roster, name: &str) -> ChatId {
    roster.chats.values().find(|chat| chat.spec.name == name).expect("the chat is in the roster").id
}

/// Checks the fixture itself, which can show the loss only of rows that it holds.
async fn every_table_and_every_kind_of_work_has_rows(old: Old) {
    let found = old.tables().await;
    for table in TABLES {
        assert!(found.iter().any(|name| name == table), "{table} is not in the fixture: {found:?}");
    }
    for table in &found {
        assert!(old.count(table, "1 = 1").await > 0, "{table} is empty");
    }
    for (table, condition) in WORK {
        assert!(old.count(table, condition).await > 0, "no row of {table} where {condition}");
    }
}

/// I8: this version reads everything stored, with the same meaning.
async fn what_was_stored_is_found(old: Old) {
    let end = old.end().await;
    let store = old.open().await;
    let roster = store.roster().await.unwrap();
    assert_eq!((roster.bots.len(), roster.chats.len()), (4, 6));
    let (ada, cem, defne) = (bot(&roster, "ada"), bot(&roster, "cem"), bot(&roster, "defne"));
    assert_eq!(roster.bots[&ada].persona_revision, 2);
    assert_eq!(roster.aliases.get(&TelegramChatId(-5001)), Some(&chat(&roster, "harbour")));
    assert_eq!(roster.aliases.get(&TelegramChatId(-1_000_000_000_102)), Some(&chat(&roster, "harbour")));
    assert_eq!(store.unhandled(chat(&roster, "station"), 9).await.unwrap().len(), 2);
    assert!(store.next_offset(ada).await.unwrap().is_some());
    assert_eq!(store.queued_turns(cem, 9).await.unwrap().len(), 1);
    assert_eq!(store.waiting_messages(cem, 9).await.unwrap().len(), 1);
    let pauses = store.pauses(cem).await.unwrap();
    assert!(pauses.iter().any(|pause| pause.until > end), "{pauses:?}");
    assert!(store.stops().await.unwrap().holds(StopScope::Chat(chat(&roster, "library")), end));
    assert!(store.chat_memory(chat(&roster, "tower"), 9).await.unwrap().absent.contains(&defne));
    assert_eq!(store.delivery(defne).await.unwrap().map(|choice| choice.mode), Some(DeliveryMode::Webhook));
    let rights = store.rights(0).await.unwrap().expect("rights are in force");
    assert!(rights.opted_out.contains(&TelegramUserId(502)) && rights.forgotten.contains_key(&TelegramUserId(504)));
    assert!(store.allowances().await.unwrap().iter().any(|(_, granted)| *granted > 0));
    let letters = store.dead_letters(None, 99).await.unwrap();
    for state in [DeadLetterState::Dead, DeadLetterState::Rejected, DeadLetterState::Unknown] {
        assert!(letters.iter().any(|letter| letter.state == state), "{state:?}: {letters:?}");
    }
    let garden = store.transcript(chat(&roster, "garden"), Number(i64::MAX), 99).await.unwrap();
    for kind in [EntryKind::Message, EntryKind::Edit, EntryKind::Reaction, EntryKind::Member] {
        assert!(garden.iter().any(|entry| entry.kind == kind), "{kind:?}");
    }
    let tenure = store.begin_tenure("test", end + Duration::from_secs(1)).await.unwrap();
    assert_eq!((tenure.turns_requeued, tenure.sends_unknown), (1, 1), "{tenure:?}");
    store.close().await.unwrap();
}

/// I3, I4, I8: a node takes up the work where the killed process left it.
async fn what_waited_is_answered_and_nothing_is_sent_that_must_not_be(old: Old) {
    let clock = Arc::new(Then { end: old.end().await, since: Instant::now() });
    let store = old.open().await;
    let roster = store.roster().await.unwrap();
    let unknown_before = store.unknown_messages(chat(&roster, "tower")).await.unwrap();
    let settings = BotSettings { sends_per_second: None, ..BotSettings::default() };
    let node = Solo::raise(Arc::clone(&store), clock, Arc::new(TelegramDecoder), "sim", settings).await;
    for text in [
        "The last train left at eleven, sorry.",
        "Walnuts keep longer than hazelnuts.",
        "Nobody counted the stairs of our lighthouse.",
        "Blue ink fades, black ink stays.",
        "Three goats guard the old fort.",
        "My neighbour repairs accordions.",
    ] {
        node.llm.next(Thought::Say(text.to_owned()));
    }
    let (station, station_id) = (TelegramChatId(-1_000_000_000_106), chat(&roster, "station"));
    let sent_to_station = |by: i64| {
        node.journal.count(|happening| {
            matches!(happening, Happening::Sent { bot, chat, .. } if *chat == station && *bot == TelegramUserId(by))
        })
    };
    let until = Instant::now() + Duration::from_secs(60);
    // Ada was called last; two turns of Cem were in hand.
    while !(sent_to_station(7001) == 1
        && sent_to_station(7003) == 2
        && store.unhandled(station_id, 9).await.unwrap().is_empty()
        && store.depths().await.unwrap().turns == 0)
    {
        assert!(Instant::now() < until, "the work does not go on: {:#?}", node.journal.all());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let numbers: Vec<i64> =
        store.transcript(station_id, Number(i64::MAX), 99).await.unwrap().iter().map(|entry| entry.number.0).collect();
    assert!(numbers.iter().copied().eq(1..=numbers.len() as i64), "{numbers:?}");
    let elsewhere =
        node.journal.count(|happening| matches!(happening, Happening::Sent { chat, .. } if *chat != station));
    assert_eq!(elsewhere, 0, "a stopped chat, a pause and an unknown message: {:#?}", node.journal.all());
    let paused = store.waiting_messages(bot(&roster, "cem"), 9).await.unwrap();
    assert!(paused.iter().any(|message| message.progress.state == OutboxState::RetryAt), "{paused:?}");
    let unknown = store.unknown_messages(chat(&roster, "tower")).await.unwrap();
    assert_eq!(unknown.len(), unknown_before.len());
    node.killed().await;
    store.close().await.unwrap();
}

macro_rules! of_both_kinds {
    ($($claim:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test] async fn $claim() { super::$claim(super::Old::sqlite().await).await })+
        }
        mod postgres {
            $(#[tokio::test] async fn $claim() { super::$claim(super::Old::postgres().await).await })+
        }
    };
}

of_both_kinds!(
    every_table_and_every_kind_of_work_has_rows,
    what_was_stored_is_found,
    what_waited_is_answered_and_nothing_is_sent_that_must_not_be,
);
