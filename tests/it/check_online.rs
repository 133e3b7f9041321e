//! Tests `botfleet check --online` as a person runs it, beside a running fleet.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Stdio;

use botfleet_loadtest::harness::recording::{self, RecordingArgs};
use botfleet_world::ledger::{LedgerEvent, PollEnd};
use serde_json::Value;
use tokio::process::Command;

use crate::fleet_stage::{DEADLINE, FleetStage, PROVIDER_KEY, binary, options};

async fn check(stage: &FleetStage, flags: &[&str]) -> (Option<i32>, Value, String) {
    let files = stage.product.files();
    let mut command = Command::new(binary());
    command.args(["check", "--online", "--json", "--config"]).arg(files.config());
    command.arg("--manifest").arg(files.manifest()).args(flags);
    command.current_dir(files.dir()).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(DEADLINE, command.output()).await.expect("it ends by itself").unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let secrets = stage.simulation.world.spec().bots.iter().map(|bot| bot.token.split_once(':').unwrap().1);
    let shown = format!("{}{told}", String::from_utf8_lossy(&output.stdout));
    for secret in secrets.chain([PROVIDER_KEY]) {
        assert!(!shown.contains(secret), "a secret is shown: {shown}");
    }
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default(), told)
}

/// Returns the findings that are not sound, as `part subject: what -> remedy`.
fn complaints(answer: &Value) -> Vec<String> {
    let complaint = |finding: &Value| {
        let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        (text("verdict") != "sound")
            .then(|| format!("{} {}: {} -> {}", text("part"), text("subject"), text("what"), text("remedy")))
    };
    answer["findings"].as_array().expect("findings").iter().filter_map(complaint).collect()
}

fn conflicts(stage: &FleetStage) -> usize {
    let conflict = |event: &LedgerEvent| matches!(event, LedgerEvent::PollClosed { how: PollEnd::Conflict, .. });
    stage.simulation.world.ledger().snapshot().iter().filter(|record| conflict(&record.event)).count()
}

#[tokio::test]
async fn a_sound_fleet_is_found_sound_and_notices_nothing_of_the_question() {
    let stage = FleetStage::start(3, 2, options()).await;
    let confirmed = |stage: &FleetStage| {
        let records = stage.simulation.world.ledger().snapshot();
        records.iter().filter(|record| matches!(record.event, LedgerEvent::UpdatesConfirmed { .. })).count()
    };
    let before = confirmed(&stage);
    let (code, answer, told) = check(&stage, &[]).await;
    assert_eq!(code, Some(0), "{told} {answer}");
    let parts: Vec<&str> =
        answer["findings"].as_array().unwrap().iter().map(|finding| finding["part"].as_str().unwrap()).collect();
    for part in ["bot", "chat", "member", "model", "database", "clock"] {
        assert!(parts.contains(&part), "{part} was not looked at: {answer}");
    }
    assert_eq!((conflicts(&stage), stage.sends(), confirmed(&stage)), (0, 0, before));
    stage.say(0, "and the fleet goes on");
    stage.until_sent(1).await;
}

#[tokio::test]
async fn what_is_wrong_outside_is_named_with_its_remedy() {
    let stage = FleetStage::start(3, 1, options()).await;
    let world = &stage.simulation.world;
    let (chat, bots) = (world.spec().chats[0].id, world.spec().bots.clone());
    world.kick_bot(chat, bots[1].id).unwrap();
    world.revoke_token(bots[2].id).unwrap();
    let (code, answer, _) = check(&stage, &[]).await;
    assert_eq!((code, &answer["sound"]), (Some(1), &Value::Bool(false)), "{answer}");
    let found = complaints(&answer).join("\n");
    for expected in ["Unauthorized", "@BotFather", "member "] {
        assert!(found.contains(expected), "{expected} is not told:\n{found}");
    }
}

#[tokio::test]
async fn the_trial_leaves_nothing_behind_and_its_recording_replays_in_the_simulated_world() {
    let stage = FleetStage::start(2, 1, options()).await;
    let recording = stage.directory.path().join("recording.jsonl");
    let chat = chat_name(&stage.product.files().manifest());
    let file = recording.to_str().unwrap();
    let (code, answer, told) = check(&stage, &["--chat", &chat, "--try", "--recording", file]).await;
    assert_eq!(code, Some(0), "{told} {answer:#}");
    assert!(answer["tried"].as_array().unwrap().len() >= 14, "{answer}");
    let records = stage.simulation.world.ledger().snapshot();
    let sent = records.iter().filter(|record| matches!(record.event, LedgerEvent::SendAccepted { .. })).count();
    let deleted = |event: &LedgerEvent| matches!(event, LedgerEvent::OtherCall { method, status: 200, .. } if method.eq_ignore_ascii_case("deletemessage"));
    let deleted = records.iter().filter(|record| deleted(&record.event)).count();
    assert!(sent >= 5 && deleted == sent, "{sent} sent, {deleted} deleted");
    let result = recording::run(&RecordingArgs { file: PathBuf::from(file) }).await.unwrap();
    assert!(result.is_clean(), "the world answers itself alike: {result}");
    let (code, _, told) = check(&stage, &["--chat", "no such chat", "--try"]).await;
    assert_eq!(code, Some(1));
    assert!(told.contains("no such chat"), "{told}");
}

/// Returns the name of the first chat in a manifest.
fn chat_name(manifest: &Path) -> String {
    let table: toml::Table = std::fs::read_to_string(manifest).unwrap().parse().unwrap();
    table["chats"][0]["name"].as_str().unwrap().to_owned()
}
