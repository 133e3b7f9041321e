//! Provides the HTTP client of the harness. Layer: world.

use std::sync::Once;
use std::time::Duration;

use thiserror::Error;

/// How long it may take to open a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How many characters of a refusal's body an error reports.
const TOLD_CHARS: usize = 200;

/// The reason why a request failed.
#[derive(Debug, Error)]
pub enum HttpError {
    /// The client could not be made.
    #[error("http client cannot be made: {0}")]
    Client(String),
    /// No answer came.
    #[error("no answer from {url}: {reason}")]
    NoAnswer {
        /// The URL of the request.
        url: String,
        /// The reason why no answer came.
        reason: String,
    },
    /// The answer was a refusal.
    #[error("{url} answered {status}: {body}")]
    Status {
        /// The URL of the request.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of the body.
        body: String,
    },
}

/// Makes a client that ignores all proxies of the environment.
///
/// # Errors
/// The reason why no client can be made.
pub fn client() -> Result<reqwest::Client, HttpError> {
    builder().build().map_err(|error| HttpError::Client(error.to_string()))
}

/// Prepares a client that ignores all proxies of the environment.
pub fn builder() -> reqwest::ClientBuilder {
    static TLS: Once = Once::new();
    // Without an installed provider the client would panic, even for plain http.
    TLS.call_once(|| {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // If another thread installs a provider first, that one serves as well.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
    });
    reqwest::Client::builder().no_proxy().connect_timeout(CONNECT_TIMEOUT)
}

/// Sends a request and accepts only a success as answer; errors name `url`.
///
/// # Errors
/// No answer came, or the answer was a refusal.
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
