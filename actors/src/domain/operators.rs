//! Accounts of the people who operate the fleet, their sessions and their API keys. Layer `domain`. Keeps I12.
//!
//! Secrets are stored as hashes alone: passwords by argon2id, tokens of sessions and keys by SHA-256, since they hold 256 bits
//! of chance already.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::ids::{BotId, ChatId};
use super::names::names;
use super::time::Timestamp;

/// Most accounts of an installation.
pub const OPERATORS_MAX: usize = 1_000;

/// Most API keys of an account, and most open sessions; a new session ends the oldest.
pub const KEYS_MAX: usize = 20;

/// Longest name of an account, in characters.
pub const NAME_MAX: usize = 64;

/// A role, the one with the fewest permissions first. Each role has the permissions of those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Role {
    /// Has not signed in; no account and no key has it.
    #[serde(skip)]
    Stranger,
    /// Reads, but no texts of messages.
    Viewer,
    /// Also steers bots and chats.
    Operator,
    /// Does everything.
    Admin,
}

names! { Role { Stranger = "stranger", Viewer = "viewer", Operator = "operator", Admin = "admin" } }

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The bots and chats that a principal's permissions concern.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// All of them, and the fleet as a whole.
    Everything,
    /// These.
    Within {
        /// The bots.
        bots: BTreeSet<BotId>,
        /// The chats.
        chats: BTreeSet<ChatId>,
    },
}

impl Reach {
    /// Returns whether all that is within `other` is within this reach.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Everything, _) => true,
            (Self::Within { .. }, Self::Everything) => false,
            (Self::Within { bots, chats }, Self::Within { bots: others, chats: other_chats }) => {
                bots.is_superset(others) && chats.is_superset(other_chats)
            }
        }
    }

    /// Returns what is within both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Everything, reach) | (reach, Self::Everything) => reach.clone(),
            (Self::Within { bots, chats }, Self::Within { bots: others, chats: other_chats }) => Self::Within {
                bots: bots.intersection(others).copied().collect(),
                chats: chats.intersection(other_chats).copied().collect(),
            },
        }
    }
}

/// The permissions of an account or a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grants {
    /// The role.
    pub role: Role,
    /// The bots and chats that the permissions concern.
    pub reach: Reach,
    /// Set when texts of messages may be read; an admin always may.
    pub reads_texts: bool,
}

impl Grants {
    /// Returns whether these permissions include all of `other`.
    pub fn cover(&self, other: &Self) -> bool {
        let texts = |of: &Self| of.reads_texts || of.role == Role::Admin;
        self.role >= other.role && self.reach.covers(&other.reach) && (texts(self) || !texts(other))
    }

    /// Returns the permissions that both include.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let texts = |of: &Self| of.reads_texts || of.role == Role::Admin;
        Self {
            role: self.role.min(other.role),
            reach: self.reach.and(&other.reach),
            reads_texts: texts(self) && texts(other),
        }
    }
}

/// Identifies an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OperatorId(pub i64);

/// Facts about a person that no rule depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// E-mail address.
    pub email: Option<String>,
    /// Language of pages, as `en` or `tr`; the browser's when absent.
    pub language: Option<String>,
    /// IANA time zone of times that are shown; UTC when absent.
    pub time_zone: Option<String>,
}

/// The account of somebody who operates the fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// The id, made by chance.
    pub id: OperatorId,
    /// The name to sign in with: unique, lower case.
    pub name: String,
    /// Further facts.
    pub profile: Profile,
    /// The permissions.
    pub grants: Grants,
    /// The password's hash, in the PHC string format; without it nobody signs in by password.
    pub password: Option<String>,
    /// The sealed seed of one-time codes; set when the second factor is in use.
    pub seed: Option<String>,
    /// Instant at which the account was disabled.
    pub disabled_at: Option<Timestamp>,
    /// Instant at which the account was made.
    pub created_at: Timestamp,
    /// Number of changes.
    pub version: i64,
}

impl Operator {
    /// Returns whether the account is an admin of the whole fleet that can sign in.
    pub fn is_working_admin(&self) -> bool {
        let whole = self.grants.role == Role::Admin && self.grants.reach == Reach::Everything;
        whole && self.disabled_at.is_none() && self.password.is_some()
    }
}

/// A signed-in browser or terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorSession {
    /// SHA-256 of the token, in hexadecimal.
    pub id: String,
    /// The name under which the session is listed and ended; no secret.
    pub handle: String,
    /// The account.
    pub operator: OperatorId,
    /// Instant of the sign-in.
    pub created_at: Timestamp,
    /// Instant of the last request, exact to a minute.
    pub seen_at: Timestamp,
    /// Instant at which the person last proved to be the account's owner.
    pub confirmed_at: Timestamp,
    /// Address at the sign-in.
    pub address: Option<String>,
    /// The program that signed in, as it calls itself.
    pub agent: Option<String>,
}

/// An API key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorKey {
    /// The public part of the key.
    pub id: String,
    /// The account that it belongs to; a key does at most what its owner may.
    pub operator: OperatorId,
    /// Name, for people.
    pub name: String,
    /// SHA-256 of the secret, in hexadecimal.
    pub secret: String,
    /// The permissions; those of the owner bound them.
    pub grants: Grants,
    /// The networks from which it is taken, as `10.0.0.0/8`; from everywhere when empty.
    pub networks: Vec<String>,
    /// Instant at which it was made.
    pub created_at: Timestamp,
    /// Instant at which it ends.
    pub expires_at: Option<Timestamp>,
    /// Instant of the last request, exact to a minute.
    pub used_at: Option<Timestamp>,
    /// SHA-256 of the secret before the last rotation.
    pub old_secret: Option<String>,
    /// Instant until which that one is taken too.
    pub old_until: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(bots: &[i64], chats: &[i64]) -> Reach {
        Reach::Within {
            bots: bots.iter().copied().map(BotId).collect(),
            chats: chats.iter().copied().map(ChatId).collect(),
        }
    }

    #[test]
    fn a_key_does_at_most_what_its_owner_may() {
        let owner = Grants { role: Role::Operator, reach: within(&[1, 2], &[7]), reads_texts: false };
        let key = |role, reach, reads_texts| Grants { role, reach, reads_texts };
        assert!(owner.cover(&key(Role::Viewer, within(&[1], &[7]), false)));
        for wider in [
            key(Role::Admin, within(&[1], &[]), false),
            key(Role::Viewer, Reach::Everything, false),
            key(Role::Viewer, within(&[3], &[]), false),
            key(Role::Viewer, within(&[], &[]), true),
        ] {
            assert!(!owner.cover(&wider), "{wider:?}");
            let both = owner.and(&wider);
            assert!(owner.cover(&both) && wider.cover(&both), "{both:?}");
        }
    }

    #[test]
    fn an_admin_reads_texts() {
        let admin = Grants { role: Role::Admin, reach: Reach::Everything, reads_texts: false };
        assert!(admin.cover(&Grants { role: Role::Viewer, reach: within(&[], &[]), reads_texts: true }));
    }
}
