//! Makes schemas, examples and tables of keys from the code, and fails when a committed one is not current.
//!
//! `BOTFLEET_RENEW=1 cargo test --workspace --test it -- current` writes them anew.

#![allow(clippy::unwrap_used)]

mod example;
mod read;
mod schema;
mod table;
mod valid;
mod words;

use std::fs;
use std::path::Path;

use botfleet::config::described;
use botfleet_actors::domain::keys::describe::{Described, Description, Holds};
use serde_json::Value as Json;

const RENEW: &str = "BOTFLEET_RENEW=1 cargo test --workspace --test it -- current";

fn text(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap_or_default()
}

/// Compares a committed file with what the code makes of it; writes it when asked to.
pub(crate) fn is_current(path: &str, made: &str) {
    if std::env::var_os("BOTFLEET_RENEW").is_some() {
        // In one step, since other tests read the file meanwhile.
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let beside = path.with_extension("new");
        fs::write(&beside, made).unwrap();
        fs::rename(beside, path).unwrap();
    }
    let committed = text(path);
    let line = committed.lines().zip(made.lines()).position(|(old, new)| old != new);
    let line = line.unwrap_or_else(|| committed.lines().count().min(made.lines().count()));
    let (old, new) = (committed.lines().nth(line), made.lines().nth(line));
    assert!(
        committed == made,
        "{path} is not current from line {} on:\n  is    {old:?}\n  shall {new:?}\nrenew it: {RENEW}",
        line + 1
    );
}

/// Calls `each` with every key and the path of its table.
fn walk<'a>(table: &'a Description, path: &str, each: &mut dyn FnMut(&str, &'a Described)) {
    for key in &table.keys {
        each(path, key);
        let below = if path.is_empty() { key.name.to_owned() } else { format!("{path}.{}", key.name) };
        match &key.holds {
            Holds::Value { .. } => {}
            Holds::Table(inner) | Holds::List(inner) => walk(inner, &below, each),
            Holds::Named(inner) => walk(inner, &format!("{below}.NAME"), each),
        }
    }
}

#[test]
fn every_key_says_what_it_is() {
    for (table, least) in [(described::settings(), 60), (described::manifest(), 90)] {
        let mut keys = 0;
        walk(&table, "", &mut |path, key| {
            keys += 1;
            assert!(key.doc.ends_with('.') && key.doc.len() > 9, "{path}.{}: {:?}", key.name, key.doc);
        });
        assert!(keys >= least, "{keys} keys: were they moved?");
    }
}

#[test]
fn i12_keys_that_lead_to_secrets_are_marked_so() {
    let secret = ["token", "api_key", "keys", "proxy", "url", "password", "webhook_secret"];
    for (table, least) in [(described::settings(), 10), (described::manifest(), 3)] {
        let mut marked = 0;
        walk(&table, "", &mut |path, key| {
            assert!(key.facts.secret || !secret.contains(&key.name), "{path}.{} lacks .secret()", key.name);
            marked += usize::from(key.facts.secret);
        });
        assert_eq!(marked, least);
    }
}

#[test]
fn the_schema_of_the_manifest_is_current() {
    is_current("config/manifest.schema.json", &schema::of("botfleet: manifest", &described::manifest()));
}

#[test]
fn the_schema_of_the_settings_is_current() {
    is_current("config/settings.schema.json", &schema::of("botfleet: settings", &described::settings()));
}

#[test]
fn the_default_file_is_current() {
    is_current("config/default.toml", &example::renewed(&text("config/default.toml"), &described::settings()));
}

#[test]
fn the_example_is_current() {
    let path = "config/fleet.example.toml";
    is_current(path, &example::renewed(&text(path), &described::manifest()));
}

#[test]
fn the_tables_of_operations_are_current() {
    is_current("docs/OPERATIONS.md", &table::renewed(&text("docs/OPERATIONS.md")));
}

fn toml(text: &str) -> Json {
    let table: toml::Table = text.parse().unwrap();
    serde_json::to_value(table).unwrap()
}

fn schema(path: &str) -> Json {
    serde_json::from_str(&text(path)).unwrap()
}

#[test]
fn the_schemas_accept_every_file_that_ships() {
    let manifests = ["config/fleet.example.toml", "config/demo.toml", "k8s/fleet.toml"];
    let settings = ["default", "development", "staging", "production"].map(|name| format!("config/{name}.toml"));
    let manifests = manifests.iter().map(|file| ("config/manifest.schema.json", *file));
    let settings = settings.iter().map(|file| ("config/settings.schema.json", file.as_str()));
    for (path, file) in manifests.chain(settings) {
        assert_eq!(valid::faults(&schema(path), &toml(&text(file))), Vec::<String>::new(), "{file}");
    }
}

#[test]
fn the_schemas_refuse_unknown_keys_and_values_in_every_table() {
    let manifest = schema("config/manifest.schema.json");
    let settings = schema("config/settings.schema.json");
    for (schema, file, place) in [
        (&manifest, "zzz = 1", "zzz"),
        (&manifest, "[defaults]\nname = \"x\"", "defaults.name"),
        (&manifest, "[defaults.physics]\nzzz = 1", "defaults.physics.zzz"),
        (&manifest, "[defaults]\nmax_tokens = 0", "defaults.max_tokens"),
        (&manifest, "[personas.ada]\nvoice = \"x\"\nzzz = 1", "personas.ada.zzz"),
        (&manifest, "[personas.ada]\nlanguage = \"xx\"\nvoice = \"x\"", "personas.ada.language"),
        (&manifest, "[personas.ada]\nstyle = \"x\"", "personas.ada.voice"),
        (&manifest, "[personas.ada]\nvoice = \"x\"\nstances = [{ topic = \"t\" }]", "personas.ada.stances[0].position"),
        (&manifest, "[strategies.x]\nquestion = 1.5", "strategies.x.question"),
        (&manifest, "[[providers]]\nname = \"x\"\nkind = \"groq\"\nzzz = 1", "providers[0].zzz"),
        (&manifest, "[[providers]]\nname = \"x\"\nkind = \"groq\"\nbreaker = { zzz = 1 }", "providers[0].breaker.zzz"),
        (&settings, "zzz = 1", "zzz"),
        (&settings, "[server]\nzzz = 1", "server.zzz"),
        (&settings, "[bots]\nturns_in_flight = 0", "bots.turns_in_flight"),
        (&settings, "[bots]\npoll_timeout = 5", "bots.poll_timeout"),
        (&settings, "[fleet.restart.backoff]\nzzz = 1", "fleet.restart.backoff.zzz"),
    ] {
        let faults = valid::faults(schema, &toml(file));
        assert!(faults.iter().any(|fault| fault.starts_with(&format!("{place}: "))), "{file}\n{faults:?}");
    }
    assert_eq!(valid::faults(&settings, &toml("[bots]\nsends_per_second = 0")), Vec::<String>::new(), "0 lifts");
}
