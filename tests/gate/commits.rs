//! Measures group commits on SQLite: updates of as many bots as the batch has operations.

use botfleet::store::settings::StoreSettings;
use botfleet::store::sqlite::SqliteStore;
use botfleet_actors::domain::commit::operations::Operation;
use botfleet_actors::domain::ids::{BotId, ChatId};
use botfleet_actors::ports::store::Store;
use botfleet_actors::testkit::rows::{at, ingest, plan, update};

/// Makes `units` commits of `operations` each.
pub(super) async fn of(operations: i64, units: u64) {
    let folder = tempfile::tempdir().unwrap();
    let settings = StoreSettings { path: folder.path().join("fleet.db"), ..StoreSettings::default() };
    let store = SqliteStore::open(&settings).await.unwrap();
    let roster = store.apply_roster(&plan(operations, 1), at(0)).await.unwrap();
    let epoch = store.begin_tenure("gate", at(0)).await.unwrap().epoch;
    let bots: Vec<BotId> = roster.bots.keys().copied().collect();
    let chat: ChatId = *roster.chats.keys().next().unwrap();
    for unit in 1..=units as i64 {
        let one = |(place, bot): (i64, &BotId)| -> Operation {
            ingest(*bot, epoch, vec![update(unit * operations + place, *bot, chat, unit)])
        };
        let batch = (0..).zip(&bots).map(one).collect();
        let results = store.commit(batch).await.unwrap();
        assert!(results.iter().all(Result::is_ok), "{results:?}");
    }
}
