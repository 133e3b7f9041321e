//! Tests the API as data against the API as served: documents, permissions, refusals.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use botfleet::api::list::{Visitor, each};
use botfleet::api::route::Route;
use botfleet::api::{openapi, reference};
use botfleet::operate::failure::Code;
use botfleet::operate::permission::{ALL, Permission};
use botfleet::operate::principal::{Reach, Role};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::conforms::faults;
use crate::fleet_stage::{FleetStage, options};
use crate::keys::is_current;
use crate::operate::somebody;

#[test]
fn the_documents_of_the_api_are_current() {
    is_current("docs/openapi.json", &openapi::text());
    is_current("docs/API.md", &reference::markdown());
}

/// Asks for each route's permission as each role, and compares with what docs/API.md says.
struct Matrix {
    page: String,
    routes: usize,
    used: BTreeSet<&'static str>,
}

impl Matrix {
    /// Returns whether the page says that a role has a permission. Nobody but a stranger has those of strangers alone.
    fn says(&self, permission: &str, role: Role) -> bool {
        let row = self.page.lines().find(|line| line.starts_with(&format!("| `{permission}` |")));
        let row = row.unwrap_or_else(|| panic!("{permission} is not on the page"));
        row.split('|').any(|cell| cell.trim() == role.as_str())
    }
}

impl Visitor for Matrix {
    fn visit<R: Route>(&mut self) {
        let permission = <R::Permission as Permission>::NAME;
        let route = format!("| [`{} {}`](#{})", R::METHOD.as_str(), R::PATH, R::NAME);
        let row = self.page.lines().find(|line| line.starts_with(&route));
        assert!(row.is_some_and(|row| row.ends_with(&format!("| `{permission}` |"))), "{route}: {row:?}");
        for role in Role::ALL {
            let granted = somebody(role, Reach::Everything).grant::<R::Permission>();
            assert_eq!(granted.is_ok(), self.says(permission, role), "{permission} of {role}");
            if let Err(failure) = &granted {
                let expected = if role == Role::Stranger { Code::Unauthenticated } else { Code::Forbidden };
                assert_eq!(failure.code, expected);
                let names_it = failure.detail.contains(permission) || role == Role::Stranger;
                assert!(names_it, "the refusal names the permission: {failure}");
            }
        }
        self.routes += 1;
        self.used.insert(permission);
    }
}

#[test]
fn each_role_is_granted_what_is_written_and_nothing_else() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/API.md");
    let mut matrix = Matrix { page: std::fs::read_to_string(page).unwrap(), routes: 0, used: BTreeSet::new() };
    each(&mut matrix);
    assert!(matrix.routes > 40, "{}", matrix.routes);
    // Texts are asked for within a route, and so is a bot that another operator holds.
    let unused: Vec<_> = ALL.iter().map(|(name, ..)| *name).filter(|name| !matrix.used.contains(name)).collect();
    assert_eq!(unused, ["messages:read", "chats:seize"], "a permission that no route takes");
}

/// Gathers name, method and example of each route.
#[derive(Default)]
struct Examples(Vec<(&'static str, &'static str, &'static str, &'static str)>);

impl Visitor for Examples {
    fn visit<R: Route>(&mut self) {
        self.0.push((R::NAME, R::METHOD.as_str(), R::EXAMPLE.address, R::EXAMPLE.body));
    }
}

/// Returns the operation of a document.
fn operation<'a>(document: &'a Value, name: &str) -> &'a Value {
    let paths = document["paths"].as_object().unwrap();
    let mut operations = paths.values().flat_map(|path| path.as_object().unwrap().values());
    operations.find(|operation| operation["operationId"] == name).unwrap()
}

/// Fails unless a content of the document, as JSON, fits its schema.
fn fits(document: &Value, content: &Value, value: &Value, name: &str) {
    assert!(content["schema"].is_object(), "{name}: no schema");
    let told = faults(document, &content["schema"], value);
    assert!(told.is_empty(), "{name}: {told:#?}");
}

#[test]
fn every_example_fits_its_schema() {
    let document: Value = serde_json::from_str(&openapi::text()).unwrap();
    let mut examples = Examples::default();
    each(&mut examples);
    for (name, ..) in examples.0 {
        let operation = operation(&document, name);
        // A WebSocket answers 101.
        let done = operation["responses"].get("200").unwrap_or(&operation["responses"]["101"]);
        let (_, answer) = done["content"].as_object().unwrap().iter().next().unwrap();
        fits(&document, answer, &answer["example"], name);
        if let Some(body) = operation.pointer("/requestBody/content/application~1json") {
            fits(&document, body, &body["example"], name);
        }
    }
}

#[tokio::test]
async fn every_route_answers_its_example_as_its_document_says() {
    let stage = FleetStage::start(1, 1, options()).await;
    let served = stage.http.get(stage.url("/api/v1/openapi.json")).send().await.unwrap().json::<Value>();
    let committed: Value = serde_json::from_str(&openapi::text()).unwrap();
    assert!(served.await.unwrap() == committed, "everybody reads the document, by the port too");
    let mut examples = Examples::default();
    each(&mut examples);
    let mut answers = Vec::new();
    for (name, method, address, body) in examples.0 {
        // A stream of events does not end.
        if name == "watch_events" {
            continue;
        }
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = stage.request(method.clone(), address);
        let request =
            if body.is_empty() { request } else { request.header(CONTENT_TYPE, "application/json").body(body) };
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16().to_string();
        let told = &operation(&committed, name)["responses"][&status];
        assert!(told.is_object(), "{name}: {status} is not in the document");
        let kind = answer.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
        for header in told["headers"].as_object().into_iter().flat_map(|headers| headers.keys()) {
            assert!(answer.headers().contains_key(header), "{name}: {status} without {header}");
        }
        let text = answer.text().await.unwrap();
        let lines: Vec<&str> = if kind == "application/x-ndjson" { text.lines().collect() } else { vec![&text] };
        let values: Vec<Value> = lines.into_iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        for value in &values {
            fits(&committed, &told["content"][&kind], value, name);
        }
        let code = if status == "200" { "done" } else { values[0]["code"].as_str().unwrap() };
        let known = status == "200" || told["description"].as_str().unwrap().contains(&format!("`{code}`"));
        assert!(known, "{name}: {code}");
        answers.push(format!("{name}: {status} {code}"));
    }
    insta::assert_snapshot!(answers.join("\n"));
}

#[tokio::test]
async fn a_faulty_request_is_told_what_is_wrong_and_how_it_is_right() {
    let stage = FleetStage::start(1, 1, options()).await;
    let stop = || stage.request(Method::POST, "/api/v1/control/stop");
    let send = async |kind: &str, body: &str| {
        let answer = stop().header(CONTENT_TYPE, kind).body(body.to_owned()).send().await.unwrap();
        let status = answer.status().as_u16();
        let problem = answer.json::<Value>().await.unwrap();
        (status, problem["code"].as_str().unwrap().to_owned(), problem["detail"].as_str().unwrap().to_owned())
    };
    let json = "application/json";
    for (kind, body, status, code, told) in [
        (json, r#"{"scope":"galaxy"}"#, 400, "bad_request", "galaxy"),
        (json, r#"["fleet"]"#, 400, "bad_request", "no JSON object"),
        (json, r#"{"scope":"fleet","name":"lounge"}"#, 400, "bad_request", "name"),
        (json, r#"{"scope":"chat","name":7}"#, 400, "bad_request", "string"),
        (json, r#"{"scope":"fleet"} {}"#, 400, "bad_request", "trailing"),
        (json, "", 400, "bad_request", r#"send {"scope""#),
        ("text/plain", r#"{"scope":"fleet"}"#, 415, "wrong_type", "application/json"),
        (json, &format!(r#"{{"scope":"chat","name":"{}"}}"#, "x".repeat(70_000)), 413, "too_large", ""),
    ] {
        let (is, found, detail) = send(kind, body).await;
        let begins: String = body.chars().take(40).collect();
        assert_eq!((is, found.as_str()), (status, code), "{begins}: {detail}");
        assert!(detail.contains(told), "{begins}: {detail}");
    }
    for (path, status, code) in [
        ("/api/v1/nothing", 404, "unknown_path"),
        ("/api/v1/control/stop", 405, "wrong_method"),
        ("/api/v1/fleet?colour=red", 400, "bad_request"),
        ("/api/v1/people/nobody", 400, "bad_request"),
        ("/api/v1/people/0", 400, "bad_request"),
    ] {
        let answer = stage.get(path).await;
        assert_eq!(answer.status().as_u16(), status, "{path}");
        assert_eq!(answer.json::<Value>().await.unwrap()["code"], code, "{path}");
    }
    let long = "x".repeat(70_000);
    let refused = stop().header(CONTENT_TYPE, json).body(long).send().await.unwrap();
    assert_eq!(refused.headers()["connection"], "close", "what is left of the body is not read");
    let stops = stage.json("/api/v1/fleet").await["stops"].clone();
    assert_eq!(stops, json!([]), "nothing of it stopped anything");
}

#[tokio::test]
async fn every_answer_tells_its_request_and_what_a_browser_may_do_with_it() {
    let stage = FleetStage::start(1, 1, options()).await;
    for path in ["/health", "/metrics", "/docs", "/api/v1/fleet", "/api/v1/nothing", "/api/v1/control/stop"] {
        let answer = stage.http.get(stage.url(path)).header("x-request-id", "night-7").send().await.unwrap();
        let of = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(of("x-request-id").as_deref(), Some("night-7"), "{path}");
        assert_eq!(of("x-content-type-options").as_deref(), Some("nosniff"), "{path}");
        assert_eq!(of("referrer-policy").as_deref(), Some("same-origin"), "{path}");
        assert_eq!(of("cache-control").as_deref(), Some("no-store"), "{path}");
        assert!(of("content-security-policy").unwrap().starts_with("default-src 'none'"), "{path}");
    }
    for (method, status) in [(Method::OPTIONS, 204), (Method::GET, 405), (Method::DELETE, 405)] {
        let answer = stage.request(method.clone(), "/api/v1/control/stop").send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{method}");
        assert_eq!(answer.headers()["allow"], "POST", "{method}");
    }
    for (path, packed) in [("/docs", true), ("/health/live", false), ("/api/v1/events", false)] {
        let answer = stage.request(Method::GET, path).header("accept-encoding", "gzip").send().await.unwrap();
        let encoding = answer.headers().get("content-encoding").map(|encoding| encoding.to_str().unwrap().to_owned());
        assert_eq!(encoding.as_deref(), packed.then_some("gzip"), "{path}");
    }
    let head = stage.request(Method::HEAD, "/api/v1/fleet").send().await.unwrap();
    assert_eq!(head.status(), StatusCode::OK);
    assert!(head.text().await.unwrap().is_empty());
}

/// Gathers the methods of each path, with an address.
#[derive(Default)]
struct Methods(BTreeMap<&'static str, (&'static str, BTreeSet<&'static str>)>);

impl Visitor for Methods {
    fn visit<R: Route>(&mut self) {
        let (_, methods) = self.0.entry(R::PATH).or_insert((R::EXAMPLE.address, BTreeSet::new()));
        methods.insert(R::METHOD.as_str());
        if R::METHOD.as_str() == "GET" {
            methods.insert("HEAD");
        }
    }
}

#[tokio::test]
async fn every_path_tells_its_methods_and_refuses_others() {
    let stage = FleetStage::start(1, 1, options()).await;
    let mut paths = Methods::default();
    each(&mut paths);
    for (path, (address, methods)) in paths.0 {
        let address = address.split_once('?').map_or(address, |(address, _)| address);
        for method in ["OPTIONS", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] {
            if methods.contains(method) && method != "HEAD" {
                continue;
            }
            let answer = stage.request(Method::from_bytes(method.as_bytes()).unwrap(), address).send().await.unwrap();
            let status = answer.status().as_u16();
            if method == "HEAD" && methods.contains("HEAD") {
                let kind = answer.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
                // A stream of events does not end.
                if kind != "text/event-stream" {
                    let got = stage.get(address).await;
                    assert_eq!(
                        (status, kind.as_str()),
                        (got.status().as_u16(), got.headers()[CONTENT_TYPE].to_str().unwrap()),
                        "{path}"
                    );
                }
                assert!(answer.bytes().await.unwrap().is_empty(), "{path}");
                continue;
            }
            let allowed: BTreeSet<&str> =
                answer.headers()["allow"].to_str().unwrap().split(',').map(str::trim).collect();
            assert_eq!(allowed, methods, "{method} {path}");
            assert_eq!(status, if method == "OPTIONS" { 204 } else { 405 }, "{method} {path}");
            if status == 405 && method != "HEAD" {
                assert_eq!(answer.json::<Value>().await.unwrap()["code"], "wrong_method", "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn the_page_of_the_api_needs_no_script() {
    let stage = FleetStage::start(1, 1, options()).await;
    let answer = stage.http.get(stage.url("/docs")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "to everybody, by the port too");
    let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert!(answer.text().await.unwrap().contains("/api/v1/control/stop"));
}
