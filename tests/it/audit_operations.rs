//! Tests that operations are audited before they are carried out, on a running fleet in this process.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use botfleet::operate::audit::EntriesAsked;
use botfleet::operate::chats::DecisionsAsked;
use botfleet::operate::context::Context;
use botfleet::operate::control::Part;
use botfleet::operate::failure::Code;
use botfleet::operate::principal::{Identity, Principal};
use botfleet_actors::domain::audit::{Act, ActResult, AuditEntry, Phase};
use botfleet_actors::domain::chain::SealedEntry;
use botfleet_actors::domain::ids::TelegramUserId;
use botfleet_actors::domain::people::Right;
use futures::TryStreamExt;
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor};

use crate::fleet_orders::command;
use crate::fleet_stage::FleetStage;
use crate::operate::Stage;

fn local() -> Arc<Principal> {
    let context = Context { agent: Some("curl".to_owned()), ..Context::default() };
    Arc::new(Principal::new(Arc::new(Identity::local()), context))
}

/// Entries that are to be sealed by now; the sealer comes twice a second.
async fn entries(stage: &Stage, acts: usize) -> Vec<AuditEntry> {
    let by = local();
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let page = stage.operations().audit_entries(&by.grant().unwrap(), EntriesAsked::default()).await.unwrap();
        if page.entries.len() >= acts {
            assert_eq!(page.next, None);
            return page.entries.into_iter().map(|sealed| sealed.entry.unwrap()).collect();
        }
        assert!(Instant::now() < until, "{:?}", page.entries);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Runs a statement on the file of the fleet.
async fn on_file(stage: &Stage, sql: &'static str) {
    let path = stage.folder.path().join("botfleet.db");
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    connection.execute(sql).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn every_act_is_in_the_audit_with_who_what_and_how_it_ended() {
    let stage = Stage::start().await;
    let (operations, by) = (stage.operations(), local());
    let bot = stage.fleet.bot_named("Ada").unwrap();
    operations.set_stop(&by.grant().unwrap(), Part::Bot("Ada"), true).await.unwrap();
    operations.set_stop(&by.grant().unwrap(), Part::Bot("Ada"), false).await.unwrap();
    operations.claim(&by.grant().unwrap(), TelegramUserId(4_711), Right::OptOut).await.unwrap();
    let alone = operations.set_draining(&by.grant().unwrap(), "embedded", true).await.unwrap_err();
    assert_eq!(alone.code, Code::Conflict);
    for _ in 0..2 {
        let texts = by.grant().unwrap();
        let asked = DecisionsAsked::default();
        operations.decisions(&by.grant().unwrap(), Some(&texts), "lounge", asked).await.unwrap();
    }
    let entries = entries(&stage, 6).await;
    let told: Vec<(Act, String)> = entries.iter().map(|entry| (entry.act, entry.object.key())).collect();
    let chat = stage.fleet.chat_named("lounge").unwrap();
    assert_eq!(
        told,
        [
            (Act::Stop, format!("bot:{bot}")),
            (Act::Start, format!("bot:{bot}")),
            (Act::OptOutPerson, "person:4711".to_owned()),
            (Act::DrainNode, "node:embedded".to_owned()),
            (Act::DrainNode, "node:embedded".to_owned()),
            (Act::ReadMessages, format!("chat:{chat}")),
        ],
        "words of a chat are read once a day"
    );
    assert_eq!((entries[0].principal.name.as_str(), entries[0].origin.node.as_str()), ("local", "embedded"));
    assert_eq!((entries[0].object.name.as_deref(), entries[0].origin.agent.as_deref()), (Some("Ada"), Some("curl")));
    assert_eq!(entries[0].before, Some(json!({ "stop": null })));
    assert_eq!(entries[1].before, entries[0].after, "each state follows the one before");
    assert_eq!(entries[2].after, Some(json!({ "already": false })));
    assert_eq!((entries[3].phase, entries[3].after.clone()), (Phase::Intent, Some(json!({ "draining": true }))));
    assert_eq!(entries[4].phase, Phase::Outcome { of: entries[3].id, result: ActResult::Failed });

    let found = operations.verify_audit(&by.grant().unwrap(), None).await.unwrap();
    assert_eq!((found.bad, found.entries, found.unsigned), (None, 6, 0));
    let export = operations.export_audit(&by.grant().unwrap()).await.unwrap();
    assert_eq!(export.head.to_string(), found.head);
    let exported: Vec<Vec<SealedEntry>> = export.entries.try_collect().await.unwrap();
    assert_eq!(exported.concat().len(), 6, "up to the head");
    let key = stage.folder.path().join("audit.key");
    assert_eq!(std::fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600);
    stage.end().await;
}

/// An act that the audit does not know of would be the one that somebody hides.
#[tokio::test]
async fn what_cannot_be_audited_is_not_done() {
    let stage = Stage::start().await;
    let (operations, by) = (stage.operations(), local());
    on_file(&stage, "CREATE TRIGGER refuse BEFORE INSERT ON audit_entry BEGIN SELECT raise(ABORT, 'no entry'); END")
        .await;
    assert!(operations.set_stop(&by.grant().unwrap(), Part::Fleet, true).await.is_err());
    assert!(operations.claim(&by.grant().unwrap(), TelegramUserId(4_711), Right::OptOut).await.is_err());
    let texts = by.grant().unwrap();
    let read = operations.decisions(&by.grant().unwrap(), Some(&texts), "lounge", DecisionsAsked::default()).await;
    assert!(read.is_err(), "{read:?}");
    assert!(operations.export_audit(&by.grant().unwrap()).await.is_err());
    let drain = operations.set_draining(&by.grant().unwrap(), "embedded", true).await.unwrap_err();
    assert_ne!(drain.code, Code::Conflict, "the order did not come so far");
    assert!(operations.lift_pauses(&by.grant().unwrap(), "Ada").await.is_err());
    on_file(&stage, "DROP TRIGGER refuse").await;
    let orders = operations.orders(&by.grant().unwrap(), None, None).await.unwrap();
    assert!(orders.orders.is_empty(), "{:?}", orders.orders);

    let view = operations.view(&by.grant().unwrap()).await.unwrap();
    assert!(view.stops.is_empty(), "{:?}", view.stops);
    let person = operations.person(&by.grant().unwrap(), TelegramUserId(4_711)).await.unwrap();
    assert_eq!(person.opted_out_since, None);
    operations.set_stop(&by.grant().unwrap(), Part::Fleet, true).await.unwrap();
    assert_eq!(entries(&stage, 1).await.len(), 1);
    stage.end().await;
}

/// The real program, the real command line, and somebody with access to the file.
#[tokio::test]
async fn the_audit_is_listed_checked_and_exported_by_commands() {
    let stage = FleetStage::small().await;
    for path in ["/api/v1/control/stop", "/api/v1/control/start"] {
        assert!(stage.post(path, &json!({ "scope": "fleet" })).await.status().is_success());
    }
    let until = Instant::now() + Duration::from_secs(10);
    let listed = loop {
        let (code, listed, _) = command(&stage, &["audit", "list", "--object", "fleet"]).await;
        assert_eq!(code, Some(0));
        if listed.lines().filter(|line| !line.starts_with(' ')).count() == 2 {
            break listed;
        }
        assert!(Instant::now() < until, "{listed}");
    };
    assert!(listed.lines().next().unwrap().contains("  local        stop fleet on "), "{listed}");
    let (_, json_line, _) = command(&stage, &["audit", "list", "--act", "start", "--json"]).await;
    let line: serde_json::Value = serde_json::from_str(&json_line).unwrap();
    assert_eq!(line["entry"]["after"], json!({ "stop": null }), "{json_line}");
    let (code, _, told) = command(&stage, &["audit", "list", "--act", "start"]).await;
    assert_eq!((code, told.as_str()), (Some(0), ""));
    let (code, _, told) = command(&stage, &["audit", "list", "--act", "sing"]).await;
    assert!(code == Some(1) && told.contains("acts are stop"), "{told}");

    let (code, export, _) = command(&stage, &["audit", "export"]).await;
    let lines: Vec<serde_json::Value> = export.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let acts: Vec<_> = lines[1..].iter().map(|line| line["entry"]["act"].as_str().unwrap()).collect();
    assert_eq!((code, acts), (Some(0), vec!["stop", "start"]));
    let head = lines[0]["head"].as_str().unwrap().to_owned();
    let (code, sound, _) = command(&stage, &["audit", "verify", "--head", &head]).await;
    assert!(code == Some(0) && sound.starts_with("sound: ") && sound.contains("is in the chain"), "{sound}");

    let path = stage.product.files().database();
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    connection.execute("UPDATE audit_entry SET body = replace(body, 'stop', 'sing') WHERE block = 1").await.unwrap();
    connection.close().await.unwrap();
    let (code, told, _) = command(&stage, &["audit", "verify"]).await;
    assert!(code == Some(1) && told.starts_with("block 1 has an entry that was changed"), "{told}");
}
