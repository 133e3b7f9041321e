//! Signing in and out. Layer `api`. Keeps I12.

use botfleet_actors::domain::operators::Role;
use botfleet_actors::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::answer::{Cookie, Json, WithCookie};
use super::route::{Body, Need, route};
use super::secret::Secret;
use crate::operate::permission::{OwnSession, SignIn};
use crate::operate::principal::Proof;
use crate::operate::sign_in::{Credentials, Opened};

/// The way in which a session's token travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Transport {
    /// In a cookie, for browsers.
    #[default]
    Cookie,
    /// In the answer, for programs, which send it as `authorization: Bearer`.
    Token,
}

/// The proof of somebody who signs in.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SignInBody {
    /// The name of the account.
    pub name: String,
    /// The password.
    pub password: Secret,
    /// The code of the second factor, or a recovery code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The way in which the token travels.
    #[serde(default)]
    pub transport: Transport,
}

impl Body for SignInBody {
    const NEED: Need = Need::Required;
}

/// An open session.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SignedIn {
    /// The name of the account.
    pub name: String,
    /// The role.
    pub role: Role,
    /// The session ends then at the latest.
    pub ends_at: Timestamp,
    /// The token, unless it travels in a cookie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
}

/// Whoever asks.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WhoIs {
    /// The name: of the account, of the account and the key, or `local`.
    pub name: String,
    /// The role.
    pub role: Role,
    /// The proof: `session`, `key` or `local`.
    pub proof: String,
    /// Set when texts of messages may be read.
    pub reads_texts: bool,
    /// The bots and chats that the role concerns; absent for the whole fleet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<super::users::Within>,
}

/// A proof, by password or by code, that the account is the caller's.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Proving {
    /// The password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// The code of the second factor, where one is enrolled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

impl Body for Proving {
    const NEED: Need = Need::Required;
}

/// Done; there is nothing to tell.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Done {
    /// Always set.
    pub done: bool,
}

/// The answer of what is done.
pub(super) const DONE: Done = Done { done: true };

route! {
    /// POST /api/v1/session.
    Open = "sign_in": Post "/api/v1/session", "Signs in.",
        "A session ends 30 minutes after the last request, and 12 hours after the sign-in.";
    takes SignIn;
    body SignInBody;
    problems WrongCredentials CodeNeeded SecondFactorNeeded TooManyTries;
    secret_answer true;
    example "/api/v1/session" with r#"{"name":"ada","password":"correct horse battery","code":"123456"}"#
        => r#"{"name":"ada","role":"admin","ends_at":1790000000000}"#;
    answers WithCookie<SignedIn>: |operations, by, call| {
        let SignInBody { name, password, code, transport } = call.body;
        let opened = operations.sign_in(&by, Credentials { name, password: password.0, code }).await?;
        let Opened { name, role, token, ends_at } = opened;
        let (cookie, token) = match transport {
            Transport::Cookie => (Some(Cookie::Set(token)), None),
            Transport::Token => (None, Some(Secret(token))),
        };
        Ok(WithCookie { value: SignedIn { name, role, ends_at, token }, cookie })
    }
}

route! {
    /// GET /api/v1/session.
    Get = "who_am_i": Get "/api/v1/session", "Shows who asks, and with which permissions.";
    takes OwnSession;
    example "/api/v1/session" => r#"{"name":"ada","role":"admin","proof":"session","reads_texts":true}"#;
    answers Json<WhoIs>: |operations, by, _call| {
        let identity = by.principal().identity();
        let proof = match identity.proof {
            Proof::Nothing => "none",
            Proof::Local => "local",
            Proof::Session { .. } => "session",
            Proof::Key(_) => "key",
        };
        let grants = &identity.grants;
        Ok(Json(WhoIs {
            name: identity.name.clone(),
            role: grants.role,
            proof: proof.to_owned(),
            reads_texts: grants.reads_texts || grants.role == Role::Admin,
            within: operations.names_within(&grants.reach).map(Into::into),
        }))
    }
}

route! {
    /// DELETE /api/v1/session.
    End = "sign_out": Delete "/api/v1/session", "Signs out.";
    takes OwnSession;
    problems Conflict;
    example "/api/v1/session" => r#"{"done":true}"#;
    answers WithCookie<Done>: |operations, by, _call| {
        operations.sign_out(&by).await?;
        Ok(WithCookie { value: DONE, cookie: Some(Cookie::Clear) })
    }
}

route! {
    /// POST /api/v1/session/confirm.
    Confirm = "confirm": Post "/api/v1/session/confirm", "Proves again that the account is one's own.",
        "What concerns accounts, keys and second factors asks for a proof that is ten minutes old at most.";
    takes OwnSession;
    body Proving;
    problems WrongCredentials CodeNeeded TooManyTries Conflict;
    example "/api/v1/session/confirm" with r#"{"password":"correct horse battery"}"# => r#"{"done":true}"#;
    answers Json<Done>: |operations, by, call| {
        operations.confirm(&by, call.body.password.map(|password| password.0), call.body.code).await?;
        Ok(Json(DONE))
    }
}
