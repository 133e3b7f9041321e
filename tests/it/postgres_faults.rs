//! Tests that `Unavailable` means that nothing was written, when `PostgreSQL` or the link to it fails in the middle
//! (I8).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use botfleet::store::postgres::PgStore;
use botfleet::store::postgres::migrations::Schema;
use botfleet::store::settings::StoreSettings;
use botfleet_actors::domain::ids::{BotId, ChatId, Epoch};
use botfleet_actors::ports::store::{Store, StoreError};
use botfleet_actors::testkit::rows::{at, ingest, plan, update};
use botfleet_loadtest::servers::postgres::{Postgres, PostgresOptions};
use botfleet_loadtest::servers::proxy::{Mode, TcpProxy, Way};
use sqlx::{Connection, Executor, PgConnection};
use tokio::task::JoinHandle;

use super::postgres::{address, database, server};

const DEADLINE: Duration = Duration::from_secs(60);
/// Makes the end of a transaction take a second: the work of a deferred trigger.
const SLOW_COMMIT: &str = "\
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1); RETURN NULL; END $$; \
CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON inbox DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()";
/// Makes the write before `COMMIT` take a second.
const SLOW_WRITE: &str = "\
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1); RETURN NEW; END $$; \
CREATE TRIGGER slow BEFORE INSERT ON inbox FOR EACH ROW EXECUTE FUNCTION slow()";

fn settings() -> StoreSettings {
    StoreSettings { statement_timeout: Duration::from_secs(2), ..StoreSettings::default() }
}

/// How a batch is committed, as its last statement begins.
const WAYS: [&str; 2] = [AT_ONCE, UNDER_LOCKS];
const AT_ONCE: &str = "WITH held%";
const UNDER_LOCKS: &str = "COMMIT%";

/// A store behind a link, in a tenure, with one batch to commit.
struct Stage {
    way: &'static str,
    server: Postgres,
    database: String,
    link: TcpProxy,
    store: Arc<PgStore>,
    bot: BotId,
    chat: ChatId,
    epoch: Epoch,
}

impl Stage {
    async fn on(server: &Postgres, database: String, way: &'static str) -> Self {
        let link = TcpProxy::to_port(server.port()).await.unwrap();
        let url = Postgres::url_through(link.port(), &database);
        let store = PgStore::open(&settings(), &address(&url)).await.unwrap();
        let roster = store.apply_roster(&plan(1, 1), at(0)).await.unwrap();
        let epoch = store.begin_tenure("here", at(0)).await.unwrap().epoch;
        let (bot, chat) = (*roster.bots.keys().next().unwrap(), *roster.chats.keys().next().unwrap());
        let stage = Self { way, server: server.clone(), database, link, store: Arc::new(store), bot, chat, epoch };
        stage.commit(1).await.unwrap().unwrap();
        stage
    }

    async fn shared(way: &'static str) -> Self {
        Self::on(server().await, database().await, way).await
    }

    async fn sql(&self, sql: &str) -> String {
        self.server.query(&self.database, sql).await.unwrap()
    }

    fn commit(&self, id: i64) -> JoinHandle<Result<(), StoreError>> {
        let (store, bot, chat, epoch) = (Arc::clone(&self.store), self.bot, self.chat, self.epoch);
        let mut batch = vec![ingest(bot, epoch, vec![update(id, bot, chat, id)])];
        if self.way == UNDER_LOCKS {
            // A refused operation makes the store judge its batch under locks.
            batch.push(ingest(bot, Epoch(epoch.0 - 1), Vec::new()));
        }
        #[allow(clippy::disallowed_methods, reason = "a test waits for it")]
        let spawned = tokio::spawn(async move {
            let done = store.commit(batch).await?;
            assert!(done[0].is_ok(), "{done:?}");
            Ok(())
        });
        spawned
    }

    /// Waits until the writer's connection runs that statement.
    async fn until_it_runs(&self, query: &str) {
        let sql = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '% writes' AND datname = '{}' \
             AND state = 'active' AND query LIKE '{query}'",
            self.database
        );
        let seen = async { while self.sql(&sql).await != "1" {} };
        tokio::time::timeout(DEADLINE, seen).await.expect("the statement runs");
    }

    /// Lets the link lose what the store sends after `then`.
    async fn swallow(&self, then: impl Future<Output = ()>) {
        self.link.set(Mode::BlackHole(Way::ToServer));
        then.await;
        let swallowed = async {
            while self.link.swallowed_bytes() == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(DEADLINE, swallowed).await.expect("the statement is swallowed");
        self.link.set(Mode::Pass);
    }

    async fn stored(&self, id: i64) -> bool {
        self.sql(&format!("SELECT count(*) FROM inbox WHERE id = {id}")).await == "1"
    }

    /// Checks that the store's answer was true.
    async fn judge(&self, id: i64, answer: Result<(), StoreError>) -> bool {
        let stored = self.stored(id).await;
        match answer {
            Ok(()) => assert!(stored, "said to be stored, and is not"),
            Err(StoreError::Unavailable(why)) => assert!(!stored, "said not to be stored, and is: {why}"),
            Err(other) => panic!("{other}"),
        }
        stored
    }

    /// Checks that the store serves again, and that no batch comes twice or late.
    async fn goes_on(&self, id: i64) {
        let served = async {
            while self.commit(id).await.unwrap().is_err() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(DEADLINE, served).await.expect("the store serves again");
        assert!(self.stored(id).await);
        assert_eq!(self.store.next_offset(self.bot).await.unwrap(), Some(id + 1));
    }
}

async fn answer(commit: JoinHandle<Result<(), StoreError>>) -> Result<(), StoreError> {
    tokio::time::timeout(DEADLINE, commit).await.expect("an answer comes").unwrap()
}

#[tokio::test]
async fn a_link_cut_during_a_commit_leaves_no_lie() {
    for way in WAYS {
        let stage = Stage::shared(way).await;
        stage.sql(SLOW_COMMIT).await;
        let commit = stage.commit(2);
        stage.until_it_runs(way).await;
        stage.link.cut();
        stage.judge(2, answer(commit).await).await;
        stage.sql("DROP TRIGGER slow ON inbox").await;
        stage.goes_on(3).await;
    }
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_told_as_stored() {
    for way in WAYS {
        let stage = Stage::shared(way).await;
        stage.sql(SLOW_COMMIT).await;
        let commit = stage.commit(2);
        stage.until_it_runs(way).await;
        stage.link.set(Mode::BlackHole(Way::ToClient));
        let stored = async { while !stage.stored(2).await {} };
        tokio::time::timeout(DEADLINE, stored).await.expect("the server goes on without its client");
        stage.sql("DROP TRIGGER slow ON inbox").await;
        stage.link.set(Mode::Pass);
        let answer = answer(commit).await;
        assert!(stage.judge(2, answer).await);
        stage.goes_on(3).await;
    }
}

#[tokio::test]
async fn a_commit_that_never_arrived_is_told_as_not_stored() {
    let stage = Stage::shared(UNDER_LOCKS).await;
    stage.sql(SLOW_WRITE).await;
    let commit = stage.commit(2);
    stage.until_it_runs("%commit_mark%").await;
    stage.swallow(async {}).await;
    let answer = answer(commit).await;
    assert!(!stage.judge(2, answer).await);
    stage.sql("DROP TRIGGER slow ON inbox").await;
    stage.goes_on(3).await;
}

#[tokio::test]
async fn a_write_that_never_arrived_is_told_as_not_stored() {
    let stage = Stage::shared(AT_ONCE).await;
    let mut holder = PgConnection::connect(&stage.server.url(&stage.database)).await.unwrap();
    holder.execute("BEGIN; LOCK TABLE lease").await.unwrap();
    let commit = stage.commit(2);
    stage.until_it_runs("SELECT coalesce%").await;
    let read = async {
        holder.execute("COMMIT").await.unwrap();
    };
    stage.swallow(read).await;
    let answer = answer(commit).await;
    assert!(!stage.judge(2, answer).await);
    stage.goes_on(3).await;
}

#[tokio::test]
async fn a_server_killed_during_a_commit_leaves_no_lie_and_serves_again() {
    for way in WAYS {
        let server = Postgres::start(None, PostgresOptions::default()).await.unwrap();
        let url = server.create_database("fleet").await.unwrap();
        Schema::connect(&address(&url)).await.unwrap().up("test", false).await.unwrap();
        let stage = Stage::on(&server, "fleet".to_owned(), way).await;
        stage.sql(SLOW_COMMIT).await;
        let commit = stage.commit(2);
        stage.until_it_runs(way).await;
        server.kill_9().await.unwrap();
        assert!(stage.store.check().await.unwrap_err().is_retryable());
        server.restart().await.unwrap();
        let answer = answer(commit).await;
        assert!(!stage.judge(2, answer).await);
        stage.sql("DROP TRIGGER slow ON inbox").await;
        stage.goes_on(3).await;
        stage.store.check().await.unwrap();
    }
}

#[tokio::test]
async fn a_dropped_commit_is_settled_before_the_next_one() {
    for way in WAYS {
        let stage = Stage::shared(way).await;
        stage.sql(SLOW_COMMIT).await;
        let commit = stage.commit(2);
        stage.until_it_runs(way).await;
        commit.abort();
        assert!(commit.await.unwrap_err().is_cancelled());
        stage.sql("ALTER TABLE inbox DISABLE TRIGGER slow").await;
        stage.goes_on(3).await;
        let after = stage.stored(2).await;
        let running = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '% writes' AND state <> 'idle' \
                       AND datname = current_database()";
        assert_eq!(stage.sql(running).await, "0", "nothing of the dropped call goes on");
        assert_eq!(stage.stored(2).await, after);
    }
}

#[tokio::test]
async fn reads_over_a_dead_link_end_in_time_and_heal() {
    let stage = Stage::shared(AT_ONCE).await;
    stage.store.depths().await.unwrap();
    stage.link.set(Mode::BlackHole(Way::Both));
    let error = tokio::time::timeout(DEADLINE, stage.store.depths()).await.expect("an answer comes").unwrap_err();
    assert!(error.is_retryable(), "{error}");
    stage.link.set(Mode::Pass);
    stage.store.depths().await.expect("the next one gets a new connection");
    stage.link.cut();
    stage.store.depths().await.expect("a connection that broke in the meantime is replaced");
}

#[tokio::test]
async fn an_address_shows_no_password() {
    let url = "postgres://fleet:hunter2@127.0.0.1:1/fleet";
    let error = PgStore::open(&settings(), &address(url)).await.err().expect("nobody listens there").to_string();
    assert!(error.contains("127.0.0.1:1") && !error.contains("hunter2"), "{error}");
}
