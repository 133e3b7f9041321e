//! Settings of the Telegram adapter. Layer `adapters`.

use std::num::NonZeroU32;
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;

/// Settings of the connection to Telegram.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelegramSettings {
    /// Base URL of the Bot API server, `http` or `https`.
    pub api_url: String,
    /// A proxy for all calls; the environment's proxies are not used. May hold a password.
    pub proxy: Option<SecretString>,
    /// Most time for DNS, TCP and TLS together.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// Most time for a call that is no poll, from its start to the end of its answer.
    #[serde(with = "humantime_serde")]
    pub request_timeout: Duration,
    /// Most time that a poll may take beyond the time that Telegram was asked to wait.
    #[serde(with = "humantime_serde")]
    pub poll_margin: Duration,
    /// Time after which an idle connection is closed; shorter than Telegram's own limit, so that no send meets a
    /// connection that Telegram is just closing.
    #[serde(with = "humantime_serde")]
    pub idle_timeout: Duration,
    /// Number of failures in a row, with no answer between, that open the breaker.
    pub breaker_failures: NonZeroU32,
    /// Time for which the breaker stays open unless a poll succeeds.
    #[serde(with = "humantime_serde")]
    pub breaker_open_for: Duration,
}

impl Default for TelegramSettings {
    fn default() -> Self {
        Self {
            api_url: "https://api.telegram.org".to_owned(),
            proxy: None,
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(20),
            poll_margin: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            breaker_failures: NonZeroU32::MIN.saturating_add(4),
            breaker_open_for: Duration::from_mins(1),
        }
    }
}
