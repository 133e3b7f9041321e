//! `botfleet order`: shows orders that were given to the fleet, and how they ended. Layer `cli`.

use std::fmt::Write as _;
use std::io::{Write, stdout};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};

use super::api::Api;
use super::output::tell;
use crate::api::orders::{Get, List, OrderOf, Page};
use crate::api::route::{Call, Nothing};
use crate::operate::orders::PAGE_MAX;
use crate::runtime::orders::OrderView;

/// The commands under `botfleet order`.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  botfleet order list
  botfleet order show 0123456789abcdef --json")]
pub enum OrderCommand {
    /// Shows one order.
    Show(ShowArgs),
    /// Lists the orders of the last day, newest first.
    List(ListArgs),
}

/// Arguments of `botfleet order show`.
#[derive(Clone, Debug, Args)]
pub struct ShowArgs {
    /// Address of the fleet.
    #[command(flatten)]
    pub api: Api,
    /// The order, as the list shows it.
    pub id: String,
    /// Writes one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `botfleet order list`.
#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// Address of the fleet.
    #[command(flatten)]
    pub api: Api,
    /// Most orders to list.
    #[arg(long, default_value_t = 50)]
    pub limit: usize,
    /// Writes one JSON object a line instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// Runs a command.
///
/// # Errors
/// When no order has that id, or the fleet does not answer.
pub async fn execute(command: &OrderCommand) -> anyhow::Result<ExitCode> {
    let (orders, json) = match command {
        OrderCommand::Show(args) => {
            let path = OrderOf { id: args.id.clone() };
            (vec![args.api.client()?.call(Call::<Get>::new(path, Nothing {}, Nothing {})).await?], args.json)
        }
        OrderCommand::List(args) => (list(args).await?, args.json),
    };
    if orders.is_empty() && !json {
        tell("no orders\n");
    }
    let mut text = String::new();
    for order in &orders {
        // Writing to a String cannot fail.
        let _ =
            if json { writeln!(text, "{}", serde_json::to_string(order)?) } else { writeln!(text, "{}", line(order)) };
    }
    stdout().lock().write_all(text.as_bytes()).context("stdout cannot be written")?;
    Ok(ExitCode::SUCCESS)
}

async fn list(args: &ListArgs) -> anyhow::Result<Vec<OrderView>> {
    let client = args.api.client()?;
    let (mut orders, mut before) = (Vec::new(), None);
    while orders.len() < args.limit {
        let query = Page { before, limit: Some((args.limit - orders.len()).min(PAGE_MAX)) };
        let page = client.call(Call::<List>::new(Nothing {}, query, Nothing {})).await?;
        orders.extend(page.orders);
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    Ok(orders)
}

fn line(order: &OrderView) -> String {
    let why = order.failure.as_ref().map(|failure| format!(": {}", failure.detail)).unwrap_or_default();
    let node = order.node.as_ref().map(|node| format!(" on {node}")).unwrap_or_default();
    let OrderView { id, state, kind, target, by, .. } = order;
    format!("{id}  {:<8} {kind:<13} {target}, by {by}{node}{why}", state.as_str())
}
