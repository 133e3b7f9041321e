//! Tests the checker's input and output: the account read over HTTP, and the report as JSON.

use botfleet_world::api::Api;
use botfleet_world::checker::fetch_outcomes;

use crate::checker_history::{clean, look};

#[test]
fn a_report_is_json_with_totals_and_breaches() {
    let report = serde_json::to_value(look(&clean(2))).unwrap();
    assert_eq!(report["breaches"]["lost"], 0);
    assert!(report["totals"]["polls"].as_u64().unwrap() > 0);
    assert_eq!(report["examples"], serde_json::json!([]));
}

#[tokio::test]
async fn outcomes_are_fetched_line_by_line_and_refusals_are_told() {
    let lines: Vec<String> = clean(5).outcomes.iter().map(|line| serde_json::to_string(line).unwrap()).collect();
    let lines = lines.join("\n");
    let app =
        axum::Router::new().route("/api/v1/outcomes", axum::routing::get(move || std::future::ready(lines.clone())));
    let folder = tempfile::tempdir().unwrap();
    let serve = |name: &str, app: axum::Router| {
        let path = folder.path().join(name);
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Api::new(&path).unwrap()
    };
    assert_eq!(fetch_outcomes(&serve("fleet.sock", app)).await.unwrap(), clean(5).outcomes);
    let refused = fetch_outcomes(&serve("other.sock", axum::Router::new())).await.unwrap_err();
    assert!(refused.to_string().contains("404"), "{refused}");
}
