//! Operations that nobody waits for share a commit with what comes; those that somebody waits for go at once, and take
//! the others along.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use botfleet_actors::actors::node::committer::Committer;
use botfleet_actors::domain::commit::operations::{Operation, TurnEnding};
use botfleet_actors::domain::ids::{BotId, ChatId, Epoch};
use botfleet_actors::domain::ownership::LeaseKey;
use botfleet_actors::ports::bus::Hint;
use botfleet_actors::ports::store::Store;
use botfleet_actors::testkit::journal::Happening;
use botfleet_actors::testkit::memory_store::MemoryStore;
use botfleet_actors::testkit::rows;
use botfleet_actors::testkit::stage::Scenery;
use tokio::time::Instant;

/// The most that an operation is kept back, as docs/adr/0043 states it, and the grain of the timer.
const MOMENT: Duration = Duration::from_millis(5 + 1);
const WHILE: Duration = Duration::from_millis(50 + 1);

const EPOCH: Epoch = Epoch(1);

fn committer() -> (Arc<Committer>, Arc<MemoryStore>) {
    let (committer, store) = (Arc::new(Committer::default()), Arc::new(MemoryStore::default()));
    let (runs, on) = (Arc::clone(&committer), Arc::clone(&store));
    #[allow(clippy::disallowed_methods, reason = "ends with the test")]
    tokio::spawn(async move { runs.run(&*on).await });
    (committer, store)
}

/// Commits the operation alone, and returns how long that took.
async fn took(committer: &Committer, operation: Operation) -> Duration {
    let began = Instant::now();
    let _ = committer.commit(operation).await;
    began.elapsed()
}

fn claim() -> Operation {
    rows::claim(&rows::turn(1, ChatId(1), 1, BotId(1)), EPOCH)
}

fn ingest() -> Operation {
    rows::ingest(BotId(1), EPOCH, vec![rows::update(1, BotId(1), ChatId(1), 1)])
}

fn settle() -> Operation {
    rows::sent(&rows::message(1, &rows::turn(1, ChatId(1), 1, BotId(1))), 1, 1, 1)
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_nobody_waits_for_is_kept_back_no_longer_than_stated() {
    let (committer, store) = committer();
    let turn = rows::turn(1, ChatId(1), 1, BotId(1));
    let quiet = rows::finish(&turn, EPOCH, TurnEnding::Acted);
    let silent = Operation::Advance(rows::advance(ChatId(1), EPOCH, 0, 1));
    let mut step = rows::advance(ChatId(1), EPOCH, 0, 1);
    step.turns = vec![turn];
    let speaks = Operation::Advance(step);
    let stated = [(claim(), WHILE), (ingest(), MOMENT), (quiet, MOMENT), (silent, WHILE), (speaks, MOMENT)];
    for (place, (operation, most)) in stated.into_iter().enumerate() {
        let name = operation.name();
        let waited = took(&committer, operation).await;
        assert!(waited > Duration::ZERO && waited <= most, "{name} waited {waited:?}");
        assert_eq!(store.commits(), place as u64 + 1, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_an_attempt_waits_for_no_timer_and_takes_along_what_lingers() {
    let (committer, store) = committer();
    let began = Instant::now();
    let lingering = committer.commit(claim());
    let another = committer.commit(ingest());
    let _ = tokio::join!(lingering, another, committer.commit(settle()));
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(store.commits(), 1, "one commit for all three");
}

#[tokio::test(start_paused = true)]
async fn an_end_that_begins_a_send_goes_at_once() {
    let (committer, _) = committer();
    let turn = rows::turn(1, ChatId(1), 1, BotId(1));
    let begin = Some(rows::start(1, rows::at(0)));
    let said = TurnEnding::Said { messages: vec![rows::message(1, &turn)], begin };
    assert_eq!(took(&committer, rows::finish(&turn, EPOCH, said)).await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn the_least_patient_sets_the_time_for_all() {
    let (committer, store) = committer();
    let began = Instant::now();
    let first = committer.commit(claim());
    let later = async {
        tokio::time::sleep(Duration::from_millis(3)).await;
        committer.commit(ingest()).await
    };
    let last = async {
        tokio::time::sleep(Duration::from_millis(6)).await;
        committer.commit(claim()).await
    };
    let _ = tokio::join!(first, later, last);
    assert!(began.elapsed() <= Duration::from_millis(3) + MOMENT, "all took {:?}", began.elapsed());
    assert_eq!(store.commits(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_hastened_does_not_linger() {
    let (committer, store) = committer();
    let began = Instant::now();
    let hasten = async { committer.hasten() };
    let _ = tokio::join!(committer.commit(claim()), hasten);
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(store.commits(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_full_batch_does_not_linger() {
    let (committer, _) = committer();
    let began = Instant::now();
    let done = futures::future::join_all((0..513).map(|_| committer.commit(claim())));
    assert_eq!(done.await.len(), 513);
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn what_lingers_when_its_node_is_killed_keeps_nothing_of_it() {
    let (committer, store) = (Arc::new(Committer::default()), MemoryStore::default());
    let node = Arc::new("what a callback holds");
    let submit = || {
        let held = Arc::clone(&node);
        committer.submit(claim(), move |_| drop(held));
    };
    tokio::time::timeout(Duration::from_millis(1), async {
        submit();
        committer.run(&store).await;
    })
    .await
    .unwrap_err();
    submit();
    assert_eq!(Arc::strong_count(&node), 1, "neither what lingered nor what came too late is kept");
    let late = committer.commit(claim()).await.unwrap_err();
    assert!(late.to_string().contains("stopped"), "{late}");
}

#[tokio::test(start_paused = true)]
async fn rows_of_another_node_are_read_once_for_all_that_are_announced_within_a_moment() {
    let stage = Scenery::new(1, 1).raise().await;
    let (bot, chat) = (stage.bots[0], stage.chats[0]);
    // The chat begins, and reads what is there.
    stage.node.hear(Hint::Chat(chat));
    stage.let_time_pass_briefly().await;
    let advances = || stage.journal().count(|happening| *happening == Happening::Committed("advance"));
    let before = advances();
    let epoch = stage.node.leases.epoch(LeaseKey::Bot(bot)).unwrap();
    for id in 1..=3 {
        // No decoder can read it, so that nobody answers.
        let row = rows::update(id, bot, chat, id);
        assert!(stage.store.rows.commit(vec![rows::ingest(bot, epoch, vec![row])]).await.unwrap()[0].is_ok());
        stage.node.hear(Hint::Chat(chat));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    stage.until("all are handled", async |stage| stage.store.unhandled(chat, 9).await.unwrap().is_empty()).await;
    stage.let_time_pass_briefly().await;
    assert_eq!(advances(), before + 1);
}
