//! Gives people's orders to the owners of what they concern, on whichever node that is: releases, lifted pauses, delivery
//! modes, another try for dead letters, words of operators. Layer `runtime`.
//!
//! An order is a row. Its owner hears of it over the bus, or finds it within half a second, and carries it out once.

use std::time::Duration;

use botfleet_actors::actors::fleet::child::Child;
use botfleet_actors::domain::audit::AuditEntry;
use botfleet_actors::domain::dead_letter::{DeadLetter, DeadLetterId};
use botfleet_actors::domain::ids::{BotId, InboxId};
use botfleet_actors::domain::operator_order::{
    NewOrder, OPEN_ORDERS_MAX, OperatorOrder, OrderFailure, OrderId, OrderPlace, OrderState, OrderTarget, OrderTask,
};
use botfleet_actors::domain::ownership::{Incarnation, LeaseKey, NodeState};
use botfleet_actors::domain::roster::DeliveryMode;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::bus::Hint;
use botfleet_actors::ports::store::StoreError;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::fleet::RunningFleet;
use super::view::DeadLetterView;

/// Time within which an owner must begin an order.
const LIVES: Duration = Duration::from_secs(60);

/// Time for which whoever gives an order waits for its end.
const ENDS_WITHIN: Duration = Duration::from_secs(5);

/// Shortest and longest wait before the row of an order is read again, whose owner may be on another node.
const LOOK_FIRST: Duration = Duration::from_millis(10);
const LOOK_LAST: Duration = Duration::from_millis(250);

/// Longest name of a provider in an order.
const NAME_MAX_BYTES: usize = 200;

/// Reason why an order was not given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// No dead letter of that name is stored.
    #[error("{0} is not stored")]
    Unknown(String),
    /// The present state does not allow the order.
    #[error("{0}")]
    Conflict(String),
    /// No node of that name lives.
    #[error("no node named {0:?} lives")]
    UnknownNode(String),
    /// No such actor is quarantined anywhere.
    #[error("{0:?} is not quarantined")]
    NotQuarantined(String),
    /// The bot or the store does not answer now.
    #[error("{0}")]
    Unavailable(String),
    /// The store cannot take the order, or refuses the roster.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An order, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OrderView {
    /// Id.
    pub id: String,
    /// Target of the order, as in the manifest: `bot NAME`, `chat NAME` or `node NAME`.
    pub target: String,
    /// Number among the orders of the target: they are carried out in this order.
    pub number: i64,
    /// Kind: `release`, `lift_pauses`, `set_delivery`, `redeliver`, `say`, `take_over`, `delete`, `retract`.
    pub kind: String,
    /// Arguments, without words that are said.
    pub arguments: serde_json::Value,
    /// Name of whoever gave it.
    pub by: String,
    /// State.
    pub state: OrderState,
    /// Why it failed.
    pub failure: Option<OrderFailure>,
    /// Name of the node that carried it out.
    pub node: Option<String>,
    /// Time of creation, in milliseconds since 1970.
    pub created_at: Timestamp,
    /// Time from which nobody begins it any more.
    pub expires_at: Timestamp,
    /// Time of its end.
    pub ended_at: Option<Timestamp>,
}

impl RunningFleet {
    /// Gives an order, whose intent goes into the audit with it, and waits a while for its end.
    ///
    /// # Errors
    /// `Conflict` when too many orders wait for the target; the store's errors, after which the order may have been given.
    ///
    /// # Cancel safety
    /// A dropped call has given the order, or has not.
    pub async fn order(
        &self,
        target: OrderTarget,
        task: OrderTask,
        act: AuditEntry,
    ) -> Result<OperatorOrder, OrderError> {
        let id = OrderId(fastrand::i64(1..=i64::MAX));
        let order = NewOrder::new(id, target, task, LIVES, act);
        let Some(given) = self.node.store.give_order(&order).await? else {
            return Err(OrderError::Conflict(format!("{OPEN_ORDERS_MAX} orders wait for it already")));
        };
        tracing::warn!(
            order.id = %id, order.target = %target, kind = given.kind, by = given.principal, "control: an order was given"
        );
        self.node.tell([Hint::Order(target)]);
        Ok(self.until_over(given).await)
    }

    /// Waits for the end of an order, at most [`ENDS_WITHIN`] and not while the node stops; returns how it stands then.
    async fn until_over(&self, mut order: OperatorOrder) -> OperatorOrder {
        let until = Instant::now() + ENDS_WITHIN;
        let mut pause = LOOK_FIRST;
        while !order.state.is_over() && Instant::now() < until && !self.is_stopping() {
            let look_at = (Instant::now() + pause).min(until);
            let _ = tokio::time::timeout_at(look_at, self.node.orders_ended.notified()).await;
            pause = (pause * 2).min(LOOK_LAST);
            // The order is given, so a store that does not answer now is no failure of the order.
            if let Ok(Ok(Some(read))) = tokio::time::timeout_at(until, self.node.store.operator_order(order.id)).await {
                order = read;
            }
        }
        order
    }

    /// Changes a bot's delivery mode.
    ///
    /// # Errors
    /// The same as of [`RunningFleet::order`].
    pub async fn set_delivery(
        &self,
        bot: BotId,
        mode: DeliveryMode,
        act: AuditEntry,
    ) -> Result<OperatorOrder, OrderError> {
        self.order(OrderTarget::Bot(bot), OrderTask::SetDelivery { mode }, act).await
    }

    /// Ends the pauses that Telegram asked a bot for.
    ///
    /// # Errors
    /// The same as of [`RunningFleet::order`].
    pub async fn lift_pauses(&self, bot: BotId, act: AuditEntry) -> Result<OperatorOrder, OrderError> {
        self.order(OrderTarget::Bot(bot), OrderTask::LiftPauses {}, act).await
    }

    /// Lets a quarantined actor run again, by the name that the fleet's view shows. Each node has the providers of its own, so
    /// `node` names the one that a provider is of; without it this node is meant.
    ///
    /// # Errors
    /// `NotQuarantined` when no actor has that name; `UnknownNode`.
    pub async fn release(&self, actor: &str, node: Option<&str>, act: AuditEntry) -> Result<OperatorOrder, OrderError> {
        let (target, provider) = match Child::named(actor, &self.node.directory) {
            Some(Child::Bot(bot)) => (OrderTarget::Bot(bot), None),
            Some(Child::Chat(chat)) => (OrderTarget::Chat(chat), None),
            Some(Child::Provider(name)) if name.len() <= NAME_MAX_BYTES => {
                (OrderTarget::Node(self.node_named(node)?), Some(name))
            }
            _ => return Err(OrderError::NotQuarantined(actor.to_owned())),
        };
        self.order(target, OrderTask::Release { provider }, act).await
    }

    fn node_named(&self, name: Option<&str>) -> Result<Incarnation, OrderError> {
        let Some(name) = name.filter(|name| *name != self.node.name) else {
            return Ok(self.node.leases.place());
        };
        let picture = self.node.leases.picture();
        let nodes = picture.iter().flat_map(|picture| &picture.nodes);
        let found = nodes.filter(|node| node.state != NodeState::Dead).find(|node| node.name == name);
        found.map(|node| node.incarnation).ok_or_else(|| OrderError::UnknownNode(name.to_owned()))
    }

    /// Returns the bot or the chat that a dead letter belongs to.
    ///
    /// # Errors
    /// `Unknown` when no such letter is stored; `Conflict` when an update has no chat.
    pub async fn target_of_letter(&self, letter: DeadLetterId) -> Result<OrderTarget, OrderError> {
        let unknown = || OrderError::Unknown(letter.to_string());
        Ok(match letter {
            DeadLetterId::Update(InboxId(id)) => {
                let before = DeadLetterId::Update(InboxId(id - 1));
                let found = self.node.store.dead_letters(Some(before), 4).await?;
                let found = found.into_iter().find(|found| found.id == letter).ok_or_else(unknown)?;
                let chat = found.chat.ok_or_else(|| OrderError::Conflict("it belongs to no chat".to_owned()))?;
                OrderTarget::Chat(chat)
            }
            DeadLetterId::Turn(turn) => {
                let (turn, _) = self.node.store.turn(turn).await?.ok_or_else(unknown)?;
                OrderTarget::Bot(turn.bot)
            }
            DeadLetterId::Message(outbox) => {
                OrderTarget::Bot(self.node.store.message(outbox).await?.ok_or_else(unknown)?.bot)
            }
        })
    }

    /// Gives a dead letter of that bot or chat another try.
    ///
    /// # Errors
    /// Those of an order.
    pub async fn redeliver(
        &self,
        target: OrderTarget,
        letter: DeadLetterId,
        confirm_duplicate: bool,
        act: AuditEntry,
    ) -> Result<OperatorOrder, OrderError> {
        let task = OrderTask::Redeliver { letter: letter.to_string(), confirm_duplicate };
        self.order(target, task, act).await
    }

    /// Returns an order.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn operator_order(&self, id: OrderId) -> Result<Option<OperatorOrder>, StoreError> {
        self.node.store.operator_order(id).await
    }

    /// Returns orders before `before`, newest first.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn operator_orders(
        &self,
        before: Option<OrderPlace>,
        limit: usize,
    ) -> Result<Vec<OperatorOrder>, StoreError> {
        self.node.store.operator_orders(before, limit).await
    }

    /// Returns an order as people see it.
    pub fn order_shown(&self, order: &OperatorOrder) -> OrderView {
        let target = match order.target {
            OrderTarget::Bot(bot) => format!("bot {}", self.names().of(LeaseKey::Bot(bot))),
            OrderTarget::Chat(chat) => format!("chat {}", self.names().of(LeaseKey::Chat(chat))),
            OrderTarget::Node(node) if node == self.node.leases.place() => format!("node {}", self.node.name),
            OrderTarget::Node(node) => {
                let picture = self.node.leases.picture();
                let name = picture.and_then(|picture| picture.node(node).map(|node| node.name.clone()));
                format!("node {}", name.unwrap_or_else(|| node.to_string()))
            }
        };
        OrderView {
            id: order.id.to_string(),
            target,
            number: order.number,
            kind: order.kind.clone(),
            arguments: order.arguments_without_words(),
            by: order.principal.clone(),
            state: order.state,
            failure: order.failure(),
            node: order.node.clone(),
            created_at: order.created_at,
            expires_at: order.expires_at,
            ended_at: order.ended_at,
        }
    }

    /// Returns dead letters after `after`, oldest first.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn dead_letters(
        &self,
        after: Option<DeadLetterId>,
        limit: usize,
    ) -> Result<Vec<DeadLetterView>, StoreError> {
        let letters = self.node.store.dead_letters(after, limit).await?;
        Ok(letters.into_iter().map(|letter| self.shown(letter)).collect())
    }

    fn shown(&self, letter: DeadLetter) -> DeadLetterView {
        let names = self.names();
        DeadLetterView {
            id: letter.id.to_string(),
            state: letter.state,
            reason: letter.reason,
            bot: names.bots.get(&letter.bot).cloned(),
            chat: letter.chat.and_then(|chat| names.chats.get(&chat)).cloned(),
            attempts: letter.attempts,
            created_at: letter.created_at,
        }
    }
}
