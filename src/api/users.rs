//! Accounts, as admins see and change them. Layer `api`. Keeps I12.

use botfleet_actors::domain::operators::{Operator, Profile, Role};
use botfleet_actors::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::answer::{Json, Versioned};
use super::object::object;
use super::route::{Body, Need, route};
use super::secret::Secret;
use super::session::{DONE, Done};
use crate::operate::operations::Operations;
use crate::operate::permission::{ChangeUsers, ReadUsers};
use crate::operate::users::{Names, UserChange, Wanted};

/// The bots and chats that a role concerns, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Within {
    /// The bots.
    pub bots: Vec<String>,
    /// The chats.
    pub chats: Vec<String>,
}

impl From<Names> for Within {
    fn from(Names { bots, chats }: Names) -> Self {
        Self { bots, chats }
    }
}

impl From<Within> for Names {
    fn from(Within { bots, chats }: Within) -> Self {
        Self { bots, chats }
    }
}

/// The account of a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct UserNamed {
    /// The name of the account.
    pub name: String,
}

/// An account.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct User {
    /// The name.
    pub name: String,
    /// The role.
    pub role: Role,
    /// The bots and chats that the role concerns; absent for the whole fleet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Within>,
    /// Set when texts of messages may be read apart from the role.
    pub reads_texts: bool,
    /// E-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Language of pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// IANA time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Set when the account has a password.
    pub has_password: bool,
    /// Set when a second factor is enrolled.
    pub second_factor: bool,
    /// Instant at which the account was disabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<Timestamp>,
    /// Instant at which the account was made.
    pub created_at: Timestamp,
    /// Number of changes, which `If-Match` names.
    pub version: i64,
}

fn shown(operations: &Operations, user: Operator) -> Versioned<User> {
    let version = user.version;
    let value = User {
        within: operations.names_within(&user.grants.reach).map(Into::into),
        name: user.name,
        role: user.grants.role,
        reads_texts: user.grants.reads_texts,
        email: user.profile.email,
        language: user.profile.language,
        time_zone: user.profile.time_zone,
        has_password: user.password.is_some(),
        second_factor: user.seed.is_some(),
        disabled_at: user.disabled_at,
        created_at: user.created_at,
        version,
    };
    Versioned { value, version }
}

/// All accounts.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Users {
    /// The accounts, by name.
    pub users: Vec<User>,
}

/// An account to be made.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NewUser {
    /// The name: letters a to z, digits, and `- _ @`; after the first also `.`.
    #[cfg_attr(feature = "schema", schema(pattern = "^[A-Za-z0-9_@-][A-Za-z0-9._@-]{0,63}$"))]
    pub name: String,
    /// The role: `viewer`, `operator` or `admin`.
    pub role: Role,
    /// The bots and chats that the role concerns; absent for the whole fleet.
    #[serde(default, deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub within: Option<Within>,
    /// Set to let the account read texts of messages.
    #[serde(default)]
    pub reads_texts: bool,
    /// E-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schema(max_length = 254, pattern = "^[^\\s\\x00-\\x1f\\x7f-\\x9f]+@[^\\s\\x00-\\x1f\\x7f-\\x9f]+$")
    )]
    pub email: Option<String>,
    /// Language of pages: `en` or `tr`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(pattern = "^(en|tr)$"))]
    pub language: Option<String>,
    /// IANA time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(max_length = 64))]
    pub time_zone: Option<String>,
    /// The password, of 12 to 256 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = Password, min_length = 12, max_length = 256))]
    pub password: Option<Secret>,
}

impl Body for NewUser {
    const NEED: Need = Need::Required;
}

/// The permissions of an account.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct GrantsBody {
    /// The role: `viewer`, `operator` or `admin`.
    pub role: Role,
    /// The bots and chats that the role concerns; absent for the whole fleet.
    #[serde(default, deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub within: Option<Within>,
    /// Set to let texts of messages be read.
    #[serde(default)]
    pub reads_texts: bool,
}

impl From<GrantsBody> for Wanted {
    fn from(GrantsBody { role, within, reads_texts }: GrantsBody) -> Self {
        Self { role, within: within.map(Into::into), reads_texts }
    }
}

/// Facts about a person that no rule depends on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ProfileBody {
    /// E-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schema(max_length = 254, pattern = "^[^\\s\\x00-\\x1f\\x7f-\\x9f]+@[^\\s\\x00-\\x1f\\x7f-\\x9f]+$")
    )]
    pub email: Option<String>,
    /// Language of pages: `en` or `tr`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(pattern = "^(en|tr)$"))]
    pub language: Option<String>,
    /// IANA time zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(max_length = 64))]
    pub time_zone: Option<String>,
}

/// Changes of an account; what is absent stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct UserPatch {
    /// Other permissions, as a whole.
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub grants: Option<GrantsBody>,
    /// Other facts, as a whole.
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub profile: Option<ProfileBody>,
    /// Set to disable the account, which ends its sessions; unset to let it in again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Another password; the sessions end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = Password, min_length = 12, max_length = 256))]
    pub password: Option<Secret>,
    /// Set to take the second factor away, when it was lost; the sessions end.
    pub reset_second_factor: bool,
}

impl Body for UserPatch {
    const NEED: Need = Need::Required;
}

route! {
    /// GET /api/v1/users.
    List = "list_users": Get "/api/v1/users", "Lists the accounts.";
    takes ReadUsers;
    example "/api/v1/users" => r#"{"users":[{"name":"ada","role":"admin","reads_texts":false,"has_password":true,"second_factor":true,"created_at":1790000000000,"version":3}]}"#;
    answers Json<Users>: |operations, by, _call| {
        let users = operations.users(&by).await?;
        Ok(Json(Users { users: users.into_iter().map(|user| shown(operations, user).value).collect() }))
    }
}

route! {
    /// POST /api/v1/users.
    Add = "add_user": Post "/api/v1/users", "Makes an account.",
        "An admin without a second factor can sign in on the machine itself only.";
    takes ChangeUsers;
    body NewUser;
    problems NameTaken UnknownName Conflict TooManyTries;
    idempotency Required;
    example "/api/v1/users" with r#"{"name":"bela","role":"operator","within":{"bots":["Ada"],"chats":["lounge"]},"password":"correct horse battery"}"#
        => r#"{"name":"bela","role":"operator","within":{"bots":["Ada"],"chats":["lounge"]},"reads_texts":false,"has_password":true,"second_factor":false,"created_at":1790000000000,"version":1}"#;
    answers Versioned<User>: |operations, by, call| {
        let NewUser { name, role, within, reads_texts, email, language, time_zone, password } = call.body;
        let wanted = Wanted { role, within: within.map(Into::into), reads_texts };
        let profile = Profile { email, language, time_zone };
        let password = password.map(|password| password.0);
        let user = operations.add_user(&by, &name, &wanted, profile, password).await?;
        Ok(shown(operations, user))
    }
}

route! {
    /// GET /api/v1/users/{name}.
    Get = "get_user": Get "/api/v1/users/{name}", "Shows an account.";
    takes ReadUsers;
    path UserNamed;
    problems UnknownUser;
    example "/api/v1/users/ada" => r#"{"name":"ada","role":"admin","reads_texts":false,"has_password":true,"second_factor":true,"created_at":1790000000000,"version":3}"#;
    answers Versioned<User>: |operations, by, call| {
        let user = operations.user(&by, &call.path.name).await?;
        Ok(shown(operations, user))
    }
}

route! {
    /// PATCH /api/v1/users/{name}.
    Change = "change_user": Patch "/api/v1/users/{name}", "Changes an account.",
        "Nobody changes their own permissions, and the last admin stays.";
    takes ChangeUsers;
    path UserNamed;
    body UserPatch;
    problems UnknownUser UnknownName LastAdmin Changed IfMatchNeeded TooManyTries;
    if_match true;
    example "/api/v1/users/bela" with r#"{"disabled":true}"#
        => r#"{"name":"bela","role":"operator","reads_texts":false,"has_password":true,"second_factor":false,"disabled_at":1790000000000,"created_at":1790000000000,"version":2}"#;
    answers Versioned<User>: |operations, by, call| {
        let version = call.version()?;
        let UserPatch { grants, profile, disabled, password, reset_second_factor } = call.body;
        let profile =
            profile.map(|ProfileBody { email, language, time_zone }| Profile { email, language, time_zone });
        let change = UserChange {
            profile,
            grants: grants.map(Into::into),
            disabled,
            password: password.map(|password| password.0),
            reset_second_factor,
        };
        let user = operations.change_user(&by, &call.path.name, version, change).await?;
        Ok(shown(operations, user))
    }
}

route! {
    /// DELETE /api/v1/users/{name}.
    Remove = "remove_user": Delete "/api/v1/users/{name}", "Removes an account with its sessions and keys.";
    takes ChangeUsers;
    path UserNamed;
    problems UnknownUser LastAdmin Changed IfMatchNeeded;
    if_match true;
    example "/api/v1/users/bela" => r#"{"done":true}"#;
    answers Json<Done>: |operations, by, call| {
        let version = call.version()?;
        operations.remove_user(&by, &call.path.name, version).await?;
        Ok(Json(DONE))
    }
}
