//! Runs the fleets of docker-compose.yml and k8s/ as processes: every command with its own variables, on a real
//! PostgreSQL and Redis, in the simulated world.
//!
//! The tests do what a container engine would do: names of hosts become addresses of this machine, ports become free
//! ones, and the manifest is put where the command looks for it. Nothing else of a command or variable is changed.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use botfleet_loadtest::servers::postgres::{Postgres, PostgresOptions};
use botfleet_loadtest::servers::redis::Redis;
use clap::Parser as _;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::compose::{self, NODES, composed};
use super::files::{Variables, list, text, variables};
use super::kubernetes::{self, arguments, containers};
use crate::fleet_stage::binary;

/// Time within which anything that is waited for must happen.
const DEADLINE: Duration = Duration::from_secs(60);

/// Path at which the containers see the manifest.
const MANIFEST: &str = "/etc/botfleet/fleet.toml";

/// Folder in the memory of a container, for the local socket.
pub(super) const MEMORY: &str = "/run/botfleet";

/// Everything that is not botfleet.
struct Site {
    redis: Redis,
    postgres: Postgres,
    database: String,
    world: String,
    folder: TempDir,
    people: std::thread::JoinHandle<anyhow::Result<()>>,
}

impl Site {
    /// Starts the servers, and the world by its command in docker-compose.yml.
    async fn raise(database: &str) -> Self {
        let postgres = Postgres::start(None, PostgresOptions::fast()).await.unwrap();
        postgres.create_database(database).await.unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let world = format!("127.0.0.1:{port}");
        let file = composed(&variables("config/demo.env"));
        let words = list(&file["services"]["world"]["command"]).into_iter();
        let words = words.map(|word| word.replace("0.0.0.0:8082", &world));
        let program =
            botfleet_loadtest::cli::Cli::try_parse_from(["botfleet-loadtest".to_owned()].into_iter().chain(words));
        let program = program.unwrap();
        // As the program's main does; it serves until this process ends.
        let people = std::thread::spawn(move || tokio::runtime::Runtime::new().unwrap().block_on(program.run()));
        let redis = Redis::start(None).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let site = Self { redis, postgres, database: database.to_owned(), world, folder, people };
        std::fs::write(site.manifest(), site.anywhere(&text("config/demo.toml"))).unwrap();
        site
    }

    fn manifest(&self) -> std::path::PathBuf {
        self.folder.path().join("fleet.toml")
    }

    /// Returns the folder in memory of a container.
    fn memory(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.run"))
    }

    /// Translates a word of a container for this machine.
    fn here(&self, name: &str, word: &str) -> String {
        self.anywhere(word).replace(MEMORY, &self.memory(name).display().to_string())
    }

    /// Translates a word for this machine.
    fn anywhere(&self, word: &str) -> String {
        word.replace("postgres:5432/botfleet", &format!("127.0.0.1:{}/{}", self.postgres.port(), self.database))
            .replace("redis:6379", &format!("127.0.0.1:{}", self.redis.port()))
            .replace("world:8082", &self.world)
            .replace("0.0.0.0:8080", "127.0.0.1:0")
            .replace("0.0.0.0:8081", "127.0.0.1:0")
            .replace(MANIFEST, &self.manifest().display().to_string())
    }

    /// Makes a command of a container, in a folder of its own that must stay empty.
    fn command(&self, name: &str, words: &[String], variables: &Variables) -> Command {
        let work = self.folder.path().join(name);
        std::fs::create_dir_all(&work).unwrap();
        std::fs::create_dir_all(self.memory(name)).unwrap();
        let mut command = Command::new(binary());
        command.args(words.iter().map(|word| self.here(name, word))).env_clear().current_dir(work);
        command.env("BOTFLEET__SERVER__LISTEN", "127.0.0.1:0").env("BOTFLEET__FLEET__RAMP_PER_MINUTE", "0");
        command.envs(variables.iter().map(|(key, value)| (key, self.here(name, value))));
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Runs a command to its end.
    async fn done(&self, name: &str, words: &[String], variables: &Variables) {
        let output =
            tokio::time::timeout(DEADLINE, self.command(name, words, variables).output()).await.unwrap().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        self.assert_wrote_nothing(name);
    }

    /// Starts a node, and waits until it listens.
    async fn node(&self, name: &str, words: &[String], variables: &Variables) -> Node {
        let log = self.folder.path().join(format!("{name}.log"));
        let mut command = self.command(name, words, variables);
        command.stdout(Stdio::piped()).stderr(std::fs::File::create(&log).unwrap());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let listens = tokio::time::timeout(DEADLINE, async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if line.starts_with("listening") {
                    return;
                }
            }
            panic!("{name} ended: {}", std::fs::read_to_string(&log).unwrap())
        });
        listens.await.unwrap_or_else(|_| panic!("{name}: {}", std::fs::read_to_string(&log).unwrap()));
        let environment = variables.iter().map(|(key, value)| (key.clone(), self.here(name, value))).collect();
        Node { name: name.to_owned(), child, lines, environment }
    }

    fn assert_wrote_nothing(&self, name: &str) {
        let left = std::fs::read_dir(self.folder.path().join(name)).unwrap().count();
        assert_eq!(left, 0, "{name} writes to its disk, which is read-only");
    }

    /// Waits until bots have written so many messages, told apart by their authors.
    async fn until_bots_wrote(&self, messages: usize) {
        let client = botfleet_world::people::http::client().unwrap();
        let until = Instant::now() + DEADLINE;
        loop {
            let ledger =
                client.get(format!("http://{}/sim/ledger", self.world)).send().await.unwrap().text().await.unwrap();
            if ledger.matches("send_accepted").count() >= messages {
                return;
            }
            assert!(Instant::now() < until, "the bots are silent");
            assert!(!self.people.is_finished(), "the world ended");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// A running process of botfleet.
struct Node {
    name: String,
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    environment: Variables,
}

impl Node {
    /// Runs a command of the program beside the process, as `exec` in its container does.
    async fn exec(&self, words: &[String]) -> (bool, String) {
        let mut command = Command::new(binary());
        command.args(words).env_clear().envs(&self.environment).kill_on_drop(true);
        let output = tokio::time::timeout(DEADLINE, command.output()).await.unwrap().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Waits until a check passes; the check's first word is the program of the image.
    async fn until_passes(&self, check: &[String]) {
        assert_eq!(check[0], "/usr/local/bin/botfleet");
        let until = Instant::now() + DEADLINE;
        while !self.exec(&check[1..]).await.0 {
            assert!(Instant::now() < until, "{}: {check:?}", self.name);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Asks the process to end, as an engine does.
    async fn stop(mut self) -> ExitStatus {
        let pid = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
        let drained = async { while let Ok(Some(_)) = self.lines.next_line().await {} };
        tokio::time::timeout(DEADLINE, async { tokio::join!(drained, self.child.wait()).1 }).await.unwrap().unwrap()
    }
}

/// Returns the names of the nodes that the cluster knows, by `botfleet cluster status --json`.
async fn known(node: &Node) -> Vec<String> {
    let (ended_well, shown) = node.exec(&["cluster", "status", "--json"].map(str::to_owned)).await;
    assert!(ended_well, "{shown}");
    let status: Value = serde_json::from_str(&shown).unwrap();
    let nodes = status["nodes"].as_array().cloned().unwrap_or_default();
    let mut names: Vec<String> = nodes.iter().filter_map(|node| Some(node["name"].as_str()?.to_owned())).collect();
    names.sort();
    names
}

fn words(value: &Value) -> Vec<String> {
    let words = list(value);
    words.into_iter().skip_while(|word| word == "CMD").collect()
}

#[tokio::test]
async fn the_fleet_of_compose_migrates_talks_and_stops() {
    let site = Site::raise("compose").await;
    let given = variables("config/demo.env");
    let file = composed(&given);
    let of =
        |service: &str| (list(&file["services"][service]["command"]), compose::environment(&file, service, &given));
    let (migrate, environment) = of("migrate");
    site.done("migrate", &migrate, &environment).await;
    let mut nodes = Vec::new();
    for name in NODES {
        let (command, environment) = of(name);
        nodes.push(site.node(name, &command, &environment).await);
    }
    for node in &nodes {
        node.until_passes(&words(&file["services"][&node.name]["healthcheck"]["test"])).await;
    }
    assert_eq!(known(&nodes[2]).await, ["api", "worker-1", "worker-2"]);
    site.until_bots_wrote(3).await;
    for node in nodes {
        let name = node.name.clone();
        assert!(node.stop().await.success(), "{name}");
        site.assert_wrote_nothing(&name);
    }
}

#[tokio::test]
async fn the_pods_of_kubernetes_migrate_talk_drain_and_stop() {
    let site = Site::raise("pods").await;
    let mut secrets = Variables::from([
        ("botfleet-database/url".to_owned(), "postgres://botfleet:a-secret@postgres:5432/botfleet".to_owned()),
        ("botfleet-redis/url".to_owned(), "redis://redis:6379".to_owned()),
    ]);
    let tokens = variables("config/demo.env").into_iter().filter(|(name, _)| name.starts_with("DEMO_TOKEN_"));
    secrets.extend(tokens.map(|(name, token)| (format!("botfleet-fleet/{name}"), token)));
    let mut pods = Vec::new();
    for (deployment, pod) in
        [("botfleet-worker", "worker-a"), ("botfleet-worker", "worker-b"), ("botfleet-api", "api-a")]
    {
        for container in containers(deployment) {
            let mut environment = kubernetes::environment(&container, &secrets);
            if environment.contains_key("POD_NAME") {
                environment.insert("POD_NAME".to_owned(), pod.to_owned());
            }
            environment.insert("BOTFLEET__TELEGRAM__API_URL".to_owned(), format!("http://{}", site.world));
            let arguments = arguments(&container, &environment);
            if container["name"] == "migrate" {
                site.done(pod, &arguments, &environment).await;
            } else {
                let node = site.node(pod, &arguments, &environment).await;
                for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
                    node.until_passes(&words(&container[probe]["exec"]["command"])).await;
                }
                pods.push((container, node));
            }
        }
    }
    assert_eq!(known(&pods[2].1).await, ["api-a", "worker-a", "worker-b"]);
    site.until_bots_wrote(3).await;
    for (container, node) in pods {
        let hook = words(&container["lifecycle"]["preStop"]["exec"]["command"]);
        if let [shell, flag, script] = hook.as_slice() {
            // The program is on the path, as in the image.
            let path = format!("{}:/usr/bin:/bin", binary().parent().unwrap_or(Path::new("/")).display());
            let mut command = Command::new(Path::new("/bin").join(shell));
            command.args([flag, script]).stdout(Stdio::null()).env_clear().envs(&node.environment).env("PATH", path);
            assert!(command.status().await.unwrap().success(), "{script}");
        }
        let name = node.name.clone();
        assert!(node.stop().await.success(), "{name}");
        site.assert_wrote_nothing(&name);
    }
}
