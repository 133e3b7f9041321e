//! The HTTP client of the harness. Layer: load test.

use std::sync::Once;
use std::time::Duration;

use thiserror::Error;

/// How long a connection may take to stand.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How much of a refusal's body is told.
const TOLD_CHARS: usize = 200;

/// A request that got no good answer.
#[derive(Debug, Error)]
pub enum HttpError {
    /// The client could not be made.
    #[error("http client cannot be made: {0}")]
    Client(String),
    /// No answer came.
    #[error("no answer from {url}: {reason}")]
    NoAnswer {
        /// Where the request went.
        url: String,
        /// Why no answer came.
        reason: String,
    },
    /// The answer was a refusal.
    #[error("{url} answered {status}: {body}")]
    Status {
        /// Where the request went.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of the body.
        body: String,
    },
}

/// Makes a client that goes straight to its target, whatever proxies the environment names.
///
/// # Errors
/// Gives why a client cannot be made.
pub fn client() -> Result<reqwest::Client, HttpError> {
    builder().build().map_err(|error| HttpError::Client(error.to_string()))
}

/// Prepares such a client.
pub fn builder() -> reqwest::ClientBuilder {
    static TLS: Once = Once::new();
    // Without an installed provider the client would panic, even for plain http.
    TLS.call_once(|| {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // Someone else may be first, which serves as well.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
    });
    reqwest::Client::builder().no_proxy().connect_timeout(CONNECT_TIMEOUT)
}

/// Sends a request and takes only a success for an answer; `url` is what an error tells.
///
/// # Errors
/// Gives a missing answer or a refusal.
pub async fn send(request: reqwest::RequestBuilder, url: &str) -> Result<reqwest::Response, HttpError> {
    let no_answer =
        |error: reqwest::Error| HttpError::NoAnswer { url: url.to_owned(), reason: error.without_url().to_string() };
    let response = request.send().await.map_err(no_answer)?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = response.text().await.unwrap_or_default().chars().take(TOLD_CHARS).collect();
    Err(HttpError::Status { url: url.to_owned(), status: status.as_u16(), body })
}
