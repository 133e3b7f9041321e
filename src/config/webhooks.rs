//! Settings of the receiver of webhooks. Part of `config`.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU8;

use botfleet_actors::domain::keys::keyed;
use botfleet_actors::domain::keys::rule::key;
use botfleet_actors::domain::keys::value::AsText;

use super::fault::Fault;
use super::size::ByteSize;

/// Telegram's own servers, which bring updates by https only.
const TELEGRAM: &str = "https://api.telegram.org";

/// Most connections that Telegram opens for one bot (Bot API, setWebhook).
const CONNECTIONS_MAX: NonZeroU8 = NonZeroU8::MIN.saturating_add(99);

keyed! {
    /// The receiver of webhooks.
    #[derive(Clone, Debug, PartialEq)]
    pub struct WebhookSettings {
        /// The receiver's address as Telegram reaches it. A proxy with a
        /// certificate must stand there and pass everything under `/webhook/telegram/` on to `listen`.
        pub public_url: Option<String> = key(None).unset("no webhooks, and bots poll").example("\"https://bots.example\"");
        /// Address at which the receiver listens for that proxy; it may be reached from other machines, unlike the API.
        /// Port 0 lets the system choose.
        pub listen: SocketAddr =
            key(AsText(SocketAddr::from((Ipv4Addr::LOCALHOST, 8081)))).map(|listen| listen.0);
        /// Connections of Telegram for one bot at a time.
        pub max_connections: NonZeroU8 = key(NonZeroU8::MIN.saturating_add(39))
            .within(NonZeroU8::MIN..=CONNECTIONS_MAX);
        /// Largest update.
        pub body_max: ByteSize = key(ByteSize::from_bytes(1 << 20))
            .within(ByteSize::from_bytes(1 << 10)..=ByteSize::from_bytes(1 << 26));
        /// A webhook of another program is deleted when it keeps a bot from polling.
        pub delete_foreign: bool = key(false);
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
