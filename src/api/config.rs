//! The numbers of the configuration, and the way back to an earlier one. Layer `api`. Keeps I10, I12.

use serde::{Deserialize, Serialize};

use super::answer::Json;
use super::roster::{AppliedRoster, Manner};
use super::route::{Body, Need, route};
use crate::operate::permission::{ChangeRoster, ReadConfiguration};
use crate::runtime::configuration::view::{FieldChange, StepView, field_changes};

/// The number of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct Numbered {
    /// The number.
    pub number: i64,
}

/// The configuration in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ConfigInForce {
    /// The number of the last change; 0 before the first.
    pub number: i64,
}

/// The numbers that are kept, newest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ConfigNumbers {
    /// The numbers, each with what it changed.
    pub numbers: Vec<StepView>,
}

/// A number with what it changed, field by field.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ConfigChange {
    /// The number, with the things that it changed.
    #[serde(flatten)]
    pub step: StepView,
    /// The fields, before and after.
    pub fields: Vec<FieldChange>,
}

/// The number to go back to.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ConfigBack {
    /// The number.
    pub number: i64,
}

impl Body for ConfigBack {
    const NEED: Need = Need::Required;
}

route! {
    /// GET /api/v1/config.
    Get = "get_config": Get "/api/v1/config", "Shows the number of the configuration in force.";
    takes ReadConfiguration;
    example "/api/v1/config" => r#"{"number":7}"#;
    answers Json<ConfigInForce>: |operations, by, _call| {
        Ok(Json(ConfigInForce { number: operations.config_number(&by).await? }))
    }
}

route! {
    /// GET /api/v1/config/numbers.
    List = "list_config_numbers": Get "/api/v1/config/numbers", "Lists the last changes of the configuration, newest first.",
        "The last 30 are kept.";
    takes ReadConfiguration;
    example "/api/v1/config/numbers" => r#"{"numbers":[{"number":7,"at":1790000000000,"by":"ayse","providers":{"added":[],"changed":[],"left_out":[]},"personas":{"added":[],"changed":[],"left_out":[]},"strategies":{"added":[],"changed":[],"left_out":[]},"bots":{"added":[],"changed":[{"name":"Ada","keys":["temperature"]}],"left_out":[]},"chats":{"added":[],"changed":[],"left_out":[]},"budgets":{"added":[],"changed":[],"left_out":[]}}]}"#;
    answers Json<ConfigNumbers>: |operations, by, _call| {
        let steps = operations.config_numbers(&by).await?;
        Ok(Json(ConfigNumbers { numbers: steps.iter().map(StepView::of).collect() }))
    }
}

route! {
    /// GET /api/v1/config/numbers/{number}.
    One = "get_config_number": Get "/api/v1/config/numbers/{number}", "Shows what a change of the configuration changed, field by field.";
    takes ReadConfiguration;
    path Numbered;
    problems UnknownNumber;
    example "/api/v1/config/numbers/7" => r#"{"number":7,"at":1790000000000,"by":"ayse","providers":{"added":[],"changed":[],"left_out":[]},"personas":{"added":[],"changed":[],"left_out":[]},"strategies":{"added":[],"changed":[],"left_out":[]},"bots":{"added":[],"changed":[{"name":"Ada","keys":["temperature"]}],"left_out":[]},"chats":{"added":[],"changed":[],"left_out":[]},"budgets":{"added":[],"changed":[],"left_out":[]},"fields":[{"kind":"bot","name":"Ada","field":"temperature","before":0.8,"after":0.5}]}"#;
    answers Json<ConfigChange>: |operations, by, call| {
        let step = operations.config_of(&by, call.path.number).await?;
        Ok(Json(ConfigChange { step: StepView::of(&step), fields: field_changes(&step.changes) }))
    }
}

route! {
    /// POST /api/v1/config/back.
    GoBack = "go_back": Post "/api/v1/config/back", "Makes the configuration as it was under an earlier number.",
        "This is a change as any other, with a number of its own.";
    takes ChangeRoster;
    query Manner;
    body ConfigBack;
    problems UnknownNumber Refused Conflict Changed;
    example "/api/v1/config/back?dry_run=true" with r#"{"number":4}"#
        => r#"{"dry_run":true,"config_seq":7,"providers":{"added":[],"changed":[],"left_out":[]},"personas":{"added":[],"changed":[],"left_out":[]},"strategies":{"added":[],"changed":[],"left_out":[]},"bots":{"added":[],"changed":[{"name":"Ada","keys":["temperature"]}],"left_out":[]},"chats":{"added":[],"changed":[],"left_out":[]},"budgets":{"added":[],"changed":[],"left_out":[]}}"#;
    answers Json<AppliedRoster>: |operations, by, call| {
        let committed = operations.go_back(&by, call.body.number, call.query.into()).await?;
        Ok(Json(AppliedRoster::of(committed, call.query.dry_run)))
    }
}
