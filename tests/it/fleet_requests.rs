//! Tests requests while the program ends: none fails that a balancer would still send.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use botfleet_loadtest::harness::files::ProductOptions;
use reqwest::StatusCode;
use reqwest::header::CONNECTION;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

use crate::fleet_stage::{DEADLINE, FleetStage, options};
use crate::fleet_stop::{signal, until_unready};

fn draining_for(time: &str) -> ProductOptions {
    let settings = format!("[server]\ndrain_for = \"{time}\"").parse().unwrap();
    ProductOptions { log_level: "info".to_owned(), settings, ..options() }
}

/// Returns host and port of the program's port.
fn port(stage: &FleetStage) -> &str {
    stage.product.base_url().unwrap().trim_start_matches("http://")
}

#[tokio::test]
async fn after_readiness_is_off_it_serves_and_works_until_balancers_have_seen_it() {
    let mut stage = FleetStage::start(2, 1, draining_for("2s")).await;
    let by_port = async |path: &str| stage.http.get(stage.url(path)).send().await.unwrap();
    assert!(!by_port("/health/live").await.headers().contains_key(CONNECTION));
    signal(stage.product.pid().unwrap(), "TERM").await;
    until_unready(&stage.http, &stage.url("/health/ready")).await;
    for answer in [by_port("/docs").await, stage.get("/api/v1/fleet").await] {
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()[CONNECTION], "close", "the client's pool runs dry");
    }
    stage.say(0, "you still hear me");
    stage.until_sent(2).await;
    let log = std::fs::read_to_string(stage.product.files().log()).unwrap();
    assert!(!log.contains("stopping 2/5"), "it worked as before: {log}");
    let status = stage.product.stop(DEADLINE).await.unwrap();
    assert_eq!(status.code(), Some(1), "a second signal does not wait for balancers");
}

#[tokio::test]
async fn requests_are_counted_by_their_route_and_not_by_their_path() {
    let stage = FleetStage::start(1, 1, options()).await;
    for person in [1, 2, 3] {
        stage.get(&format!("/api/v1/people/{person}")).await;
        stage.get(&format!("/nothing/{person}")).await;
    }
    let foreign =
        stage.http.get(stage.url("/api/v1/fleet")).header("origin", "http://example.com").send().await.unwrap();
    assert_eq!(foreign.status(), StatusCode::FORBIDDEN);
    let invented = reqwest::Method::from_bytes(b"BREW").unwrap();
    stage.request(invented, "/api/v1/fleet").send().await.unwrap();
    let metrics = stage.get("/metrics").await.text().await.unwrap();
    let of = |labels: &str| {
        let line = format!("botfleet_http_requests_total{{{labels}}} ");
        metrics.lines().find_map(|found| found.strip_prefix(&line)?.parse::<u64>().ok())
    };
    assert_eq!(of(r#"method="GET",endpoint="/api/v1/people/{id}",status="200""#), Some(3), "{metrics}");
    assert_eq!(of(r#"method="GET",endpoint="none",status="404""#), Some(3), "{metrics}");
    assert_eq!(of(r#"method="GET",endpoint="/api/v1/fleet",status="403""#), Some(1), "refusals count too");
    assert_eq!(of(r#"method="other",endpoint="/api/v1/fleet",status="405""#), Some(1), "{metrics}");
    assert!(
        metrics
            .contains(r#"botfleet_http_request_duration_seconds_count{method="GET",endpoint="/api/v1/people/{id}"} 3"#)
    );
}

#[tokio::test]
async fn a_request_under_way_at_the_end_is_answered() {
    let mut stage = FleetStage::start(1, 1, draining_for("300ms")).await;
    let mut slow = UnixStream::connect(stage.product.files().socket()).await.unwrap();
    let body = r#"{"scope":"fleet"}"#;
    let head = format!(
        "POST /api/v1/control/stop HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nexpect: 100-continue\r\n\r\n",
        body.len()
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut word = [0; 25];
    slow.read_exact(&mut word).await.unwrap();
    assert!(word.starts_with(b"HTTP/1.1 100 Continue"), "the request is under way");
    let mut idle = TcpStream::connect(port(&stage)).await.unwrap();
    let product = &mut stage.product;
    let log = product.files().log();
    let (status, answer) = tokio::join!(product.stop(DEADLINE), async {
        let until = std::time::Instant::now() + DEADLINE;
        while !std::fs::read_to_string(&log).unwrap().contains("stopping 4/5") {
            assert!(std::time::Instant::now() < until, "the stop does not get so far");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        slow.write_all(body.as_bytes()).await.unwrap();
        let mut answer = String::new();
        slow.read_to_string(&mut answer).await.unwrap();
        answer
    });
    assert!(answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.1 204"), "{answer}");
    assert_eq!(status.unwrap().code(), Some(0));
    assert_eq!(idle.read(&mut [0; 1]).await.unwrap_or(0), 0, "an idle connection keeps nobody");
}

#[tokio::test]
async fn a_request_that_never_ends_keeps_nobody() {
    let mut stage = FleetStage::start(1, 1, draining_for("0s")).await;
    let mut without_body = UnixStream::connect(stage.product.files().socket()).await.unwrap();
    let head = b"POST /api/v1/control/stop HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n";
    without_body.write_all(head).await.unwrap();
    let mut within_head = TcpStream::connect(port(&stage)).await.unwrap();
    within_head.write_all(b"GET /docs HTTP/1.1\r\nhost: ").await.unwrap();
    let status = stage.product.stop(Duration::from_secs(10)).await.unwrap();
    assert_eq!(status.code(), Some(0));
    drop((without_body, within_head));
}
