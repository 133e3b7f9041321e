//! Replays a recording of real Telegram's answers (`botfleet check --online --chat NAME --try`) against the simulated
//! Telegram, and tells where the simulated answers differ. Layer: harness.
//!
//! The comparison covers HTTP status, the words of a refusal, and the keys of an answer at every depth. Values differ
//! by nature.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use botfleet_world::people::http;
use botfleet_world::simulation::{Simulation, SimulationSpec};
use botfleet_world::world::spec::WorldSpec;
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::HarnessError;

/// The most lines that are read of a recording.
const CALLS_MAX: usize = 10_000;

/// The most bots whose calls are replayed.
const BOTS_MAX: usize = 20;

/// The command-line arguments of `recording`.
#[derive(Debug, Clone, Args)]
pub struct RecordingArgs {
    /// The recording: lines of JSON.
    pub file: PathBuf,
}

/// One call of a recording.
#[derive(Debug, Deserialize)]
struct Recorded {
    bot: i64,
    method: String,
    parameters: Value,
    status: u16,
    body: Value,
}

/// The comparison of one call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// The line of the recording, from 1.
    pub line: usize,
    /// The method.
    pub method: String,
    /// The differences of the simulated answer; empty if there are none.
    pub differences: Vec<String>,
}

/// The result of the replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordingResult {
    /// All calls, in order.
    pub calls: Vec<Compared>,
}

impl RecordingResult {
    /// Returns whether no answer differed.
    pub fn is_clean(&self) -> bool {
        self.calls.iter().all(|call| call.differences.is_empty())
    }
}

/// Runs the harness.
///
/// # Errors
/// The recording cannot be read, or the simulation does not answer.
pub async fn run(args: &RecordingArgs) -> Result<RecordingResult, HarnessError> {
    let text =
        std::fs::read_to_string(&args.file).map_err(|source| HarnessError::File { path: args.file.clone(), source })?;
    let line = |(at, line): (usize, &str)| {
        serde_json::from_str::<Recorded>(line).map_err(|error| HarnessError::File {
            path: args.file.clone(),
            source: std::io::Error::other(format!("line {}: {error}", at + 1)),
        })
    };
    let recorded = text.lines().take(CALLS_MAX).enumerate().map(line).collect::<Result<Vec<_>, _>>()?;
    replay(&recorded).await
}

async fn replay(recorded: &[Recorded]) -> Result<RecordingResult, HarnessError> {
    let mut bots: Vec<i64> = Vec::new();
    for call in recorded {
        if !bots.contains(&call.bot) && bots.len() < BOTS_MAX {
            bots.push(call.bot);
        }
    }
    let world = WorldSpec::fleet(1, bots.len().max(1), 1);
    let (chat, tokens) = (world.chats[0].id, world.bots.iter().map(|bot| bot.token.clone()).collect::<Vec<_>>());
    let simulation = Simulation::start(SimulationSpec::of(world)).await?;
    let client = http::client()?;
    let mut messages = BTreeMap::new();
    let mut calls = Vec::new();
    for (at, call) in recorded.iter().enumerate() {
        let token = bots.iter().position(|bot| *bot == call.bot).and_then(|place| tokens.get(place));
        let Some(token) = token else { continue };
        let mut parameters = call.parameters.clone();
        place(&mut parameters, chat, &messages);
        let url = format!("{}/bot{token}/{}", simulation.base_url(), call.method);
        let request = client.post(url).json(&parameters).timeout(Duration::from_secs(10));
        let lost = |error: reqwest::Error| http::HttpError::NoAnswer {
            url: format!("the simulated {}", call.method),
            reason: error.without_url().to_string(),
        };
        let answer = request.send().await.map_err(lost)?;
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.map_err(lost)?;
        let id = |body: &Value| body.pointer("/result/message_id").and_then(Value::as_i64);
        if let (Some(theirs), Some(ours)) = (id(&call.body), id(&body)) {
            messages.insert(theirs, ours);
        }
        calls.push(Compared { line: at + 1, method: call.method.clone(), differences: compare(call, status, &body) });
    }
    simulation.stop().await;
    Ok(RecordingResult { calls })
}

/// Replaces the ids of the recording's chats and messages by those of the simulated world.
fn place(parameters: &mut Value, chat: i64, messages: &BTreeMap<i64, i64>) {
    let Some(object) = parameters.as_object_mut() else { return };
    for (key, value) in object {
        match key.as_str() {
            "chat_id" => *value = json!(chat),
            "message_id" => {
                if let Some(ours) = value.as_i64().and_then(|theirs| messages.get(&theirs)) {
                    *value = json!(ours);
                }
            }
            _ => place(value, chat, messages),
        }
    }
}

fn compare(recorded: &Recorded, status: u16, body: &Value) -> Vec<String> {
    let mut differences = Vec::new();
    if recorded.status != status {
        differences.push(format!("status: real {}, simulated {status}", recorded.status));
    }
    let words = |body: &Value| body.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    let (real, simulated) = (words(&recorded.body), words(body));
    if real != simulated {
        differences.push(format!("description: real {real:?}, simulated {simulated:?}"));
    }
    let (mut real, mut simulated) = (BTreeSet::new(), BTreeSet::new());
    keys("", &recorded.body, &mut real);
    keys("", body, &mut simulated);
    differences.extend(real.difference(&simulated).map(|key| format!("{key}: only real")));
    differences.extend(simulated.difference(&real).map(|key| format!("{key}: only simulated")));
    differences
}

fn keys(prefix: &str, value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                keys(&path, value, found);
                found.insert(path);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keys(&format!("{prefix}[]"), item, found)),
        _ => {}
    }
}

impl fmt::Display for RecordingResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for call in &self.calls {
            let found = if call.differences.is_empty() { "alike".to_owned() } else { call.differences.join("; ") };
            writeln!(f, "{:>5}  {:<20}  {found}", call.line, call.method)?;
        }
        let unlike = self.calls.iter().filter(|call| !call.differences.is_empty()).count();
        write!(f, "{} calls, {unlike} answered otherwise", self.calls.len())
    }
}
