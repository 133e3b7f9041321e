//! Tests the state that the nodes of a fleet share about one another on `PostgreSQL` (I4-I6, I8, I11).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use botfleet::store::postgres::PgStore;
use botfleet_actors::domain::commit::operations::{Begin, Operation, SetStop};
use botfleet_actors::domain::commit::outcome::{Applied, Refusal, Verdict};
use botfleet_actors::domain::commit::start::{SendRules, Start};
use botfleet_actors::domain::control::{Rank, StopOrder, StopScope};
use botfleet_actors::domain::ids::{AttemptId, BotId, ChatId, Epoch, Number, OutboxId};
use botfleet_actors::domain::outbox::OutboxMessage;
use botfleet_actors::domain::ownership::{Incarnation, LeaseKey, NewNode, NodeReport, NodeRole, Picture, Wish};
use botfleet_actors::domain::window::{WindowKey, WindowRule};
use botfleet_actors::ports::cluster::Cluster;
use botfleet_actors::ports::store::Store;
use botfleet_actors::testkit::contract::cluster::ClusterHome;
use botfleet_actors::testkit::rows::{advance, at, claim, ingest, message, plan, turn, update};
use sqlx::{Connection, Executor, PgConnection, Row};
use tokio::sync::OnceCell;

use super::postgres::{database, server, store};

/// Gives each claim a database of its own.
#[derive(Default)]
struct PgCluster(OnceCell<String>);

#[async_trait]
impl ClusterHome for PgCluster {
    async fn open(&self) -> (Arc<dyn Store>, Arc<dyn Cluster>) {
        let process = Arc::new(store(self.0.get_or_init(database).await).await);
        (process.clone(), process)
    }
}

botfleet_actors::cluster_contract!(PgCluster::default());

async fn foreign(database: &str) -> PgConnection {
    PgConnection::connect(&server().await.url(database)).await.unwrap()
}

/// Starts a node that owns the bot and the chat with that place in the roster.
async fn owner(database: &str, name: &str, place: usize) -> (PgStore, Incarnation, (BotId, Epoch), (ChatId, Epoch)) {
    let store = store(database).await;
    let roster = store.apply_roster(&plan(2, 2), at(0)).await.unwrap();
    let node =
        NewNode { name: name.to_owned(), role: NodeRole::All, address: None, version: "1".to_owned(), launch: None };
    let me = store.join(&node).await.unwrap();
    let (bot, chat) = (*roster.bots.keys().nth(place).unwrap(), *roster.chats.keys().nth(place).unwrap());
    let keys = [LeaseKey::Bot(bot), LeaseKey::Chat(chat)];
    let wishes: Vec<Wish> = keys.iter().map(|key| Wish { key: *key, desired: Some(me) }).collect();
    assert!(store.plan(&move |_: &Picture| wishes.clone()).await.unwrap());
    let taken = store.take(me, &keys).await.unwrap();
    (store, me, (bot, taken[0].1), (chat, taken[1].1))
}

#[tokio::test]
async fn one_node_plans_at_a_time() {
    let database = database().await;
    let (one, ..) = owner(&database, "a", 0).await;
    let mut planner = foreign(&database).await;
    planner.execute("BEGIN; SELECT pg_advisory_xact_lock(hashtext('botfleet plan'))").await.unwrap();
    let never = |_: &Picture| -> Vec<Wish> { panic!("another node plans") };
    assert!(!one.plan(&never).await.unwrap());
    planner.execute("ROLLBACK").await.unwrap();
    assert!(one.plan(&|_: &Picture| Vec::new()).await.unwrap());
}

/// I3, I8: rows are found by their state. A number from a sequence would skip a row that commits later.
#[tokio::test]
async fn a_row_that_commits_later_under_a_lower_id_is_found() {
    let database = database().await;
    let (one, _, (bot, epoch), (chat, _)) = owner(&database, "a", 0).await;
    let mut slow = foreign(&database).await;
    let insert = format!(
        "BEGIN; INSERT INTO inbox (id, chat, bot, source, source_id, payload, received_at) \
         VALUES (10, {}, {}, 'update', 10, '{{}}', 0)",
        chat.0, bot.0
    );
    slow.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(insert))).await.unwrap();
    one.commit(vec![ingest(bot, epoch, vec![update(11, bot, chat, 11)])]).await.unwrap();
    let ids = async || one.unhandled(chat, 9).await.unwrap().iter().map(|row| row.id.0).collect::<Vec<_>>();
    assert_eq!(ids().await, [11]);
    slow.execute("COMMIT").await.unwrap();
    assert_eq!(ids().await, [10, 11], "what committed late under a lower id is read too");
    assert_eq!(one.backlog(at(9)).await.unwrap().chats, [chat]);
}

fn begin(bot: BotId, epoch: Epoch, message: &OutboxMessage, attempt: i64, limit: u32) -> Operation {
    let rule = WindowRule { key: WindowKey::Fleet, limit, length: Duration::from_mins(1) };
    let rules = SendRules { windows: vec![rule], ..SendRules::default() };
    let start = Start { attempt: AttemptId(attempt), rules, now: at(5) };
    Operation::Begin(Begin { bot, epoch, outbox: message.id, start })
}

/// I11: the fleet's window counts the sends of all nodes, from the first one on.
#[tokio::test]
async fn two_nodes_never_lose_a_count() {
    const EACH: i64 = 12;
    const LIMIT: u32 = 9;
    let database = database().await;
    let (one, _, bot, chat) = owner(&database, "a", 0).await;
    let (other, _, other_bot, other_chat) = owner(&database, "b", 1).await;
    let mut foreign = foreign(&database).await;
    let mut batches = Vec::new();
    for ((bot, epoch), (chat, _), first) in [(bot, chat, 100), (other_bot, other_chat, 200)] {
        let mut operations = Vec::new();
        for n in first..first + EACH {
            let said = OutboxMessage { id: OutboxId(n), ..message(n, &turn(n, chat, 1, bot)) };
            let insert = format!(
                "INSERT INTO outbox (id, turn, part, parts, bot, chat, telegram_chat, text, chain_depth, expires_at, \
                 created_at, state, attempts, due_at) \
                 VALUES ({n}, {n}, 0, 1, {}, {}, -1, 'x', 0, {}, 0, 'queued', 0, 0)",
                bot.0,
                chat.0,
                at(600).as_millis()
            );
            foreign.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(insert))).await.unwrap();
            operations.push(begin(bot, epoch, &said, n, LIMIT));
        }
        batches.push(operations);
    }
    let sent = async |store: &PgStore, operations: &[Operation]| {
        let mut sent = 0;
        for operation in operations {
            let done = store.commit(vec![operation.clone()]).await.unwrap().pop().unwrap();
            sent += u32::from(done == Ok(Applied::Begun(Verdict::Send)));
        }
        sent
    };
    let (by_one, by_other) = tokio::join!(sent(&one, &batches[0]), sent(&other, &batches[1]));
    assert_eq!(by_one + by_other, LIMIT, "{by_one} and {by_other}");
}

/// A node may be slow with a batch, and wait for locks: a node lives as long as it beats.
#[tokio::test]
async fn a_beat_waits_for_nothing() {
    let database = database().await;
    let (one, me, (bot, epoch), (chat, _)) = owner(&database, "a", 0).await;
    let mut holder = foreign(&database).await;
    holder.execute("BEGIN; SELECT * FROM lease FOR UPDATE").await.unwrap();
    let commit = one.commit(vec![ingest(bot, epoch, vec![update(1, bot, chat, 1)])]);
    let beats = async {
        for _ in 0..5 {
            one.beat(me, &NodeReport::default()).await.unwrap();
            one.nodes().await.unwrap();
        }
        holder.execute("ROLLBACK").await.unwrap();
    };
    let (done, ()) = tokio::join!(commit, beats);
    assert!(done.unwrap()[0].is_ok());
}

/// A process that hangs in the middle of a transaction holds no lock after it was declared dead.
#[tokio::test]
async fn a_burial_ends_the_transactions_of_the_dead() {
    let database = database().await;
    let (one, dead, (bot, _), _) = owner(&database, "a", 0).await;
    let (other, me, ..) = owner(&database, "b", 1).await;
    let mut hung = foreign(&database).await;
    let session =
        "SELECT set_config('application_name', (SELECT session || ' writes' FROM node WHERE name = 'a'), false)";
    hung.execute(session).await.unwrap();
    hung.execute("BEGIN; SELECT * FROM lease FOR SHARE").await.unwrap();
    let beat = other.picture().await.unwrap().node(dead).unwrap().beat;
    assert_eq!(other.bury(&[(dead, beat)]).await.unwrap(), [dead]);
    let key = LeaseKey::Bot(bot);
    assert!(other.plan(&move |_: &Picture| vec![Wish { key, desired: Some(me) }]).await.unwrap());
    assert_eq!(other.take(me, &[key]).await.unwrap().len(), 1);
    assert!(hung.execute("SELECT 1").await.is_err());
    drop(one);
}

/// I6: a node that takes a lease sees all that was written under it, and nothing is written under the old epoch
/// afterwards.
#[tokio::test]
async fn a_take_waits_for_the_batch_under_the_lease() {
    let database = database().await;
    let (one, _, (bot, epoch), (chat, _)) = owner(&database, "a", 0).await;
    let (other, me, ..) = owner(&database, "b", 1).await;
    let key = LeaseKey::Bot(bot);
    assert!(other.plan(&move |_: &Picture| vec![Wish { key, desired: Some(me) }]).await.unwrap());
    let slow = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ \
                BEGIN PERFORM pg_sleep(1); RETURN NEW; END $$; \
                CREATE TRIGGER slow BEFORE INSERT ON inbox FOR EACH ROW EXECUTE FUNCTION slow()";
    let mut foreign = foreign(&database).await;
    foreign.execute(sqlx::raw_sql(slow)).await.unwrap();
    let commit = one.commit(vec![ingest(bot, epoch, vec![update(1, bot, chat, 1)])]);
    let take = async {
        let in_the_batch = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() \
                            AND wait_event = 'PgSleep'";
        while foreign.fetch_optional(in_the_batch).await.unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        foreign.execute("UPDATE node SET state = 'dead' WHERE name = 'a'").await.unwrap();
        let taken = other.take(me, &[key]).await.unwrap();
        (taken, other.next_offset(bot).await.unwrap())
    };
    let (done, (taken, offset)) = tokio::join!(commit, take);
    assert!(done.unwrap()[0].is_ok());
    assert_eq!(taken, [(key, Epoch(epoch.0 + 1))]);
    assert_eq!(offset, Some(2), "the batch was there when the lease was taken");
}

/// Waits until the writer's statement waits for a lock that another session holds.
async fn until_the_write_waits(onlooker: &mut PgConnection) {
    let waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' \
                 AND query LIKE 'WITH held%'";
    while onlooker.fetch_optional(waits).await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
}

/// I6: a lease that is taken between the reading of a batch and its writing fences the batch.
#[tokio::test]
async fn a_batch_is_refused_when_its_lease_was_taken_after_it_was_read() {
    let database = database().await;
    let (one, _, (bot, epoch), (chat, _)) = owner(&database, "a", 0).await;
    let mut taker = foreign(&database).await;
    let mut onlooker = foreign(&database).await;
    taker.execute("BEGIN; UPDATE lease SET epoch = epoch + 1").await.unwrap();
    let commit = one.commit(vec![ingest(bot, epoch, vec![update(1, bot, chat, 1)])]);
    let take = async {
        until_the_write_waits(&mut onlooker).await;
        taker.execute("COMMIT").await.unwrap();
    };
    let (done, ()) = tokio::join!(commit, take);
    assert_eq!(done.unwrap(), [Err(Refusal::Fenced)]);
    assert!(one.unhandled(chat, 9).await.unwrap().is_empty());
    assert_eq!(one.next_offset(bot).await.unwrap(), None);
}

/// A batch is never written on the strength of a turn or a message that changed after it was read.
#[tokio::test]
async fn a_batch_is_judged_again_when_a_row_changed_after_it_was_read() {
    let rows = [
        "INSERT INTO turn (id, chat, decision, bot, ordinal, target, chain_depth, priority, due_at, expires_at, created_at, \
         state, attempts) VALUES ($id, $chat, 1, $bot, $id, 1, 1, 0, 1, 9000000, 1, 'queued', 0)",
        "INSERT INTO outbox (id, turn, part, parts, bot, chat, telegram_chat, text, chain_depth, expires_at, created_at, \
         state, attempts, due_at) VALUES ($id, $id, 0, 1, $bot, $chat, -1, 'words', 1, 9000000, 1, 'queued', 0, 1)",
    ];
    for ((table, ended), row) in [("turn", "expired"), ("outbox", "cancelled")].into_iter().zip(rows) {
        let database = database().await;
        let (one, _, (bot, epoch), (chat, _)) = owner(&database, "a", 0).await;
        let mut other = foreign(&database).await;
        let mut onlooker = foreign(&database).await;
        let operation = |id: i64| {
            let turn = turn(id, chat, 1, bot);
            match table {
                "turn" => claim(&turn, epoch),
                _ => begin(bot, epoch, &OutboxMessage { id: OutboxId(id), ..message(id, &turn) }, id, 9),
            }
        };
        for id in [31, 32] {
            let row = row.replace("$chat", &chat.0.to_string()).replace("$bot", &bot.0.to_string());
            other.execute(sqlx::AssertSqlSafe(row.replace("$id", &id.to_string()))).await.unwrap();
        }
        // Makes the window's row; without it the next batch would be judged under locks from the start.
        assert!(one.commit(vec![operation(32)]).await.unwrap()[0].is_ok());
        let change = format!("UPDATE {table} SET state = '{ended}' WHERE id = 31");
        other.execute("BEGIN").await.unwrap();
        other.execute(sqlx::AssertSqlSafe(change)).await.unwrap();
        let commit = one.commit(vec![operation(31)]);
        let end = async {
            until_the_write_waits(&mut onlooker).await;
            other.execute("COMMIT").await.unwrap();
        };
        let (done, ()) = tokio::join!(commit, end);
        assert!(done.unwrap()[0].is_err(), "the {table} is {ended}");
        let state = format!("SELECT state FROM {table} WHERE id = 31");
        let state: String = other.fetch_one(sqlx::AssertSqlSafe(state)).await.unwrap().get(0);
        assert_eq!(state, ended);
    }
}

/// I9: what was read of stops is not believed for long. A batch that waits for a lease meanwhile is judged anew.
#[tokio::test]
async fn a_stop_that_comes_while_a_batch_waits_is_heeded() {
    let database = database().await;
    let (one, _, (bot, epoch), (chat, _)) = owner(&database, "a", 0).await;
    let two = store(&database).await;
    let (mut planner, mut onlooker) = (foreign(&database).await, foreign(&database).await);
    let row = "INSERT INTO turn (id, chat, decision, bot, ordinal, target, chain_depth, priority, due_at, expires_at, \
               created_at, state, attempts) VALUES (31, $chat, 1, $bot, 0, 1, 1, 0, 1, 9000000, 1, 'queued', 0)";
    let row = row.replace("$chat", &chat.0.to_string()).replace("$bot", &bot.0.to_string());
    planner.execute(sqlx::AssertSqlSafe(row)).await.unwrap();
    planner.execute("BEGIN; SELECT 1 FROM lease FOR NO KEY UPDATE").await.unwrap();
    let commit = one.commit(vec![claim(&turn(31, chat, 1, bot), epoch)]);
    let stop = async {
        until_the_write_waits(&mut onlooker).await;
        let order = StopOrder::Set { until: None, rank: Rank::Operator };
        let stop = SetStop { scope: StopScope::Fleet, order, by: "somebody".to_owned(), at: at(5) };
        two.commit(vec![Operation::SetStop(stop)]).await.unwrap().remove(0).unwrap();
        tokio::time::sleep(Duration::from_millis(700)).await;
        planner.execute("COMMIT").await.unwrap();
    };
    let (done, ()) = tokio::join!(commit, stop);
    assert_eq!(done.unwrap(), [Ok(Applied::Stopped(StopScope::Fleet))]);
}

/// An erasure that empties a row after a batch has read it is noticed.
#[tokio::test]
async fn a_batch_is_judged_again_when_its_inbox_row_changed() {
    let database = database().await;
    let (one, _, (bot, epoch), (chat, chat_epoch)) = owner(&database, "a", 0).await;
    let mut other = foreign(&database).await;
    let mut onlooker = foreign(&database).await;
    one.commit(vec![ingest(bot, epoch, vec![update(1, bot, chat, 1)])]).await.unwrap();
    other.execute("BEGIN; UPDATE inbox SET outcome = 'ignored', payload = '{}'").await.unwrap();
    let step = Operation::Advance(advance(chat, chat_epoch, 0, 1));
    let commit = one.commit(vec![step]);
    let end = async {
        until_the_write_waits(&mut onlooker).await;
        other.execute("COMMIT").await.unwrap();
    };
    let (done, ()) = tokio::join!(commit, end);
    assert!(matches!(done.unwrap()[0], Err(Refusal::Conflict(_))), "the row has its outcome");
    assert!(one.transcript(chat, Number(i64::MAX), 9).await.unwrap().is_empty());
}

/// Two batches that change stops at once do so one after the other.
#[tokio::test]
async fn a_stop_waits_for_another_change_of_stops() {
    let database = database().await;
    let two = store(&database).await;
    two.apply_roster(&plan(1, 1), at(0)).await.unwrap();
    let mut other = foreign(&database).await;
    other.execute("BEGIN; LOCK TABLE control IN SHARE ROW EXCLUSIVE MODE").await.unwrap();
    let order = StopOrder::Set { until: None, rank: Rank::Operator };
    let stop = SetStop { scope: StopScope::Fleet, order, by: "somebody".to_owned(), at: at(5) };
    let waits = two.commit(vec![Operation::SetStop(stop)]);
    let release = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let stored: i64 = other.fetch_one("SELECT count(*) FROM control").await.unwrap().get(0);
        other.execute("COMMIT").await.unwrap();
        stored
    };
    let (done, before) = tokio::join!(waits, release);
    assert!(done.unwrap()[0].is_ok());
    assert_eq!(before, 0);
}

/// Nothing is stored without the writer's mark, by which a lost answer is made up for; a lost mark is made again.
#[tokio::test]
async fn a_batch_without_a_mark_is_not_stored() {
    let database = database().await;
    let (one, _, (bot, epoch), (chat, _)) = owner(&database, "a", 0).await;
    let mut foreign = foreign(&database).await;
    for id in [1, 2] {
        let done = one.commit(vec![ingest(bot, epoch, vec![update(id, bot, chat, id)])]).await.unwrap();
        assert!(done[0].is_ok());
        let marks = "SELECT count(*) FROM commit_mark m WHERE batch > 0 AND EXISTS (SELECT 1 FROM inbox)";
        assert_eq!(foreign.fetch_one(marks).await.unwrap().get::<i64, _>(0), 1);
        foreign.execute("DELETE FROM commit_mark").await.unwrap();
    }
}

/// A batch that meets nobody takes two statements: its reading, and a write that commits.
#[tokio::test]
async fn a_batch_that_meets_nobody_is_written_at_once() {
    let database = database().await;
    let (one, _, (bot, epoch), (chat, _)) = owner(&database, "a", 0).await;
    let mut foreign = foreign(&database).await;
    let last =
        "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE '% writes'";
    one.commit(vec![ingest(bot, epoch, vec![update(1, bot, chat, 1)])]).await.unwrap();
    let query: String = foreign.fetch_one(last).await.unwrap().get(0);
    assert!(query.starts_with("WITH held"), "{query}");
    // A refusal is told by rows that are locked.
    let _ = one.commit(vec![ingest(bot, Epoch(epoch.0 - 1), Vec::new())]).await.unwrap();
    let query: String = foreign.fetch_one(last).await.unwrap().get(0);
    assert_eq!(query, "ROLLBACK");
}
