//! Orders that the owner of a bot or chat carries out, given on any node. Layer `operate`.
//!
//! The intent of an order is in the audit from the transaction on that gives it, and the outcome from the one that ends it: so
//! nothing is carried out that the audit does not know of, whichever node dies meanwhile. What is refused before leaves no entry.

use botfleet_actors::domain::operator_order::{
    OperatorOrder, OrderFruit, OrderId, OrderPlace, OrderState, OrderTarget,
};
use botfleet_actors::domain::time::Timestamp;

use super::cursor::Listing;
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
    /// Returns how a given order stands.
    ///
    /// # Errors
    /// The code that the order failed with; `OrderExpired`, `OrderUnknown`.
    pub(super) fn ordered(&self, order: &OperatorOrder) -> Result<Ordered, Failure> {
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
    /// `BadRequest` for a cursor of another list, or a page of another size; `OutOfReach` for whoever reaches a part of the fleet alone.
    pub async fn orders(
        &self,
        by: &Granted<ReadOrders>,
        before: Option<&str>,
        limit: Option<usize>,
    ) -> Result<OrderPage, Failure> {
        by.everything()?;
        let listing = Listing::new("orders, newest first", &[]);
        let before = listing.read(before, place)?;
        let limit = page_of(limit, PAGE, PAGE_MAX)?;
        let orders = self.fleet.operator_orders(before, limit).await?;
        let last = orders.last().filter(|_| orders.len() == limit);
        let next = last.map(|last| listing.after(&format!("{}-{}", last.created_at.as_millis(), last.id)));
        Ok(OrderPage { orders: orders.iter().map(|order| self.fleet.order_shown(order)).collect(), next })
    }
}

/// Reads the place of an order: its time and its id.
fn place(text: &str) -> Option<OrderPlace> {
    let (at, id) = text.split_once('-')?;
    let created_at = Timestamp::from_millis(at.parse().ok()?);
    Some(OrderPlace { created_at, id: OrderId::parse(id)? })
}
