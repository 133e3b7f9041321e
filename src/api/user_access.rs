//! Sessions and API keys of accounts, as admins see and end them. Layer `api`. Keeps I12.

use botfleet_actors::domain::operators::OperatorSession;
use botfleet_actors::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::answer::Json;
use super::keys::{KeyBody, KeyView, NewKeyView};
use super::route::route;
use super::session::{DONE, Done};
use super::users::UserNamed;
use crate::operate::account::OpenSession;
use crate::operate::permission::{ChangeUsers, ReadUsers};

/// The session or key of an account, in a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct PartOfUser {
    /// The name of the account.
    pub name: String,
    /// The session or key, as the list shows it.
    pub id: String,
}

/// An open session.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SessionView {
    /// The id by which it is ended.
    pub id: String,
    /// Instant of the sign-in.
    pub created_at: Timestamp,
    /// Instant of the last request, exact to a minute.
    pub seen_at: Timestamp,
    /// Address at the sign-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The program that signed in, as it calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Set for the session that asks.
    #[serde(default)]
    pub asks: bool,
}

impl From<OpenSession> for SessionView {
    fn from(OpenSession { session, asks }: OpenSession) -> Self {
        let OperatorSession { handle, created_at, seen_at, address, agent, .. } = session;
        Self { id: handle, created_at, seen_at, address, agent, asks }
    }
}

/// The sessions of an account.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Sessions {
    /// The sessions that are not over, newest first.
    pub sessions: Vec<SessionView>,
}

impl From<Vec<OpenSession>> for Sessions {
    fn from(sessions: Vec<OpenSession>) -> Self {
        Self { sessions: sessions.into_iter().map(Into::into).collect() }
    }
}

/// The keys of an account.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Keys {
    /// The keys, newest first.
    pub keys: Vec<KeyView>,
}

route! {
    /// GET /api/v1/users/{name}/sessions.
    ListSessions = "list_sessions": Get "/api/v1/users/{name}/sessions", "Lists the open sessions of an account.";
    takes ReadUsers;
    path UserNamed;
    problems UnknownUser;
    example "/api/v1/users/ada/sessions" => r#"{"sessions":[{"id":"0123456789abcdef","created_at":1790000000000,"seen_at":1790000060000,"address":"192.0.2.7","asks":false}]}"#;
    answers Json<Sessions>: |operations, by, call| {
        Ok(Json(operations.sessions_of(&by, &call.path.name).await?.into()))
    }
}

route! {
    /// DELETE /api/v1/users/{name}/sessions/{id}.
    EndSession = "end_session": Delete "/api/v1/users/{name}/sessions/{id}", "Ends a session of an account.";
    takes ChangeUsers;
    path PartOfUser;
    problems UnknownUser UnknownSession;
    example "/api/v1/users/ada/sessions/0123456789abcdef" => r#"{"done":true}"#;
    answers Json<Done>: |operations, by, call| {
        operations.end_session(&by, &call.path.name, &call.path.id).await?;
        Ok(Json(DONE))
    }
}

route! {
    /// GET /api/v1/users/{name}/keys.
    ListKeys = "list_keys": Get "/api/v1/users/{name}/keys", "Lists the API keys of an account, without their secrets.";
    takes ReadUsers;
    path UserNamed;
    problems UnknownUser;
    example "/api/v1/users/ada/keys" => r#"{"keys":[{"id":"0123456789abcdef","name":"backup","role":"viewer","reads_texts":false,"networks":[],"created_at":1790000000000,"expires_at":1797776000000}]}"#;
    answers Json<Keys>: |operations, by, call| {
        let keys = operations.keys_of(&by, &call.path.name).await?;
        Ok(Json(Keys { keys: keys.into_iter().map(|key| KeyView::of(operations, key)).collect() }))
    }
}

route! {
    /// POST /api/v1/users/{name}/keys.
    AddKey = "add_key": Post "/api/v1/users/{name}/keys", "Makes an API key for an account; shown this once.",
        "A key does at most what its owner may, and ends with the owner.";
    takes ChangeUsers;
    path UserNamed;
    body KeyBody;
    problems UnknownUser UnknownName Conflict;
    idempotency Required;
    secret_answer true;
    example "/api/v1/users/ada/keys" with r#"{"name":"backup","role":"viewer","days":90}"#
        => r#"{"id":"0123456789abcdef","name":"backup","role":"viewer","reads_texts":false,"networks":[],"created_at":1790000000000,"expires_at":1797776000000,"key":"bf_0123456789abcdef_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef_01234567"}"#;
    answers Json<NewKeyView>: |operations, by, call| {
        let made = operations.add_key_of(&by, &call.path.name, call.body.into()).await?;
        Ok(Json(NewKeyView::of(operations, made)))
    }
}

route! {
    /// DELETE /api/v1/users/{name}/keys/{id}.
    EndKey = "end_key": Delete "/api/v1/users/{name}/keys/{id}", "Ends an API key of an account.";
    takes ChangeUsers;
    path PartOfUser;
    problems UnknownUser UnknownKey;
    example "/api/v1/users/ada/keys/0123456789abcdef" => r#"{"done":true}"#;
    answers Json<Done>: |operations, by, call| {
        operations.end_key_of(&by, &call.path.name, &call.path.id).await?;
        Ok(Json(DONE))
    }
}
