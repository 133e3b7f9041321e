//! Stores entries of the audit, reads sealed ones, and empties those about people who are forgotten. Layer: adapter. Keeps
//! I8, I12.

use std::time::Duration;

use botfleet_actors::domain::audit::{AuditEntry, AuditId, ObjectKind, Phase};
use botfleet_actors::domain::chain::{AuditPlace, AuditQuery, SealedEntry};
use botfleet_actors::domain::ids::TelegramUserId;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::audit::AUDIT_ENTRIES_MAX;

use super::text::{Sql, statements};
use super::values::{json, values};
use crate::store::chain::{hash_of_entry, salt};
use crate::store::engine::{Engine, Reads, Run, Work};
use crate::store::fault::Fault;
use crate::store::rows::part::unreadable;

/// The most by which the clocks of two nodes differ: an entry may be that much younger than its block.
const CLOCKS_DIFFER: Duration = Duration::from_mins(5);

/// Makes the statement of a page. Each combination of filters has its own, whose conditions an index answers.
macro_rules! page {
    ($filters:literal, $order:literal) => {
        concat!(
            "SELECT block, place, id, hash, body FROM audit_entry ",
            "WHERE (block, place) > ($1, $2) AND (block, place) < ($3, $4) AND at >= $5 ",
            $filters,
            "ORDER BY block",
            $order,
            ", place",
            $order,
            " LIMIT $6"
        )
    };
}

statements! {
    INSERT "audit_insert" = "\
INSERT INTO audit_entry (id, at, waits_since, principal, act, object, hash, salt, body) \
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    INSERT_ONCE "audit_insert_once" = "\
INSERT INTO audit_entry (id, at, waits_since, principal, act, object, hash, salt, body) \
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING";
    CLOSE "audit_close" = "UPDATE audit_entry SET waits_since = NULL WHERE id = $1 AND waits_since IS NOT NULL";
    OPEN "audit_open" = "\
SELECT waits_since, id, body FROM audit_entry WHERE (waits_since, id) > ($1, $2) AND waits_since < $3 \
AND body IS NOT NULL ORDER BY waits_since, id LIMIT $4";
    /// The addition keeps the planner from reading all blocks by their numbers.
    FIRST "audit_first" = "SELECT coalesce(min(number + 0), 0) FROM audit_block WHERE at >= $1";
    PAGE "audit_page" = page!("", "");
    PAGE_P "audit_page" = page!("AND principal = $7 ", "");
    PAGE_A "audit_page" = page!("AND act = $7 ", "");
    PAGE_PA "audit_page" = page!("AND principal = $7 AND act = $8 ", "");
    PAGE_O "audit_page" = page!("AND object = $7 ", "");
    PAGE_PO "audit_page" = page!("AND principal = $7 AND object = $8 ", "");
    PAGE_AO "audit_page" = page!("AND act = $7 AND object = $8 ", "");
    PAGE_PAO "audit_page" = page!("AND principal = $7 AND act = $8 AND object = $9 ", "");
    NEWEST "audit_page_newest" = page!("", " DESC");
    NEWEST_P "audit_page_newest" = page!("AND principal = $7 ", " DESC");
    NEWEST_A "audit_page_newest" = page!("AND act = $7 ", " DESC");
    NEWEST_PA "audit_page_newest" = page!("AND principal = $7 AND act = $8 ", " DESC");
    NEWEST_O "audit_page_newest" = page!("AND object = $7 ", " DESC");
    NEWEST_PO "audit_page_newest" = page!("AND principal = $7 AND object = $8 ", " DESC");
    NEWEST_AO "audit_page_newest" = page!("AND act = $7 AND object = $8 ", " DESC");
    NEWEST_PAO "audit_page_newest" = page!("AND principal = $7 AND act = $8 AND object = $9 ", " DESC");
    /// Empties entries about a person. That somebody had the person forgotten stays: it is the request itself.
    EMPTY "forget_audit" = "\
UPDATE audit_entry SET salt = NULL, body = NULL, principal = NULL, act = NULL, object = NULL, waits_since = NULL \
WHERE object = $1 AND act <> 'forget_person'";
}

/// The statements of a page by the filters that are set: 1 for the principal, 2 for the act, 4 for the object.
static OLDEST_FIRST: [&Sql; 8] = [&PAGE, &PAGE_P, &PAGE_A, &PAGE_PA, &PAGE_O, &PAGE_PO, &PAGE_AO, &PAGE_PAO];
static NEWEST_FIRST: [&Sql; 8] =
    [&NEWEST, &NEWEST_P, &NEWEST_A, &NEWEST_PA, &NEWEST_O, &NEWEST_PO, &NEWEST_AO, &NEWEST_PAO];

/// A sealed entry: block and place, id, hash, body.
type PageRow = ((i64, i64), String, String, Option<String>);

/// Writes an entry within the open transaction. An outcome ends the wait of its intent.
pub(crate) async fn write(run: &mut impl Run, entry: &AuditEntry) -> Result<(), Fault> {
    if let Phase::Outcome { of, .. } = entry.phase {
        run.execute(&CLOSE, values![of.to_string()]).await?;
    }
    insert(run, entry, false).await.map(drop)
}

async fn insert(run: &mut impl Run, entry: &AuditEntry, once: bool) -> Result<bool, Fault> {
    let (body, salt) = (json(entry), salt()?);
    let waits_since = (entry.phase == Phase::Intent).then_some(entry.at.as_millis());
    let row = values![
        entry.id.to_string(),
        entry.at,
        waits_since,
        entry.principal.key(),
        entry.act.as_str(),
        entry.object.key(),
        hash_of_entry(&salt, &body),
        salt,
        body,
    ];
    Ok(run.execute(if once { &INSERT_ONCE } else { &INSERT }, row).await? == 1)
}

/// Stores an entry by itself.
pub(crate) async fn record(db: &impl Engine, entry: &AuditEntry) -> Result<(), Fault> {
    let mut task = db.begin().await?;
    write(&mut task, entry).await?;
    task.commit().await
}

/// Stores an entry unless one of its id is stored.
pub(crate) async fn record_once(db: &impl Engine, entry: &AuditEntry) -> Result<bool, Fault> {
    let mut task = db.begin().await?;
    let new = insert(&mut task, entry, true).await?;
    task.commit().await?;
    Ok(new)
}

/// Returns old intents without outcome.
pub(crate) async fn open_intents(db: &impl Reads, before: Timestamp, limit: usize) -> Result<Vec<AuditEntry>, Fault> {
    let (mut intents, mut last) = (Vec::new(), (i64::MIN, String::new()));
    loop {
        let rows: Vec<(i64, String, String)> = db.all(&OPEN, values![last.0, last.1.as_str(), before, limit]).await?;
        let is_last = rows.len() < limit;
        for (waits_since, id, body) in rows {
            intents.extend(read(&body));
            last = (waits_since, id);
        }
        if is_last || intents.len() >= limit {
            intents.truncate(limit);
            return Ok(intents);
        }
    }
}

/// Stores an outcome unless its intent has one.
pub(crate) async fn close_intent(db: &impl Engine, outcome: &AuditEntry) -> Result<bool, Fault> {
    let Phase::Outcome { of, .. } = outcome.phase else { return Ok(false) };
    let mut task = db.begin().await?;
    if task.execute(&CLOSE, values![of.to_string()]).await? == 0 {
        task.give_up().await;
        return Ok(false);
    }
    insert(&mut task, outcome, false).await?;
    task.commit().await?;
    Ok(true)
}

/// Returns a page of sealed entries.
pub(crate) async fn audit_entries(db: &impl Reads, query: &AuditQuery) -> Result<Vec<SealedEntry>, Fault> {
    let Some((above, below)) = bounds(db, query).await? else { return Ok(Vec::new()) };
    let filters = [&query.principal, &query.act, &query.object];
    let which: usize = filters.iter().zip([1, 2, 4]).filter(|(filter, _)| filter.is_some()).map(|(_, bit)| bit).sum();
    let mut row = values![
        above.block,
        above.place,
        below.block,
        below.place,
        query.since.map_or(i64::MIN, Timestamp::as_millis),
        query.limit.clamp(1, AUDIT_ENTRIES_MAX),
    ];
    for filter in filters.into_iter().flatten() {
        row.extend(values![filter.as_str()]);
    }
    let pages = if query.newest_first { &NEWEST_FIRST } else { &OLDEST_FIRST };
    let rows: Vec<PageRow> = db.all(pages[which], row).await?;
    let sealed = |((block, place), id, hash, body): PageRow| {
        let id = AuditId::parse(&id).ok_or_else(|| unreadable("audit entry", id))?;
        let entry = body.as_deref().and_then(read);
        let unread = body.is_some() && entry.is_none();
        Ok(SealedEntry { place: AuditPlace { block, place }, id, hash, entry, unread })
    };
    rows.into_iter().map(sealed).collect()
}

/// Returns the places between which a page lies; `None` when no entry can be there.
async fn bounds(db: &impl Reads, query: &AuditQuery) -> Result<Option<(AuditPlace, AuditPlace)>, Fault> {
    let mut above = AuditPlace::default();
    let mut below = AuditPlace { block: query.until.map_or(i64::MAX, |until| until.saturating_add(1)), place: 0 };
    match query.after {
        Some(after) if query.newest_first => below = below.min(after),
        Some(after) => above = after,
        None => {}
    }
    // Whoever goes on from a place, oldest first, is beyond that block already.
    if let Some(since) = query.since.filter(|_| above == AuditPlace::default()) {
        let first: Option<i64> = db.all(&FIRST, values![since - CLOCKS_DIFFER]).await?.pop();
        let Some(first) = first.filter(|first| *first > 0) else { return Ok(None) };
        above = AuditPlace { block: first, place: 0 };
    }
    Ok(Some((above, below)))
}

/// Reads the body of an entry; another version may have written what this one cannot read.
fn read(body: &str) -> Option<AuditEntry> {
    serde_json::from_str(body).ok()
}

/// Empties the entries about a person; returns how many.
pub(super) async fn forget(db: &impl Engine, person: TelegramUserId) -> Result<u64, Fault> {
    let object = botfleet_actors::domain::audit::AuditObject::new(ObjectKind::Person, person);
    db.once(&EMPTY, values![object.key()]).await
}
