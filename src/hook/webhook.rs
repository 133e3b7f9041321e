//! Posts signed JSON to a webhook. Layer: adapter. Keeps I12.
//!
//! | header | holds |
//! |---|---|
//! | `X-Botfleet-Timestamp` | seconds since 1970 |
//! | `X-Botfleet-Signature` | `sha256=` and the HMAC-SHA256 of timestamp, a dot and the body, in hexadecimal digits |
//!
//! The webhook must have a public address, unless its host is allowed by name. Redirects are not followed.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{StatusCode, Url};
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};

use crate::outbound::special::is_public;

/// The longest time of one try.
const TRY_WITHIN: Duration = Duration::from_secs(10);

/// The reasons why a try failed. No variant holds the address, which may hold a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HookError {
    /// Another try may succeed.
    #[error("webhook unavailable: {0}")]
    Unavailable(String),
    /// No other try will succeed.
    #[error("webhook refused: {0}")]
    Refused(String),
}

impl HookError {
    /// Returns whether another try may succeed.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// A webhook that takes alerts.
pub struct Webhook {
    http: reqwest::Client,
    url: Url,
    key: hmac::Key,
}

impl Webhook {
    /// Prepares the webhook at `url`, signed by `secret`. The `private_hosts` may have an address of a private network.
    ///
    /// # Errors
    /// `Refused` when `url` is no address, or lies in a private network without being named.
    pub fn new(url: &str, private_hosts: &[String], secret: &SecretString) -> Result<Self, HookError> {
        // A second installation fails because the first one is in place, which is what is wanted.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url: Url = url.parse().map_err(|_| HookError::Refused("it is no address".to_owned()))?;
        let allowed: BTreeSet<String> = private_hosts.iter().map(|host| host.to_lowercase()).collect();
        let literal = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let address: Option<IpAddr> = literal.parse().ok();
        if let Some(address) = address.filter(|address| !is_public(*address) && !allowed.contains(&address.to_string()))
        {
            let why = format!("{address} is an address of a private network; name it in alerts.private_hosts");
            return Err(HookError::Refused(why));
        }
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .dns_resolver(Arc::new(PublicOnly { allowed: Arc::new(allowed) }))
            .timeout(TRY_WITHIN)
            .build()
            .map_err(|error| HookError::Refused(error.without_url().to_string()))?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
        Ok(Self { http, url, key })
    }

    /// Makes one try; `seconds` is the time since 1970.
    ///
    /// # Errors
    /// `Unavailable` when another try may succeed, `Refused` when none will.
    pub async fn post(&self, body: &str, seconds: i64) -> Result<(), HookError> {
        let signature = signature(&self.key, seconds, body);
        let request = self
            .http
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header("x-botfleet-timestamp", seconds.to_string())
            .header("x-botfleet-signature", signature)
            .body(body.to_owned());
        // The address may hold a token in its path, so errors are reported without it.
        let answer = request.send().await.map_err(|error| HookError::Unavailable(error.without_url().to_string()))?;
        let status = answer.status();
        let passes =
            status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
        match status {
            status if status.is_success() => Ok(()),
            status if passes => Err(HookError::Unavailable(format!("status {status}"))),
            status => Err(HookError::Refused(format!("status {status}"))),
        }
    }
}

/// Returns the signature that proves who sent an alert, and when.
fn signature(key: &hmac::Key, seconds: i64, body: &str) -> String {
    let tag = hmac::sign(key, format!("{seconds}.{body}").as_bytes());
    tag.as_ref().iter().fold("sha256=".to_owned(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Resolves names, and leaves out addresses of private networks unless the name is allowed to have them.
struct PublicOnly {
    allowed: Arc<BTreeSet<String>>,
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = Arc::clone(&self.allowed);
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let private = allowed.contains(&host.to_lowercase());
            let found = tokio::net::lookup_host((host.as_str(), 0)).await?;
            let addresses: Vec<SocketAddr> = found.filter(|found| private || is_public(found.ip())).collect();
            if addresses.is_empty() {
                return Err(format!("{host} has no public address; name it in alerts.private_hosts").into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_rfc() {
        // RFC 4231, test case 2, is "what do ya want for nothing?"; here with a timestamp before it.
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"Jefe");
        let plain = hmac::sign(&key, b"7.what do ya want for nothing?");
        let digits = signature(&key, 7, "what do ya want for nothing?");
        assert_eq!(digits.len(), "sha256=".len() + 64);
        assert!(digits.ends_with(&format!("{:02x}", plain.as_ref()[31])));
    }

    #[test]
    fn a_private_address_must_be_named() {
        let secret = SecretString::from("0123456789abcdef".to_owned());
        assert!(Webhook::new("http://127.0.0.1:9/", &[], &secret).is_err());
        assert!(Webhook::new("http://127.0.0.1:9/", &["127.0.0.1".to_owned()], &secret).is_ok());
    }
}
