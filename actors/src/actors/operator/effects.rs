//! The effect of each kind of order. Layer `actors`. Keeps I1, I4, I14.

use std::sync::Arc;
use std::time::Duration;

use ractor::ActorRef;
use ractor::rpc::CallResult;
use tokio::time::Instant;

use super::carry_out::Came;
use super::redelivery::redeliver;
use super::speaking::{retract, speak, take_over};
use crate::actors::bot::intake::messages::{DeliveryError, IntakeMsg};
use crate::actors::bot::messages::BotMsg;
use crate::actors::chat::speech::{Demand, Speech};
use crate::actors::fleet::child::Child;
use crate::actors::fleet::messages::FleetMsg;
use crate::actors::node::Node;
use crate::actors::node::committer::CommitError;
use crate::actors::node::deadline::in_time;
use crate::domain::commit::operations::{BeginOrder, LiftPauses, Operation, OrderEnding};
use crate::domain::commit::outcome::Applied;
use crate::domain::ids::BotId;
use crate::domain::operator_order::{OperatorOrder, OrderState, OrderStep, OrderTarget, OrderTask};
use crate::domain::retraction::Saying;
use crate::domain::roster::DeliveryMode;

/// Most time for an actor to do its part, since it waits for the store.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Time within which the actor of a bot or chat must run, and the interval of looks: it starts a moment after its lease is taken.
pub(super) const RUNS_WITHIN: Duration = Duration::from_secs(3);
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Causes the effect of an order that waits.
pub(super) async fn cause(
    node: &Arc<Node>,
    fleet: &ActorRef<FleetMsg>,
    order: &OperatorOrder,
    step: &OrderStep,
) -> Came {
    match (OrderTask::of(&order.kind, &order.arguments), order.target) {
        (Some(OrderTask::Release { provider: Some(provider) }), OrderTarget::Node(_)) => {
            release(node, fleet, step, Child::Provider(provider)).await
        }
        (Some(OrderTask::Release { provider: None }), OrderTarget::Bot(bot)) => {
            release(node, fleet, step, Child::Bot(bot)).await
        }
        (Some(OrderTask::Release { provider: None }), OrderTarget::Chat(chat)) => {
            release(node, fleet, step, Child::Chat(chat)).await
        }
        (Some(OrderTask::LiftPauses {}), OrderTarget::Bot(bot)) => lift_pauses(node, step, bot).await,
        (Some(OrderTask::SetDelivery { mode }), OrderTarget::Bot(bot)) => set_delivery(node, step, bot, mode).await,
        (Some(OrderTask::Redeliver { letter, confirm_duplicate }), OrderTarget::Bot(_) | OrderTarget::Chat(_)) => {
            redeliver(node, step, &letter, confirm_duplicate).await
        }
        (Some(OrderTask::Say { bot, text, reply_to }), OrderTarget::Chat(chat)) => {
            let demand = Demand::Say { text, reply_to };
            let speech = Speech { bot, by: order.principal.clone(), order: step.clone(), demand };
            speak(node, fleet, chat, speech).await
        }
        (Some(OrderTask::TakeOver { bot, idle_ms, take }), OrderTarget::Chat(chat)) => {
            let idle = Duration::from_millis(idle_ms.unsigned_abs());
            take_over(node, fleet, step, (chat, bot), (&order.principal, idle, take)).await
        }
        (Some(OrderTask::Delete { number }), OrderTarget::Chat(chat)) => {
            retract(node, step, chat, &order.principal, Saying::Entry(number)).await
        }
        (Some(OrderTask::Retract { bot, since }), OrderTarget::Chat(chat)) => {
            retract(node, step, chat, &order.principal, Saying::Since(bot, since)).await
        }
        _ => Came::failed("conflict", "the version of the node that owns it does not know such an order"),
    }
}

/// Releases a quarantined actor. A quarantine is the process's own, so the order is begun first (I4).
async fn release(node: &Node, fleet: &ActorRef<FleetMsg>, step: &OrderStep, child: Child) -> Came {
    let begin = BeginOrder { step: step.clone() };
    match node.committer.commit(Operation::BeginOrder(begin)).await {
        Ok(Applied::Ordered(OrderState::Begun)) => {}
        other => return Came::by(other),
    }
    let name = child.name(&node.directory);
    match fleet.call(|reply| FleetMsg::Release(child, reply), Some(ANSWER_WITHIN)).await {
        Ok(CallResult::Success(true)) => Came::Ends(OrderEnding::Done),
        Ok(CallResult::Success(false)) => Came::failed("not_quarantined", format!("{name:?} is not quarantined")),
        _ => Came::Ends(OrderEnding::Unknown),
    }
}

/// Ends the pauses in the store, and then those that the bot's actor remembers; also when nobody knows whether the store has
/// ended them, since the store is asked before each send.
async fn lift_pauses(node: &Node, step: &OrderStep, bot: BotId) -> Came {
    let lift = LiftPauses { bot, epoch: step.epoch, until: node.clock.now(), order: Some(step.clone()) };
    let lifted = node.committer.commit(Operation::LiftPauses(lift)).await;
    if !matches!(lifted, Err(CommitError::Refused(_)))
        && let Some(actor) = node.directory.bot(bot)
    {
        let _ = actor.cast(BotMsg::PausesLifted);
    }
    Came::by(lifted)
}

/// Has the bot's intake change the delivery mode: only the intake knows which of its commits may still bring an offset (I1).
async fn set_delivery(node: &Node, step: &OrderStep, bot: BotId, mode: DeliveryMode) -> Came {
    let until = Instant::now() + RUNS_WITHIN;
    let actor = loop {
        match node.directory.bot(bot) {
            Some(actor) => break actor,
            None if Instant::now() < until => tokio::time::sleep(LOOK_EVERY).await,
            None => {
                let name = Child::Bot(bot).name(&node.directory);
                return Came::failed("conflict", format!("{name} does not run"));
            }
        }
    };
    let order = Some(step.clone());
    let change = |reply| BotMsg::Intake(IntakeMsg::SetDelivery(mode, order, reply));
    match actor.call(change, Some(ANSWER_WITHIN)).await {
        // The order has ended with the change, unless the mode was in force already.
        Ok(CallResult::Success(Ok(()))) => match in_time(node.store.operator_order(step.order)).await {
            Ok(Some(order)) if order.state.is_over() => Came::Ended(order.state),
            _ => Came::Ends(OrderEnding::Done),
        },
        Ok(CallResult::Success(Err(error @ (DeliveryError::Busy | DeliveryError::WebhooksOff)))) => {
            Came::failed("conflict", error.to_string())
        }
        _ => Came::Again,
    }
}
