//! Personas: the characters of bots. Layer `api`. Keeps I10, I12.

use botfleet_actors::domain::configuration::PersonaRevision;
use botfleet_actors::domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::answer::{Json, Versioned};
use super::resource::{Named, resource_routes};
use super::route::{Body, Need, route};
use crate::operate::configuration::Personas;
use crate::operate::permission::{ChangePersonas, ReadConfiguration};
use crate::runtime::configuration::view::{ResourceView, persona_keys};

/// A revision of a persona.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Revision {
    /// The number of the revision, from 1.
    pub revision: i64,
    /// Instant at which it came into force first.
    pub at: Timestamp,
    /// The keys that differ from their built-in values.
    #[cfg_attr(feature = "schema", schema(value_type = Object))]
    pub keys: Map<String, Value>,
}

impl From<PersonaRevision> for Revision {
    fn from(PersonaRevision { revision, at, persona }: PersonaRevision) -> Self {
        Self { revision, at, keys: persona_keys(&persona).into_iter().collect() }
    }
}

/// The last hundred revisions of a persona, newest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Revisions {
    /// The revisions.
    pub revisions: Vec<Revision>,
}

/// The revision that a persona gets back.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Restored {
    /// The number of the revision.
    pub revision: i64,
}

impl Body for Restored {
    const NEED: Need = Need::Required;
}

route! {
    /// GET /api/v1/personas/{name}/versions.
    Versions = "list_persona_versions": Get "/api/v1/personas/{name}/versions", "Lists the revisions of a persona, newest first.";
    takes ReadConfiguration;
    path Named;
    problems UnknownResource;
    example "/api/v1/personas/ada/versions" => r#"{"revisions":[{"revision":2,"at":1790000000000,"keys":{"voice":"You are Ada."}}]}"#;
    answers Json<Revisions>: |operations, by, call| {
        let revisions = operations.persona_revisions(&by, &call.path.name).await?;
        Ok(Json(Revisions { revisions: revisions.into_iter().map(Into::into).collect() }))
    }
}

route! {
    /// POST /api/v1/personas/{name}/restore.
    Restore = "restore_persona": Post "/api/v1/personas/{name}/restore", "Gives a persona the keys of an earlier revision.";
    takes ChangePersonas;
    path Named;
    body Restored;
    problems UnknownResource UnknownNumber Refused Conflict Changed;
    example "/api/v1/personas/ada/restore" with r#"{"revision":1}"#
        => r#"{"name":"ada","origin":"api","enabled":true,"keys":{"voice":"You are Ada."},"overrides":[],"changed_by":"ayse","changed_at":1790000000000,"version":9}"#;
    answers Versioned<ResourceView>: |operations, by, call| {
        let value = operations.restore_persona(&by, &call.path.name, call.body.revision).await?;
        Ok(Versioned { version: value.version, value })
    }
}

resource_routes! {
    Personas: ChangePersonas;
    list "list_personas" "/api/v1/personas" "Lists personas as they are configured."
        => r#"{"items":[{"name":"ada","origin":"api","enabled":true,"keys":{"voice":"You are Ada, a retired engineer.","talkativeness":0.3},"overrides":[],"changed_by":"ayse","changed_at":1790000000000,"version":7}],"next":null}"#;
    get "get_persona" "/api/v1/personas/{name}" "Shows a persona as it is configured." "/api/v1/personas/ada"
        => r#"{"name":"ada","origin":"api","enabled":true,"keys":{"voice":"You are Ada, a retired engineer.","talkativeness":0.3},"overrides":[],"changed_by":"ayse","changed_at":1790000000000,"version":7}"#;
    create "create_persona" "Makes a persona."
        with r#"{"name":"ada","keys":{"voice":"You are Ada, a retired engineer."}}"#
        => r#"{"name":"ada","origin":"api","enabled":true,"keys":{"voice":"You are Ada, a retired engineer.","talkativeness":0.3},"overrides":[],"changed_by":"ayse","changed_at":1790000000000,"version":7}"#;
    change "change_persona" "Changes a persona."
        with r#"{"keys":{"talkativeness":0.6}}"#
        => r#"{"name":"ada","origin":"manifest","manifest":"fleet.toml","enabled":true,"keys":{"voice":"You are Ada, a retired engineer.","talkativeness":0.3},"overrides":[{"field":"talkativeness","value":0.6,"manifest":null,"by":"ayse","at":1790000000000}],"changed_by":"ayse","changed_at":1790000000000,"version":8}"#;
    remove "delete_persona" "Removes a persona that the API made.";
    back "give_back_persona" "/api/v1/personas/{name}/overrides/{field}" "Gives a field of a persona back to its manifest."
        "/api/v1/personas/ada/overrides/talkativeness"
        => r#"{"name":"ada","origin":"manifest","manifest":"fleet.toml","enabled":true,"keys":{"voice":"You are Ada, a retired engineer.","talkativeness":0.3},"overrides":[],"changed_by":"ayse","changed_at":1790000000000,"version":9}"#;
    unknown UnknownResource;
}
