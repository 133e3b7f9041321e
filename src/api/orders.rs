//! Orders that the owner of a bot or chat carries out. Layer `api`.

use serde::{Deserialize, Serialize};

use super::answer::Json;
use super::route::{Call, Example, Method, Nothing, Route};
use crate::operate::failure::{Code, Failure};
use crate::operate::grant::Granted;
use crate::operate::operations::Operations;
use crate::operate::permission::ReadOrders;
use crate::runtime::orders::OrderView;

/// The order of a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct OrderOf {
    /// Id: 16 hexadecimal digits.
    pub id: String,
}

/// GET /api/v1/orders/{id}.
pub struct Get;

impl Route for Get {
    const NAME: &'static str = "get_order";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/api/v1/orders/{id}";
    const SUMMARY: &'static str = "Shows an order, and how it ended.";
    const MORE: &'static str = "Orders that are over are shown for a day.";
    const PROBLEMS: &'static [Code] = &[Code::UnknownOrder];
    const EXAMPLE: Example = Example {
        address: "/api/v1/orders/0123456789abcdef",
        body: "",
        answer: r#"{"id":"0123456789abcdef","target":"bot Ada","number":1,"kind":"lift_pauses","arguments":{},"by":"local","state":"done","failure":null,"node":"n1","created_at":1790000000000,"expires_at":1790000060000,"ended_at":1790000000020}"#,
    };
    type Permission = ReadOrders;
    type Path = OrderOf;
    type Query = Nothing;
    type Body = Nothing;
    type Answer = Json<OrderView>;

    async fn act(
        operations: &Operations,
        by: Granted<ReadOrders>,
        call: Call<Self>,
    ) -> Result<Json<OrderView>, Failure> {
        operations.order(&by, &call.path.id).await.map(Json)
    }
}

/// Selects a page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
#[serde(deny_unknown_fields, default)]
pub struct Page {
    /// Orders before those of the last page: its `next`.
    #[cfg_attr(feature = "schema", param(pattern = "^[A-Za-z0-9_-]{13,256}$"))]
    pub before: Option<String>,
    /// Most orders, 1 to 200; 50 when absent.
    #[cfg_attr(feature = "schema", param(minimum = 1, maximum = 200))]
    pub limit: Option<usize>,
}

/// A page of orders, newest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Orders {
    /// The orders.
    pub orders: Vec<OrderView>,
    /// The value of `before` for the next page; null on the last page.
    pub next: Option<String>,
}

/// GET /api/v1/orders.
pub struct List;

impl Route for List {
    const NAME: &'static str = "list_orders";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/api/v1/orders";
    const SUMMARY: &'static str = "Lists the orders of the last day, newest first.";
    const EXAMPLE: Example = Example {
        address: "/api/v1/orders?before=AVjZNf6vxEyTMTc5MDAwMDAwMDAwMC0wMTIzNDU2Nzg5YWJjZGVm&limit=10",
        body: "",
        answer: r#"{"orders":[{"id":"0123456789abcdee","target":"chat lounge","number":3,"kind":"redeliver","arguments":{"letter":"update-2","confirm_duplicate":false},"by":"local","state":"failed","failure":{"code":"conflict","detail":"update 2 is not dead"},"node":"n2","created_at":1790000000000,"expires_at":1790000060000,"ended_at":1790000000020}],"next":null}"#,
    };
    type Permission = ReadOrders;
    type Path = Nothing;
    type Query = Page;
    type Body = Nothing;
    type Answer = Json<Orders>;

    async fn act(operations: &Operations, by: Granted<ReadOrders>, call: Call<Self>) -> Result<Json<Orders>, Failure> {
        let page = operations.orders(&by, call.query.before.as_deref(), call.query.limit).await?;
        Ok(Json(Orders { orders: page.orders, next: page.next }))
    }
}
