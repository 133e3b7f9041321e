//! `botfleet order`: shows orders that were given to the fleet, and how they ended. Layer `cli`.

use std::fmt::Write as _;
use std::io::{Write, stdout};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};

use super::api::Api;
use super::output::{second, tell};
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
    let OrderView { id, state, kind, target, arguments, by, .. } = order;
    let is_empty = arguments.is_null() || arguments.as_object().is_some_and(serde_json::Map::is_empty);
    let with = if is_empty { String::new() } else { format!(" {arguments}") };
    let (at, state) = (second(order.created_at), state.as_str());
    format!("{id}  {at}  {state:<8} {kind:<13} {target}{with}, by {by}{node}{why}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_order_reads_as_what_was_ordered_when_and_how_it_ended() {
        let order: OrderView = serde_json::from_str(
            r#"{"id":"0123456789abcdee","target":"chat lounge","number":3,"kind":"redeliver","arguments":{"letter":"update-2"},
                "by":"ada","state":"failed","failure":{"code":"conflict","detail":"update 2 is not dead"},"node":"n2",
                "created_at":1790000000000,"expires_at":1790000060000,"ended_at":1790000000020}"#,
        )
        .unwrap();
        assert_eq!(
            line(&order),
            "0123456789abcdee  2026-09-21 14:13:20Z  failed   redeliver     chat lounge {\"letter\":\"update-2\"}, by ada on \
             n2: update 2 is not dead"
        );
        let plain = OrderView { arguments: serde_json::json!({}), failure: None, ..order };
        assert!(line(&plain).ends_with("chat lounge, by ada on n2"));
    }
}
