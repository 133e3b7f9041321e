//! Stores entries of the audit, reads sealed ones, and empties those about people who are forgotten. Layer: adapter. Keeps
//! I8, I12.

use botfleet_actors::domain::audit::{AuditEntry, AuditId, ObjectKind, Phase};
use botfleet_actors::domain::chain::{AuditPlace, AuditQuery, SealedEntry};
use botfleet_actors::domain::ids::TelegramUserId;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::audit::AUDIT_ENTRIES_MAX;

use super::text::statements;
use super::values::{json, values};
use crate::store::chain::{hash_of_entry, salt};
use crate::store::engine::{Engine, Reads, Run, Work};
use crate::store::fault::Fault;
use crate::store::rows::part::unreadable;

statements! {
    INSERT "audit_insert" = "\
INSERT INTO audit_entry (id, at, waits_since, principal, act, object, hash, salt, body) \
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    INSERT_ONCE "audit_insert_once" = "\
INSERT INTO audit_entry (id, at, waits_since, principal, act, object, hash, salt, body) \
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING";
    CLOSE "audit_close" = "UPDATE audit_entry SET waits_since = NULL WHERE id = $1 AND waits_since IS NOT NULL";
    OPEN "audit_open" = "\
SELECT body FROM audit_entry WHERE waits_since < $1 AND body IS NOT NULL ORDER BY waits_since LIMIT $2";
    PAGE "audit_page" = "\
SELECT block, place, id, hash, body FROM audit_entry WHERE (block, place) > ($1, $2) AND block <= $3 \
AND ($4 = '' OR principal = $4) AND ($5 = '' OR act = $5) AND ($6 = '' OR object = $6) AND at >= $7 \
ORDER BY block, place LIMIT $8";
    /// Empties entries about a person. That somebody had the person forgotten stays: it is the request itself.
    EMPTY "forget_audit" = "\
UPDATE audit_entry SET salt = NULL, body = NULL, principal = NULL, act = NULL, object = NULL, waits_since = NULL \
WHERE object = $1 AND act <> 'forget_person'";
}

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
    let bodies: Vec<String> = db.all(&OPEN, values![before, limit]).await?;
    bodies.iter().map(|body| Ok(read(body)?)).collect()
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
    let or_any = |text: &Option<String>| text.clone().unwrap_or_default();
    let rows: Vec<PageRow> = db
        .all(
            &PAGE,
            values![
                query.after.block,
                query.after.place,
                query.until.unwrap_or(i64::MAX),
                or_any(&query.principal),
                or_any(&query.act),
                or_any(&query.object),
                query.since.map_or(i64::MIN, Timestamp::as_millis),
                query.limit.clamp(1, AUDIT_ENTRIES_MAX),
            ],
        )
        .await?;
    let sealed = |((block, place), id, hash, body): PageRow| {
        let id = AuditId::parse(&id).ok_or_else(|| unreadable("audit entry", id))?;
        let entry = body.as_deref().map(read).transpose()?;
        Ok(SealedEntry { place: AuditPlace { block, place }, id, hash, entry })
    };
    rows.into_iter().map(sealed).collect()
}

/// Reads the body of an entry.
fn read(body: &str) -> Result<AuditEntry, botfleet_actors::ports::store::StoreError> {
    serde_json::from_str(body).map_err(|error| unreadable("audit entry", error))
}

/// Empties the entries about a person; returns how many.
pub(super) async fn forget(db: &impl Engine, person: TelegramUserId) -> Result<u64, Fault> {
    let object = botfleet_actors::domain::audit::AuditObject::new(ObjectKind::Person, person);
    db.once(&EMPTY, values![object.key()]).await
}
