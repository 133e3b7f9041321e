//! Things of the configuration, as operators see and change them: the types that all kinds share, and their routes. Layer `api`.
//! Keeps I10, I12.
//!
//! The keys of a thing are those of the manifest, so no field is written here again.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::route::{Body, Need};
use crate::operate::configuration::ResourcePage;
use crate::runtime::configuration::change::Wanted;
use crate::runtime::configuration::view::ResourceView;

/// The thing of a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct Named {
    /// Name of the thing.
    pub name: String,
}

/// The overridden field of a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct FieldNamed {
    /// Name of the thing.
    pub name: String,
    /// The field, as a path: `pacing.burst`.
    pub field: String,
}

/// Selects a page of things.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
#[serde(deny_unknown_fields, default)]
pub struct Paged {
    /// Things after those of the last page: its `next`.
    #[cfg_attr(feature = "schema", param(pattern = "^[A-Za-z0-9_-]{13,640}$"))]
    pub after: Option<String>,
    /// Most things, 1 to 500; 100 when absent.
    #[cfg_attr(feature = "schema", param(minimum = 1, maximum = 500))]
    pub limit: Option<usize>,
}

/// A page of things, by name.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ResourceList {
    /// The things.
    pub items: Vec<ResourceView>,
    /// The value of `after` for the next page; null on the last page.
    pub next: Option<String>,
}

impl From<ResourcePage> for ResourceList {
    fn from(ResourcePage { things, next }: ResourcePage) -> Self {
        Self { items: things, next }
    }
}

/// A thing to be made.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NewResource {
    /// Name, of 1 to 100 characters without a slash. A budget has none: what it limits is its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(max_length = 100))]
    pub name: Option<String>,
    /// The keys of the manifest.
    #[cfg_attr(feature = "schema", schema(value_type = Object))]
    pub keys: Map<String, Value>,
}

impl Body for NewResource {
    const NEED: Need = Need::Required;
}

/// Changes of a thing; what is absent stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ResourcePatch {
    /// Keys of the manifest with other values; null leaves a key out.
    #[cfg_attr(feature = "schema", schema(value_type = Object))]
    pub keys: Map<String, Value>,
    /// Set to switch a bot on, unset to switch it off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

impl Body for ResourcePatch {
    const NEED: Need = Need::Required;
}

impl From<ResourcePatch> for Wanted {
    fn from(ResourcePatch { keys, enabled }: ResourcePatch) -> Self {
        Self { keys, enabled, back: Vec::new() }
    }
}

/// Declares the routes of a kind: its names, its addresses, and its examples.
macro_rules! resource_routes {
    (
        $kind:ident: $change:ty;
        list $list:literal $all:literal $lists:literal => $listed:literal;
        get $get:literal $one:literal $gets:literal $at:literal => $got:literal;
        create $create:literal $creates:literal with $new:literal => $made:literal;
        change $changes:literal $changing:literal with $patch:literal => $changed:literal;
        remove $remove:literal $removes:literal;
        back $back:literal $field:literal $backs:literal $field_at:literal => $given:literal;
        unknown $unknown:ident;
    ) => {
        $crate::api::route::route! {
            /// Lists the things that are within reach.
            List = $list: Get $all, $lists,
                "By name; those outside of the caller's reach are left out.";
            takes $crate::operate::permission::ReadConfiguration;
            query $crate::api::resource::Paged;
            example $all => $listed;
            answers $crate::api::answer::Json<$crate::api::resource::ResourceList>: |operations, by, call| {
                let $crate::api::resource::Paged { after, limit } = call.query;
                let page = operations.resources::<$kind>(&by, after.as_deref(), limit).await?;
                Ok($crate::api::answer::Json(page.into()))
            }
        }

        $crate::api::route::route! {
            /// Shows a thing.
            Get = $get: Get $one, $gets;
            takes $crate::operate::permission::ReadConfiguration;
            path $crate::api::resource::Named;
            problems $unknown;
            example $at => $got;
            answers $crate::api::answer::Versioned<$crate::runtime::configuration::view::ResourceView>:
                |operations, by, call| {
                    let value = operations.resource::<$kind>(&by, &call.path.name).await?;
                    Ok($crate::api::answer::Versioned { version: value.version, value })
                }
        }

        $crate::api::route::route! {
            /// Makes a thing.
            Create = $create: Post $all, $creates,
                "The live actors of all nodes follow within a second. No manifest changes or retires what is made here.";
            takes $change;
            body $crate::api::resource::NewResource;
            problems NameTaken Refused Conflict Changed;
            idempotency Required;
            example $all with $new => $made;
            answers $crate::api::answer::Versioned<$crate::runtime::configuration::view::ResourceView>:
                |operations, by, call| {
                    let $crate::api::resource::NewResource { name, keys } = call.body;
                    let value = operations.create_resource::<$kind>(&by, name.as_deref(), &keys).await?;
                    Ok($crate::api::answer::Versioned { version: value.version, value })
                }
        }

        $crate::api::route::route! {
            /// Changes a thing.
            Change = $changes: Patch $one, $changing,
                "What a manifest made is overridden: its own value stays under the new one, until the manifest changes that very field.";
            takes $change;
            path $crate::api::resource::Named;
            body $crate::api::resource::ResourcePatch;
            problems $unknown Refused Conflict Changed IfMatchNeeded;
            if_match true;
            example $at with $patch => $changed;
            answers $crate::api::answer::Versioned<$crate::runtime::configuration::view::ResourceView>:
                |operations, by, call| {
                    let version = call.version()?;
                    let (name, wanted) = (&call.path.name, call.body.into());
                    let value = operations.change_resource::<$kind>(&by, name, Some(version), &wanted).await?;
                    Ok($crate::api::answer::Versioned { version: value.version, value })
                }
        }

        $crate::api::route::route! {
            /// Removes a thing.
            Remove = $remove: Delete $one, $removes,
                "What a manifest made is taken out of the manifest instead.";
            takes $change;
            path $crate::api::resource::Named;
            problems $unknown Refused Conflict Changed IfMatchNeeded;
            if_match true;
            example $at => r#"{"done":true}"#;
            answers $crate::api::answer::Json<$crate::api::session::Done>: |operations, by, call| {
                let version = call.version()?;
                operations.remove_resource::<$kind>(&by, &call.path.name, version).await?;
                Ok($crate::api::answer::Json($crate::api::session::DONE))
            }
        }

        $crate::api::route::route! {
            /// Gives a field back to its manifest.
            GiveBack = $back: Delete $field, $backs;
            takes $change;
            path $crate::api::resource::FieldNamed;
            problems $unknown UnknownOverride Refused Conflict Changed IfMatchNeeded;
            if_match true;
            example $field_at => $given;
            answers $crate::api::answer::Versioned<$crate::runtime::configuration::view::ResourceView>:
                |operations, by, call| {
                    let version = call.version()?;
                    let wanted = $crate::runtime::configuration::change::Wanted {
                        back: vec![call.path.field],
                        ..Default::default()
                    };
                    let name = &call.path.name;
                    let value = operations.change_resource::<$kind>(&by, name, Some(version), &wanted).await?;
                    Ok($crate::api::answer::Versioned { version: value.version, value })
                }
        }
    };
}

pub(crate) use resource_routes;
