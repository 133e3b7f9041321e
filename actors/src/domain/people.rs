//! Rights of people: not to be taken down, to be forgotten, to know what is stored. Layer `domain`.
//!
//! People are known by Telegram's id alone; what is counted here holds none of their words.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::ids::TelegramUserId;
use super::time::Timestamp;

/// Payload of an inbox row of which nothing may be kept.
pub const TOMBSTONE: &str = "{}";

/// Why a row has no words.
pub const OPTED_OUT: &str = "its author has opted out";

/// Why a row has no words any more.
pub const FORGOTTEN: &str = "its author asked to be forgotten";

/// Why a message is not sent whose text is gone.
pub const REMOVED: &str = "its text was removed";

/// What a person asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// That nothing they say is taken down from now on.
    OptOut,
    /// That what they say is taken down again.
    OptIn,
    /// That what they said is removed.
    Forget,
}

impl Right {
    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OptOut => "opt_out",
            Self::OptIn => "opt_in",
            Self::Forget => "forget",
        }
    }
}

impl Right {
    /// Whether a word from `at` to be taken down, or not to be, is older than the last one, from `last`: a late copy, or
    /// one that was long on its way. Telegram tells seconds. Within one of them, not to be taken down counts more.
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

/// What is in force of people's rights, in the numbering of the audit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// The number of the last change.
    pub seq: i64,
    /// Whose words are not taken.
    pub opted_out: HashSet<TelegramUserId>,
    /// Whose words from before that instant are not taken, though copies of them may still arrive.
    pub forgotten: HashMap<TelegramUserId, Timestamp>,
    /// People whose words are still being removed: the number in the audit, and since when.
    pub pending: Vec<(i64, TelegramUserId, Timestamp)>,
}

impl Rights {
    /// Why words of `author` from `said_at` may not be kept; `None` when they may.
    pub fn refuses(&self, author: TelegramUserId, said_at: Timestamp) -> Option<&'static str> {
        if self.opted_out.contains(&author) {
            return Some(OPTED_OUT);
        }
        self.forgotten.get(&author).filter(|until| said_at <= **until).map(|_| FORGOTTEN)
    }

    /// Whether nobody's words are refused.
    pub fn is_empty(&self) -> bool {
        self.opted_out.is_empty() && self.forgotten.is_empty()
    }
}

/// What is stored about a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonRecord {
    /// Since when their words are not taken.
    pub opted_out_since: Option<Timestamp>,
    /// Entries of transcripts that they wrote.
    pub entries: u64,
    /// When the first of them was written.
    pub first: Option<Timestamp>,
    /// When the last of them was written.
    pub last: Option<Timestamp>,
    /// Updates in the inbox that name them, kept for some days.
    pub updates: u64,
    /// Messages of the fleet that answer theirs.
    pub answers: u64,
}

/// What was removed of a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgotten {
    /// Entries of transcripts, theirs and those that answer them.
    pub entries: u64,
    /// Updates in the inbox, theirs and those that quote them.
    pub updates: u64,
    /// Messages of the fleet that answer theirs.
    pub messages: u64,
    /// Decisions that they led to.
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
