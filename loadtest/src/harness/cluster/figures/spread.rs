//! Measures how evenly bots are spread, and how many move, when nodes join and leave. Layer: harness.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::args::{FigureArgs, under_traffic};
use super::figure::Figure;
use crate::harness::cluster::node::Role;
use crate::harness::cluster::probe::{spread, wait_until_spread};
use crate::harness::cluster::stage::ClusterStage;
use crate::harness::cluster::view::ClusterView;
use crate::harness::error::HarnessError;
use crate::harness::traffic::Traffic;

/// How long the fleet may take to spread its bots evenly again.
const EVEN_WITHIN: Duration = Duration::from_secs(90);
/// The least and the most nodes: the fleet grows from the one to the other, and shrinks back.
const NODES: (usize, usize) = (4, 8);

/// Lets nodes join and leave one after the other.
///
/// # Errors
/// The run could not be completed.
pub async fn run(args: &FigureArgs) -> Result<Figure, HarnessError> {
    let args = FigureArgs { nodes: NODES.0, ..args.clone() };
    let mut stage = args.open().await?;
    let world = Arc::clone(&stage.simulation.world);
    let mut traffic = Traffic::new(&world);
    let mut figure = Figure::new("spread", args.fleet());
    let work = changes(&mut stage, &mut figure);
    under_traffic(&mut traffic, args.rate, work).await?;
    stage.close(figure.is_clean()).await?;
    Ok(figure)
}

async fn changes(stage: &mut ClusterStage, figure: &mut Figure) -> Result<(), HarnessError> {
    let (mut total, mut ideal, mut worst) = (0, 0, 0);
    let mut before = even(stage).await?;
    worst = worst.max(spread(&bots(&before)));
    figure.tell(format!("{} nodes", stage.nodes.len()), told(&before));
    for to in (NODES.0 + 1..=NODES.1).chain((NODES.0..NODES.1).rev()) {
        let joins = to > stage.nodes.len();
        if joins {
            stage.add(Role::All).await?.start().await?;
        } else {
            stage.remove_last().await?;
        }
        let after = even(stage).await?;
        let moves = after.moved_since(&before, "bot").len() as u64;
        // A join needs as many moves as the new node gets bots, a leave as many as the old node had.
        let gone = bots(&before).into_iter().find(|(name, _)| !bots(&after).contains_key(name));
        let newest = stage.nodes.last().and_then(|node| bots(&after).get(&node.name).copied());
        let needed = if joins { newest.unwrap_or(0) } else { gone.map_or(0, |(_, had)| had) };
        let chats = after.moved_since(&before, "chat").len();
        figure.tell(
            format!("{} nodes", stage.nodes.len()),
            format!("{}; {moves} bots moved, {needed} needed; {chats} chats moved", told(&after)),
        );
        worst = worst.max(spread(&bots(&after)));
        total += moves;
        ideal += needed;
        before = after;
    }
    figure.promise("largest difference between two nodes", worst as f64, 1.0, "bots");
    figure.promise("moves against the ideal", total as f64 / ideal.max(1) as f64, 1.05, "times");
    Ok(())
}

async fn even(stage: &mut ClusterStage) -> Result<ClusterView, HarnessError> {
    wait_until_spread(stage, EVEN_WITHIN).await?;
    stage.view().await
}

/// Returns how many bots each alive node owns.
fn bots(view: &ClusterView) -> BTreeMap<String, u64> {
    let mut bots = view.bots();
    bots.retain(|name, _| view.nodes.iter().any(|node| node.name == *name && node.state == "alive"));
    bots
}

fn told(view: &ClusterView) -> String {
    let traffic = |name: &str| {
        let node = view.nodes.iter().find(|node| node.name == name && node.state == "alive");
        node.map_or(0, |node| node.updates_per_minute)
    };
    let nodes = bots(view).into_iter().map(|(name, bots)| format!("{name} {bots} ({} u/min)", traffic(&name)));
    nodes.collect::<Vec<_>>().join(", ")
}
