//! Tests that nothing wedges on a real store: every kind of update, in every order and lateness, over restarts
//! (I2, I3, I7).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use botfleet::store::settings::StoreSettings;
use botfleet::store::sqlite::SqliteStore;
use botfleet_actors::domain::ids::MessageId;
use botfleet_actors::domain::incoming::{Event, Incoming, Message};
use botfleet_actors::ports::outcomes::OutcomeCursor;
use botfleet_actors::ports::store::Store;
use botfleet_actors::testkit::rows::person;
use botfleet_actors::testkit::stage::{Playing, Scenery};
use proptest::prelude::*;

/// Time within which anything that is waited for must happen.
const DEADLINE: Duration = Duration::from_secs(30);

async fn open(folder: &Path) -> Arc<SqliteStore> {
    let settings = StoreSettings { path: folder.join("fleet.db"), ..StoreSettings::default() };
    let mut refused = None;
    let opened = tokio::time::timeout(DEADLINE, async {
        loop {
            match SqliteStore::open(&settings).await {
                Ok(store) => break store,
                // The process before may still be ending.
                Err(error) => refused = Some(error),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    Arc::new(opened.unwrap_or_else(|_| panic!("the store does not open: {refused:?}")))
}

/// Returns one of the kinds of things that happen to a message. Telegram's own counter, from which the bots' messages and
/// the last call take their ids, stays far below these ids: a call under the id of another message would be a copy of it.
fn happened(scenery: &Scenery, kind: u8, message: i64) -> Incoming {
    let id = match kind {
        1 => 2_000 + message,
        5 => 0,
        _ => 1_000 + message,
    };
    let spoken = scenery.spoken(0, MessageId(id), "hello");
    let Event::Message(said) = spoken.event else { unreachable!("people speak in messages") };
    let said = Message { author: person(), ..said };
    let event = match kind {
        0 => Event::Message(said),
        1 => Event::Message(Message { service: true, text: None, ..said }),
        2 => Event::Edited(Message { revision: 1_790_000_500, ..said }),
        3 => Event::Reaction {
            message_id: said.message_id,
            author: person(),
            emoji: vec!["👍".to_owned()],
            date: botfleet_actors::testkit::rows::at(3),
        },
        4 => Event::Other { name: "poll".to_owned() },
        _ => Event::Message(Message { text: Some("odd\0".to_owned()), ..said }),
    };
    Incoming { event, ..spoken }
}

async fn until_at_rest(store: &SqliteStore, scenery: &Scenery) {
    let rest = async || {
        let depths = store.depths().await.unwrap();
        let unconfirmed: usize = scenery.telegram.iter().map(|telegram| telegram.unconfirmed()).sum();
        unconfirmed == 0 && depths.inbox + depths.turns + depths.outbox == 0
    };
    let reached = tokio::time::timeout(DEADLINE, async {
        while !rest().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(reached.await.is_ok(), "something never ends: {:?}", store.depths().await);
}

async fn restarted(
    playing: Playing,
    store: Arc<SqliteStore>,
    scenery: &mut Scenery,
    folder: &Path,
) -> (Playing, Arc<SqliteStore>) {
    playing.killed().await;
    store.close().await.unwrap();
    drop(store);
    let store = open(folder).await;
    (scenery.play(Arc::clone(&store) as Arc<dyn Store>).await, store)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 20, ..ProptestConfig::default() })]

    #[test]
    fn i7_each_row_has_an_outcome_on_sqlite(
        all in prop::collection::vec((0u8..6, 1i64..9, prop::sample::subsequence(vec![0usize, 1, 2], 1..=3)), 1..24),
        order in prop::collection::vec(any::<prop::sample::Index>(), 1..60),
        restart in any::<prop::sample::Index>(),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let mut scenery = Scenery::new(3, 1);
            scenery.chats.window_entries = NonZeroUsize::MIN.saturating_add(2);
            let mut store = open(folder.path()).await;
            let mut playing = scenery.play(Arc::clone(&store) as Arc<dyn Store>).await;
            let mut copies: Vec<(usize, Incoming)> = Vec::new();
            for (kind, message, heard_by) in &all {
                let update = happened(&scenery, *kind, *message);
                copies.extend(heard_by.iter().map(|bot| (*bot, update.clone())));
            }
            for (at, index) in order.iter().enumerate().take(copies.len()) {
                let other = index.index(copies.len());
                copies.swap(at, other);
            }
            let restart = restart.index(copies.len());
            for (id, (bot, update)) in copies.into_iter().enumerate() {
                if id == restart {
                    until_at_rest(&store, &scenery).await;
                    (playing, store) = restarted(playing, store, &mut scenery, folder.path()).await;
                }
                scenery.telegram[bot].receive(1_000 + id as i64, update);
            }
            until_at_rest(&store, &scenery).await;
            let said = scenery.journal.sent_texts().len();
            scenery.person_says(0, "is anybody still there?", &[0]);
            let answered = tokio::time::timeout(DEADLINE, async {
                while scenery.journal.sent_texts().len() == said {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            });
            assert!(answered.await.is_ok(), "whoever speaks is answered");
            until_at_rest(&store, &scenery).await;
            let (outcomes, _) = store.outcomes(OutcomeCursor::default(), 1_000).await.unwrap();
            let ended = |outcome: &str| !matches!(outcome, "pending" | "dead");
            assert!(outcomes.iter().all(|record| ended(&record.outcome)), "{outcomes:#?}");
            playing.killed().await;
            store.close().await.unwrap();
        });
    }
}
