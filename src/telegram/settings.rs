//! Settings of the Telegram adapter. Layer `adapters`.

use std::num::NonZeroU32;
use std::time::Duration;

use botfleet_actors::domain::keys::keyed;
use botfleet_actors::domain::keys::rule::key;
use secrecy::SecretString;

/// Least wait of a connection or a request.
const LEAST: Duration = Duration::from_millis(10);

keyed! {
    /// The connection to Telegram.
    #[derive(Clone, Debug)]
    pub struct TelegramSettings {
        /// Address of the Bot API server, http or https.
        pub api_url: String = key("https://api.telegram.org".to_owned());
        /// Proxy for all calls; the environment's proxies are not used. It may hold a password: set it by
        /// `BOTFLEET__TELEGRAM__PROXY`.
        pub proxy: Option<SecretString> = key(None::<String>).secret().unset("none")
            .example("\"http://user:password@host:3128\"").map(|proxy| proxy.map(SecretString::from));
        /// Most time for DNS, TCP and TLS together.
        pub connect_timeout: Duration = key(Duration::from_secs(5)).within(LEAST..=Duration::from_mins(2));
        /// Most time of a call that is no poll, from its start to the end of its answer.
        pub request_timeout: Duration = key(Duration::from_secs(20)).within(LEAST..=Duration::from_mins(5));
        /// Most time that a poll may take beyond `bots.poll_timeout`.
        pub poll_margin: Duration = key(Duration::from_secs(10));
        /// Time after which an idle connection is closed; shorter than Telegram's own limit, so that no send meets a
        /// connection that Telegram is just closing.
        pub idle_timeout: Duration = key(Duration::from_secs(30));
        /// Number of failures in a row that open the breaker: nothing is sent, polls go on probing.
        pub breaker_failures: NonZeroU32 = key(NonZeroU32::MIN.saturating_add(4));
        /// Time for which the breaker stays open unless a poll succeeds.
        pub breaker_open_for: Duration = key(Duration::from_mins(1)).within(LEAST..=Duration::from_hours(1));
    }
}
