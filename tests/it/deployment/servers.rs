//! Runs the commands and health checks of the servers in docker-compose.yml, by the real programs.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use botfleet_loadtest::servers::install;
use botfleet_loadtest::servers::postgres::{Postgres, PostgresOptions};
use serde_json::Value;
use tokio::process::Command;

use super::compose::{composed, filled_in};
use super::files::list;
use crate::fleet_stage::DEADLINE;

/// Returns the health check's words after CMD.
fn check(file: &Value, service: &str) -> Vec<String> {
    let words = list(&file["services"][service]["healthcheck"]["test"]);
    assert_eq!(words[0], "CMD", "a check without a shell");
    words[1..].to_vec()
}

/// Returns whether a program ends with 0.
async fn passes(program: &Path, arguments: &[String]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    command.status().await.unwrap().success()
}

/// Waits until a program ends with 0.
async fn until_passes(program: &Path, arguments: &[String]) {
    let until = Instant::now() + DEADLINE;
    while !passes(program, arguments).await {
        assert!(Instant::now() < until, "{} {arguments:?}", program.display());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn beside(program: &Path, name: &str) -> PathBuf {
    program.with_file_name(name)
}

#[tokio::test]
async fn redis_takes_its_command_keeps_nothing_and_passes_its_check() {
    install::install().unwrap();
    let file = composed(&filled_in());
    let command = list(&file["services"]["redis"]["command"]);
    let program = install::redis().unwrap();
    assert_eq!(command[0], "redis-server");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let folder = tempfile::tempdir().unwrap();
    let mut redis = Command::new(&program);
    redis.args(&command[1..]).args(["--port", &port, "--dir"]).arg(folder.path());
    let mut redis = redis.stdout(Stdio::null()).kill_on_drop(true).spawn().unwrap();

    let words = check(&file, "redis");
    assert_eq!(words[0], "redis-cli");
    let at_port = |more: &[&str]| -> Vec<String> {
        let port = ["-p".to_owned(), port.clone()];
        words[1..words.len() - 1].iter().cloned().chain(port).chain(more.iter().map(|&word| word.to_owned())).collect()
    };
    let client = beside(&program, "redis-cli");
    until_passes(&client, &at_port(&["ping"])).await;
    assert!(passes(&client, &at_port(&["set", "key", "value"])).await);
    assert!(passes(&client, &at_port(&["shutdown"])).await || redis.wait().await.unwrap().success());
    assert!(tokio::time::timeout(DEADLINE, redis.wait()).await.unwrap().unwrap().success());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "it needs no disk");
}

#[tokio::test]
async fn the_check_of_postgresql_tells_a_server_that_is_away() {
    let file = composed(&filled_in());
    let server = Postgres::start(None, PostgresOptions::fast()).await.unwrap();
    let words = check(&file, "postgres");
    assert_eq!(words[0], "pg_isready");
    let arguments: Vec<String> = words[1..].iter().cloned().chain([format!("--port={}", server.port())]).collect();
    let program = install::postgres("pg_isready").unwrap();
    until_passes(&program, &arguments).await;
    server.kill_9().await.unwrap();
    assert!(!passes(&program, &arguments).await);
}
