//! Tests that forgetting on `PostgreSQL` locks in the order of the group commit: neither waits for the other in a
//! circle.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use botfleet_actors::domain::ids::TelegramUserId;
use botfleet_actors::ports::store::Store;
use sqlx::{Connection, Executor, PgConnection, Row};
use tokio::task::JoinSet;

use super::postgres::{database, server, store};

/// An entry of a person, a turn that answers it, the turn's sent message, and the row that tells of the message.
const ROWS: [&str; 4] = [
    "INSERT INTO transcript (chat, number, kind, revision, telegram_chat, message_id, author, text, entities, date, \
     inbox, chain_depth, root) VALUES (1, 1, 'message', 0, -1, 1, '{\"id\":4711,\"name\":\"A\"}', 'words', '[]', 1, 1, 0, 1)",
    "INSERT INTO turn (id, chat, decision, bot, ordinal, target, chain_depth, priority, due_at, expires_at, created_at, \
     state, attempts) VALUES (31, 1, 1, 1, 0, 1, 1, 0, 1, 1, 1, 'done', 1)",
    "INSERT INTO outbox (id, turn, part, parts, bot, chat, telegram_chat, text, chain_depth, expires_at, created_at, \
     state, attempts, due_at, message_id) VALUES (41, 31, 0, 1, 1, 1, -1, 'words', 1, 1, 1, 'sent', 1, 1, 2)",
    "INSERT INTO inbox (id, chat, bot, source, source_id, payload, received_at) \
     VALUES (61, 1, 1, 'sent', 41, '{\"text\":\"words\"}', 1)",
];
const WAITERS: &str = "\
SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";

#[tokio::test]
async fn forgetting_locks_turns_before_messages_and_updates() {
    let database = database().await;
    let store = Arc::new(store(&database).await);
    let url = server().await.url(&database);
    let (mut commit, mut onlooker) =
        (PgConnection::connect(&url).await.unwrap(), PgConnection::connect(&url).await.unwrap());
    for row in ROWS {
        commit.execute(row).await.unwrap();
    }
    commit.execute("BEGIN").await.unwrap();
    commit.execute("SELECT id FROM turn WHERE id = 31 FOR NO KEY UPDATE").await.unwrap();
    let mut forgetting = JoinSet::new();
    forgetting.spawn({
        let store = Arc::clone(&store);
        async move { store.forget(TelegramUserId(4_711), None, &|_| None).await }
    });
    let until = Instant::now() + Duration::from_secs(20);
    while onlooker.fetch_one(WAITERS).await.unwrap().get::<i64, _>(0) == 0 {
        assert!(Instant::now() < until && forgetting.try_join_next().is_none(), "it does not wait for the turn");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Goes on as a commit does: messages, then updates.
    commit.execute("SET LOCAL lock_timeout = '1s'").await.unwrap();
    commit.execute("UPDATE outbox SET error = NULL WHERE id = 41").await.unwrap();
    commit.execute("UPDATE inbox SET outcome = 'appended' WHERE id = 61").await.unwrap();
    commit.execute("COMMIT").await.unwrap();
    let forgotten = forgetting.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!((forgotten.entries, forgotten.messages), (1, 1));
    let left = onlooker.fetch_one("SELECT text, (SELECT payload FROM inbox WHERE id = 61) FROM outbox").await.unwrap();
    assert_eq!(left.get::<&str, _>(0), "");
    assert!(!left.get::<&str, _>(1).contains("words"));
}
