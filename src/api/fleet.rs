//! The fleet as a whole. Layer `api`.

use super::answer::Json;
use super::route::{Call, Example, Method, Nothing, Route};
use crate::operate::failure::Failure;
use crate::operate::grant::Granted;
use crate::operate::operations::Operations;
use crate::operate::permission::ReadFleet;
use crate::runtime::view::FleetView;

/// GET /api/v1/fleet.
pub struct Get;

impl Route for Get {
    const NAME: &'static str = "get_fleet";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/api/v1/fleet";
    const SUMMARY: &'static str = "Shows bots, chats, providers, budgets and queues of this node.";
    const EXAMPLE: Example = Example {
        address: "/api/v1/fleet",
        body: "",
        answer: r#"{"fleet":{"running":9,"lingering":0,"restarts":0,"quarantined":[],"strange_chats":[]},"bots":[],"silent":[],"chats":[],"providers":[],"budgets":[],"stops":[],"queues":{"inbox":0,"turns":0,"outbox":0,"dead":0,"unknown":0}}"#,
    };
    type Permission = ReadFleet;
    type Path = Nothing;
    type Query = Nothing;
    type Body = Nothing;
    type Answer = Json<FleetView>;

    async fn act(operations: &Operations, by: Granted<ReadFleet>, _: Call<Self>) -> Result<Json<FleetView>, Failure> {
        operations.view(&by).await.map(Json)
    }
}
