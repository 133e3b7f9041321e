//! A reader's cursor: the place in the history of each chat, and the last block of the audit. Layer `runtime`. Pure.
//!
//! The text is one word a chat, `CHAT:ENTRY.DECISION`, and `a:BLOCK` for the audit, with commas between. Entries and
//! decisions are numbered apart by the owner of the chat, so a place is both numbers. Chats are known by their ids in the
//! store: names may change.

use std::collections::BTreeMap;
use std::fmt;

use botfleet_actors::domain::ids::{ChatId, DecisionNumber, Number};

/// Most chats of one stream.
pub const CHATS_MAX: usize = 50;

/// Longest text of a cursor, in bytes: the longest words of all chats stay below.
pub const TEXT_MAX_BYTES: usize = 4096;

/// A place in the history of a chat: everything up to both numbers is behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The last entry.
    pub entry: Number,
    /// The last decision.
    pub decision: DecisionNumber,
}

impl Place {
    /// Returns whether everything before `self` is also before `other`.
    pub fn is_within(self, other: Self) -> bool {
        self.entry <= other.entry && self.decision <= other.decision
    }

    /// Returns how many numbers lie between this place and a later one.
    pub fn distance(self, later: Self) -> i64 {
        let entries = later.entry.0.saturating_sub(self.entry.0).max(0);
        entries.saturating_add(later.decision.0.saturating_sub(self.decision.0).max(0))
    }
}

/// What a reader has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The place in each chat.
    pub chats: BTreeMap<ChatId, Place>,
    /// The last block of the audit.
    pub audit: Option<i64>,
}

impl Cursor {
    /// Reads a cursor; `None` when the text is none.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > TEXT_MAX_BYTES {
            return None;
        }
        let mut cursor = Self::default();
        for word in text.split(',').filter(|word| !word.is_empty()) {
            let (key, place) = word.split_once(':')?;
            if key == "a" {
                cursor.audit = Some(number(place)?);
                continue;
            }
            let (entry, decision) = place.split_once('.')?;
            let place = Place { entry: Number(number(entry)?), decision: DecisionNumber(number(decision)?) };
            cursor.chats.insert(ChatId(number(key)?), place);
        }
        (cursor.chats.len() <= CHATS_MAX).then_some(cursor)
    }
}

/// Reads a number as the cursor writes them: digits alone.
fn number(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        for (chat, Place { entry, decision }) in &self.chats {
            write!(f, "{comma}{chat}:{entry}.{decision}")?;
            comma = ",";
        }
        match self.audit {
            Some(block) => write!(f, "{comma}a:{block}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_fits_its_bound() {
        let place = Place { entry: Number(1 << 40), decision: DecisionNumber(1 << 40) };
        let chats = (1..=CHATS_MAX as i64).map(|chat| (ChatId(1_000_000_000 + chat), place)).collect();
        let cursor = Cursor { chats, audit: Some(1 << 40) };
        let text = cursor.to_string();
        assert!(text.len() <= TEXT_MAX_BYTES, "{}", text.len());
        assert_eq!(Cursor::parse(&text), Some(cursor));
        assert_eq!(Cursor::parse(""), Some(Cursor::default()));
        assert_eq!(Cursor::default().to_string(), "");
        assert_eq!(Cursor::parse("a:7").map(|cursor| cursor.to_string()), Some("a:7".to_owned()));
    }

    #[test]
    fn garbage_is_no_cursor() {
        let long = "1:1.1,".repeat(TEXT_MAX_BYTES);
        let many = (1..=51).fold(String::new(), |text, chat| text + &chat.to_string() + ":1.1,");
        for text in
            ["1", "1:2", "1:2.", "1:.2", "1:-2.3", "1:+2.3", "x:1.2", "a:", "a:1.2", "1:2.3;4:5.6", &long, &many]
        {
            assert_eq!(Cursor::parse(text), None, "{text:.40}");
        }
    }

    #[test]
    fn a_place_is_behind_another_in_both_numbers_or_not_at_all() {
        let place = |entry, decision| Place { entry: Number(entry), decision: DecisionNumber(decision) };
        assert!(place(3, 2).is_within(place(3, 2)) && !place(3, 3).is_within(place(4, 2)));
        assert_eq!((place(3, 2).distance(place(10, 5)), place(3, 9).distance(place(10, 5))), (10, 7));
    }
}
