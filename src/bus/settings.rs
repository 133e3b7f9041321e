//! Settings of Redis. Layer: adapter.

use secrecy::SecretString;
use serde::Deserialize;

/// The address of Redis. Without a `url` there is no Redis, and hints stay within the process.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RedisSettings {
    /// `redis://HOST:PORT/DB`, or `env:NAME` or `file:PATH` that holds it; it may carry a password and is never shown.
    pub url: Option<SecretString>,
    /// The prefix of channels and keys: fleets that share a Redis need different ones.
    pub prefix: String,
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self { url: None, prefix: "botfleet".to_owned() }
    }
}
