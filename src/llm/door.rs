//! The way to call a provider with one of its API keys. Layer `adapters`. Keeps I12.

use async_openai::Client;
use async_openai::config::Config;
use reqwest::header::{HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use super::provider::LlmSetupError;
use super::transport::Transport;
use super::wire::Wire;

/// The way to call the provider with one of its API keys.
pub(super) struct Door {
    pub(super) key: SecretString,
    pub(super) headers: HeaderMap,
    /// Client for calls that are no completion.
    pub(super) sdk: Client<Endpoint>,
}

/// Address and headers of the SDK's calls; unlike the SDK's own configuration, reads nothing from the environment.
#[derive(Clone)]
pub(super) struct Endpoint {
    base: String,
    key: SecretString,
    headers: HeaderMap,
}

impl Config for Endpoint {
    fn headers(&self) -> HeaderMap {
        self.headers.clone()
    }

    fn url(&self, path: &str) -> String {
        [&self.base, path].concat()
    }

    fn query(&self) -> Vec<(&str, &str)> {
        Vec::new()
    }

    fn api_base(&self) -> &str {
        &self.base
    }

    fn api_key(&self) -> &SecretString {
        &self.key
    }
}

/// Makes the way to call an address with a key.
pub(super) fn door(
    name: &str,
    (wire, http): (&dyn Wire, &reqwest::Client),
    base: &str,
    key: SecretString,
) -> Result<Door, LlmSetupError> {
    let headers = headers(name, wire, &key)?;
    let endpoint = Endpoint { base: base.to_owned(), headers: headers.clone(), key: key.clone() };
    let sdk = Client::build(http.clone(), endpoint).with_http_service(Transport::new(http.clone()));
    Ok(Door { key, headers, sdk })
}

fn headers(name: &str, wire: &dyn Wire, key: &SecretString) -> Result<HeaderMap, LlmSetupError> {
    let mut headers = HeaderMap::new();
    for (header, value) in wire.headers(key.expose_secret()) {
        let mut value = HeaderValue::try_from(value).map_err(|_| LlmSetupError::Key(name.to_owned()))?;
        value.set_sensitive(true);
        headers.insert(header, value);
    }
    Ok(headers)
}
