//! `botfleet cluster status|drain|rebalance`: the nodes of the running fleet. Layer `cli`.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write, stdout};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Subcommand};

use super::api::{Api, order, plain};
use super::check::table;
use crate::api::cluster::{Drain, Draining, Get, Rebalance, RebalanceOptions};
use crate::runtime::cluster_view::{ClusterView, MoveView, NodeView};

/// Interval of `--watch`.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// Most moves that are shown one by one; further ones are counted.
const MOVES_SHOWN: usize = 20;

/// The commands for the cluster.
#[derive(Clone, Debug, Subcommand)]
#[command(after_help = "\
Examples:
  botfleet cluster status --watch
  botfleet cluster drain n2          before work on the machine of n2
  botfleet cluster drain n2 --undo
  botfleet cluster rebalance --dry-run")]
pub enum ClusterCommand {
    /// Shows nodes, what they own, their traffic, and moves under way.
    Status(StatusArgs),
    /// Asks a node to give everything to the others, without loss or silence.
    Drain(DrainArgs),
    /// Moves bots and chats to where hashing alone places them.
    Rebalance(RebalanceArgs),
}

/// Arguments of `botfleet cluster status`.
#[derive(Clone, Debug, Args)]
pub struct StatusArgs {
    /// Address of the fleet: any node's API.
    #[command(flatten)]
    pub api: Api,
    /// Writes one JSON object instead of tables.
    #[arg(long)]
    pub json: bool,
    /// Goes on until it is interrupted, once a second.
    #[arg(long)]
    pub watch: bool,
}

/// Arguments of `botfleet cluster drain`.
#[derive(Clone, Debug, Args)]
pub struct DrainArgs {
    /// Address of the fleet: any node's API.
    #[command(flatten)]
    pub api: Api,
    /// The node's name.
    pub node: String,
    /// Lets the node own its share again.
    #[arg(long)]
    pub undo: bool,
}

/// Arguments of `botfleet cluster rebalance`.
#[derive(Clone, Debug, Args)]
pub struct RebalanceArgs {
    /// Address of the fleet: any node's API.
    #[command(flatten)]
    pub api: Api,
    /// Moves nothing, only tells what would move.
    #[arg(long)]
    pub dry_run: bool,
}

/// Runs the command.
///
/// # Errors
/// When the fleet does not answer, or refuses.
pub async fn execute(command: &ClusterCommand) -> anyhow::Result<ExitCode> {
    match command {
        ClusterCommand::Status(args) => status(args).await,
        ClusterCommand::Drain(args) => drain(args).await,
        ClusterCommand::Rebalance(args) => rebalance(args).await,
    }
}

async fn status(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let client = args.api.client()?;
    loop {
        let cluster = client.call(plain::<Get>()).await?;
        let text = if args.json { format!("{}\n", serde_json::to_string(&cluster)?) } else { shown(&cluster) };
        // A terminal shows the latest look in place of the one before.
        let clear = if args.watch && !args.json && stdout().is_terminal() { "\x1b[2J\x1b[H" } else { "" };
        tell(&format!("{clear}{text}"))?;
        if !args.watch {
            return Ok(ExitCode::SUCCESS);
        }
        tokio::time::sleep(WATCH_EVERY).await;
    }
}

async fn drain(args: &DrainArgs) -> anyhow::Result<ExitCode> {
    let draining = Draining { node: args.node.clone(), draining: !args.undo };
    args.api.client()?.call(order::<Drain>(draining)).await?;
    let what = if args.undo { "owns its share again" } else { "gives everything up" };
    tell(&format!("{} {what}; botfleet cluster status --watch shows how far it is\n", args.node))?;
    Ok(ExitCode::SUCCESS)
}

async fn rebalance(args: &RebalanceArgs) -> anyhow::Result<ExitCode> {
    let done = args.api.client()?.call(order::<Rebalance>(RebalanceOptions { dry_run: args.dry_run })).await?;
    let mut text = moves(&done.moves);
    let (count, waves) = (done.moves.len(), done.waves);
    let _ = match (args.dry_run, done.done) {
        (true, _) => writeln!(text, "{count} moves; nothing was done"),
        (false, true) => writeln!(text, "{count} moves in {waves} waves; the placement is the best one"),
        (false, false) => writeln!(text, "{count} moves in {waves} waves; more are left, ask again"),
    };
    tell(&text)?;
    Ok(if done.done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn shown(cluster: &ClusterView) -> String {
    let row = |node: &NodeView| -> Vec<String> {
        vec![
            node.name.clone(),
            node.role.as_str().to_owned(),
            node.state.as_str().to_owned(),
            node.incarnation.to_string(),
            format!("{}/{}", node.bots, node.bots_quota),
            format!("{}/{}", node.chats, node.chats_quota),
            node.updates_per_minute.to_string(),
            node.sends_per_minute.to_string(),
            format!("{} ms", node.lag_ms),
            if node.telegram { "reached" } else { "not reached" }.to_owned(),
            node.address.as_deref().unwrap_or("-").to_owned(),
        ]
    };
    let rows: Vec<Vec<String>> = cluster.nodes.iter().map(row).collect();
    let heads =
        ["node", "role", "state", "start", "bots", "chats", "updates/min", "sends/min", "lag", "Telegram", "address"];
    let mut text = table("Nodes", &heads, &rows);
    text.push_str(&moves(&cluster.moves));
    let teller = &cluster.teller;
    let bus = if teller.bus_up { "up" } else { "down" };
    let stale = if teller.stale { "; the database does not answer, this is the last look" } else { "" };
    let _ = writeln!(
        text,
        "As {} tells it: configuration {}, bus {bus}, {} without owner{stale}",
        teller.node, teller.config_seq, cluster.unowned
    );
    text
}

/// Formats a table of the moves; empty without moves.
fn moves(moves: &[MoveView]) -> String {
    if moves.is_empty() {
        return String::new();
    }
    let row = |step: &MoveView| {
        let node = |name: &Option<String>| name.as_deref().unwrap_or("-").to_owned();
        let state = if step.ready { "ready" } else { "warms up" };
        vec![step.kind.to_string(), step.name.clone(), node(&step.from), node(&step.to), state.to_owned()]
    };
    let rows: Vec<Vec<String>> = moves.iter().take(MOVES_SHOWN).map(row).collect();
    let mut text = table("Moves", &["kind", "name", "from", "to", "state"], &rows);
    if moves.len() > MOVES_SHOWN {
        let _ = writeln!(text, "  ... and {} more\n", moves.len() - MOVES_SHOWN);
    }
    text
}

fn tell(text: &str) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    out.write_all(text.as_bytes()).context("stdout cannot be written")?;
    out.flush().context("stdout cannot be written")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cluster_reads_as_a_table_of_nodes_and_one_of_moves() {
        let node = |name: &str, state: &str, bots: u32| {
            json!({
                "name": name, "role": "all", "state": state, "incarnation": 7, "bots": bots, "bots_quota": 2,
                "chats": 1, "chats_quota": 1, "updates_per_minute": 30, "sends_per_minute": 12, "lag_ms": 3,
                "telegram": true, "address": null,
                "version": "0.2.0", "joined_at": 0,
            })
        };
        let cluster = json!({
            "node": "n1", "mode": "cluster", "acting": true, "config_seq": 5, "config_seq_stored": 5, "bus_up": true,
            "unowned": 0, "stale": false, "leases": [],
            "nodes": [node("n1", "alive", 3), node("n2", "draining", 1)],
            "moves": [{ "kind": "bot", "name": "Ada", "from": "n2", "to": "n1", "ready": true }],
        });
        insta::assert_snapshot!(shown(&serde_json::from_value(cluster).unwrap()));
    }
}
