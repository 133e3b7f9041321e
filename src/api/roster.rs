//! The bots and chats of the whole fleet. Layer `api`. Keeps I10, I12.
//!
//! Tokens never cross the network: a bot names the place where each node finds its token.

use botfleet_actors::domain::roster::RosterPlan;
use serde::{Deserialize, Serialize};

use super::answer::Json;
use super::route::{Body, Call, Example, Method, Need, Nothing, Route};
use crate::operate::failure::{Code, Failure};
use crate::operate::grant::Granted;
use crate::operate::operations::Operations;
use crate::operate::permission::ChangeRoster;
use crate::runtime::cluster_orders::AppliedRoster;

/// Tells changes without making them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
#[serde(deny_unknown_fields, default)]
pub struct Manner {
    /// Changes nothing, only tells what would change.
    pub dry_run: bool,
}

/// The roster: what `botfleet apply` makes of a manifest. Its keys are the manifest's.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(transparent)]
#[cfg_attr(feature = "schema", schema(value_type = Object))]
pub struct RosterBody(pub RosterPlan);

impl Body for RosterBody {
    const NEED: Need = Need::Required;
}

/// PUT /api/v1/roster.
pub struct Replace;

impl Route for Replace {
    const NAME: &'static str = "replace_roster";
    const METHOD: Method = Method::Put;
    const PATH: &'static str = "/api/v1/roster";
    const SUMMARY: &'static str = "Replaces the bots and chats of the fleet.";
    const MORE: &'static str =
        "`botfleet apply` sends what this takes. The live actors of all nodes follow within a second of the answer.";
    const PROBLEMS: &'static [Code] = &[Code::Refused];
    const EXAMPLE: Example = Example {
        address: "/api/v1/roster?dry_run=true",
        body: r#"{"bots":[],"chats":[]}"#,
        answer: r#"{"dry_run":true,"config_seq":4,"bots":{"added":[],"changed":[],"left_out":["Ada"]},"chats":{"added":[],"changed":[],"left_out":[]},"personas":{"added":[],"changed":[],"left_out":["ada"]}}"#,
    };
    /// 10,000 bots with personas of two thousand characters.
    const BODY_MAX_BYTES: usize = 32 * 1024 * 1024;
    type Permission = ChangeRoster;
    type Path = Nothing;
    type Query = Manner;
    type Body = RosterBody;
    type Answer = Json<AppliedRoster>;

    async fn act(
        operations: &Operations,
        by: Granted<ChangeRoster>,
        call: Call<Self>,
    ) -> Result<Json<AppliedRoster>, Failure> {
        operations.apply(&by, &call.body.0, call.query.dry_run).await.map(Json)
    }
}
