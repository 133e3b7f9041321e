//! Tests the local socket of the real program: who runs the fleet steers it there, without an address or a secret.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use botfleet::api::control::{Scope, Start, Stop};
use botfleet::api::route::{Call, Nothing};
use botfleet::client::{CallError, Client};
use serde_json::json;
use tokio::process::Command;

use crate::fleet_stage::{DEADLINE, FleetStage, binary};

fn socket(stage: &FleetStage) -> PathBuf {
    stage.product.files().socket()
}

fn client(stage: &FleetStage) -> Client {
    Client::new(&format!("unix:{}", socket(stage).display())).unwrap()
}

fn order<R>(body: R::Body) -> Call<R>
where
    R: botfleet::api::route::Route<Path = Nothing, Query = Nothing>,
{
    Call::new(Nothing {}, Nothing {}, body)
}

#[tokio::test]
async fn who_runs_the_fleet_steers_it_through_the_local_socket_over_a_crash_too() {
    let mut stage = FleetStage::small().await;
    stage.until_polling().await;
    let mode = std::fs::metadata(socket(&stage)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(client(&stage).call(order::<Stop>(Scope::Fleet {})).await.unwrap().stopped);
    assert_eq!(stage.json("/api/v1/fleet").await["stops"], json!(["fleet"]));
    let unknown = client(&stage).call(order::<Stop>(Scope::Bot { name: "nobody".to_owned() })).await.unwrap_err();
    assert!(matches!(&unknown, CallError::Refused { status: 404, code, .. } if code == "unknown_name"), "{unknown}");

    stage.product.kill_9().await.unwrap();
    assert!(socket(&stage).exists(), "a killed process leaves the file");
    let gone = client(&stage).call(order::<Start>(Scope::Fleet {})).await.unwrap_err().to_string();
    assert!(gone.contains("is the fleet running?"), "{gone}");
    stage.product.restart().await.unwrap();
    stage.until_polling().await;
    assert!(!client(&stage).call(order::<Start>(Scope::Fleet {})).await.unwrap().stopped);

    let mut command = Command::new(binary());
    // Without an address, in the folder of the fleet.
    let health = command.args(["health", "--ready"]).current_dir(stage.product.files().dir());
    let output = health.kill_on_drop(true).output().await.unwrap();
    assert_eq!((output.status.code(), output.stdout), (Some(0), b"ready\n".to_vec()));

    stage.product.stop(DEADLINE).await.unwrap();
    assert!(!socket(&stage).exists(), "it goes with the process");
}

#[tokio::test]
async fn a_view_travels_through_the_client_unchanged() {
    let stage = FleetStage::small().await;
    stage.until_polling().await;
    let untyped = stage.json("/api/v1/cluster").await;
    let call = Call::<botfleet::api::cluster::Get>::new(Nothing {}, Nothing {}, Nothing {});
    let typed = serde_json::to_value(client(&stage).call(call).await.unwrap()).unwrap();
    let without_time = |mut view: serde_json::Value| {
        for node in view["nodes"].as_array_mut().unwrap() {
            for moving in ["updates_per_minute", "sends_per_minute", "lag_ms", "joined_at"] {
                node.as_object_mut().unwrap().remove(moving);
            }
        }
        view
    };
    assert_eq!(without_time(typed), without_time(untyped));
}
