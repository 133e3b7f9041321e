//! Tests docker-compose.yml, .env.example and config/demo.env.

use std::path::Path;
use std::time::Duration;

use botfleet::config::manifest::Manifest;
use botfleet::config::secret::GivenSecrets;
use botfleet_world::world::spec::WorldSpec;
use compose_spec::{Compose, service::Healthcheck};
use serde_json::Value;

use super::files::{Variables, interpolated, list, repository, settings, table, text, variables};
use super::fleet::MEMORY;

/// The services that run botfleet until they are told to stop.
pub(super) const NODES: [&str; 3] = ["worker-1", "worker-2", "api"];

/// Reads the file, makes its merges and fills in its variables.
pub(super) fn composed(variables: &Variables) -> Value {
    let mut value: serde_yaml::Value = serde_yaml::from_str(&text("docker-compose.yml")).unwrap();
    value.apply_merge().unwrap();
    let mut value = serde_json::to_value(value).unwrap();
    fill(&mut value, variables);
    value
}

fn fill(value: &mut Value, variables: &Variables) {
    match value {
        Value::String(text) => *text = interpolated(text, variables),
        Value::Array(entries) => entries.iter_mut().for_each(|entry| fill(entry, variables)),
        Value::Object(entries) => entries.values_mut().for_each(|entry| fill(entry, variables)),
        _ => {}
    }
}

/// Returns the variables of a person who follows .env.example.
pub(super) fn filled_in() -> Variables {
    let mut variables = variables(".env.example");
    for value in variables.values_mut() {
        "a-secret".clone_into(value);
    }
    variables
}

/// Returns the variables that a service's process sees: those of its `env_file`, and its own over them.
pub(super) fn environment(file: &Value, service: &str, variables: &Variables) -> Variables {
    let service = &file["services"][service];
    let mut all = if service["env_file"].is_array() { variables.clone() } else { Variables::new() };
    all.extend(table(&service["environment"]));
    all
}

fn decoded(value: Value) -> serde_yaml::Result<Compose> {
    serde_yaml::from_value(serde_yaml::to_value(value).unwrap())
}

#[test]
fn the_file_is_sound_by_the_compose_specification() {
    for variables in [filled_in(), variables("config/demo.env")] {
        let file = composed(&variables);
        let compose = decoded(file.clone()).unwrap();
        compose.validate_all().unwrap();
        for service in file["services"].as_object().unwrap().values() {
            let image = service["image"].as_str().unwrap();
            assert!(image.split_once(':').is_some_and(|(_, tag)| tag.contains('.')), "{image} is not pinned");
        }
    }
}

#[test]
fn a_wrong_word_in_the_file_would_be_noticed() {
    type Wrong = fn(&mut Value);
    let wrongs: [(&str, Wrong); 4] = [
        ("key of a service", |file| file["services"]["api"]["comand"] = "x".into()),
        ("key of the file", |file| file["service"] = Value::Null),
        ("condition", |file| file["services"]["api"]["depends_on"]["redis"]["condition"] = "started".into()),
        ("duration", |file| file["services"]["api"]["stop_grace_period"] = "soon".into()),
    ];
    for (what, wrong) in wrongs {
        let mut file = composed(&filled_in());
        wrong(&mut file);
        assert!(decoded(file).is_err(), "{what}");
    }
}

#[test]
fn nodes_start_after_the_migration_and_get_the_time_to_stop() {
    let variables = filled_in();
    let file = composed(&variables);
    let compose = decoded(file.clone()).unwrap();
    for node in NODES {
        let after = &file["services"][node]["depends_on"];
        assert_eq!(after["migrate"]["condition"], "service_completed_successfully");
        assert_eq!(after["postgres"]["condition"], "service_healthy");
        assert_eq!(after["redis"]["condition"], "service_started", "a fleet starts without Redis");
        let service = &compose.services[node];
        let settings = settings(&environment(&file, node, &variables));
        let longest = settings.server.drain_for(true) + settings.fleet.stop_deadline + Duration::from_secs(15);
        assert!(service.stop_grace_period.unwrap() >= longest, "{node} is killed while it drains");
        assert!(matches!(service.healthcheck, Some(Healthcheck::Command(_))), "{node} has no health check");
        assert!(service.read_only && service.cap_drop.contains("ALL"), "{node}");
        let memory = list(&file["services"][node]["tmpfs"]);
        assert!(
            memory[0].starts_with(&format!("{MEMORY}:mode=0700,uid=10001,")),
            "for the image's user alone: {memory:?}"
        );
        let socket = settings.local_socket().expect("probes and commands enter there");
        assert_eq!(socket.parent(), Some(Path::new(MEMORY)), "{node}");
        assert_eq!(file["services"][node]["restart"], "unless-stopped");
    }
    assert_eq!(file["services"]["migrate"]["restart"], "no", "it ends; a failure is told at once");
    assert_eq!(file["services"]["world"]["profiles"][0], "sim");
    let always = file["services"].as_object().unwrap().iter().filter(|(_, service)| service["profiles"].is_null());
    assert_eq!(always.count(), 6, "PostgreSQL, Redis, migration, two workers, API");
}

#[test]
fn ports_are_published_to_this_machine_alone_and_the_database_to_nobody() {
    let file = composed(&filled_in());
    for (name, service) in file["services"].as_object().unwrap() {
        for port in list(&service["ports"]) {
            assert!(port.starts_with("127.0.0.1:"), "{name}: {port}");
            assert_eq!(name, "api");
        }
    }
    assert_eq!(file["networks"]["inside"]["internal"], true);
    for server in ["postgres", "redis"] {
        assert_eq!(list(&file["services"][server]["networks"]), ["inside"]);
    }
}

#[test]
fn every_variable_of_a_service_is_a_sound_setting() {
    for variables in [filled_in(), variables("config/demo.env")] {
        let file = composed(&variables);
        for service in NODES.into_iter().chain(["migrate"]) {
            let variables = environment(&file, service, &variables);
            let settings = settings(&variables);
            assert!(settings.many_nodes());
            let known = |name: &str| name.starts_with("BOTFLEET__") || text("config/production.toml").contains(name);
            for name in table(&file["services"][service]["environment"]).keys() {
                let referred = variables.values().any(|value| *value == format!("env:{name}"));
                assert!(known(name) || referred, "{service}: nothing reads {name}");
            }
        }
    }
}

#[test]
fn no_secret_stands_in_the_file() {
    let unset = std::panic::catch_unwind(|| composed(&Variables::new()));
    assert!(unset.is_err(), "a password must be asked for");
    assert!(variables(".env.example").values().all(String::is_empty));
    assert!(text(".gitignore").lines().any(|line| line == "/.env"));
}

#[test]
fn the_example_names_what_the_manifest_refers_to() {
    let named = variables(".env.example");
    for name in text("config/fleet.example.toml").lines().filter(|line| !line.trim_start().starts_with('#')) {
        if let Some(name) = name.split("\"env:").nth(1).and_then(|rest| rest.split('"').next()) {
            assert!(named.contains_key(name), "{name}");
        }
    }
}

#[test]
fn the_simulated_profile_knows_the_tokens_and_chats_of_its_world() {
    let variables = variables("config/demo.env");
    let file = composed(&variables);
    let command = list(&file["services"]["world"]["command"]);
    let seed = command.iter().skip_while(|word| *word != "--seed").nth(1).unwrap();
    assert!(command.contains(&"--demo".to_owned()));
    let world = WorldSpec::demo(seed.parse().unwrap());
    for bot in &world.bots {
        let name = format!("DEMO_TOKEN_{}", bot.first_name.to_uppercase());
        assert_eq!(variables.get(&name), Some(&bot.token), "{name} of seed {seed}");
    }
    let mounted = list(&file["services"]["worker-1"]["volumes"]);
    assert_eq!(mounted, ["./config/demo.toml:/etc/botfleet/fleet.toml:ro"]);
    let secrets = GivenSecrets(variables);
    let manifest = Manifest::load(&repository().join("config/demo.toml"), &secrets).unwrap();
    let listen = command.iter().skip_while(|word| *word != "--listen").nth(1).unwrap();
    let world_url = format!("http://world:{}", listen.rsplit(':').next().unwrap());
    assert_eq!(manifest.providers[0].base_url, Some(format!("{world_url}/v1")));
    for node in NODES {
        assert_eq!(file["services"][node]["environment"]["BOTFLEET__TELEGRAM__API_URL"], world_url.as_str());
    }
}
