//! The HTTP service under the SDK: one attempt. Layer `adapters`. Keeps I12.
//!
//! It stands in the place of the SDK's own service, which tries again by itself, loses status and pause of refusals
//! that are not in `OpenAI`'s shape, and writes bodies into the log when it cannot read them. Hence nothing but
//! successful answers pass to the SDK, and those of plain calls only when they are JSON.

use std::error::Error as StdError;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Body, Client, Method, Response};
use serde::de::IgnoredAny;
use serde_json::Value;
use tower::Service;

use super::fault::Fault;

/// Most bytes of an answer; the longest completion is far below.
const BODY_LIMIT_BYTES: usize = 4 << 20;

/// The service.
#[derive(Clone, Debug)]
pub struct Transport {
    client: Client,
    stream: bool,
}

impl Transport {
    /// A service over a client that has its timeouts; `stream` says whether completions are asked for as a stream.
    pub fn new(client: Client, stream: bool) -> Self {
        Self { client, stream }
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
        let Self { client, stream } = self.clone();
        Box::pin(async move {
            let request = request.build().await?;
            exchange(&client, stream, request).await.map_err(|fault| OpenAIError::Boxed(Box::new(fault)))
        })
    }
}

async fn exchange(client: &Client, stream: bool, request: reqwest::Request) -> Result<Response, Fault> {
    let wants_stream = stream && request.method() == Method::POST;
    let response = client
        .execute(request)
        .await
        .map_err(|e| if e.is_connect() { Fault::NotSent(told(e)) } else { Fault::Unreachable(told(e)) })?;
    let status = response.status();
    if !status.is_success() {
        let headers = response.headers().clone();
        // A refusal whose words are lost is still a refusal.
        let body = collect(response).await.unwrap_or_default();
        return Err(Fault::refused(status, &headers, &body));
    }
    let streams =
        response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    if streams {
        return Ok(bounded(response));
    }
    let body = collect(response).await?;
    let malformed = |e: serde_json::Error| Fault::Malformed(format!("no JSON at column {}", e.column()));
    if wants_stream {
        // The provider does not stream, or refuses: its one answer is a stream of one event.
        let event: Value = serde_json::from_slice(&body).map_err(malformed)?;
        return Ok(http::Response::new(format!("data: {event}\n\n")).into());
    }
    serde_json::from_slice::<IgnoredAny>(&body).map_err(malformed)?;
    Ok(http::Response::new(body).into())
}

/// A streamed answer that breaks off beyond the limit, whatever its bytes are.
fn bounded(response: Response) -> Response {
    let mut bytes = 0;
    let chunks = response.bytes_stream().map(move |chunk| {
        let chunk = chunk.map_err(io::Error::other)?;
        bytes += chunk.len();
        if bytes > BODY_LIMIT_BYTES { Err(io::Error::other("the answer is too long")) } else { Ok(chunk) }
    });
    let mut bounded = http::Response::new(Body::wrap_stream(chunks));
    bounded.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    bounded.into()
}

async fn collect(mut response: Response) -> Result<Bytes, Fault> {
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

/// An error and its causes in one line, without URL.
fn told(error: reqwest::Error) -> String {
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
