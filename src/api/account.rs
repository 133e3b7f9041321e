//! One's own account: sessions, password, second factor, API keys. Layer `api`. Keeps I12.

use serde::{Deserialize, Serialize};

use super::answer::Json;
use super::keys::{KeyBody, KeyView, NewKeyView};
use super::route::{Body, Need, route};
use super::secret::Secret;
use super::session::{DONE, Done};
use super::user_access::{Keys, Sessions};
use crate::operate::permission::{OwnAccount, OwnSession};

/// The session or key of a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct OwnPart {
    /// The session or key, as the list shows it.
    pub id: String,
}

/// Another password.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NewPassword {
    /// The password, of 12 to 256 characters.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = Password, min_length = 12, max_length = 256))]
    pub password: Secret,
}

impl Body for NewPassword {
    const NEED: Need = Need::Required;
}

/// The seed of a second factor that is not in use yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FactorSeed {
    /// The seed, for typing into an authenticator app.
    pub secret: Secret,
    /// The seed as an address, for a QR code.
    pub address: Secret,
    /// The value to send back with the first code.
    pub sealed: String,
}

/// The first code of a new second factor.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FactorProof {
    /// The value that the begin of the enrolment told.
    pub sealed: String,
    /// The code that the app shows.
    pub code: String,
}

impl Body for FactorProof {
    const NEED: Need = Need::Required;
}

/// Codes for the day on which the phone is lost.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RecoveryCodes {
    /// Each is taken once in place of a code; they are shown this once.
    pub recovery_codes: Vec<Secret>,
}

/// The time for which a key's old secret is taken.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Overlap {
    /// Seconds, at most a day.
    #[cfg_attr(feature = "schema", schema(maximum = 86_400))]
    pub overlap_s: u32,
}

impl Body for Overlap {
    const NEED: Need = Need::Optional;
}

route! {
    /// GET /api/v1/account/sessions.
    ListSessions = "list_own_sessions": Get "/api/v1/account/sessions", "Lists one's own open sessions.";
    takes OwnSession;
    problems Conflict;
    example "/api/v1/account/sessions" => r#"{"sessions":[{"id":"0123456789abcdef","created_at":1790000000000,"seen_at":1790000060000,"asks":true}]}"#;
    answers Json<Sessions>: |operations, by, _call| { Ok(Json(operations.own_sessions(&by).await?.into())) }
}

route! {
    /// DELETE /api/v1/account/sessions/{id}.
    EndSession = "end_own_session": Delete "/api/v1/account/sessions/{id}", "Ends one of one's own sessions.";
    takes OwnSession;
    path OwnPart;
    problems UnknownSession Conflict;
    example "/api/v1/account/sessions/0123456789abcdef" => r#"{"done":true}"#;
    answers Json<Done>: |operations, by, call| {
        operations.end_own_session(&by, &call.path.id).await?;
        Ok(Json(DONE))
    }
}

route! {
    /// PUT /api/v1/account/password.
    ChangePassword = "change_password": Put "/api/v1/account/password", "Gives one's account another password.",
        "All sessions of the account end.";
    takes OwnAccount;
    body NewPassword;
    problems Conflict Changed TooManyTries;
    example "/api/v1/account/password" with r#"{"password":"correct horse battery"}"# => r#"{"done":true}"#;
    answers Json<Done>: |operations, by, call| {
        operations.change_own_password(&by, call.body.password.0).await?;
        Ok(Json(DONE))
    }
}

route! {
    /// POST /api/v1/account/second-factor.
    BeginFactor = "begin_second_factor": Post "/api/v1/account/second-factor", "Makes the seed of a second factor.",
        "The second factor is in use once its first code is sent.";
    takes OwnAccount;
    problems Conflict CannotSeal;
    secret_answer true;
    example "/api/v1/account/second-factor"
        => r#"{"secret":"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ","address":"otpauth://totp/botfleet:ada?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=botfleet","sealed":"s2.6f1e2d3c4b5a6978.AAAA.AAAA"}"#;
    answers Json<FactorSeed>: |operations, by, _call| {
        let new = operations.begin_second_factor(&by).await?;
        let (secret, address) = (new.secret.as_str().into(), new.address.as_str().into());
        Ok(Json(FactorSeed { secret, address, sealed: new.sealed }))
    }
}

route! {
    /// PUT /api/v1/account/second-factor.
    TakeFactor = "take_second_factor": Put "/api/v1/account/second-factor", "Takes a second factor into use.";
    takes OwnAccount;
    body FactorProof;
    problems WrongCredentials Conflict Changed TooManyTries;
    secret_answer true;
    example "/api/v1/account/second-factor" with r#"{"sealed":"s1.AAAA","code":"123456"}"#
        => r#"{"recovery_codes":["0123-4567-89ab-cdef"]}"#;
    answers Json<RecoveryCodes>: |operations, by, call| {
        let codes = operations.take_second_factor(&by, call.body.sealed, &call.body.code).await?;
        Ok(Json(RecoveryCodes { recovery_codes: codes.iter().map(|code| code.as_str().into()).collect() }))
    }
}

route! {
    /// GET /api/v1/account/keys.
    ListKeys = "list_own_keys": Get "/api/v1/account/keys", "Lists one's own API keys, without their secrets.";
    takes OwnSession;
    problems Conflict;
    example "/api/v1/account/keys" => r#"{"keys":[{"id":"0123456789abcdef","name":"backup","role":"viewer","reads_texts":false,"networks":[],"created_at":1790000000000,"expires_at":1797776000000}]}"#;
    answers Json<Keys>: |operations, by, _call| {
        let keys = operations.own_keys(&by).await?;
        Ok(Json(Keys { keys: keys.into_iter().map(|key| KeyView::of(operations, key)).collect() }))
    }
}

route! {
    /// POST /api/v1/account/keys.
    AddKey = "add_own_key": Post "/api/v1/account/keys", "Makes an API key of one's own; shown this once.",
        "A key does at most what its owner may, and ends with the owner.";
    takes OwnAccount;
    body KeyBody;
    problems UnknownName Conflict;
    idempotency Required;
    secret_answer true;
    example "/api/v1/account/keys" with r#"{"name":"backup","role":"viewer","days":90}"#
        => r#"{"id":"0123456789abcdef","name":"backup","role":"viewer","reads_texts":false,"networks":[],"created_at":1790000000000,"expires_at":1797776000000,"key":"bf_0123456789abcdef_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef_01234567"}"#;
    answers Json<NewKeyView>: |operations, by, call| {
        let made = operations.add_own_key(&by, call.body.into()).await?;
        Ok(Json(NewKeyView::of(operations, made)))
    }
}

route! {
    /// POST /api/v1/account/keys/{id}/rotate.
    RotateKey = "rotate_own_key": Post "/api/v1/account/keys/{id}/rotate", "Gives an API key of one's own another secret.",
        "The old secret is taken for the time that the body tells, so that nothing fails meanwhile.";
    takes OwnAccount;
    path OwnPart;
    body Overlap;
    problems UnknownKey Conflict;
    secret_answer true;
    example "/api/v1/account/keys/0123456789abcdef/rotate" with r#"{"overlap_s":3600}"#
        => r#"{"id":"0123456789abcdef","name":"backup","role":"viewer","reads_texts":false,"networks":[],"created_at":1790000000000,"expires_at":1797776000000,"old_until":1790003600000,"key":"bf_0123456789abcdef_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef_01234567"}"#;
    answers Json<NewKeyView>: |operations, by, call| {
        let made = operations.rotate_own_key(&by, &call.path.id, call.body.overlap_s).await?;
        Ok(Json(NewKeyView::of(operations, made)))
    }
}

route! {
    /// DELETE /api/v1/account/keys/{id}.
    EndKey = "end_own_key": Delete "/api/v1/account/keys/{id}", "Ends an API key of one's own.";
    takes OwnAccount;
    path OwnPart;
    problems UnknownKey Conflict;
    example "/api/v1/account/keys/0123456789abcdef" => r#"{"done":true}"#;
    answers Json<Done>: |operations, by, call| {
        operations.end_own_key(&by, &call.path.id).await?;
        Ok(Json(DONE))
    }
}
