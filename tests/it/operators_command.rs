//! Tests the commands of those who operate the fleet, as they type them, at the real program (I12).

#![allow(clippy::unwrap_used, clippy::panic)]

use std::process::Stdio;
use std::time::{Duration, Instant};

use botfleet::api::control::{Scope, Stop};
use botfleet::operate::principal::Role;
use data_encoding::BASE32_NOPAD;
use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

use crate::fleet_stage::{DEADLINE, FleetStage, binary};
use crate::sign_in::{PASSWORD, add, code, remote, step, with};

/// Somebody at the machine of a fleet, with a home.
struct Desk {
    stage: FleetStage,
    home: TempDir,
}

/// How a command ended.
struct Ended {
    status: i32,
    out: String,
    err: String,
}

impl Desk {
    async fn new() -> Self {
        Self { stage: FleetStage::small().await, home: tempfile::tempdir().unwrap() }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(args).current_dir(self.stage.product.files().dir()).env_remove("XDG_CONFIG_HOME");
        command.env("HOME", self.home.path()).env_remove("BOTFLEET_API_KEY").kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    async fn run(&self, args: &[&str], typed: &str) -> Ended {
        ended(self.command(args), typed).await
    }

    /// Runs a command that succeeds; returns its output.
    async fn done(&self, args: &[&str], typed: &str) -> String {
        let Ended { status, out, err } = self.run(args, typed).await;
        assert_eq!(status, 0, "{args:?}: {err}");
        out
    }

    /// Makes every proof as old as a day.
    async fn age_proofs(&self) {
        let file = self.stage.product.files().dir().join("botfleet.db");
        let mut connection = SqliteConnectOptions::new().filename(file).connect().await.unwrap();
        let aged = "UPDATE operator_session SET confirmed_at = confirmed_at - 86400000; \
                    UPDATE setting SET config_seq = config_seq + 1 WHERE key = 'operators'";
        connection.execute(aged).await.unwrap();
        connection.close().await.unwrap();
        // The node believes what it knows for less than half a second.
        tokio::time::sleep(Duration::from_millis(600)).await;
    }
}

async fn ended(mut command: Command, typed: &str) -> Ended {
    let mut child = command.spawn().unwrap();
    // A command that asks nothing may be over before it is written to.
    let _ = child.stdin.take().unwrap().write_all(typed.as_bytes()).await;
    let output = tokio::time::timeout(DEADLINE, child.wait_with_output()).await.unwrap().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { status: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

fn line(text: &str) -> String {
    format!("{text}\n")
}

#[tokio::test]
async fn a_session_that_is_over_keeps_nobody_from_the_local_socket() {
    let desk = Desk::new().await;
    add(&desk.stage, "ada", Role::Admin).await;
    let told = desk.run(&["login", "ada"], &line(PASSWORD)).await;
    assert!(told.status == 0 && told.err.contains("--signed-in"), "{}", told.err);
    assert!(desk.done(&["whoami"], "").await.starts_with("local by local"), "the socket needs no proof");
    assert!(desk.done(&["whoami", "--signed-in"], "").await.starts_with("ada by session"));
    let own = desk.done(&["session", "list"], "").await;
    assert!(own.contains("(this one)"), "what is one's own takes the session: {own}");

    // The way back of an admin who lost everything; it ends the session that is kept.
    desk.done(&["user", "change", "ada", "--password"], &line("battery horse correct")).await;
    desk.done(&["user", "list"], "").await;
    let over = desk.run(&["whoami", "--signed-in"], "").await;
    assert!(over.status == 1 && over.err.contains("hint: Sign in"), "{}", over.err);
    assert_eq!(desk.run(&["session", "list"], "").await.status, 1, "whose session, nobody knows any more");

    let mut stale = desk.command(&["user", "change", "ada", "--reset-second-factor"]);
    stale.env("BOTFLEET_API_KEY", "bf_0123456789abcdef_stale");
    assert_eq!(ended(stale, "").await.status, 0, "nor does a key in the environment");
}

#[tokio::test]
async fn i12_what_accounts_and_keys_did_verifies_and_is_listed() {
    let desk = Desk::new().await;
    add(&desk.stage, "ada", Role::Admin).await;
    let api = desk.stage.product.base_url().unwrap().to_owned();
    let at_port = |args: &[&str]| -> Vec<String> {
        args.iter().copied().chain(["--api", api.as_str()]).map(str::to_owned).collect()
    };
    let at_port = async |args: &[&str], typed: &str| {
        let args = at_port(args);
        desk.done(&args.iter().map(String::as_str).collect::<Vec<_>>(), typed).await
    };
    at_port(&["login", "ada"], &line(PASSWORD)).await;
    let key = at_port(&["key", "create", "backup", "--role", "operator"], "").await;
    let key = remote(&desk.stage).with_token(key.trim().into());
    key.call(with::<Stop>(Scope::Fleet {})).await.unwrap();

    let until = Instant::now() + DEADLINE;
    loop {
        let ended = desk.run(&["audit", "verify", "--json"], "").await;
        assert_eq!(ended.status, 0, "{}{}", ended.out, ended.err);
        let found: Value = serde_json::from_str(&ended.out).unwrap();
        if found["waiting"] == 0 && found["entries"].as_u64() >= Some(4) {
            break;
        }
        assert!(Instant::now() < until, "{found}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let list = async |args: &[&str]| desk.done(&[&["audit", "list"], args].concat(), "").await;
    let adas = list(&["--principal", "ada"]).await;
    assert!(adas.contains("sign_in user:ada") && adas.contains("add_key key:"), "{adas}");
    assert!(adas.contains("after  {") && adas.contains("\"name\":\"backup\""), "what was ordered is shown: {adas}");
    assert!(list(&["--principal", "ada/backup"]).await.contains("stop fleet"));
    let last = desk.run(&["audit", "list", "--last", "1"], "").await;
    assert!(last.out.contains("stop fleet") && !last.out.contains("sign_in"), "{}", last.out);
    assert!(last.err.contains("the newest 1 entries"), "{}", last.err);
    let lines = |text: &str| text.lines().count();
    let all = list(&["--all", "--json"]).await;
    assert_eq!(lines(&all), lines(&list(&["--json"]).await), "the newest come last in both");
    assert_eq!(all, list(&["--json"]).await);
}

#[tokio::test]
async fn an_admin_enrols_a_second_factor_and_confirms_with_it() {
    let desk = Desk::new().await;
    add(&desk.stage, "ada", Role::Admin).await;
    desk.done(&["login", "ada"], &line(PASSWORD)).await;
    desk.age_proofs().await;
    // Without a second factor the password is the proof.
    let mut enrolling = desk.command(&["second-factor", "enrol"]).spawn().unwrap();
    let (mut stdin, mut err) =
        (enrolling.stdin.take().unwrap(), BufReader::new(enrolling.stderr.take().unwrap()).lines());
    stdin.write_all(line(PASSWORD).as_bytes()).await.unwrap();
    let seed = loop {
        let text = tokio::time::timeout(DEADLINE, err.next_line()).await.unwrap().unwrap().unwrap();
        if let Some((_, seed)) = text.split_once("?secret=") {
            let seed = seed.split('&').next().unwrap();
            break BASE32_NOPAD.decode(seed.as_bytes()).unwrap();
        }
    };
    let right = code(&seed, step());
    let wrong = if right == "000000" { "000001" } else { "000000" };
    stdin.write_all(format!("{wrong}\n{right}\n").as_bytes()).await.unwrap();
    let (mut stdout, mut out) = (enrolling.stdout.take().unwrap(), String::new());
    tokio::time::timeout(DEADLINE, stdout.read_to_string(&mut out)).await.unwrap().unwrap();
    assert!(enrolling.wait().await.unwrap().success(), "a mistyped digit is asked for again");
    let codes: Vec<&str> = out.lines().collect();
    assert_eq!(codes.len(), 10, "{out}");

    desk.age_proofs().await;
    let by_password = desk.run(&["key", "create", "one", "--role", "viewer"], &line(PASSWORD)).await;
    assert_eq!(by_password.status, 1, "a password is no proof any more");
    assert!(by_password.err.contains("hint: Correct name, password or code."), "{}", by_password.err);
    desk.done(&["key", "create", "two", "--role", "viewer"], &line(codes[0])).await;
    desk.age_proofs().await;
    let export = desk.done(&["audit", "export", "--signed-in"], &line(codes[1])).await;
    assert!(export.starts_with(r#"{"line":"head""#), "{export}");
}
