//! Tests `botfleet health` as a probe runs it.

#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::Value;
use tokio::process::Command;

use crate::fleet_stage::{FleetStage, binary};

async fn health(address: &str, flags: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(binary());
    command.args(["health", "--api", address]).args(flags).kill_on_drop(true);
    let output = command.output().await.unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[tokio::test]
async fn a_working_node_is_live_ready_and_told_part_by_part() {
    let stage = FleetStage::small().await;
    let socket = stage.product.api().address();
    // Health needs no sign-in, so the port serves too.
    for address in [socket.as_str(), stage.product.base_url().unwrap()] {
        assert_eq!(health(address, &["--live"]).await, (Some(0), "ok\n".to_owned()));
        assert_eq!(health(address, &["--ready"]).await, (Some(0), "ready\n".to_owned()));
    }
    stage.until_json("/health", |health| health["status"] == "healthy").await;
    let (code, text) = health(&socket, &[]).await;
    assert_eq!((code, text.lines().next()), (Some(0), Some("healthy")), "{text}");
    assert!(text.lines().any(|line| line.starts_with("  ") && line.ends_with(" ok")), "{text}");
    let (_, text) = health(&socket, &["--json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["status"], "healthy");
}
