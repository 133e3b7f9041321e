//! Seals waiting entries of the audit into blocks, and lets the checkpoint stand for old blocks. Layer: adapter. Keeps I8,
//! I16.
//!
//! One process at a time seals or folds: the lock is that of the checkpoint's row. Waiting entries are found by their state,
//! so one that was begun early and committed late is in a later block, and in none too few.

use botfleet_actors::domain::chain::{AuditHead, AuditKey};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::store::StoreError;

use super::text::statements;
use super::values::{Rows, values};
use super::verifying::{check_block, entries_of};
use crate::store::chain::{Block, Checkpoint, Signature};
use crate::store::engine::{Engine, Reads, Run, Work};
use crate::store::fault::Fault;

/// The most entries of a block.
const ENTRIES_MAX: usize = 1000;

/// The most blocks that one call folds.
const FOLDED_MAX: usize = 20;

statements! {
    LOCK "audit_lock" = "SELECT number, hash, entries, at, mac, signer FROM audit_checkpoint WHERE id = 1 `for update`";
    POINT "audit_checkpoint" = "SELECT number, hash, entries, at, mac, signer FROM audit_checkpoint WHERE id = 1";
    LAST "audit_last" = "\
SELECT number, previous, at, entries, hash, mac, signer FROM audit_block ORDER BY number DESC LIMIT 1";
    HEAD "audit_head" = "SELECT number, hash FROM audit_block ORDER BY number DESC LIMIT 1";
    WAITS "audit_waits" = "SELECT id FROM audit_entry WHERE block IS NULL LIMIT 1";
    WAITING "audit_waiting" = "SELECT id, hash FROM audit_entry WHERE block IS NULL ORDER BY at, id LIMIT $1";
    BLOCK "audit_block" = "\
INSERT INTO audit_block (number, previous, at, entries, hash, mac, signer) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    SEALED "audit_sealed" = "\
UPDATE audit_entry SET block = $2, place = r.place FROM `places 1 id text` WHERE audit_entry.id = r.id";
    OLD "audit_old" = "\
SELECT number, previous, at, entries, hash, mac, signer FROM audit_block WHERE number > $1 ORDER BY number LIMIT $2";
    DROP_ENTRIES "drop_audit_entries" = "DELETE FROM audit_entry WHERE block <= $1";
    DROP_BLOCKS "drop_audit_blocks" = "DELETE FROM audit_block WHERE number <= $1";
    FOLD "audit_fold" = "\
UPDATE audit_checkpoint SET number = $1, hash = $2, entries = $3, at = $4, mac = $5, signer = $6 WHERE id = 1";
}

/// Seals the oldest waiting entries.
pub(crate) async fn seal<E: Engine>(db: &E, now: Timestamp, key: Option<&AuditKey>) -> Result<u64, Fault> {
    if db.all::<String>(&WAITS, values![]).await?.is_empty() {
        return Ok(0);
    }
    let mut task = db.begin().await?;
    let point = locked(&mut task).await?;
    let waiting: Vec<(String, String)> = task.fetch(&WAITING, values![ENTRIES_MAX]).await?;
    if waiting.is_empty() {
        // Another node has sealed them meanwhile.
        task.give_up().await;
        return Ok(0);
    }
    let last: Option<Block> = task.fetch(&LAST, values![]).await?.pop();
    let before = last.as_ref().map_or(&point.signature, |last| &last.signature);
    if let Err(error) = may_go_on(before, key) {
        task.give_up().await;
        return Err(error);
    }
    let previous = last.map_or((point.number, point.hash), |last| (last.number, last.hash));
    let block = Block::after(previous, now.as_millis(), &waiting, key);
    let rows = Rows::of(E::DATABASE, waiting.iter().map(|(id, _)| id.as_str()));
    task.execute(&SEALED, values![rows, block.number]).await?;
    let Signature { mac, signer } = &block.signature;
    let row = values![
        block.number,
        block.previous.as_str(),
        block.at,
        block.entries.as_str(),
        block.hash.as_str(),
        mac.as_deref(),
        signer.as_deref(),
    ];
    task.execute(&BLOCK, row).await?;
    task.commit().await?;
    Ok(waiting.len() as u64)
}

/// A process without the key adds nothing to a signed chain: its blocks would look like those of somebody who hides something.
fn may_go_on(before: &Signature, key: Option<&AuditKey>) -> Result<(), Fault> {
    if before.mac.is_some() && key.is_none() {
        let why = "the audit is signed, and this process has no key: set audit.key as on the other nodes";
        return Err(StoreError::Incompatible(why.to_owned()).into());
    }
    Ok(())
}

/// Returns the last block.
pub(crate) async fn audit_head(db: &impl Reads) -> Result<AuditHead, Fault> {
    let mut look = db.look().await?;
    let head = head_of(&mut look).await?;
    look.commit().await?;
    Ok(head)
}

/// Returns the last block, or the checkpoint where there is none.
pub(super) async fn head_of(run: &mut impl Run) -> Result<AuditHead, Fault> {
    let last: Option<(i64, String)> = run.fetch(&HEAD, values![]).await?.pop();
    if let Some((number, hash)) = last {
        return Ok(AuditHead { number, hash });
    }
    let Checkpoint { number, hash, .. } = checkpoint(run).await?;
    Ok(AuditHead { number, hash })
}

async fn locked(run: &mut impl Run) -> Result<Checkpoint, Fault> {
    run.fetch(&LOCK, values![]).await?.pop().ok_or_else(without_root)
}

/// Returns the checkpoint.
pub(super) async fn checkpoint(run: &mut impl Run) -> Result<Checkpoint, Fault> {
    run.fetch(&POINT, values![]).await?.pop().ok_or_else(without_root)
}

fn without_root() -> Fault {
    StoreError::Incompatible("the audit has no checkpoint: its row was deleted".to_owned()).into()
}

/// Lets the checkpoint stand for blocks from before `before`.
pub(crate) async fn fold_audit(
    db: &impl Engine,
    before: Timestamp,
    now: Timestamp,
    key: Option<&AuditKey>,
) -> Result<u64, Fault> {
    let mut task = db.begin().await?;
    let point = locked(&mut task).await?;
    let blocks: Vec<Block> = task.fetch(&OLD, values![point.number, FOLDED_MAX]).await?;
    let mut of_blocks = entries_of(&mut task, &blocks).await?;
    let (mut last, mut entries, mut previous) = (None, 0, (point.number, point.hash.clone()));
    for block in blocks {
        if block.at >= before.as_millis() {
            break;
        }
        let rows = of_blocks.remove(&block.number).unwrap_or_default();
        let checked = check_block(&previous, &block, &rows, key);
        match checked {
            Ok(_) if block.signature.mac.is_some() && key.is_none() => break,
            Ok(count) => entries += count.entries,
            Err(why) => {
                tracing::error!(audit.block = block.number, why, "a block of the audit is not what it was, and stays");
                break;
            }
        }
        previous = (block.number, block.hash.clone());
        last = Some(block);
    }
    let Some(last) = last else {
        task.give_up().await;
        return Ok(0);
    };
    task.execute(&DROP_ENTRIES, values![last.number]).await?;
    task.execute(&DROP_BLOCKS, values![last.number]).await?;
    let new = Checkpoint::up_to(&last, point.entries + entries, now.as_millis(), key);
    let Signature { mac, signer } = &new.signature;
    let row = values![new.number, new.hash.as_str(), new.entries, new.at, mac.as_deref(), signer.as_deref()];
    task.execute(&FOLD, row).await?;
    task.commit().await?;
    Ok(entries)
}
