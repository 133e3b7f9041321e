//! Orders that the owner of a bot or chat carries out, given on any node. Layer `operate`.

use botfleet_actors::domain::audit::{ActResult, AuditEntry};
use botfleet_actors::domain::operator_order::{
    OperatorOrder, OrderFruit, OrderId, OrderPlace, OrderState, OrderTarget,
};
use botfleet_actors::domain::time::Timestamp;
use serde_json::Value;

use super::failure::{Code, Failure};
use super::grant::Granted;
use super::operations::{Operations, page_of};
use super::permission::ReadOrders;
use crate::runtime::orders::OrderView;

/// Default number of orders on a page.
const PAGE: usize = 50;

/// Most orders on a page.
pub(crate) const PAGE_MAX: usize = 200;

/// How an order stands when its giver is answered.
#[derive(Clone, Debug)]
pub enum Ordered {
    /// The effect took place; with what came of it, where the order tells that.
    Done(Option<OrderFruit>),
    /// The owner has not ended it yet.
    UnderWay(Box<OrderView>),
}

/// A page of orders, newest first.
#[derive(Clone, Debug)]
pub struct OrderPage {
    /// The orders.
    pub orders: Vec<OrderView>,
    /// The value of `before` for the next page.
    pub next: Option<String>,
}

impl Operations {
    /// Gives an order between its intent and its outcome in the audit. The intent of an order that is still under way when its
    /// giver is answered is closed as unknown later; the order itself tells the truth.
    pub(super) async fn commanded<E: Into<Failure>>(
        &self,
        entry: AuditEntry,
        told: Value,
        given: impl Future<Output = Result<OperatorOrder, E>>,
    ) -> Result<Ordered, Failure> {
        let intent = entry.as_intent().with_after(told);
        self.fleet.audit.record(&intent).await?;
        let given = given.await.map_err(Into::into);
        let result = match given.as_ref().map(|order| order.state) {
            Ok(OrderState::Done) => Some(ActResult::Done),
            Ok(OrderState::Failed | OrderState::Expired) | Err(_) => Some(ActResult::Failed),
            Ok(OrderState::Unknown) => Some(ActResult::Unknown),
            Ok(OrderState::Waiting | OrderState::Begun) => None,
        };
        if let Some(result) = result {
            self.fleet.audit.ended(&intent, result).await;
        }
        self.ordered(&given?)
    }

    /// Returns how a given order stands.
    ///
    /// # Errors
    /// The code that the order failed with; `OrderExpired`, `OrderUnknown`.
    fn ordered(&self, order: &OperatorOrder) -> Result<Ordered, Failure> {
        match order.state {
            OrderState::Done => Ok(Ordered::Done(order.fruit())),
            OrderState::Waiting | OrderState::Begun => Ok(Ordered::UnderWay(Box::new(self.fleet.order_shown(order)))),
            OrderState::Expired => Err(Failure::new(Code::OrderExpired, "no node carried the order out in its time")),
            OrderState::Unknown => {
                let detail = format!("the node that carried out the order {} died meanwhile", order.id);
                Err(Failure::new(Code::OrderUnknown, detail))
            }
            OrderState::Failed => {
                let failure = order.failure();
                let code = failure.as_ref().and_then(|failure| Code::parse(&failure.code)).unwrap_or(Code::Conflict);
                let detail = failure.map_or_else(|| "the order failed".to_owned(), |failure| failure.detail);
                Err(Failure::new(code, detail))
            }
        }
    }

    /// Returns an order.
    ///
    /// # Errors
    /// `UnknownOrder`; `OutOfReach` when its target is, or when there is no such order and not everything is within reach.
    pub async fn order(&self, by: &Granted<ReadOrders>, id: &str) -> Result<OrderView, Failure> {
        let found = match OrderId::parse(id) {
            Some(id) => self.fleet.operator_order(id).await?,
            None => None,
        };
        let Some(order) = found else {
            by.everything()?;
            return Err(Failure::new(Code::UnknownOrder, format!("no order {id:?} is stored")));
        };
        match order.target {
            OrderTarget::Bot(bot) => drop(by.bot(bot)?),
            OrderTarget::Chat(chat) => drop(by.chat(chat)?),
            OrderTarget::Node(_) => by.everything()?,
        }
        Ok(self.fleet.order_shown(&order))
    }

    /// Lists orders, newest first.
    ///
    /// # Errors
    /// `BadRequest` for a `before` that no page had, or a page of another size; `OutOfReach` for whoever reaches a part of the fleet alone.
    pub async fn orders(
        &self,
        by: &Granted<ReadOrders>,
        before: Option<&str>,
        limit: Option<usize>,
    ) -> Result<OrderPage, Failure> {
        by.everything()?;
        let before = before.map(place).transpose()?;
        let limit = page_of(limit, PAGE, PAGE_MAX)?;
        let orders = self.fleet.operator_orders(before, limit).await?;
        let last = orders.last().filter(|_| orders.len() == limit);
        let next = last.map(|last| format!("{}-{}", last.created_at.as_millis(), last.id));
        Ok(OrderPage { orders: orders.iter().map(|order| self.fleet.order_shown(order)).collect(), next })
    }
}

/// Reads the place of an order: its time and its id.
fn place(text: &str) -> Result<OrderPlace, Failure> {
    let read = text.split_once('-').and_then(|(at, id)| {
        let created_at = Timestamp::from_millis(at.parse().ok()?);
        Some(OrderPlace { created_at, id: OrderId::parse(id)? })
    });
    read.ok_or_else(|| Failure::new(Code::BadRequest, "query: before: give the value of `next` of the last page"))
}
