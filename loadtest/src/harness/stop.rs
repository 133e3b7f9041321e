//! `stop`: measures how long after an order to stop messages are still sent, with queues full and providers dead.
//! Layer: harness (I9).
//!
//! There are two orders. The operator's order for the fleet is delivered when the API has answered. An administrator's
//! `/stop` in a chat is delivered when Telegram has handed the message to the first bot. A send counts at the moment
//! when Telegram has read it; the product decided on the send earlier, which only makes the figure worse.

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use botfleet_world::ledger::{LedgerEvent, LedgerRecord};
use botfleet_world::provider::faults::{ProviderFault, ProviderFaults, ProviderRule};
use botfleet_world::provider::spec::Latency;
use botfleet_world::simulation::SimulationSpec;
use botfleet_world::world::World;
use botfleet_world::world::event::Post;
use botfleet_world::world::limits::LimitSpec;
use botfleet_world::world::spec::{ChatSpec, WorldSpec};
use clap::Args;
use serde::Serialize;
use tokio::time::Instant;

use super::args::{RunArgs, SendLatency};
use super::error::HarnessError;
use super::files::{ProductOptions, ProviderOptions, chat_name};
use super::operator::Operator;
use super::progress;
use super::settle::{Queues, queues};
use super::stage::Stage;
use super::traffic::{Shape, Traffic};

/// The time after the delivery of an order from which no message may be sent.
const SILENT_AFTER: Duration = Duration::from_secs(1);
/// The time before an order in which messages show that there was something to stop.
const LOOKED_BACK: Duration = Duration::from_secs(2);
/// How long sends are observed after an order.
const LISTENED_FOR: Duration = Duration::from_secs(8);
/// How long an order may take to be delivered.
const DELIVERED_WITHIN: Duration = Duration::from_secs(10);
/// How long the fleet may take to speak again after the stop is lifted.
const BACK_WITHIN: Duration = Duration::from_secs(90);

/// The command-line arguments of `stop`.
#[derive(Debug, Clone, Args)]
pub struct StopArgs {
    /// The product and the run.
    #[command(flatten)]
    pub run: RunArgs,
    /// How many bots the fleet has.
    #[arg(long, default_value_t = 50)]
    pub bots: usize,
    /// How many chats.
    #[arg(long, default_value_t = 10)]
    pub chats: usize,
    /// Messages of people a second, over all chats.
    #[arg(long, default_value_t = 30.0)]
    pub rate: f64,
    /// How many seconds the queues are filled.
    #[arg(long, default_value_t = 10.0)]
    pub fill_seconds: f64,
}

/// One order.
#[derive(Debug, Clone, Serialize)]
pub struct Order {
    /// `fleet, by the operator` or `chat, by its administrator`.
    pub order: &'static str,
    /// How long the delivery of the order took, in milliseconds.
    pub delivered_in_ms: f64,
    /// The product's queues when the order was given.
    pub queues: Queues,
    /// Messages in the two seconds before the order.
    pub sends_before: usize,
    /// Messages after the delivery of the order.
    pub sends_after: usize,
    /// Time from the delivery to the last of these messages, in milliseconds; 0 without any.
    pub last_after_ms: f64,
    /// True if messages were sent again after the stop was lifted.
    pub spoke_again: bool,
}

/// The result of a `stop` run.
#[derive(Debug, Clone, Serialize)]
pub struct StopResult {
    /// The orders.
    pub orders: Vec<Order>,
    /// The folder of the run; a temporary one is removed after a clean run.
    pub dir: PathBuf,
}

impl StopResult {
    /// Returns whether the fleet obeyed every order in time, and spoke before the order and after the stop was lifted.
    pub fn is_clean(&self) -> bool {
        self.orders.iter().all(|order| {
            order.last_after_ms <= SILENT_AFTER.as_secs_f64() * 1000.0 && order.sends_before > 0 && order.spoke_again
        })
    }
}

/// Runs the harness.
///
/// # Errors
/// The run could not be completed.
pub async fn run(args: &StopArgs) -> Result<StopResult, HarnessError> {
    let world = WorldSpec {
        send_latency: SendLatency::Realistic.latency(),
        limits: Some(LimitSpec::default()),
        ..WorldSpec::fleet(args.run.seed, args.bots, args.chats)
    };
    let latency = Latency { median: Duration::from_millis(500), sigma: 0.5 };
    let spec = SimulationSpec { provider: args.run.provider(latency), ..SimulationSpec::of(world) };
    let settings = toml::toml! {
        [bots]
        sends_per_second = 30
        sends_per_chat_per_minute = 20
    };
    // A provider that was dead must be used again before the harness stops waiting for the fleet to speak.
    let hasty = toml::toml! {
        refused_key_pause = "1s"
        breaker = { failures = 5, open_for = "1s" }
    };
    let providers = vec![ProviderOptions::main().saying(hasty)];
    let options = ProductOptions { providers, settings, ..args.run.options() };
    let binary = args.run.product()?;
    let stage = Stage::open(&binary, spec, args.run.dir.as_deref(), &options).await?;
    stage.wait_until_polling(args.bots).await?;
    let mut traffic = Traffic::new(&stage.simulation.world);
    let ordering = async {
        tokio::select! {
            biased;
            orders = give_orders(args, &stage) => orders,
            error = traffic.drive(Shape::Open { rate: args.rate }) => Err(error),
        }
    };
    let orders = progress::during(ordering, || "queues fill, providers die, orders are given".to_owned()).await?;
    let result = StopResult { orders, dir: stage.dir().to_owned() };
    stage.stop(result.is_clean()).await?;
    Ok(result)
}

async fn give_orders(args: &StopArgs, stage: &Stage) -> Result<Vec<Order>, HarnessError> {
    let api = stage.product.api();
    let operator = Operator::new(api);
    let world = &stage.simulation.world;
    let mut orders = Vec::new();

    fill_and_kill_providers(args, stage).await;
    let waiting = queues(api).await?;
    let given_us = world.ledger().now_us();
    operator.stop_fleet().await?;
    let delivered_us = world.ledger().now_us();
    let mut order = listen("fleet, by the operator", world, None, waiting, given_us, delivered_us).await;
    stage.simulation.clear_faults();
    operator.start(None).await?;
    order.spoke_again = speaks(world, None).await;
    orders.push(order);

    fill_and_kill_providers(args, stage).await;
    let spec = loudest(world).await.ok_or(HarnessError::NobodyPosts)?;
    let chat = spec.id;
    let admin = *spec.admins.iter().find(|admin| spec.people.contains(admin)).ok_or(HarnessError::NobodyPosts)?;
    let waiting = queues(api).await?;
    let given_us = world.ledger().now_us();
    let Ok(message_id) = world.post(chat, admin, Post::text("/stop")) else { return Err(HarnessError::NobodyPosts) };
    let delivered_us = delivery(world, chat, message_id).await.unwrap_or(given_us);
    let mut order = listen("chat, by its administrator", world, Some(chat), waiting, given_us, delivered_us).await;
    stage.simulation.clear_faults();
    operator.start(Some(&chat_name(spec))).await?;
    order.spoke_again = speaks(world, Some(chat)).await;
    orders.push(order);
    Ok(orders)
}

/// Lets the queues fill behind the limiters, then lets every call to a provider fail.
async fn fill_and_kill_providers(args: &StopArgs, stage: &Stage) {
    tokio::time::sleep(Duration::from_secs_f64(args.fill_seconds.max(0.0))).await;
    let kinds = [ProviderFault::Unavailable, ProviderFault::Reset, ProviderFault::ErrorHtml, ProviderFault::RevokedKey];
    let rules = kinds
        .into_iter()
        .map(|what| ProviderRule { probability: 0.3, ..ProviderRule::always(what) })
        .chain([ProviderRule { for_ms: Some(30_000), ..ProviderRule::always(ProviderFault::Slow) }]);
    let faults = ProviderFaults { seed: args.run.seed, rules: rules.collect() };
    stage.simulation.all_providers().for_each(|provider| provider.set_faults(faults.clone()));
    tokio::time::sleep(Duration::from_secs(1)).await;
}

/// Returns the chat with the most sends in the last two seconds, after a send has come; `None` if none comes in time.
async fn loudest(world: &World) -> Option<&ChatSpec> {
    if !speaks(world, None).await {
        return None;
    }
    let ledger = world.ledger().snapshot();
    let since_us = world.ledger().now_us().saturating_sub(LOOKED_BACK.as_micros() as u64);
    let lately = |chat: &&ChatSpec| sends(&ledger, Some(chat.id)).filter(|at_us| *at_us >= since_us).count();
    world.spec().chats.iter().max_by_key(lately)
}

/// Waits until a message has been handed to a bot, and returns when; `None` if that takes too long.
async fn delivery(world: &World, chat: i64, message_id: i64) -> Option<u64> {
    let look = || delivered_at(&world.ledger().snapshot(), chat, message_id);
    world.wait_for(Instant::now() + DELIVERED_WITHIN, look).await
}

fn delivered_at(ledger: &[LedgerRecord], chat: i64, message_id: i64) -> Option<u64> {
    let mut updates = HashSet::new();
    for record in ledger {
        match &record.event {
            LedgerEvent::UpdateQueued { bot, update_id, chat: Some(in_chat), message_id: Some(id), .. }
                if *in_chat == chat && *id == message_id =>
            {
                updates.insert((*bot, *update_id));
            }
            LedgerEvent::PollClosed { bot, delivered, .. }
                if delivered.iter().any(|update| updates.contains(&(*bot, *update))) =>
            {
                return Some(record.at_us);
            }
            LedgerEvent::WebhookAttempt { bot, update_id, .. } if updates.contains(&(*bot, *update_id)) => {
                return Some(record.at_us);
            }
            _ => {}
        }
    }
    None
}

/// Observes the sends after an order.
async fn listen(
    order: &'static str,
    world: &World,
    chat: Option<i64>,
    queues: Queues,
    given_us: u64,
    delivered_us: u64,
) -> Order {
    tokio::time::sleep(LISTENED_FOR).await;
    let sends: Vec<u64> = sends(&world.ledger().snapshot(), chat).collect();
    let before = given_us.saturating_sub(LOOKED_BACK.as_micros() as u64)..given_us;
    let after: Vec<u64> = sends.iter().copied().filter(|at_us| *at_us > delivered_us).collect();
    let late_us = after.last().map_or(0, |at_us| at_us - delivered_us);
    Order {
        order,
        delivered_in_ms: delivered_us.saturating_sub(given_us) as f64 / 1000.0,
        queues,
        sends_before: sends.iter().filter(|at_us| before.contains(at_us)).count(),
        sends_after: after.len(),
        last_after_ms: late_us as f64 / 1000.0,
        spoke_again: false,
    }
}

/// Returns when Telegram read each send, of one chat or of all.
fn sends(ledger: &[LedgerRecord], only: Option<i64>) -> impl Iterator<Item = u64> {
    ledger.iter().filter_map(move |record| match &record.event {
        LedgerEvent::SendReceived { chat, .. } if only.is_none_or(|only| only == *chat) => Some(record.at_us),
        _ => None,
    })
}

/// Waits for a new send, of one chat or of all; returns whether one came in time.
async fn speaks(world: &World, chat: Option<i64>) -> bool {
    let from = world.ledger().len();
    let look = || sends(&world.ledger().since(from), chat).next();
    world.wait_for(Instant::now() + BACK_WITHIN, look).await.is_some()
}

impl fmt::Display for StopResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for order in &self.orders {
            let Queues { inbox, turns, outbox } = order.queues;
            writeln!(f, "{}", order.order)?;
            writeln!(f, "  waiting then       {inbox} updates, {turns} turns, {outbox} messages")?;
            writeln!(f, "  delivered in       {:.1} ms", order.delivered_in_ms)?;
            writeln!(f, "  sends in 2 s before  {}", order.sends_before)?;
            writeln!(f, "  sends after        {}, the last {:.1} ms after", order.sends_after, order.last_after_ms)?;
            writeln!(f, "  spoke again        {}", if order.spoke_again { "yes" } else { "NO" })?;
        }
        write!(f, "obeyed: {}", if self.is_clean() { "yes" } else { "NO" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(at_us: u64, event: LedgerEvent) -> LedgerRecord {
        LedgerRecord { at_us, event }
    }

    #[test]
    fn an_order_is_delivered_when_the_first_bot_was_handed_it() {
        let queued = |bot, update_id, message_id| LedgerEvent::UpdateQueued {
            bot,
            update_id,
            chat: Some(-1),
            message_id: Some(message_id),
            update_kind: "message".into(),
        };
        let closed = |bot, delivered: &[i64]| LedgerEvent::PollClosed {
            bot,
            poll: 1,
            delivered: delivered.into(),
            how: botfleet_world::ledger::PollEnd::Answered,
        };
        let ledger = [
            at(1, queued(7, 10, 4)),
            at(2, queued(7, 11, 5)),
            at(3, queued(8, 20, 5)),
            at(4, closed(7, &[10])),
            at(5, closed(8, &[20])),
            at(6, closed(7, &[11])),
        ];
        assert_eq!(delivered_at(&ledger, -1, 5), Some(5));
        assert_eq!(delivered_at(&ledger, -1, 6), None);
    }
}
