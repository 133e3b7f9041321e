//! Settings of the receiver of webhooks. Part of `config`.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU8;

use serde::Deserialize;

use super::fault::Fault;
use super::size::ByteSize;

/// Telegram's own servers, which bring updates by https only.
const TELEGRAM: &str = "https://api.telegram.org";

/// Settings of updates that Telegram brings by webhook. Webhooks are off unless `public_url` is set.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebhookSettings {
    /// Address at which the receiver listens, for the proxy in front that ends TLS; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The receiver's address as Telegram reaches it; absent turns webhooks off.
    pub public_url: Option<String>,
    /// Most connections that Telegram opens for one bot at a time, 1 to 100 (Bot API, setWebhook).
    pub max_connections: NonZeroU8,
    /// Largest body of an update.
    pub body_max: ByteSize,
    /// Deletes another program's webhook when that webhook keeps a bot from polling.
    pub delete_foreign: bool,
}

impl Default for WebhookSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8081)),
            public_url: None,
            max_connections: NonZeroU8::MIN.saturating_add(39),
            body_max: ByteSize::from_bytes(1024 * 1024),
            delete_foreign: false,
        }
    }
}

impl WebhookSettings {
    /// Returns the receiver's address as Telegram reaches it, without a slash at its end.
    pub fn public_url(&self) -> Option<&str> {
        self.public_url.as_deref().map(|url| url.trim_end_matches('/'))
    }

    /// Returns the faults of single values, named under `source`.
    pub(super) fn check_values(&self, source: &str) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut fault = |key: &str, what: &str, remedy: &str| {
            faults.push(Fault::new(source, format!("webhooks.{key}"), what, remedy));
        };
        if let Some(url) = self.public_url() {
            let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
            let host = rest.map_or("", |rest| rest.split('/').next().unwrap_or(""));
            if host.is_empty() || host.contains('@') || url.contains(['?', '#', ' ']) {
                fault("public_url", "is no plain http or https address", "write for example https://bots.example");
            }
        }
        if self.max_connections.get() > 100 {
            fault("max_connections", "is out of bounds", "from 1 to 100");
        }
        if !(1024..=64 * 1024 * 1024).contains(&self.body_max.bytes()) {
            fault("body_max", "is out of bounds", "from 1KiB to 64MiB");
        }
        faults
    }

    /// Returns the faults of values that do not fit the address of Telegram's API.
    pub(super) fn check_together(&self, api_url: &str) -> Vec<Fault> {
        let plain = self.public_url().is_some_and(|url| url.starts_with("http://"));
        if plain && api_url.trim_end_matches('/') == TELEGRAM {
            let remedy = "write the https address of the proxy in front of the receiver";
            return vec![Fault::new(
                "configuration",
                "webhooks.public_url",
                "Telegram brings updates by https only",
                remedy,
            )];
        }
        Vec::new()
    }
}
