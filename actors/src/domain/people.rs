//! Rights of people: that their words are not stored, to be forgotten, to know what is stored. Layer `domain`.
//!
//! People are known by Telegram's id alone; the counts here hold none of their words.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::ids::TelegramUserId;
use super::names::names;
use super::time::Timestamp;

/// Payload of an inbox row whose content must not be kept.
pub const TOMBSTONE: &str = "{}";

/// Reason why a row has no words: the author opted out.
pub const OPTED_OUT: &str = "its author has opted out";

/// Reason why a row has no words: the author asked to be forgotten.
pub const FORGOTTEN: &str = "its author asked to be forgotten";

/// Reason why a message without text is not sent.
pub const REMOVED: &str = "its text was removed";

/// A right that a person makes use of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// Nothing that the person says from then on is stored.
    OptOut,
    /// Words of the person are stored again.
    OptIn,
    /// Words that the person said before are removed.
    Forget,
}

names! { Right { OptOut = "opt_out", OptIn = "opt_in", Forget = "forget" } }

/// A person makes use of a right, or an operator does for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetRight {
    /// Telegram's id of the person.
    pub person: TelegramUserId,
    /// The right.
    pub right: Right,
    /// Author of the order.
    pub by: String,
    /// Time of the order.
    pub at: Timestamp,
}

impl Right {
    /// Returns whether an opt-out or opt-in from `at` is older than the last one, from `last`: a late copy, or one that
    /// was long on its way. Telegram's dates are whole seconds; within one second an opt-out beats an opt-in. A
    /// `Forget` is never outdated.
    pub fn is_outdated(self, at: Timestamp, last: Option<Timestamp>) -> bool {
        let Some(last) = last else { return false };
        let (at, last) = (at.as_millis().div_euclid(1000), last.as_millis().div_euclid(1000));
        match self {
            Self::OptOut => at < last,
            Self::OptIn => at <= last,
            Self::Forget => false,
        }
    }
}

/// Rights of people in force. Changes are numbered as in the audit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// Number of the last change.
    pub seq: i64,
    /// People whose words are not stored.
    pub opted_out: HashSet<TelegramUserId>,
    /// People whose words up to that instant are not stored; copies of such words may still arrive.
    pub forgotten: HashMap<TelegramUserId, Timestamp>,
    /// Erasure requests that are still being carried out: number in the audit, person, and the time of the request.
    pub pending: Vec<(i64, TelegramUserId, Timestamp)>,
}

impl Rights {
    /// Returns why words of `author` from `said_at` must not be stored; `None` when they may be.
    pub fn refuses(&self, author: TelegramUserId, said_at: Timestamp) -> Option<&'static str> {
        if self.opted_out.contains(&author) {
            return Some(OPTED_OUT);
        }
        self.forgotten.get(&author).filter(|until| said_at <= **until).map(|_| FORGOTTEN)
    }

    /// Returns whether nobody's words are refused.
    pub fn is_empty(&self) -> bool {
        self.opted_out.is_empty() && self.forgotten.is_empty()
    }
}

/// Summary of the data that is stored about a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PersonRecord {
    /// Time from which the person's words are not stored.
    pub opted_out_since: Option<Timestamp>,
    /// Number of transcript entries that the person wrote.
    pub entries: u64,
    /// Date of the first of these entries.
    pub first: Option<Timestamp>,
    /// Date of the last of these entries.
    pub last: Option<Timestamp>,
    /// Number of updates in the inbox that name the person; updates are kept for some days.
    pub updates: u64,
    /// Number of messages of the fleet that answer the person's.
    pub answers: u64,
}

/// Counts of the data that was removed about a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgotten {
    /// Transcript entries: the person's, and those that answer them.
    pub entries: u64,
    /// Updates in the inbox: the person's, and those that quote them.
    pub updates: u64,
    /// Messages of the fleet that answer the person's.
    pub messages: u64,
    /// Decisions that the person's words led to.
    pub decisions: u64,
}

impl std::ops::AddAssign for Forgotten {
    fn add_assign(&mut self, other: Self) {
        self.entries += other.entries;
        self.updates += other.updates;
        self.messages += other.messages;
        self.decisions += other.decisions;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::rows::at;

    #[test]
    fn who_was_forgotten_may_speak_anew() {
        let ayse = TelegramUserId(7);
        let rights = Rights { forgotten: HashMap::from([(ayse, at(10))]), ..Rights::default() };
        assert_eq!(rights.refuses(ayse, at(10)), Some(FORGOTTEN));
        assert_eq!(rights.refuses(ayse, at(11)), None);
        let out = Rights { opted_out: HashSet::from([ayse]), ..rights };
        assert_eq!(out.refuses(ayse, at(11)), Some(OPTED_OUT));
        assert_eq!(out.refuses(TelegramUserId(8), at(1)), None);
    }
}
