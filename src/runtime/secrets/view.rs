//! The views of sealed secrets for operators: never a secret. Layer `runtime`. Keeps I12.

use botfleet_actors::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A key that seals secrets, without the key itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SealingKeyView {
    /// The id.
    pub id: String,
    /// Set when this node seals with it.
    pub seals: bool,
    /// Set when this node has it.
    pub held: bool,
    /// Living nodes that have it.
    pub nodes: Vec<String>,
    /// Number of stored secrets that need it; seeds of codes are not among them.
    pub secrets: usize,
    /// Instant at which it first sealed something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_at: Option<Timestamp>,
    /// Instant from which it seals nothing more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired_at: Option<Timestamp>,
}

/// A stored secret, without the secret itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SecretView {
    /// `bot_token` or `provider_key`.
    pub kind: String,
    /// The name of the bot or provider; `#` and a number for a bot that left the manifest.
    pub name: String,
    /// `open`; `sealed` when this node lacks the key; `lost` when it must be entered again; `unfit` when it was given for another
    /// address, or was changed in the database.
    pub state: String,
    /// The id of the key that seals it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Number of times that it was given.
    pub version: i64,
    /// Instant at which it was given.
    pub set_at: Timestamp,
    /// Name of whoever gave it.
    pub set_by: String,
}

/// Sealed secrets, and the keys that seal them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SecretsView {
    /// The keys, oldest first.
    pub keys: Vec<SealingKeyView>,
    /// The secrets, by kind and name.
    pub secrets: Vec<SecretView>,
}

/// A secret that was just given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct GivenView {
    /// The name of the bot or provider.
    pub name: String,
    /// The last characters of the secret, by which people recognise it.
    pub ends: String,
    /// The id of the key that seals it.
    pub key: String,
    /// Number of times that it was given.
    pub version: i64,
}

/// A rotation that took place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RotationView {
    /// The id of the key that seals everything now.
    pub key: String,
    /// Number of secrets and seeds that were sealed by it now.
    pub sealed: u64,
    /// Number of secrets and seeds that are still sealed by another key.
    pub left: u64,
}

/// Everything that must be entered again, since its key was lost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LostView {
    /// Bots whose token must be given again.
    pub bots: Vec<String>,
    /// Providers whose key must be given again.
    pub providers: Vec<String>,
    /// Accounts whose second factor must be enrolled again.
    pub users: Vec<String>,
}

/// Returns the last characters of a secret: four, of one that is long enough to keep its rest.
pub fn ends(secret: &str) -> String {
    const SHOWN: usize = 4;
    const LONG: usize = 16;
    let count = secret.chars().count();
    let shown = if count >= LONG { secret.chars().skip(count - SHOWN).collect() } else { String::new() };
    format!("…{shown}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_characters_of_a_long_secret_are_shown_and_none_of_a_short_one() {
        assert_eq!(ends("123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc"), "…K-bc");
        assert_eq!((ends("short"), ends("")), ("…".to_owned(), "…".to_owned()));
    }
}
