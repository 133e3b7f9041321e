//! Carries a request with `Idempotency-Key` out once, and answers its repeats. Layer `http`. Keeps I12.
//!
//! The act is a task of its own: a client that goes away is the very one that will ask again, so its request goes on.

use std::sync::{Mutex, PoisonError};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use botfleet_actors::domain::idempotency::{KeptAnswer, KeyedRequest};
use futures::future::BoxFuture;
use serde::Deserialize;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::conditions::etag;
use super::problem;
use crate::api::answer::{Content, Form, Written};
use crate::operate::failure::{Code, Failure};
use crate::operate::operations::Operations;
use crate::operate::requests::is_final;

/// The header of the key.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The header of an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Longest key.
const KEY_MAX: usize = 128;

/// Longest body that is kept.
const BODY_MAX_BYTES: usize = 64 * 1024;

/// Carries out what a request asks for.
pub(super) type Act = BoxFuture<'static, Result<Written, Failure>>;

/// The result of a request that carries a key.
pub(super) enum Outcome {
    /// It was carried out now.
    New(Written),
    /// It was carried out before.
    Repeated(KeptAnswer),
}

/// Returns the key of a request.
///
/// # Errors
/// `BadRequest` when it is not 1 to 128 visible characters of ASCII, or there are several.
pub(super) fn key(headers: &HeaderMap) -> Result<Option<&str>, Failure> {
    let mut keys = headers.get_all(KEY).iter();
    let Some(first) = keys.next() else { return Ok(None) };
    let is_key = |key: &&str| (1..=KEY_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    let key = first.to_str().ok().filter(is_key).filter(|_| keys.next().is_none());
    let wrong =
        || Failure::new(Code::BadRequest, format!("Idempotency-Key: send one, of 1 to {KEY_MAX} visible characters"));
    key.map(Some).ok_or_else(wrong)
}

/// Acts under way, which end with the server.
#[derive(Default)]
pub(super) struct Acts(Mutex<JoinSet<()>>);

impl Acts {
    /// Carries a request out, unless it was before.
    ///
    /// # Errors
    /// Those of the act; `IdempotencyMismatch`, `IdempotencyUnderWay`.
    pub(super) async fn once(
        &self,
        operations: Operations,
        request: KeyedRequest,
        secret: bool,
        act: Act,
    ) -> Result<Outcome, Failure> {
        let (tell, told) = oneshot::channel();
        let task = async move {
            // Nobody listens when the client is gone.
            let _ = tell.send(claimed(&operations, &request, secret, act).await);
        };
        {
            let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            while running.try_join_next().is_some() {}
            running.spawn(task);
        }
        let lost = |_| Failure::new(Code::Unreadable, "the request broke off midway; look at the present state");
        told.await.map_err(lost)?
    }
}

async fn claimed(operations: &Operations, request: &KeyedRequest, secret: bool, act: Act) -> Result<Outcome, Failure> {
    if let Some(answer) = operations.claim_request(request).await? {
        return Ok(Outcome::Repeated(answer));
    }
    let result = act.await;
    let answer = match &result {
        Ok(written) => Some(kept(written, secret)),
        Err(failure) => is_final(failure.code).then(|| kept_refusal(failure)),
    };
    operations.settle_request(request, answer).await;
    result.map(Outcome::New)
}

/// What tells an answer with a secret from others of its kind.
#[derive(Deserialize)]
struct Made {
    id: Option<String>,
}

/// Returns what is kept of an answer: no secret, and no long body.
fn kept(written: &Written, secret: bool) -> KeptAnswer {
    let (status, body, location) = match &written.content {
        Content::Json(json) => (StatusCode::OK, Some(json), None),
        Content::Accepted(location, order) => (StatusCode::ACCEPTED, Some(order), Some(location.clone())),
        Content::Lines(_) | Content::Events(_) => (StatusCode::OK, None, None),
    };
    let made = || serde_json::from_slice::<Made>(body?).ok()?.id;
    let location = if secret { made() } else { location };
    let short = |body: &&Vec<u8>| !secret && body.len() <= BODY_MAX_BYTES;
    KeptAnswer {
        status: status.as_u16(),
        media_type: Form::Json.media_type().to_owned(),
        body: body.filter(short).and_then(|body| String::from_utf8(body.clone()).ok()),
        version: written.version,
        location,
    }
}

fn kept_refusal(failure: &Failure) -> KeptAnswer {
    let body = problem::body(failure);
    KeptAnswer {
        status: failure.code.status(),
        media_type: problem::MEDIA_TYPE.to_owned(),
        body: (body.len() <= BODY_MAX_BYTES).then_some(body),
        version: None,
        location: None,
    }
}

/// Answers a repeat.
///
/// # Errors
/// `IdempotencySecret` when the answer held a secret, with the id of what was made; `Conflict` when the answer was too long.
pub(super) fn repeated(answer: KeptAnswer, secret: bool) -> Result<Response, Failure> {
    let KeptAnswer { status, media_type, body, version, location } = answer;
    let Some(body) = body else {
        if secret {
            let made = location.map_or_else(String::new, |id| format!(" (id {id})"));
            let detail = format!("this was carried out{made}, and the secret of its answer was shown once");
            return Err(Failure::new(Code::IdempotencySecret, detail));
        }
        return Err(Failure::new(Code::Conflict, "this was carried out; its answer was too long to be kept"));
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let mut response = (status, Body::from(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    let text = |text: &str| HeaderValue::from_str(text).ok();
    for (name, value) in [
        (header::CONTENT_TYPE, text(&media_type)),
        (header::ETAG, version.and_then(etag)),
        (header::LOCATION, location.as_deref().and_then(text)),
    ] {
        if let Some(value) = value {
            headers.insert(name, value);
        }
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_key_is_one_short_visible_text() {
        let of = |keys: &[&str]| {
            let headers = keys.iter().map(|key| (KEY, HeaderValue::from_str(key).unwrap())).collect();
            key(&headers).map(|key| key.map(str::to_owned)).map_err(|failure| failure.code)
        };
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&["8e03978e-40d5"]), Ok(Some("8e03978e-40d5".to_owned())));
        let (longest, long) = ("k".repeat(KEY_MAX), "k".repeat(KEY_MAX + 1));
        assert!(of(&[longest.as_str()]).is_ok());
        for wrong in [&[""][..], &["two words"], &["a", "b"], &[long.as_str()]] {
            assert_eq!(of(wrong), Err(Code::BadRequest), "{wrong:?}");
        }
    }

    #[test]
    fn neither_a_secret_nor_a_long_body_is_kept() {
        let json = |text: String| Written::from(Content::Json(text.into_bytes()));
        let key = r#"{"id":"0123","key":"bf_0123_secret"}"#.to_owned();
        let secret = kept(&json(key.clone()), true);
        assert_eq!((secret.body.as_deref(), secret.location.as_deref()), (None, Some("0123")));
        let refused = repeated(secret, true).unwrap_err();
        assert_eq!(refused.code, Code::IdempotencySecret);
        assert!(refused.detail.contains("0123"), "{refused}");
        assert_eq!(kept(&json(key.clone()), false).body, Some(key));
        let long = kept(&json("x".repeat(BODY_MAX_BYTES + 1)), false);
        assert_eq!(long.body, None);
        assert_eq!(repeated(long, false).unwrap_err().code, Code::Conflict);
    }

    #[test]
    fn a_repeat_is_answered_like_the_first() {
        let shown = |kept: KeptAnswer, name: HeaderName| {
            let answer = repeated(kept, false).unwrap();
            let header = answer.headers()[name].to_str().unwrap().to_owned();
            assert_eq!(answer.headers()[REPLAYED], "true");
            (answer.status().as_u16(), header)
        };
        let under_way = Written::from(Content::Accepted("/api/v1/orders/7".to_owned(), b"{}".to_vec()));
        assert_eq!(shown(kept(&under_way, false), header::LOCATION), (202, "/api/v1/orders/7".to_owned()));
        let versioned = Written { version: Some(3), ..Content::Json(b"{}".to_vec()).into() };
        assert_eq!(shown(kept(&versioned, false), header::ETAG), (200, "\"3\"".to_owned()));
        let refusal = kept_refusal(&Failure::new(Code::UnknownName, "no bot"));
        assert_eq!(shown(refusal, header::CONTENT_TYPE), (404, problem::MEDIA_TYPE.to_owned()));
    }
}
