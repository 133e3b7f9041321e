//! Settings of alerts: the receivers of news that something is wrong. Part of `config`. Keeps I12.

use std::path::Path;
use std::time::Duration;

use botfleet_actors::domain::keys::keyed;
use botfleet_actors::domain::keys::rule::key;
use secrecy::SecretString;

use super::fault::Fault;
use super::secret::{SecretRef, SecretSource};
use super::settings::Config;

keyed! {
    /// The receivers of alerts: who hears when something is wrong, and when it is well again. A webhook, a chat of
    /// operators, or both; without `webhook_url` and `chat` nobody does.
    #[derive(Clone, Debug)]
    pub struct AlertSettings {
        /// Address that takes JSON by POST, signed: `X-Botfleet-Signature` is "sha256=" and the HMAC-SHA256 of
        /// `X-Botfleet-Timestamp`, a dot and the body.
        pub webhook_url: Option<String> = key(None).unset("none").example("\"https://hooks.example/fleet\"");
        /// Place of the secret, at least 16 characters, by which alerts are signed: `env:NAME` or `file:PATH`.
        pub webhook_secret: Option<String> = key(None).secret().unset("none")
            .example("\"env:BOTFLEET_ALERT_SECRET\"");
        /// Hosts that may have an address of a private network, as `["alerts.internal"]`; all others must be public.
        pub private_hosts: Vec<String> = key(Vec::new());
        /// Telegram's id of a chat of operators.
        pub chat: Option<i64> = key(None).unset("none").example("-1001234567890");
        /// The bot, by its name in the manifest, that writes into that chat.
        pub bot: Option<String> = key(None).unset("none").example("\"ada\"");
        /// The same cause is told at most once within this.
        pub every: Duration = key(Duration::from_hours(1)).within(Duration::from_mins(1)..=Duration::from_hours(24 * 7));
    }
}

/// Least length of a secret: shorter ones can be guessed.
const SECRET_MIN: usize = 16;

impl AlertSettings {
    /// Returns whether anybody is told.
    pub fn is_on(&self) -> bool {
        self.webhook_url.is_some() || self.chat.is_some()
    }

    /// Returns the faults of single values, named under `source`.
    pub(super) fn check_values(&self, source: &str) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut fault = |key: &str, what: &str, remedy: &str| {
            faults.push(Fault::new(source, format!("alerts.{key}"), what, remedy));
        };
        if let Some(url) = &self.webhook_url {
            let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
            let host = rest.map_or("", |rest| rest.split('/').next().unwrap_or(""));
            if host.is_empty() || host.contains('@') || url.contains(['#', ' ']) {
                fault(
                    "webhook_url",
                    "is no plain http or https address",
                    "write for example https://hooks.example/fleet",
                );
            }
        }
        if let Some(reference) = &self.webhook_secret
            && let Err((what, remedy)) = SecretRef::parse(reference, Path::new(""))
        {
            fault("webhook_secret", what, remedy);
        }
        faults
    }

    /// Returns the faults of values that do not fit one another.
    pub(super) fn check_together(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut fault = |key: &str, what: &str, remedy: &str| {
            faults.push(Fault::new("configuration", format!("alerts.{key}"), what, remedy));
        };
        match (&self.webhook_url, &self.webhook_secret) {
            (Some(_), None) => fault(
                "webhook_secret",
                "is missing, and alerts.webhook_url is set",
                "write \"env:NAME\" or \"file:PATH\" that holds at least 16 characters, and give them to the receiver",
            ),
            (None, Some(_)) => fault("webhook_url", "is missing, and alerts.webhook_secret is set", "write an address"),
            _ => {}
        }
        match (self.chat, &self.bot) {
            (Some(_), None) => {
                fault("bot", "is missing, and alerts.chat is set", "write the name of a bot of the manifest");
            }
            (None, Some(_)) => fault("chat", "is missing, and alerts.bot is set", "write Telegram's id of the chat"),
            _ => {}
        }
        faults
    }
}

impl Config {
    /// Returns the secret by which alerts are signed, or `None` when no alert is sent to a webhook.
    ///
    /// # Errors
    /// The reason why the secret cannot be read, without its value.
    pub fn alert_secret(&self, secrets: &dyn SecretSource) -> Result<Option<SecretString>, String> {
        use secrecy::ExposeSecret;
        let Some(reference) = self.alerts.webhook_secret.as_deref().filter(|_| self.alerts.webhook_url.is_some())
        else {
            return Ok(None);
        };
        let named = |(what, remedy): (String, String)| format!("alerts.webhook_secret {what}: {remedy}");
        let parsed = SecretRef::parse(reference, Path::new(""));
        let parsed = parsed.map_err(|(what, remedy)| named((what.to_owned(), remedy.to_owned())))?;
        let secret = parsed.resolve(secrets).map_err(named)?.secret;
        if secret.expose_secret().len() < SECRET_MIN {
            return Err(format!("alerts.webhook_secret is shorter than {SECRET_MIN} characters"));
        }
        Ok(Some(secret))
    }
}
