//! API keys, as they are made and shown. Layer `api`. Keeps I12.

use botfleet_actors::domain::operators::{OperatorKey, Role};
use botfleet_actors::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::object::object;
use super::route::{Body, Need};
use super::secret::Secret;
use super::users::Within;
use crate::operate::keys::{KeyWish, MadeKey};
use crate::operate::operations::Operations;
use crate::operate::users::Wanted;

/// A key to be made.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct KeyBody {
    /// Name, for people: at most 64 characters.
    #[cfg_attr(
        feature = "schema",
        schema(
            min_length = 1,
            max_length = 64,
            pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*[^\\s\\x00-\\x1f\\x7f-\\x9f][^\\x00-\\x1f\\x7f-\\x9f]*$"
        )
    )]
    pub name: String,
    /// The role: at most the owner's.
    pub role: Role,
    /// The bots and chats that the role concerns; absent for all that the owner reaches.
    #[serde(default, deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub within: Option<Within>,
    /// Set to let the key read texts of messages.
    #[serde(default)]
    pub reads_texts: bool,
    /// The networks from which it is taken, as `192.0.2.0/24`; from everywhere when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schema(max_items = 20))]
    pub networks: Vec<String>,
    /// Days until it ends, 1 to 366.
    #[cfg_attr(feature = "schema", schema(minimum = 1, maximum = 366))]
    pub days: u32,
}

impl Body for KeyBody {
    const NEED: Need = Need::Required;
}

impl From<KeyBody> for KeyWish {
    fn from(body: KeyBody) -> Self {
        let KeyBody { name, role, within, reads_texts, networks, days } = body;
        Self { name, grants: Wanted { role, within: within.map(Into::into), reads_texts }, networks, days }
    }
}

/// A key, without its secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct KeyView {
    /// The public part.
    pub id: String,
    /// Name, for people.
    pub name: String,
    /// The role.
    pub role: Role,
    /// The bots and chats that the role concerns; absent for the whole fleet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Within>,
    /// Set when it reads texts of messages.
    pub reads_texts: bool,
    /// The networks from which it is taken; from everywhere when empty.
    pub networks: Vec<String>,
    /// Instant at which it was made.
    pub created_at: Timestamp,
    /// Instant at which it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Instant of the last request, exact to a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Timestamp>,
    /// Instant until which the secret before the last rotation is taken too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_until: Option<Timestamp>,
}

impl KeyView {
    pub(super) fn of(operations: &Operations, key: OperatorKey) -> Self {
        Self {
            within: operations.names_within(&key.grants.reach).map(Into::into),
            id: key.id,
            name: key.name,
            role: key.grants.role,
            reads_texts: key.grants.reads_texts,
            networks: key.networks,
            created_at: key.created_at,
            expires_at: key.expires_at,
            used_at: key.used_at,
            old_until: key.old_until,
        }
    }
}

/// A key that was just made.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NewKeyView {
    /// The key.
    #[serde(flatten)]
    pub view: KeyView,
    /// The whole key, which is shown this once.
    pub key: Secret,
}

impl NewKeyView {
    pub(super) fn of(operations: &Operations, made: MadeKey) -> Self {
        Self { view: KeyView::of(operations, made.key), key: Secret(made.secret) }
    }
}
