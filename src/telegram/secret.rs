//! Makes the secret that Telegram must show with every update that it brings to a webhook. Layer `adapters`. Keeps
//! I12: the secret does not tell the token.
//!
//! The secret is made of the token: every node that has the token makes the same, and a new token makes another.

use botfleet_actors::ports::telegram::WebhookSecret;
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};

/// Label of a webhook's secret; another version of the label would make another secret.
const WEBHOOK_LABEL: &[u8] = b"botfleet webhook secret 1";

/// Returns the HMAC-SHA256 of a label under the token: nobody can guess it, and it does not give the token away.
pub fn webhook_secret(token: &SecretString) -> WebhookSecret {
    let key = hmac::Key::new(hmac::HMAC_SHA256, token.expose_secret().as_bytes());
    let tag = hmac::sign(&key, WEBHOOK_LABEL);
    let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half)]);
    WebhookSecret::new(tag.as_ref().iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_process_makes_the_same_secret_of_a_token_and_another_one_of_another() {
        let secret = |token: &str| webhook_secret(&SecretString::from(token.to_owned())).expose().to_owned();
        assert_eq!(secret("1:a"), secret("1:a"));
        assert_ne!(secret("1:a"), secret("1:b"));
        assert_eq!(secret("1:a").len(), 64);
        assert!(secret("1:a").bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
