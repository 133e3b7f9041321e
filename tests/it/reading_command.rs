//! Tests `botfleet eval reading` on a small store.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output};

use botfleet::store::settings::StoreSettings;
use botfleet::store::sqlite::SqliteStore;
use botfleet_actors::domain::commit::operations::Operation;
use botfleet_actors::domain::ids::{BotId, ChatId, MessageId, Number, TelegramUserId};
use botfleet_actors::domain::incoming::{Author, AuthorKind};
use botfleet_actors::domain::transcript::TranscriptEntry;
use botfleet_actors::ports::store::Store;
use botfleet_actors::testkit::rows::{advance, appended, at, entry, ingest, plan, update};
use serde_json::Value;

/// Makes a store with a chat, in which a person asks and a bot answers beside the point.
async fn made(path: &Path) {
    let settings = StoreSettings { path: path.to_owned(), ..StoreSettings::default() };
    let store = SqliteStore::open(&settings).await.unwrap();
    let roster = store.apply_roster(&plan(1, 1), at(0)).await.unwrap();
    let (chat, bot): (ChatId, BotId) = (*roster.chats.keys().next().unwrap(), *roster.bots.keys().next().unwrap());
    let epoch = store.begin_tenure("test", at(0)).await.unwrap().epoch;
    let texts = ["Balkona domates ektim, nasıl sulasam?", "Ayşe, ben trene binerim. Sen?", "Ben trene binerim hep."];
    let rows: Vec<_> = (1..=3).map(|row| update(row, bot, chat, row)).collect();
    let mut step = advance(chat, epoch, 0, 1);
    (step.entries, step.handled) = (Vec::new(), Vec::new());
    for (row, text) in (1..).zip(texts) {
        let author =
            Author { id: TelegramUserId(1001), name: "bot-1".to_owned(), username: None, kind: AuthorKind::Bot };
        let asked = entry(chat, row, row);
        let is_bot = row > 1;
        step.entries.push(TranscriptEntry {
            author: if is_bot { author } else { asked.author.clone() },
            fleet_bot: is_bot.then_some(bot),
            chain_depth: u32::from(is_bot),
            text: Some(text.to_owned()),
            entities: Vec::new(),
            reply_to: (row == 2).then_some(MessageId(501)),
            root: Number(1),
            by_operator: false,
            deleted_at: None,
            ..asked
        });
        step.handled.push(appended(row, row, None));
    }
    for operation in [ingest(bot, epoch, rows), Operation::Advance(step)] {
        let applied = store.commit(vec![operation]).await.unwrap();
        assert!(applied.iter().all(Result::is_ok), "{applied:?}");
    }
}

fn reading(path: &Path, flags: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_botfleet"));
    command.current_dir(path.parent().unwrap()).args(["eval", "reading", "--store"]).arg(path).args(flags);
    command.output().unwrap()
}

#[tokio::test]
async fn a_recorded_conversation_is_read_in_figures_and_by_the_page() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fleet.db");
    made(&path).await;
    let json = reading(&path, &["--json"]);
    let figures: Value = serde_json::from_slice(&json.stdout).unwrap();
    let bot = &figures["chats"]["chat-1"]["bots"][0];
    assert_eq!((&bot["bot"], &bot["texts"]), (&Value::from("bot-1"), &Value::from(2)), "{figures}");
    assert_eq!((&bot["begins_with_name"], &bot["asks"]), (&Value::from(0.5), &Value::from(0.5)));
    assert_eq!((&bot["opening"], &bot["opening_share"]), (&Value::from("ben trene"), &Value::from(1.0)));
    assert_eq!((&bot["without_subject"], &bot["answers"]), (&Value::from(1.0), &Value::from(1)));
    let table = String::from_utf8(reading(&path, &[]).stdout).unwrap();
    assert!(table.contains("100 % (ben trene)") && table.contains("not objectives"), "{table}");
    let page = String::from_utf8(reading(&path, &["--chat", "chat-1", "--page", "1"]).stdout).unwrap();
    assert!(page.contains("bot-1 (bot) > Ayşe: Ayşe, ben trene binerim. Sen? [name] [?] [no subject]"), "{page}");
    assert!(page.contains("hep. [opening again]"), "{page}");
    let missing = reading(&path, &["--page", "2"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("has 1 pages"), "{missing:?}");
}
