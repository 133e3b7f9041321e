//! Checks the chain of the audit from its checkpoint to its head. Layer: adapter. Keeps I12.
//!
//! Everything is read in one transaction, so that blocks that are sealed meanwhile change nothing.

use std::collections::BTreeMap;

use botfleet_actors::domain::chain::{AuditHead, AuditKey, BadBlock, HeadCheck, Verification};
use serde_json::Value;

use super::sealing::{OLD, checkpoint, head_of};
use super::text::statements;
use super::values::values;
use crate::store::chain::{Block, Checkpoint, Signed, hash_of_entry};
use crate::store::engine::{Reads, Run, Work};
use crate::store::fault::Fault;

/// The number of blocks that one statement reads.
const PAGE: usize = 50;

statements! {
    ENTRIES "audit_entries_of" = "\
SELECT block, id, hash, salt, body, at, principal, act, object FROM audit_entry \
WHERE block BETWEEN $1 AND $2 ORDER BY block, place";
    /// Selects a block that has entries, and is no block.
    STRAY "audit_stray" = "\
SELECT block FROM audit_entry WHERE block IS NOT NULL AND NOT EXISTS (\
SELECT 1 FROM audit_block WHERE number = audit_entry.block) ORDER BY block LIMIT 1";
    UNSEALED "audit_unsealed" = "SELECT count(*) FROM audit_entry WHERE block IS NULL";
}

/// The numbers of a sound block.
#[derive(Clone, Copy, Default)]
pub(super) struct Count {
    pub(super) entries: u64,
    pub(super) emptied: u64,
    pub(super) unsigned: bool,
    pub(super) unchecked: bool,
}

type Keys = (Option<String>, Option<String>, Option<String>);

/// An entry as it is stored: id and hash, salt and body, time, and by what it is found.
pub(super) type Row = ((String, String), (Option<String>, Option<String>), i64, Keys);

/// Checks the chain.
pub(crate) async fn verify_audit(
    db: &impl Reads,
    key: Option<&AuditKey>,
    head: Option<&AuditHead>,
) -> Result<Verification, Fault> {
    let mut look = db.look().await?;
    let verification = chain(&mut look, key, head).await?;
    look.commit().await?;
    Ok(verification)
}

async fn chain(run: &mut impl Run, key: Option<&AuditKey>, head: Option<&AuditHead>) -> Result<Verification, Fault> {
    let point = checkpoint(run).await?;
    let mut found = Verification {
        checkpoint: point.number,
        head: head_of(run).await?.to_string(),
        waiting: run.fetch(&UNSEALED, values![]).await?.pop().unwrap_or(0),
        head_check: head.map_or(HeadCheck::Unasked, |head| asked_of(head, &point)),
        ..Verification::default()
    };
    if point.signed(key) == Signed::No {
        return Ok(bad(found, point.number, "the signature of the checkpoint is of another text, or by another key"));
    }
    let (mut previous, mut signed) = ((point.number, point.hash.clone()), point.signature.mac.is_some());
    loop {
        let blocks: Vec<Block> = run.fetch(&OLD, values![previous.0, PAGE]).await?;
        if blocks.is_empty() {
            break;
        }
        let mut of_blocks = entries_of(run, &blocks).await?;
        for block in blocks {
            if point.number > 0 && point.signature.mac.is_none() && previous.0 == point.number {
                // Unsigned blocks may precede signed ones, but a checkpoint of signed blocks is signed.
                if block.signature.mac.is_some() && key.is_some() {
                    return Ok(bad(found, point.number, "the checkpoint is not signed, and the block after it is"));
                }
            }
            let rows = of_blocks.remove(&block.number).unwrap_or_default();
            let count = match check_block(&previous, &block, &rows, key) {
                Ok(count) if count.unsigned && signed => {
                    return Ok(bad(found, block.number, "is not signed, and blocks before it are"));
                }
                Ok(count) => count,
                Err(why) => {
                    let number = if block.number == previous.0 + 1 { block.number } else { previous.0 + 1 };
                    return Ok(bad(found, number, why));
                }
            };
            signed |= block.signature.mac.is_some();
            found.blocks += 1;
            found.entries += count.entries;
            found.emptied += count.emptied;
            found.unsigned += u64::from(count.unsigned);
            found.unchecked += u64::from(count.unchecked);
            if let Some(head) = head.filter(|head| head.number == block.number) {
                if head.hash != block.hash {
                    found.head_check = HeadCheck::Missing;
                    return Ok(bad(found, block.number, "is another block than the head that was given"));
                }
                found.head_check = HeadCheck::Found;
            }
            previous = (block.number, block.hash);
        }
    }
    if let Some(stray) = run.fetch::<i64>(&STRAY, values![]).await?.pop() {
        return Ok(bad(found, stray, "has entries, and is no block of the chain"));
    }
    if found.head_check == HeadCheck::Missing {
        let why = "the chain ends before the head that was given, or does not hold it";
        return Ok(bad(found, previous.0 + 1, why));
    }
    Ok(found)
}

/// Returns what is known of a head before the blocks are read.
fn asked_of(head: &AuditHead, point: &Checkpoint) -> HeadCheck {
    if head.number == point.number && head.hash == point.hash {
        HeadCheck::Found
    } else if head.number < point.number {
        HeadCheck::BeforeCheckpoint
    } else {
        HeadCheck::Missing
    }
}

fn bad(found: Verification, number: i64, why: &str) -> Verification {
    Verification { bad: Some(BadBlock { number, why: why.to_owned() }), ..found }
}

/// Returns the entries of blocks that follow one another, by block.
pub(super) async fn entries_of(run: &mut impl Run, blocks: &[Block]) -> Result<BTreeMap<i64, Vec<Row>>, Fault> {
    let mut of_blocks: BTreeMap<i64, Vec<Row>> = BTreeMap::new();
    let (Some(first), Some(last)) = (blocks.first(), blocks.last()) else { return Ok(of_blocks) };
    let rows: Vec<(i64, Row)> = run.fetch(&ENTRIES, values![first.number, last.number]).await?;
    for (block, row) in rows {
        of_blocks.entry(block).or_default().push(row);
    }
    Ok(of_blocks)
}

/// Checks a block and its entries. The error is the reason why the block is not what it was.
pub(super) fn check_block(
    previous: &(i64, String),
    block: &Block,
    rows: &[Row],
    key: Option<&AuditKey>,
) -> Result<Count, &'static str> {
    if block.number != previous.0 + 1 {
        return Err("is missing");
    }
    if block.previous != previous.1 {
        return Err("does not follow the block before it");
    }
    if block.digest() != block.hash {
        return Err("was changed: its contents have another hash");
    }
    let signed = block.signed(key);
    if signed == Signed::No {
        return Err("was signed by another key, or made anew without the key");
    }
    let mut count =
        Count { unsigned: signed == Signed::Unsigned, unchecked: signed == Signed::Unchecked, ..Count::default() };
    let mut lines = block.entries.lines();
    for row in rows {
        let Some((id, hash)) = lines.next().and_then(|line| line.split_once(' ')) else {
            return Err("has an entry that was not there");
        };
        if id != row.0.0 {
            return Err("lacks an entry, or its entries stand in another order");
        }
        if hash != row.0.1 || !is_itself(row) {
            return Err("has an entry that was changed");
        }
        count.entries += 1;
        count.emptied += u64::from(row.1.1.is_none());
    }
    if lines.next().is_some() {
        return Err("lacks an entry");
    }
    Ok(count)
}

/// Returns whether an entry has the contents of its hash, or none, and is found by what it contains. The contents are read
/// without their type: a newer version may have written them.
fn is_itself(((id, hash), contents, at, keys): &Row) -> bool {
    let (Some(salt), Some(body)) = contents else {
        return *contents == (None, None) && *keys == (None, None, None);
    };
    let Ok(entry) = serde_json::from_str::<Value>(body) else { return false };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    // As `AuditPrincipal::key` says.
    let principal = text(&entry["principal"]["name"]);
    let object = match (entry["object"]["kind"].as_str(), entry["object"]["id"].as_str()) {
        (Some(kind), Some("")) => Some(kind.to_owned()),
        (Some(kind), Some(id)) => Some(format!("{kind}:{id}")),
        _ => None,
    };
    hash_of_entry(salt, body) == *hash
        && entry["id"].as_str() == Some(id)
        && entry["at"].as_i64() == Some(*at)
        && keys.0 == principal
        && (&keys.1, &keys.2) == (&text(&entry["act"]), &object)
}
