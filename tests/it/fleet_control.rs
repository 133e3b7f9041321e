//! Tests the HTTP edge of a running fleet.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::fleet_stage::FleetStage;

#[tokio::test]
async fn i9_stop_and_start_by_http() {
    let stage = FleetStage::start(2, 2, crate::fleet_stage::options()).await;
    let chats = &stage.simulation.world.spec().chats;
    let name = format!("{} {}", chats[0].title, chats[0].id);
    let answer = stage.post("/api/v1/control/stop", &json!({ "scope": "chat", "name": name })).await;
    assert_eq!(answer.json::<Value>().await.unwrap(), json!({ "stopped": true }));
    stage.say(0, "nobody answers here");
    stage.say(1, "somebody answers here");
    stage.until_sent(1).await;
    stage.settle().await;
    assert_eq!(stage.sends(), 1);
    assert_eq!(stage.json("/api/v1/fleet").await["stops"], json!([format!("chat {name}")]));
    stage.post("/api/v1/control/start", &json!({ "scope": "chat", "name": name })).await;
    stage.say(0, "now they do");
    stage.until_sent(2).await;
    assert_eq!(stage.json("/api/v1/fleet").await["stops"], json!([]));
}

#[tokio::test]
async fn i9_a_stop_survives_a_restart() {
    let mut stage = FleetStage::small().await;
    stage.post("/api/v1/control/stop", &json!({ "scope": "fleet" })).await;
    stage.product.kill_9().await.unwrap();
    stage.product.restart().await.unwrap();
    stage.until_polling().await;
    stage.say(0, "nobody answers");
    let outcomes = stage.settle().await;
    assert_eq!((outcomes.len(), stage.sends()), (1, 0));
    assert_eq!(stage.json("/api/v1/fleet").await["stops"], json!(["fleet"]));
}

#[tokio::test]
async fn unknown_names_and_scopes_are_problems() {
    let stage = FleetStage::small().await;
    let answer = stage.post("/api/v1/control/stop", &json!({ "scope": "bot", "name": "nobody" })).await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    insta::assert_json_snapshot!("unknown_bot", answer.json::<Value>().await.unwrap());
    let answer = stage.post("/api/v1/control/start", &json!({ "scope": "galaxy" })).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    insta::assert_json_snapshot!("unknown_scope", answer.json::<Value>().await.unwrap());
}

#[tokio::test]
async fn pauses_are_lifted_by_http() {
    let stage = FleetStage::small().await;
    let name = stage.json("/api/v1/fleet").await["bots"][0]["name"].as_str().unwrap().to_owned();
    let answer = stage.post("/api/v1/control/lift-pauses", &json!({ "bot": name })).await;
    assert_eq!(answer.json::<Value>().await.unwrap(), json!({ "lifted": name }));
    let answer = stage.post("/api/v1/control/lift-pauses", &json!({ "bot": "nobody" })).await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    stage.say(0, "and it goes on");
    stage.until_sent(1).await;
}

#[tokio::test]
async fn what_a_foreign_page_sends_is_refused() {
    let stage = FleetStage::small().await;
    let foreign_host = stage.http.get(stage.url("/api/v1/fleet")).header("host", "rebound.example").send().await;
    let answer = foreign_host.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert_eq!(answer.json::<Value>().await.unwrap()["code"], "foreign_host");
    let body = json!({ "scope": "fleet" });
    let stop = stage.http.post(stage.url("/api/v1/control/stop")).json(&body);
    let answer = stop.header("origin", "http://page.example").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert_eq!(answer.json::<Value>().await.unwrap()["code"], "foreign_origin");
    assert_eq!(stage.json("/api/v1/fleet").await["stops"], json!([]));
    let own = stage.http.get(stage.url("/health/live")).header("origin", stage.url("")).send().await.unwrap();
    assert!(own.status().is_success());
}

#[tokio::test]
async fn every_update_and_message_has_its_line_in_the_outcomes() {
    let stage = FleetStage::small().await;
    stage.say(0, "hello");
    stage.until_sent(1).await;
    stage.settle().await;
    let answer = stage.get("/api/v1/outcomes").await;
    assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
    let text = answer.text().await.unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = lines.iter().map(|line| (&line["source"], &line["outcome"], &line["number"])).collect();
    let (update, sent, appended) = (json!("update"), json!("sent"), json!("appended"));
    assert_eq!(told, [(&update, &appended, &json!(1)), (&sent, &appended, &json!(2))]);
    assert_eq!(lines[0]["turns"][0]["state"], "done");
    assert_eq!(lines[0]["turns"][0]["messages"][0]["message_id"], lines[1]["message_id"]);
}

#[tokio::test]
async fn health_tells_of_each_part() {
    let stage = FleetStage::small().await;
    assert_eq!(stage.get("/health/live").await.status(), StatusCode::OK);
    assert_eq!(stage.get("/health/ready").await.status(), StatusCode::OK);
    let health = stage.until_json("/health", |health| health["status"] == "healthy").await;
    let parts: Vec<_> = health["checks"].as_array().unwrap().iter().map(|check| &check["name"]).collect();
    let named = ["database", "committer", "telegram", "sends", "quarantined", "refused", "paused", "sealed"];
    assert_eq!(parts, [&named[..], &["provider sim", "clock", "disk", "budgets"]].concat());
    stage.simulation.world.revoke_token(stage.simulation.world.spec().bots[0].id).unwrap();
    let health = stage.until_json("/health", |health| health["status"] == "degraded").await;
    let wrong = health["checks"].as_array().unwrap().iter().filter(|check| check["ok"] == false);
    let wrong: Vec<_> = wrong.map(|check| (&check["name"], &check["detail"])).collect();
    assert_eq!(wrong[0], (&json!("telegram"), &json!("0 of 1 bots poll")));
    assert_eq!(stage.get("/health/ready").await.status(), StatusCode::OK, "a revoked token is no reason to restart");
}
