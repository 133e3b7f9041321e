//! Checks the layers: reads the paths that each layer's sources name, and fails with file, line and layer.
//!
//! Comments, strings and the tests at a file's end are left out; groups in `use` are opened, `crate`, `self` and
//! `super` are resolved.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

/// The paths that the files under one folder may name.
struct Layer {
    name: &'static str,
    folder: &'static str,
    /// The folder's module.
    module: &'static str,
    /// Modules of our crates that the layer may name, its own included.
    may: &'static [&'static str],
    /// Other paths that the layer must not name.
    must_not: &'static [&'static str],
}

const OUR_CRATES: [&str; 4] = ["botfleet", "botfleet_actors", "botfleet_loadtest", "botfleet_world"];

const CLOCKS: &[&str] = &[
    "tokio",
    "std::time::SystemTime",
    "std::time::Instant",
    "SystemTime::now",
    "Instant::now",
    "chrono::Utc::now",
    "chrono::Local::now",
    "Utc::now",
    "std::fs",
    "std::net",
    "failsafe",
    "governor",
];

/// Libraries that ports must not name: all that speak to the world outside, and the breaker's, which may have to go.
const OUTSIDE: &[&str] =
    &["teloxide", "sqlx", "axum", "async_openai", "fred", "reqwest", "crossterm", "failsafe", "governor"];

const SDKS: &[&str] = &["teloxide", "sqlx", "axum", "async_openai", "fred", "reqwest", "crossterm"];

const LAYERS: &[Layer] = &[
    Layer {
        name: "domain",
        folder: "actors/src/domain",
        module: "botfleet_actors::domain",
        may: &["botfleet_actors::domain"],
        must_not: CLOCKS,
    },
    Layer {
        name: "ports",
        folder: "actors/src/ports",
        module: "botfleet_actors::ports",
        may: &["botfleet_actors::ports", "botfleet_actors::domain"],
        must_not: OUTSIDE,
    },
    Layer {
        name: "behaviour",
        folder: "actors/src/behaviour",
        module: "botfleet_actors::behaviour",
        may: &["botfleet_actors::behaviour", "botfleet_actors::domain", "botfleet_actors::ports::llm"],
        must_not: CLOCKS,
    },
    Layer {
        name: "policy",
        folder: "actors/src/policy",
        module: "botfleet_actors::policy",
        may: &["botfleet_actors::policy", "botfleet_actors::domain"],
        must_not: SDKS,
    },
    Layer {
        name: "actors",
        folder: "actors/src/actors",
        module: "botfleet_actors::actors",
        may: &[
            "botfleet_actors::actors",
            "botfleet_actors::behaviour",
            "botfleet_actors::policy",
            "botfleet_actors::ports",
            "botfleet_actors::domain",
        ],
        must_not: SDKS,
    },
    Layer {
        name: "adapter telegram",
        folder: "src/telegram",
        module: "botfleet::telegram",
        may: &["botfleet::telegram", "botfleet_actors::ports", "botfleet_actors::domain"],
        must_not: &["sqlx", "axum", "async_openai", "fred", "crossterm"],
    },
    Layer {
        name: "adapter llm",
        folder: "src/llm",
        module: "botfleet::llm",
        may: &["botfleet::llm", "botfleet::outbound", "botfleet_actors::ports", "botfleet_actors::domain"],
        must_not: &["teloxide", "sqlx", "axum", "fred", "crossterm"],
    },
    Layer {
        name: "adapter store",
        folder: "src/store",
        module: "botfleet::store",
        may: &["botfleet::store", "botfleet_actors::ports", "botfleet_actors::domain"],
        must_not: &["teloxide", "axum", "async_openai", "fred", "reqwest", "crossterm"],
    },
    Layer {
        name: "adapter bus",
        folder: "src/bus",
        module: "botfleet::bus",
        may: &["botfleet::bus", "botfleet_actors::ports", "botfleet_actors::domain"],
        must_not: &["teloxide", "sqlx", "axum", "async_openai", "reqwest", "crossterm"],
    },
    Layer {
        name: "adapter hook",
        folder: "src/hook",
        module: "botfleet::hook",
        may: &["botfleet::hook", "botfleet::outbound", "botfleet_actors::ports", "botfleet_actors::domain"],
        must_not: &["teloxide", "sqlx", "axum", "async_openai", "fred", "crossterm"],
    },
    Layer {
        name: "sealing",
        folder: "src/sealing",
        module: "botfleet::sealing",
        may: &["botfleet::sealing"],
        must_not: &[
            "teloxide",
            "sqlx",
            "axum",
            "async_openai",
            "fred",
            "reqwest",
            "crossterm",
            "tokio",
            "std::fs",
            "std::net",
        ],
    },
    Layer {
        name: "adapter vault",
        folder: "src/vault",
        module: "botfleet::vault",
        may: &["botfleet::vault", "botfleet::outbound"],
        must_not: &["teloxide", "sqlx", "axum", "async_openai", "fred", "crossterm"],
    },
    Layer {
        name: "adapter outbound",
        folder: "src/outbound",
        module: "botfleet::outbound",
        may: &["botfleet::outbound"],
        must_not: &["teloxide", "sqlx", "axum", "async_openai", "fred", "crossterm"],
    },
    Layer {
        name: "config",
        folder: "src/config",
        module: "botfleet::config",
        may: &[
            "botfleet::config",
            "botfleet::logs",
            "botfleet::telegram::settings",
            "botfleet::llm::settings",
            "botfleet::llm::address",
            "botfleet::store::settings",
            "botfleet::bus::settings",
            "botfleet_actors",
        ],
        must_not: SDKS,
    },
    Layer {
        name: "runtime",
        folder: "src/runtime",
        module: "botfleet::runtime",
        may: &[
            "botfleet::runtime",
            "botfleet::config",
            "botfleet::telegram",
            "botfleet::llm",
            "botfleet::store",
            "botfleet::bus",
            "botfleet::hook",
            "botfleet::outbound",
            "botfleet::sealing",
            "botfleet::vault",
            "botfleet_actors",
        ],
        must_not: SDKS,
    },
    Layer {
        name: "operate",
        folder: "src/operate",
        module: "botfleet::operate",
        may: &["botfleet::operate", "botfleet::runtime", "botfleet_actors"],
        must_not: &["teloxide", "sqlx", "axum", "async_openai", "fred", "reqwest", "crossterm"],
    },
    // The views of the runtime are the answers' types.
    Layer {
        name: "api",
        folder: "src/api",
        module: "botfleet::api",
        may: &["botfleet::api", "botfleet::operate", "botfleet::runtime", "botfleet_actors"],
        must_not: &["teloxide", "sqlx", "axum", "async_openai", "fred", "reqwest", "crossterm"],
    },
    Layer {
        name: "http",
        folder: "src/http",
        module: "botfleet::http",
        may: &["botfleet::http", "botfleet::api", "botfleet::operate", "botfleet::runtime", "botfleet_actors"],
        must_not: &["teloxide", "sqlx", "async_openai", "fred", "reqwest", "crossterm"],
    },
    Layer {
        name: "cli",
        folder: "src/cli",
        module: "botfleet::cli",
        may: &["botfleet", "botfleet_actors", "botfleet_world"],
        must_not: &["teloxide", "sqlx", "axum", "async_openai", "fred", "reqwest"],
    },
    Layer {
        name: "simulated world",
        folder: "loadtest/world/src",
        module: "botfleet_world",
        may: &["botfleet_world"],
        must_not: &["teloxide", "sqlx", "async_openai", "fred"],
    },
    Layer {
        name: "load test",
        folder: "loadtest/src",
        module: "botfleet_loadtest",
        may: &["botfleet_loadtest", "botfleet_world"],
        must_not: &["teloxide", "sqlx", "async_openai", "fred"],
    },
    // The harness looks into the product's file when the product cannot be asked.
    Layer {
        name: "harness",
        folder: "loadtest/src/harness",
        module: "botfleet_loadtest::harness",
        may: &["botfleet_loadtest", "botfleet_world"],
        must_not: &["teloxide", "async_openai", "fred"],
    },
];

#[test]
fn no_layer_names_what_lies_above_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut broken = Vec::new();
    for layer in LAYERS {
        let folder = root.join(layer.folder);
        let files = rust_files(&folder);
        assert!(!files.is_empty(), "{} has no sources: was it moved?", layer.folder);
        let is_of_deeper = |file: &PathBuf| {
            LAYERS
                .iter()
                .any(|other| other.folder.len() > layer.folder.len() && file.starts_with(root.join(other.folder)))
        };
        let is_product = |file: &PathBuf| file.file_name().is_some_and(|name| name != "tests.rs");
        for file in files.into_iter().filter(|file| !is_of_deeper(file) && is_product(file)) {
            let inside = file.strip_prefix(&folder).unwrap();
            let text = fs::read_to_string(&file).unwrap();
            for (line, what) in offences(layer, &module_of(layer, inside), &text) {
                broken.push(format!("{}/{}:{line}: layer {} {what}", layer.folder, inside.display(), layer.name));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_crate_of_actors_depends_on_no_sdk() {
    let tables = ["dependencies", "dev-dependencies", "build-dependencies"];
    let found = |manifest: &str| dependencies(manifest, &tables, SDKS);
    assert_eq!(found(&manifest("actors")), Vec::<String>::new());
    let planted = "[dependencies]\nserde = \"1\"\nsqlx = \"0.9\"\n[dev-dependencies]\naxum = \"0.8\"\n";
    assert_eq!(found(planted), ["sqlx", "axum"]);
}

#[test]
fn the_product_links_the_simulated_world_and_not_the_harness() {
    let linked = |folder| dependencies(&manifest(folder), &["dependencies", "build-dependencies"], &OUR_CRATES);
    assert_eq!(linked("."), ["botfleet-actors", "botfleet-world"]);
    assert_eq!(linked("loadtest"), ["botfleet-world"]);
    assert_eq!(linked("loadtest/world"), Vec::<String>::new());
}

fn manifest(folder: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join("Cargo.toml")).unwrap()
}

/// Returns the dependencies that some tables of a manifest name, of the given crates.
fn dependencies(manifest: &str, tables: &[&str], of: &[&str]) -> Vec<String> {
    let manifest: toml::Table = manifest.parse().unwrap();
    let tables = tables.iter().filter_map(|name| manifest.get(*name)?.as_table());
    let names = tables.flat_map(toml::Table::keys);
    names.filter(|name| of.contains(&name.replace('-', "_").as_str())).cloned().collect()
}

fn layer(name: &str) -> &'static Layer {
    LAYERS.iter().find(|layer| layer.name == name).unwrap()
}

/// Returns the offences that the checker finds in a planted file at the layer's root.
fn planted(name: &str, text: &str) -> Vec<(usize, String)> {
    let layer = layer(name);
    offences(layer, &module_of(layer, Path::new("planted.rs")), text)
}

#[test]
fn a_planted_import_is_found_with_its_line() {
    let found = planted("domain", "//! x\n\nuse crate::ports::store::Store;\n");
    assert_eq!(found, [(3, "must not name botfleet_actors::ports::store::Store".to_owned())]);
    assert_eq!(planted("ports", "use crate::{domain::ids::BotId, policy::breaker};").len(), 1);
    assert_eq!(planted("policy", "fn f() { super::super::actors::bot::start() }").len(), 1);
    assert_eq!(planted("behaviour", "use crate::ports::{llm::Role, store::Store};").len(), 1);
    assert_eq!(planted("adapter store", "use botfleet_actors::policy::breaker::Breaker;").len(), 1);
    assert_eq!(planted("adapter telegram", "use crate::store::sqlite::SqliteStore;").len(), 1);
    assert_eq!(planted("http", "use crate::store::sqlite::SqliteStore;").len(), 1);
    assert_eq!(planted("simulated world", "use botfleet_actors::domain::ids::BotId;").len(), 1);
    assert_eq!(planted("cli", "use botfleet_loadtest::servers::redis::Redis;").len(), 1);
}

#[test]
fn a_planted_sdk_or_clock_is_found() {
    assert_eq!(planted("adapter llm", "use sqlx::Row;").len(), 1);
    assert_eq!(planted("cli", "fn f() { axum::Router::new(); }").len(), 1);
    assert_eq!(planted("domain", "let now = std::time::SystemTime::now();").len(), 1);
    assert_eq!(planted("domain", "use std::time::{Duration, Instant};\nlet now = Instant::now();").len(), 2);
    assert_eq!(planted("behaviour", "use tokio::sync::mpsc;").len(), 1);
    assert_eq!(planted("ports", "use failsafe::StateMachine;").len(), 1);
    assert_eq!(planted("ports", "use teloxide::types::Update;").len(), 1);
}

#[test]
fn what_a_layer_may_name_is_not_found() {
    assert_eq!(planted("domain", "use crate::domain::ids::BotId;\nuse super::time::Timestamp;\n"), []);
    assert_eq!(planted("behaviour", "use crate::ports::llm::{PromptMessage, Role};"), []);
    assert_eq!(
        planted("adapter store", "use sqlx::Row;\nuse botfleet_actors::{domain::ids::BotId, ports::store::Store};"),
        []
    );
    let silent = "// use crate::ports::x;\n/* crate::ports */ const A: &str = \"crate::ports::x\";\nconst B: char = '\"';\n\
                  #[cfg(test)]\nmod tests { use crate::ports::x; }";
    assert_eq!(planted("domain", silent), []);
}

/// Returns the module of a file, given its path inside the layer's folder.
fn module_of(layer: &Layer, inside: &Path) -> Vec<String> {
    let mut module: Vec<String> = layer.module.split("::").map(str::to_owned).collect();
    let parts = inside.with_extension("");
    module.extend(parts.iter().map(|part| part.to_string_lossy().into_owned()));
    if module.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        module.pop();
    }
    module
}

/// Returns the line and the fault of each path that the layer must not name.
fn offences(layer: &Layer, module: &[String], text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (line, path) in paths(&tokens(text)) {
        let path = resolve(&path, module);
        let ours = path.first().is_some_and(|first| OUR_CRATES.contains(&first.as_str()));
        let starts = |prefix: &&str| {
            let prefix: Vec<&str> = prefix.split("::").collect();
            path.len() >= prefix.len() && path.iter().zip(&prefix).all(|(a, b)| a == b)
        };
        let bad = if ours { !layer.may.iter().any(starts) } else { layer.must_not.iter().any(starts) };
        if bad {
            found.push((line, format!("must not name {}", path.join("::"))));
        }
    }
    found
}

pub(crate) fn resolve(path: &[String], module: &[String]) -> Vec<String> {
    let mut here = module.to_vec();
    let mut rest = path;
    match path.first().map(String::as_str) {
        Some("crate") => {
            here.truncate(1);
            rest = &path[1..];
        }
        Some("self") => rest = &path[1..],
        Some("super") => {
            while rest.first().is_some_and(|first| first == "super") {
                here.pop();
                rest = &rest[1..];
            }
        }
        _ => here.clear(),
    }
    here.extend_from_slice(rest);
    here
}

/// Returns every path of two or more segments, with the line of its first one; groups are opened.
pub(crate) fn paths(tokens: &[(usize, String)]) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if is_word(&tokens[at].1) && tokens.get(at + 1).is_some_and(|next| next.1 == "::") {
            at = open(tokens, at, &[], &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// Reads one path from `at`, under a prefix; returns where it ends.
fn open(tokens: &[(usize, String)], mut at: usize, prefix: &[String], found: &mut Vec<(usize, Vec<String>)>) -> usize {
    let line = tokens[at].0;
    let mut path = prefix.to_vec();
    while let Some((_, token)) = tokens.get(at) {
        if is_word(token) || token == "*" {
            path.push(token.clone());
            at += 1;
        } else if token == "{" {
            at += 1;
            while tokens.get(at).is_some_and(|(_, token)| token != "}") {
                let start = at;
                at = open(tokens, at, &path, found);
                while tokens.get(at).is_some_and(|(_, token)| token != "," && token != "}") {
                    at += 1;
                }
                if tokens.get(at).is_some_and(|(_, token)| token == ",") || at == start {
                    at += 1;
                }
            }
            return at + 1;
        } else {
            break;
        }
        if tokens.get(at).is_none_or(|(_, token)| token != "::") {
            break;
        }
        at += 1;
    }
    found.push((line, path));
    at
}

fn is_word(token: &str) -> bool {
    token.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_')
}

/// Returns words, `::` and single other characters with their lines; without comments, strings and the tests at the
/// end.
pub(crate) fn tokens(text: &str) -> Vec<(usize, String)> {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
    let chars: Vec<char> = text.chars().collect();
    let is = |at: usize, c: char| chars.get(at) == Some(&c);
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < chars.len() {
        let start = at;
        match chars[at] {
            '/' if is(at + 1, '/') => at = past(&chars, at, |rest| rest.starts_with(&['\n'])),
            '/' if is(at + 1, '*') => at = past(&chars, at + 2, |rest| rest.starts_with(&['*', '/'])) + 2,
            'r' if is(at + 1, '"') => at = past(&chars, at + 2, |rest| rest.starts_with(&['"'])) + 1,
            'r' if is(at + 1, '#') && is(at + 2, '"') => {
                at = past(&chars, at + 3, |rest| rest.starts_with(&['"', '#'])) + 2;
            }
            '"' => {
                at += 1;
                while at < chars.len() && chars[at] != '"' {
                    at += if chars[at] == '\\' { 2 } else { 1 };
                }
                at += 1;
            }
            '\'' if is(at + 1, '\\') => at = past(&chars, at + 3, |rest| rest.starts_with(&['\''])) + 1,
            '\'' if is(at + 2, '\'') => at += 3,
            ':' if is(at + 1, ':') => {
                tokens.push((line, "::".to_owned()));
                at += 2;
            }
            c if c.is_alphanumeric() || c == '_' => {
                at = past(&chars, at, |rest| !(rest[0].is_alphanumeric() || rest[0] == '_'));
                tokens.push((line, chars[start..at].iter().collect()));
            }
            c => {
                if !c.is_whitespace() {
                    tokens.push((line, c.to_string()));
                }
                at += 1;
            }
        }
        line += chars[start..at.min(chars.len())].iter().filter(|c| **c == '\n').count();
    }
    tokens
}

fn past(chars: &[char], mut at: usize, ends: impl Fn(&[char]) -> bool) -> usize {
    while at < chars.len() && !ends(&chars[at..]) {
        at += 1;
    }
    at
}

pub(crate) fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}
