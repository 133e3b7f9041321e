//! The chain of the audit: the key that signs its blocks, its head, and what a check of it says. Layer `domain`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::audit::{AuditEntry, AuditId};
use super::time::Timestamp;

/// Signs blocks; stands outside the database.
#[derive(Clone)]
pub struct AuditKey(pub [u8; 32]);

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditKey(***)")
    }
}

/// The last block of a chain, or that of a time ago: written down elsewhere, it proves later that nothing before it was
/// changed or cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditHead {
    /// Number of the block; 0 before the first.
    pub number: i64,
    /// Hash of the block.
    pub hash: String,
}

impl fmt::Display for AuditHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.number, self.hash)
    }
}

impl AuditHead {
    /// Reads a head as it is shown: the block's number, a dash, and 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let (number, hash) = text.trim().split_once('-')?;
        let is_hash = hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
        let number = number.parse().ok().filter(|number| *number >= 0 && is_hash)?;
        Some(Self { number, hash: hash.to_ascii_lowercase() })
    }
}

/// The place of an entry in the chain, by which pages follow one another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditPlace {
    /// The block.
    pub block: i64,
    /// The place within the block, from 1.
    pub place: i64,
}

impl fmt::Display for AuditPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.block, self.place)
    }
}

impl AuditPlace {
    /// Reads a place as it is shown.
    pub fn parse(text: &str) -> Option<Self> {
        let (block, place) = text.split_once('.')?;
        Some(Self { block: block.parse().ok()?, place: place.parse().ok()? })
    }
}

/// An entry in its block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedEntry {
    /// The place.
    pub place: AuditPlace,
    /// The id.
    pub id: AuditId,
    /// Hash of the entry with its salt, as in the block.
    pub hash: String,
    /// The entry; `None` when its contents were removed, or cannot be read.
    pub entry: Option<AuditEntry>,
    /// Set when the contents are there, and are those of another version of the program.
    pub unread: bool,
}

/// Selects entries, in the order of the blocks or against it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// Entries that follow this place in the order asked for.
    pub after: Option<AuditPlace>,
    /// Set to begin with the newest.
    pub newest_first: bool,
    /// Entries up to this block.
    pub until: Option<i64>,
    /// Entries of this principal alone, by name.
    pub principal: Option<String>,
    /// Entries of this act alone.
    pub act: Option<String>,
    /// Entries about this thing alone, as `bot:7`.
    pub object: Option<String>,
    /// Entries of this time or later.
    pub since: Option<Timestamp>,
    /// Most entries.
    pub limit: usize,
}

/// The result for a head that a check was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum HeadCheck {
    /// No head was given.
    #[default]
    Unasked,
    /// The chain holds that block.
    Found,
    /// The block is older than the checkpoint, which stands for it: whether it was the same cannot be told.
    BeforeCheckpoint,
    /// The chain holds another block, or none.
    Missing,
}

/// The first block that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BadBlock {
    /// Number of the block.
    pub number: i64,
    /// The reason.
    pub why: String,
}

/// The result of a check of the whole chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Verification {
    /// The first block that is not what it was; null when all are.
    pub bad: Option<BadBlock>,
    /// Blocks up to this one were replaced by the checkpoint.
    pub checkpoint: i64,
    /// Number of blocks that were checked.
    pub blocks: u64,
    /// Number of their entries.
    pub entries: u64,
    /// Entries whose contents were removed, as people who were forgotten asked.
    pub emptied: u64,
    /// Blocks without a signature, from before there was a key.
    pub unsigned: u64,
    /// Blocks whose signature this node cannot check, since it has no key.
    pub unchecked: u64,
    /// Entries that are in no block yet.
    pub waiting: u64,
    /// The result for the head that was given.
    pub head_check: HeadCheck,
    /// The head now.
    pub head: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_is_shown() {
        let head = AuditHead { number: 12, hash: "ab".repeat(32) };
        assert_eq!(AuditHead::parse(&head.to_string()), Some(head));
        for wrong in ["", "12", "12-ab", &format!("-1-{}", "ab".repeat(32)), &format!("12-{}", "zz".repeat(32))] {
            assert_eq!(AuditHead::parse(wrong), None, "{wrong:?}");
        }
        let place = AuditPlace { block: 3, place: 4 };
        assert_eq!(AuditPlace::parse(&place.to_string()), Some(place));
    }

    #[test]
    fn a_key_shows_nothing() {
        assert!(!format!("{:?}", AuditKey([77; 32])).contains("77"));
    }
}
