//! `botfleet health`: tells by an exit code whether the running node is well. Layer `cli`.
//!
//! The API listens on the loopback of its machine or container alone. A watcher from outside (Docker's HEALTHCHECK, a
//! kubelet's probe) therefore runs this command beside the node.

use std::fmt::Write as _;
use std::io::{Write, stdout};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};

use super::api::Api;

/// Arguments of `botfleet health`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Exit codes: 0 well (degraded included), 1 not, or it does not answer

Examples:
  botfleet health            every part
  botfleet health --ready    may it be given work: for readiness probes and HEALTHCHECK
  botfleet health --live     does the process answer: for liveness probes")]
pub struct HealthArgs {
    /// Address of the node.
    #[command(flatten)]
    pub api: Api,
    /// Asks only whether the node may be given work.
    #[arg(long, conflicts_with = "live")]
    pub ready: bool,
    /// Asks only whether the process answers.
    #[arg(long)]
    pub live: bool,
    /// Writes one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Asks the node.
///
/// # Errors
/// When the node does not answer.
pub async fn execute(args: &HealthArgs) -> anyhow::Result<ExitCode> {
    let path = match (args.ready, args.live) {
        (true, _) => "/health/ready",
        (_, true) => "/health/live",
        _ => "/health",
    };
    let (status, body) = args.api.client()?.look(path).await?;
    let well = (200..300).contains(&status);
    let text = if args.ready || args.live { answer(&body, well, args.json) } else { parts(&body, args.json)? };
    stdout().lock().write_all(text.as_bytes()).context("stdout cannot be written")?;
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Formats an answer of a single word.
fn answer(body: &str, well: bool, as_json: bool) -> String {
    let word = body.trim();
    if as_json { format!("{}\n", json!({ "well": well, "answer": word })) } else { format!("{word}\n") }
}

/// Formats every part, one a line.
fn parts(body: &str, as_json: bool) -> anyhow::Result<String> {
    let health: Value = serde_json::from_str(body).context("the answer is not the fleet's")?;
    if as_json {
        return Ok(format!("{health}\n"));
    }
    let mut text = format!("{}\n", health["status"].as_str().unwrap_or("unknown"));
    for check in health["checks"].as_array().into_iter().flatten() {
        let name = check["name"].as_str().unwrap_or("-");
        let detail = check["detail"].as_str().unwrap_or(if check["ok"] == true { "ok" } else { "not ok" });
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {name:<20} {detail}");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_shows_the_answer_as_it_came() {
        assert_eq!(answer("not ready", false, false), "not ready\n");
        assert_eq!(answer("ok", true, true), "{\"answer\":\"ok\",\"well\":true}\n");
    }

    #[test]
    fn every_part_has_its_line() {
        let checks = json!([
            { "name": "database", "ok": true, "detail": null },
            { "name": "telegram", "ok": false, "detail": "2 of 3 bots poll" },
        ]);
        let body = json!({ "status": "degraded", "checks": checks }).to_string();
        let lines = "degraded\n  database             ok\n  telegram             2 of 3 bots poll\n";
        assert_eq!(parts(&body, false).unwrap(), lines);
        assert!(parts("<html>", false).is_err());
    }
}
