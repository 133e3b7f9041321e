//! Runs every command of the deployment through the program itself, with exactly the variables that it would get.

use std::path::Path;
use std::process::Command;

use super::compose::{self, composed, filled_in};
use super::files::{Variables, repository, variables};
use super::kubernetes::{self, DEPLOYMENTS, arguments, containers};

/// Adds tokens and keys that a person would fill in, so that the manifests' references lead somewhere.
fn with_secrets(mut variables: Variables) -> Variables {
    for (place, name) in ["ADA_TOKEN", "BARAN_TOKEN"].into_iter().enumerate() {
        variables.insert(name.to_owned(), format!("{}:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc", 7_100_000_001 + place));
    }
    variables.insert("OPENAI_API_KEY".to_owned(), "sk-x".to_owned());
    variables
}

/// Runs `botfleet check` with these variables and nothing else of the environment.
fn check(name: &str, manifest: &Path, variables: &Variables) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_botfleet"));
    let elsewhere = tempfile::tempdir().unwrap();
    // Without a config folder the built-in settings count, as in the image.
    command
        .current_dir(elsewhere.path())
        .env_clear()
        .envs(variables)
        .args(["check", "--profile", "production", "--manifest"])
        .arg(manifest);
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{name}: {told}");
    let shown = String::from_utf8_lossy(&output.stdout);
    for secret in ["a-secret", "sk-x", "AAEhBOweik6ad9r"] {
        assert!(!told.contains(secret) && !shown.contains(secret), "{name} shows a secret");
    }
}

#[test]
fn the_program_takes_the_variables_and_manifest_of_every_node() {
    for (manifest, variables) in
        [("config/fleet.example.toml", with_secrets(filled_in())), ("config/demo.toml", variables("config/demo.env"))]
    {
        let file = composed(&variables);
        for node in compose::NODES {
            let variables = compose::environment(&file, node, &variables);
            check(&format!("{node} with {manifest}"), &repository().join(manifest), &variables);
        }
    }
    for deployment in DEPLOYMENTS {
        let container = &containers(deployment)[1];
        let variables = with_secrets(kubernetes::environment(container, &kubernetes::secrets()));
        check(deployment, &repository().join("k8s/fleet.toml"), &variables);
        assert!(arguments(container, &variables).contains(&"botfleet-pod-1".to_owned()), "a pod is named after itself");
    }
}

#[test]
fn health_without_a_node_ends_with_1() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    for flags in [&[][..], &["--live"], &["--ready"], &["--json"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_botfleet"));
        let output = command.args(["health", "--api", &free]).args(flags).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{flags:?}");
        assert!(output.stdout.is_empty(), "{flags:?}");
    }
}
