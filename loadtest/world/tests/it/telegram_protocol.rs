//! Tests how calls are made and refused: names, ways to pass parameters, tokens, bodies.

use serde_json::{Value, json};

use botfleet_world::ledger::LedgerEvent;

use crate::telegram_harness::{GROUP, OPEN, PRIVATE, Sim, token};

#[tokio::test]
async fn method_names_are_case_insensitive_and_may_be_got_or_posted() {
    let sim = Sim::start().await;
    for name in ["getMe", "GetMe", "getme", "GETME"] {
        let got: Value = sim.client.get(sim.method(OPEN, name)).send().await.unwrap().json().await.unwrap();
        let posted = sim.client.post(sim.method(OPEN, name)).send().await.unwrap();
        assert_eq!(got, posted.json::<Value>().await.unwrap());
        assert_eq!(got["result"]["username"], "open_bot");
        assert_eq!(got["result"]["can_read_all_group_messages"], true);
    }
    sim.stop().await;
}

#[tokio::test]
async fn parameters_come_by_query_form_json_and_multipart() {
    let sim = Sim::start().await;
    let url = sim.method(OPEN, "SendMessage");
    let query = format!("{url}?chat_id={GROUP}&text=%C3%A7ay+1");
    let form = sim
        .client
        .post(&url)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("chat_id={GROUP}&text=%C3%A7ay%202"));
    let json = sim.client.post(&url).json(&json!({"chat_id": GROUP, "text": "çay 3"}));
    let part =
        |name: &str, value: &str| format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    let multipart = sim
        .client
        .post(&url)
        .header("content-type", "multipart/form-data; boundary=b")
        .body(part("chat_id", &GROUP.to_string()) + &part("text", "çay 4") + "--b--\r\n");
    for request in [sim.client.get(query), form, json, multipart] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    }
    let texts: Vec<String> = sim.world().history(GROUP, 9).into_iter().map(|m| m.text).collect();
    assert_eq!(texts, ["çay 1", "çay 2", "çay 3", "çay 4"]);
    sim.stop().await;
}

#[tokio::test]
async fn a_malformed_token_is_not_found_and_an_unknown_one_not_authorised() {
    let sim = Sim::start().await;
    for (path, code, why) in [
        ("/botabc/getMe".to_owned(), 404, "Not Found"),
        ("/nothing".to_owned(), 404, "Not Found"),
        (format!("/bot{}x/getMe", token(OPEN)), 401, "Unauthorized"),
        (format!("/bot{}/noSuch", token(OPEN)), 404, "Not Found: method not found"),
    ] {
        let answer = sim.client.get(sim.url(&path)).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), code);
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body, json!({"ok": false, "error_code": code, "description": why}));
    }
    sim.stop().await;
}

#[tokio::test]
async fn a_revoked_token_is_refused_also_while_it_polls() {
    let sim = Sim::start().await;
    let poll = sim.long_poll(OPEN, json!({"timeout": 50}));
    sim.until(1, |e| matches!(e, LedgerEvent::PollOpened { .. })).await;
    sim.world().revoke_token(OPEN).unwrap();
    let (status, body) = poll.await.unwrap();
    assert_eq!((status, &body["description"]), (401, &json!("Unauthorized")));
    sim.refused(OPEN, "getMe", json!({}), 401, "Unauthorized").await;
    sim.ok(PRIVATE, "getMe", json!({})).await;
    sim.world().replace_token(OPEN, &token(OPEN)).unwrap();
    sim.ok(OPEN, "getMe", json!({})).await;
    sim.stop().await;
}

#[tokio::test]
async fn log_out_refuses_later_calls_and_close_comes_too_early() {
    let sim = Sim::start().await;
    let answer = sim.client.post(sim.method(PRIVATE, "close")).send().await.unwrap();
    let header = answer.headers()["retry-after"].to_str().unwrap().to_owned();
    assert_eq!(answer.status(), 429);
    let body: Value = answer.json().await.unwrap();
    let seconds = body["parameters"]["retry_after"].as_u64().unwrap();
    assert_eq!(body["description"], format!("Too Many Requests: retry after {seconds}"));
    assert_eq!(header, seconds.to_string());
    sim.ok(PRIVATE, "logOut", json!({})).await;
    sim.refused(PRIVATE, "getMe", json!({}), 400, "Logged out").await;
    sim.stop().await;
}

#[tokio::test]
async fn commands_and_descriptions_are_kept_by_scope_and_language() {
    let sim = Sim::start().await;
    let commands = json!([{"command": "stop", "description": "dur"}]);
    let group = json!({"type": "all_group_chats"});
    sim.ok(OPEN, "setMyCommands", json!({"commands": commands, "scope": group})).await;
    assert_eq!(sim.ok(OPEN, "getMyCommands", json!({})).await, json!([]));
    assert_eq!(sim.ok(OPEN, "getMyCommands", json!({"scope": group})).await, commands);
    sim.ok(OPEN, "deleteMyCommands", json!({"scope": group})).await;
    assert_eq!(sim.ok(OPEN, "getMyCommands", json!({"scope": group})).await, json!([]));
    let bad = json!({"commands": [{"command": "Dur!", "description": "x"}]});
    sim.refused(OPEN, "setMyCommands", bad, 400, "Bad Request: BOT_COMMAND_INVALID").await;
    sim.ok(OPEN, "setMyDescription", json!({"description": "a bot"})).await;
    let described = sim.ok(OPEN, "getMyDescription", json!({"language_code": "tr"})).await;
    assert_eq!(described["description"], "a bot");
    sim.stop().await;
}
