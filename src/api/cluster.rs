//! The cluster. Layer `api`.

use serde::{Deserialize, Serialize};

use super::answer::Json;
use super::route::{Body, Call, Example, Method, Need, Nothing, Route};
use crate::operate::failure::{Code, Failure};
use crate::operate::grant::Granted;
use crate::operate::operations::Operations;
use crate::operate::permission::{ReadCluster, SteerCluster};
use crate::runtime::cluster_orders::Rebalanced;
use crate::runtime::cluster_view::ClusterView;

/// GET /api/v1/cluster.
pub struct Get;

impl Route for Get {
    const NAME: &'static str = "get_cluster";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/api/v1/cluster";
    const SUMMARY: &'static str = "Shows the nodes, what they own, and the moves under way.";
    const MORE: &'static str =
        "While the database does not answer, the node tells what it saw last, and `stale` is set.";
    const EXAMPLE: Example = Example {
        address: "/api/v1/cluster",
        body: "",
        answer: r#"{"node":"n1","mode":"embedded","acting":true,"bus_up":true,"stale":false,"config_seq":1,"config_seq_stored":1,"nodes":[],"leases":[],"moves":[],"unowned":0}"#,
    };
    const ON_WORKERS: bool = true;
    type Permission = ReadCluster;
    type Path = Nothing;
    type Query = Nothing;
    type Body = Nothing;
    type Answer = Json<ClusterView>;

    async fn act(
        operations: &Operations,
        by: Granted<ReadCluster>,
        _: Call<Self>,
    ) -> Result<Json<ClusterView>, Failure> {
        operations.cluster(&by).await.map(Json)
    }
}

/// A node, and whether it gives up everything that it owns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Draining {
    /// Name of the node.
    pub node: String,
    /// Set to drain the node, unset to let it own its share again.
    pub draining: bool,
}

impl Body for Draining {
    const NEED: Need = Need::Required;
}

/// POST /api/v1/cluster/drain.
pub struct Drain;

impl Route for Drain {
    const NAME: &'static str = "drain_node";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/api/v1/cluster/drain";
    const SUMMARY: &'static str = "Asks a node to give everything to the others, or takes that back.";
    const MORE: &'static str = "The answer follows the commit; the moves come later.";
    const PROBLEMS: &'static [Code] = &[Code::UnknownNode, Code::Conflict];
    const EXAMPLE: Example = Example {
        address: "/api/v1/cluster/drain",
        body: r#"{"node":"n2","draining":true}"#,
        answer: r#"{"node":"n2","draining":true}"#,
    };
    const ON_WORKERS: bool = true;
    type Permission = SteerCluster;
    type Path = Nothing;
    type Query = Nothing;
    type Body = Draining;
    type Answer = Json<Draining>;

    async fn act(
        operations: &Operations,
        by: Granted<SteerCluster>,
        call: Call<Self>,
    ) -> Result<Json<Draining>, Failure> {
        operations.set_draining(&by, &call.body.node, call.body.draining).await?;
        Ok(Json(call.body))
    }
}

/// Options of a rebalance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct RebalanceOptions {
    /// Moves nothing, only tells what would move.
    pub dry_run: bool,
}

impl Body for RebalanceOptions {
    const NEED: Need = Need::Optional;
}

/// POST /api/v1/cluster/rebalance.
pub struct Rebalance;

impl Route for Rebalance {
    const NAME: &'static str = "rebalance";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/api/v1/cluster/rebalance";
    const SUMMARY: &'static str = "Moves bots and chats to where hashing alone places them.";
    const MORE: &'static str =
        "It moves in waves and answers within 25 s; `done` tells whether another call is needed.";
    const PROBLEMS: &'static [Code] = &[Code::Conflict];
    const EXAMPLE: Example = Example {
        address: "/api/v1/cluster/rebalance",
        body: r#"{"dry_run":true}"#,
        answer: r#"{"dry_run":true,"done":true,"waves":0,"moves":[{"kind":"bot","name":"Ada","from":"n2","to":"n1","ready":false}]}"#,
    };
    const ON_WORKERS: bool = true;
    type Permission = SteerCluster;
    type Path = Nothing;
    type Query = Nothing;
    type Body = RebalanceOptions;
    type Answer = Json<Rebalanced>;

    async fn act(
        operations: &Operations,
        by: Granted<SteerCluster>,
        call: Call<Self>,
    ) -> Result<Json<Rebalanced>, Failure> {
        operations.rebalance(&by, call.body.dry_run).await.map(Json)
    }
}
