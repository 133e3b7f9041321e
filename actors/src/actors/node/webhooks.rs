//! Keeps the addresses and secrets of all bots' webhooks. Layer `actors`. Keeps I12.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{PoisonError, RwLock};

use crate::domain::ids::BotId;
use crate::ports::telegram::{WebhookSecret, WebhookTarget};

/// Path of the receiver; the bot's name follows.
pub const RECEIVER_PATH: &str = "/webhook/telegram/";

/// Addresses and secrets of the webhooks of a process.
#[derive(Debug, Default)]
pub struct Webhooks {
    /// URL of the receiver as Telegram reaches it, without a slash at its end; `None` when webhooks are off.
    pub public_url: Option<String>,
    /// Largest number of connections for each bot at a time, 1 to 100.
    pub max_connections: u8,
    /// Set when a webhook of somebody else that keeps a bot from polling is to be deleted.
    pub delete_foreign: bool,
    /// The secret that Telegram must send, for each bot.
    pub secrets: RwLock<HashMap<BotId, WebhookSecret>>,
    /// The secret from before a token was replaced, for each bot: nodes learn of the new one at different times.
    pub former: RwLock<HashMap<BotId, WebhookSecret>>,
}

impl Webhooks {
    /// Returns where the updates of a bot go; `None` when webhooks are off.
    pub fn target(&self, bot: BotId, name: &str) -> Option<WebhookTarget> {
        Some(WebhookTarget {
            url: format!("{}{RECEIVER_PATH}{}", self.public_url.as_ref()?, percent_encoded(name)),
            secret: self.secret(bot)?,
            max_connections: self.max_connections,
        })
    }

    /// Returns the secret that Telegram must send for the bot.
    pub fn secret(&self, bot: BotId) -> Option<WebhookSecret> {
        self.secrets.read().unwrap_or_else(PoisonError::into_inner).get(&bot).cloned()
    }

    /// Returns the secret that Telegram had to send for the bot before its token was replaced.
    pub fn former_secret(&self, bot: BotId) -> Option<WebhookSecret> {
        self.former.read().unwrap_or_else(PoisonError::into_inner).get(&bot).cloned()
    }

    /// Sets the secret that Telegram must send for the bot; the one before is still accepted.
    pub fn set_secret(&self, bot: BotId, secret: WebhookSecret) {
        if self.secret(bot).as_ref() == Some(&secret) {
            return;
        }
        let before = self.secrets.write().unwrap_or_else(PoisonError::into_inner).insert(bot, secret);
        if let Some(before) = before {
            self.former.write().unwrap_or_else(PoisonError::into_inner).insert(bot, before);
        }
    }

    /// Returns whether the address is one that this fleet would tell Telegram.
    pub fn is_ours(&self, url: &str) -> bool {
        let rest = self.public_url.as_ref().and_then(|public| url.strip_prefix(public.as_str()));
        rest.is_some_and(|rest| rest.starts_with(RECEIVER_PATH))
    }
}

/// Returns scheme and host of an address, or the host alone if the address holds credentials: the path may hold a
/// secret (I12).
pub fn host_of(url: &str) -> &str {
    let authority = url.find("://").map_or(0, |at| at + 3);
    let end = url[authority..].find(['/', '?', '#']).map_or(url.len(), |at| authority + at);
    match url[authority..end].rfind('@') {
        Some(at) => &url[authority + at + 1..end],
        None => &url[..end],
    }
}

/// Encodes a name as one segment of a path.
///
/// # Source
/// RFC 3986, unreserved characters.
fn percent_encoded(name: &str) -> String {
    let mut segment = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            segment.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(segment, "%{byte:02X}");
        }
    }
    segment
}

#[cfg(test)]
mod tests {
    use crate::actors::node::webhooks::*;

    fn webhooks() -> Webhooks {
        Webhooks {
            public_url: Some("https://bots.example/fleet".to_owned()),
            max_connections: 40,
            delete_foreign: false,
            secrets: RwLock::new(HashMap::from([(BotId(1), WebhookSecret::new("secret".to_owned()))])),
            former: RwLock::default(),
        }
    }

    #[test]
    fn a_bots_address_holds_its_name_in_one_segment() {
        let target = webhooks().target(BotId(1), "Ayşe / 1").unwrap();
        assert_eq!(target.url, "https://bots.example/fleet/webhook/telegram/Ay%C5%9Fe%20%2F%201");
        assert!(webhooks().is_ours(&target.url) && !webhooks().is_ours("https://bots.example/other"));
        assert!(!format!("{target:?}").contains("secret\""), "a secret is never shown");
    }

    #[test]
    fn a_secret_that_was_replaced_is_still_taken_once() {
        let (webhooks, secret) = (webhooks(), |text: &str| WebhookSecret::new(text.to_owned()));
        webhooks.set_secret(BotId(1), secret("secret"));
        assert_eq!(webhooks.former_secret(BotId(1)), None, "no news");
        webhooks.set_secret(BotId(1), secret("new"));
        assert_eq!(webhooks.secret(BotId(1)), Some(secret("new")));
        assert_eq!(webhooks.former_secret(BotId(1)), Some(secret("secret")));
    }

    #[test]
    fn nothing_of_a_path_or_of_credentials_is_shown() {
        assert_eq!(host_of("https://other.example/1234:AAHsecret?x"), "https://other.example");
        assert_eq!(host_of("https://user:pw@other.example/x"), "other.example");
        assert_eq!(host_of("nonsense"), "nonsense");
    }
}
