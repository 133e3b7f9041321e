//! The HTTP service under the SDK, which asks for embeddings and models: one attempt a call. Layer `adapters`.
//! Keeps I12.
//!
//! This service replaces the SDK's own, which tries again by itself, loses status and pause of refusals that are not in
//! `OpenAI`'s shape, and writes bodies into the log when it cannot read them. Hence only successful answers that are
//! JSON pass to the SDK. Completions do not go through the SDK at all: its reader of streams panics at a byte order
//! mark, and takes a cut stream for a whole one (ADR 28).

use std::error::Error as StdError;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use bytes::{Bytes, BytesMut};
use reqwest::{Client, Response};
use serde::de::IgnoredAny;
use tower::Service;

use super::fault::Fault;

/// Most bytes of an answer; the longest completion is far below.
pub(super) const BODY_LIMIT_BYTES: usize = 4 << 20;

/// The service.
#[derive(Clone, Debug)]
pub(super) struct Transport {
    client: Client,
}

impl Transport {
    /// Makes a service over a client that has its timeouts.
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }
}

impl Service<HttpRequestFactory> for Transport {
    type Response = Response;
    type Error = OpenAIError;
    type Future = Pin<Box<dyn Future<Output = Result<Response, OpenAIError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), OpenAIError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequestFactory) -> Self::Future {
        let client = self.client.clone();
        Box::pin(async move {
            let request = request.build().await?;
            exchange(&client, request).await.map_err(|fault| OpenAIError::Boxed(Box::new(fault)))
        })
    }
}

async fn exchange(client: &Client, request: reqwest::Request) -> Result<Response, Fault> {
    let response = client.execute(request).await.map_err(not_answered)?;
    let status = response.status();
    if !status.is_success() {
        let headers = response.headers().clone();
        // A refusal whose text is lost is still a refusal.
        let body = collect(response).await.unwrap_or_default();
        return Err(Fault::refused(status, &headers, &body));
    }
    let body = collect(response).await?;
    serde_json::from_slice::<IgnoredAny>(&body)
        .map_err(|e| Fault::Malformed(format!("no JSON at column {}", e.column())))?;
    Ok(http::Response::new(body).into())
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
