//! The manifest, applied to the whole fleet. Layer `api`. Keeps I10, I12.
//!
//! Tokens and keys never cross the network: a manifest names the places where each node finds them.

use botfleet_actors::domain::configuration::{Declaration, Keys, ResourceId, ResourceKind};
use serde::{Deserialize, Serialize};

use super::answer::Json;
use super::route::{Body, Call, Example, Method, Need, Nothing, Route};
use crate::operate::failure::{Code, Failure};
use crate::operate::grant::Granted;
use crate::operate::operations::Operations;
use crate::operate::permission::ChangeRoster;
use crate::operate::roster::Way;
use crate::runtime::configuration::commit::Committed;
use crate::runtime::configuration::view::RosterDiff;

/// The way in which the configuration is changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
#[serde(deny_unknown_fields, default)]
pub struct Manner {
    /// Changes nothing, only tells what would change.
    pub dry_run: bool,
    /// The number of the configuration that the caller saw; another one in force refuses the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on: Option<i64>,
}

impl From<Manner> for Way {
    fn from(Manner { dry_run, on }: Manner) -> Self {
        Self { dry_run, on }
    }
}

/// A manifest, thing by thing, as `botfleet apply` sends it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ManifestBody {
    /// Name of the manifest, by which the fleet speaks of it.
    #[cfg_attr(feature = "schema", schema(min_length = 1, max_length = 1000))]
    pub source: String,
    /// The things, with `[defaults]` in their places.
    pub things: Vec<Thing>,
}

/// A thing of a manifest.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Thing {
    /// The kind.
    pub kind: ResourceKind,
    /// The name.
    #[cfg_attr(feature = "schema", schema(min_length = 1, max_length = 100))]
    pub name: String,
    /// The keys of the manifest; a key of a table may be a path, as `pacing.burst`.
    #[cfg_attr(feature = "schema", schema(value_type = Object))]
    pub keys: Keys,
    /// Telegram's id of a bot, which its token begins with: for nodes that do not find the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telegram_id: Option<i64>,
}

impl From<&Declaration> for Thing {
    fn from(declared: &Declaration) -> Self {
        let Declaration { id: ResourceId { kind, name }, keys, telegram_id } = declared.clone();
        Self { kind, name, keys, telegram_id }
    }
}

impl From<Thing> for Declaration {
    fn from(Thing { kind, name, mut keys, telegram_id }: Thing) -> Self {
        keys.retain(|_, value| !value.is_null());
        Self { id: ResourceId { kind, name }, keys, telegram_id }
    }
}

impl Body for ManifestBody {
    const NEED: Need = Need::Required;
}

/// The result of a change of the whole configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AppliedRoster {
    /// Set when nothing was done, only told.
    pub dry_run: bool,
    /// Number of the configuration in force.
    pub config_seq: i64,
    /// Secrets that the node which took the change does not find.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Changes that were made; in a dry run, those that would be.
    #[serde(flatten)]
    pub diff: RosterDiff,
}

impl AppliedRoster {
    /// Shows the end of a change.
    pub(super) fn of(committed: Committed, dry_run: bool) -> Self {
        let Committed { number, changes, warnings } = committed;
        Self { dry_run, config_seq: number, warnings, diff: RosterDiff::of(&changes) }
    }
}

/// PUT /api/v1/roster.
pub struct Replace;

impl Route for Replace {
    const NAME: &'static str = "replace_roster";
    const METHOD: Method = Method::Put;
    const PATH: &'static str = "/api/v1/roster";
    const SUMMARY: &'static str = "Applies a manifest: makes, changes and retires what manifests made.";
    const MORE: &'static str = "`botfleet apply` sends what this takes. What the API made stays, and so do fields that the API changed. The live actors of all nodes follow within a second of the answer.";
    const PROBLEMS: &'static [Code] = &[Code::Refused, Code::Conflict, Code::Changed];
    const EXAMPLE: Example = Example {
        address: "/api/v1/roster?dry_run=true",
        body: r#"{"source":"fleet.toml","things":[{"kind":"persona","name":"ada","keys":{"voice":"You are Ada."}}]}"#,
        answer: r#"{"dry_run":true,"config_seq":4,"providers":{"added":[],"changed":[],"left_out":[]},"personas":{"added":["ada"],"changed":[],"left_out":[]},"strategies":{"added":[],"changed":[],"left_out":[]},"bots":{"added":[],"changed":[],"left_out":["Ada"]},"chats":{"added":[],"changed":[],"left_out":[]},"budgets":{"added":[],"changed":[],"left_out":[]}}"#,
    };
    /// 10,000 bots with personas of two thousand characters.
    const BODY_MAX_BYTES: usize = 32 * 1024 * 1024;
    type Permission = ChangeRoster;
    type Path = Nothing;
    type Query = Manner;
    type Body = ManifestBody;
    type Answer = Json<AppliedRoster>;

    async fn act(
        operations: &Operations,
        by: Granted<ChangeRoster>,
        call: Call<Self>,
    ) -> Result<Json<AppliedRoster>, Failure> {
        let ManifestBody { source, things } = call.body;
        let declared: Vec<Declaration> = things.into_iter().map(Into::into).collect();
        let committed = operations.apply(&by, &declared, &source, call.query.into()).await?;
        Ok(Json(AppliedRoster::of(committed, call.query.dry_run)))
    }
}
