//! Makes the calls that are no completion, and tells failures of HTTP: one attempt a call. Layer `adapters`. Keeps I12.

use std::error::Error as StdError;

use bytes::{Bytes, BytesMut};
use reqwest::{RequestBuilder, Response};

use super::fault::Fault;

/// Most bytes of an answer; the longest completion is far below.
pub(super) const BODY_LIMIT_BYTES: usize = 4 << 20;

/// Makes a call; returns the body of its answer.
///
/// # Errors
/// The refusal, or the reason why there is no answer.
pub(super) async fn ask(call: RequestBuilder) -> Result<Bytes, Fault> {
    let response = call.send().await.map_err(not_answered)?;
    let status = response.status();
    if status.is_success() {
        return collect(response).await;
    }
    let headers = response.headers().clone();
    // A refusal whose text is lost is still a refusal.
    let body = collect(response).await.unwrap_or_default();
    Err(Fault::refused(status, &headers, &body))
}

/// Converts an error that came before the head of an answer.
pub(super) fn not_answered(error: reqwest::Error) -> Fault {
    if error.is_connect() { Fault::NotSent(told(error)) } else { Fault::Unreachable(told(error)) }
}

/// Reads the body of an answer.
///
/// # Errors
/// `Unreachable` when the body did not come in time, `Malformed` when it broke off or is too long.
pub(super) async fn collect(mut response: Response) -> Result<Bytes, Fault> {
    let mut body = BytesMut::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > BODY_LIMIT_BYTES => {
                return Err(Fault::Malformed(format!("answer of over {BODY_LIMIT_BYTES} bytes")));
            }
            Ok(Some(chunk)) if body.is_empty() && response.content_length() == Some(chunk.len() as u64) => {
                return Ok(chunk);
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body.freeze()),
            Err(error) if error.is_timeout() => return Err(Fault::Unreachable(told(error))),
            Err(error) => return Err(Fault::Malformed(told(error))),
        }
    }
}

/// Formats an error and its causes in one line, without URL.
pub(super) fn told(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}
