//! Stores the accounts of those who operate the fleet, their sessions and keys. Layer: adapter. Keeps I12.
//!
//! Every change locks the row of the accounts' number first, so changes run one at a time, and a rule that looks at all
//! accounts holds.

use botfleet_actors::domain::audit::AuditEntry;
use botfleet_actors::domain::operators::{KEYS_MAX, OPERATORS_MAX, Operator, OperatorId, OperatorKey, OperatorSession};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::operators::{CODES_A_MINUTE, CODES_AN_HOUR, Change};

use super::audit::write as write_entry;
use super::text::statements;
use super::values::{Rows, values};
use crate::store::engine::{Engine, Run, Work};
use crate::store::fault::Fault;
use crate::store::rows::part::Of;

/// Most rows that one statement of tidying removes.
const BATCH: i64 = 500;

statements! {
    NUMBER "operators_number" = "SELECT coalesce((SELECT config_seq FROM setting WHERE key = 'operators'), 0)";
    NEXT_NUMBER "operators_next" = "\
INSERT INTO setting (key, value, config_seq) VALUES ('operators', '{}', 1) \
ON CONFLICT (key) DO UPDATE SET config_seq = setting.config_seq + 1";
    NEW_INSTALLATION "installation" = "\
INSERT INTO setting (key, value, config_seq) VALUES ('installation', $1, 1) ON CONFLICT DO NOTHING";
    INSTALLATION "installation" = "SELECT value FROM setting WHERE key = 'installation'";
    ALL_OPERATORS "operators" = "SELECT `columns operator` FROM operator ORDER BY name";
    NAMED "operator_named" = "SELECT `columns operator` FROM operator WHERE name = $1";
    HAS_ADMIN "has_admin" = "\
SELECT count(*) FROM (SELECT 1 FROM operator WHERE role = 'admin' AND disabled_at IS NULL \
AND reach = '\"everything\"' AND password IS NOT NULL LIMIT 1) found";
    OTHER_ADMINS "other_admins" = "\
SELECT count(*) FROM operator WHERE role = 'admin' AND disabled_at IS NULL \
AND reach = '\"everything\"' AND password IS NOT NULL AND id <> $1";
    COUNT "operators_count" = "SELECT count(*) FROM operator";
    ADD "add_operator" = "\
INSERT INTO operator (`columns operator`) SELECT `columns operator` FROM `rows 1 ..operator` WHERE true \
ON CONFLICT DO NOTHING";
    CHANGE "change_operator" = "\
UPDATE operator SET profile = r.profile, role = r.role, reach = r.reach, reads_texts = r.reads_texts, \
password = r.password, seed = r.seed, disabled_at = r.disabled_at, version = operator.version + 1 \
FROM `rows 1 ..operator` WHERE operator.id = r.id AND operator.version = r.version";
    REMOVE "remove_operator" = "DELETE FROM operator WHERE id = $1 AND version = $2";
    OFFER "offer_first_admin" = "\
INSERT INTO first_admin (id, claim, until) VALUES (1, $1, $2) \
ON CONFLICT (id) DO UPDATE SET claim = excluded.claim, until = excluded.until";
    CLAIM "claim_first_admin" = "DELETE FROM first_admin WHERE claim = $1 AND until > $2";
    NO_OFFER "no_offer" = "DELETE FROM first_admin";

    TRY_CODE "try_code" = "\
UPDATE operator SET tries = CASE WHEN try_minute = m.now THEN tries + 1 ELSE 1 END, try_minute = m.now, \
hour_tries = CASE WHEN try_hour = m.now / 60 THEN hour_tries + 1 ELSE 1 END, try_hour = m.now / 60 \
FROM (SELECT CAST(`unixepoch()|floor(extract(epoch FROM clock_timestamp()))` AS bigint) / 60 AS now) m \
WHERE id = $1 AND (try_minute <> m.now OR tries < $2) AND (try_hour <> m.now / 60 OR hour_tries < $3)";
    USE_CODE "use_code" = "\
UPDATE operator SET used_step = $2, tries = 0, hour_tries = CASE WHEN hour_tries > 0 THEN hour_tries - 1 ELSE 0 END \
FROM (SELECT CAST(`unixepoch()|floor(extract(epoch FROM clock_timestamp()))` AS bigint) / 30 AS now) m \
WHERE id = $1 AND used_step < $2 AND $2 BETWEEN m.now - 1 AND m.now + 1";
    USE_RECOVERY "use_recovery" = "DELETE FROM operator_recovery WHERE operator = $1 AND hash = $2";
    NO_RECOVERY "no_recovery" = "DELETE FROM operator_recovery WHERE operator = $1";
    ADD_RECOVERY "add_recovery" = "\
INSERT INTO operator_recovery (operator, hash) SELECT operator, hash FROM `rows 1 operator, hash text`";

    AS_READ "operator_as_read" = "\
SELECT count(*) FROM operator WHERE id = $1 AND version = $2 AND disabled_at IS NULL";
    OPEN "open_session" = "\
INSERT INTO operator_session (`columns operator_session`) SELECT `columns operator_session` \
FROM `rows 1 ..operator_session`";
    OLDEST "end_oldest_sessions" = "\
DELETE FROM operator_session WHERE operator = $1 AND id NOT IN (\
SELECT id FROM operator_session WHERE operator = $1 ORDER BY created_at DESC LIMIT $2)";
    SESSION "session" = "SELECT `columns operator_session` FROM operator_session WHERE id = $1";
    OWNER "operator" = "SELECT `columns operator` FROM operator WHERE id = $1";
    SESSIONS "sessions" = "\
SELECT `columns operator_session` FROM operator_session \
WHERE operator = $1 AND created_at > $2 AND seen_at > $3 ORDER BY created_at DESC, id";
    SEE_SESSION "see_session" = "UPDATE operator_session SET seen_at = $2 WHERE id = $1 AND seen_at < $2";
    CONFIRM "confirm_session" = "UPDATE operator_session SET confirmed_at = $2 WHERE id = $1";
    END_SESSION "end_session" = "DELETE FROM operator_session WHERE operator = $1 AND handle = $2";
    END_SESSIONS "end_sessions" = "DELETE FROM operator_session WHERE operator = $1";

    KEYS_OF "keys_count" = "\
SELECT count(*) FROM operator_key WHERE operator = $1 AND (expires_at IS NULL OR expires_at > $2)";
    ADD_KEY "add_key" = "\
INSERT INTO operator_key (`columns operator_key`) SELECT `columns operator_key` FROM `rows 1 ..operator_key`";
    KEY "key" = "SELECT `columns operator_key` FROM operator_key WHERE id = $1";
    KEYS "keys" = "SELECT `columns operator_key` FROM operator_key WHERE operator = $1 ORDER BY created_at DESC, id";
    ROTATE "rotate_key" = "\
UPDATE operator_key SET old_secret = secret, old_until = $4, secret = $3 WHERE operator = $1 AND id = $2";
    SEE_KEY "see_key" = "UPDATE operator_key SET used_at = $2 WHERE id = $1 AND (used_at IS NULL OR used_at < $2)";
    REMOVE_KEY "remove_key" = "DELETE FROM operator_key WHERE operator = $1 AND id = $2";
    REMOVE_KEYS "remove_keys" = "DELETE FROM operator_key WHERE operator = $1";
    OLD_SESSIONS "drop_sessions" = "\
DELETE FROM operator_session WHERE id IN (SELECT id FROM operator_session WHERE created_at < $1 OR seen_at < $2 LIMIT $3)";
    OLD_KEYS "drop_keys" = "\
DELETE FROM operator_key WHERE id IN (SELECT id FROM operator_key WHERE expires_at < $1 LIMIT $2)";
}

/// Reads a single number.
async fn number(run: &mut impl Run, sql: &'static super::text::Sql, operator: OperatorId) -> Result<i64, Fault> {
    Ok(run.fetch(sql, values![operator]).await?.pop().unwrap_or(0))
}

/// Begins a change: it gets the next number, and no other runs meanwhile.
async fn begin<E: Engine>(db: &E) -> Result<E::Task<'_>, Fault> {
    let mut task = db.begin().await?;
    task.execute(&NEXT_NUMBER, values![]).await?;
    Ok(task)
}

/// Ends a change that changed something, with its entry; one that changed nothing leaves no trace.
async fn end<T: Work>(mut task: T, changed: bool, entry: Option<&AuditEntry>) -> Result<bool, Fault> {
    if changed {
        if let Some(entry) = entry {
            write_entry(&mut task, entry).await?;
        }
        task.commit().await?;
    } else {
        task.give_up().await;
    }
    Ok(changed)
}

async fn refused<T: Work>(task: T, why: Change) -> Result<Change, Fault> {
    task.give_up().await;
    Ok(why)
}

/// Runs one statement as a change.
async fn changed<E: Engine>(
    db: &E,
    sql: &'static super::text::Sql,
    values: Vec<super::values::Value<'_>>,
    entry: Option<&AuditEntry>,
) -> Result<bool, Fault> {
    let mut task = begin(db).await?;
    let rows = task.execute(sql, values).await?;
    end(task, rows > 0, entry).await
}

pub(crate) async fn has_admin<E: Engine>(db: &E) -> Result<bool, Fault> {
    Ok(db.all::<i64>(&HAS_ADMIN, values![]).await?.pop().unwrap_or(0) > 0)
}

pub(crate) async fn installation<E: Engine>(db: &E, candidate: &str) -> Result<String, Fault> {
    if let Some(name) = db.all(&INSTALLATION, values![]).await?.pop() {
        return Ok(name);
    }
    db.once(&NEW_INSTALLATION, values![candidate]).await?;
    Ok(db.all(&INSTALLATION, values![]).await?.pop().unwrap_or_else(|| candidate.to_owned()))
}

pub(crate) async fn operators_number<E: Engine>(db: &E) -> Result<i64, Fault> {
    Ok(db.all(&NUMBER, values![]).await?.pop().unwrap_or(0))
}

pub(crate) async fn add_operator<E: Engine>(db: &E, operator: &Operator, entry: &AuditEntry) -> Result<Change, Fault> {
    let mut task = begin(db).await?;
    if task.fetch::<i64>(&COUNT, values![]).await?.pop().unwrap_or(0) >= OPERATORS_MAX as i64 {
        return refused(task, Change::Full).await;
    }
    if task.execute(&ADD, values![Rows::of(E::DATABASE, [Of(operator)])]).await? == 0 {
        return refused(task, Change::NameTaken).await;
    }
    write_entry(&mut task, entry).await?;
    task.commit().await?;
    Ok(Change::Done)
}

pub(crate) async fn add_first_admin<E: Engine>(
    db: &E,
    operator: &Operator,
    claim: Option<&str>,
    now: Timestamp,
    entry: &AuditEntry,
) -> Result<Change, Fault> {
    let mut task = begin(db).await?;
    if task.fetch::<i64>(&HAS_ADMIN, values![]).await?.pop().unwrap_or(0) > 0 {
        return refused(task, Change::Stale).await;
    }
    if let Some(claim) = claim
        && task.execute(&CLAIM, values![claim, now]).await? == 0
    {
        return refused(task, Change::Stale).await;
    }
    if task.execute(&ADD, values![Rows::of(E::DATABASE, [Of(operator)])]).await? == 0 {
        return refused(task, Change::NameTaken).await;
    }
    task.execute(&NO_OFFER, values![]).await?;
    write_entry(&mut task, entry).await?;
    task.commit().await?;
    Ok(Change::Done)
}

pub(crate) async fn change_operator<E: Engine>(
    db: &E,
    operator: &Operator,
    end_sessions: bool,
    entry: &AuditEntry,
) -> Result<Change, Fault> {
    change_with(db, operator, end_sessions, None, entry).await
}

pub(crate) async fn take_second_factor<E: Engine>(
    db: &E,
    operator: &Operator,
    hashes: &[String],
    entry: &AuditEntry,
) -> Result<Change, Fault> {
    change_with(db, operator, false, Some(hashes), entry).await
}

/// Changes an account, and what goes with the change, in one transaction.
async fn change_with<E: Engine>(
    db: &E,
    operator: &Operator,
    end_sessions: bool,
    recovery: Option<&[String]>,
    entry: &AuditEntry,
) -> Result<Change, Fault> {
    let mut task = begin(db).await?;
    let (last, was_admin) = last_admin(&mut task, operator.id).await?;
    if last && was_admin && !operator.is_working_admin() {
        return refused(task, Change::LastAdmin).await;
    }
    if task.execute(&CHANGE, values![Rows::of(E::DATABASE, [Of(operator)])]).await? == 0 {
        return refused(task, Change::Stale).await;
    }
    if operator.seed.is_none() || recovery.is_some() {
        task.execute(&NO_RECOVERY, values![operator.id]).await?;
    }
    if let Some(hashes) = recovery {
        let rows = hashes.iter().map(|hash| (operator.id, hash.as_str()));
        task.execute(&ADD_RECOVERY, values![Rows::of(E::DATABASE, rows)]).await?;
    }
    if end_sessions {
        task.execute(&END_SESSIONS, values![operator.id]).await?;
    }
    write_entry(&mut task, entry).await?;
    task.commit().await?;
    Ok(Change::Done)
}

/// Returns whether no other account is a working admin, and whether this one is.
async fn last_admin(run: &mut impl Run, operator: OperatorId) -> Result<(bool, bool), Fault> {
    let others = number(run, &OTHER_ADMINS, operator).await?;
    let stored: Option<Operator> = run.fetch(&OWNER, values![operator]).await?.pop();
    Ok((others == 0, stored.is_some_and(|stored| stored.is_working_admin())))
}

pub(crate) async fn remove_operator<E: Engine>(
    db: &E,
    operator: OperatorId,
    version: i64,
    entry: &AuditEntry,
) -> Result<Change, Fault> {
    let mut task = begin(db).await?;
    if last_admin(&mut task, operator).await? == (true, true) {
        return refused(task, Change::LastAdmin).await;
    }
    if task.execute(&REMOVE, values![operator, version]).await? == 0 {
        return refused(task, Change::Stale).await;
    }
    for statement in [&END_SESSIONS, &REMOVE_KEYS, &NO_RECOVERY] {
        task.execute(statement, values![operator]).await?;
    }
    write_entry(&mut task, entry).await?;
    task.commit().await?;
    Ok(Change::Done)
}

pub(crate) async fn offer_first_admin<E: Engine>(db: &E, claim: &str, until: Timestamp) -> Result<Change, Fault> {
    let mut task = begin(db).await?;
    if task.fetch::<i64>(&HAS_ADMIN, values![]).await?.pop().unwrap_or(0) > 0 {
        return refused(task, Change::Stale).await;
    }
    task.execute(&OFFER, values![claim, until]).await?;
    task.commit().await?;
    Ok(Change::Done)
}

pub(crate) async fn try_code<E: Engine>(db: &E, operator: OperatorId) -> Result<bool, Fault> {
    Ok(db.once(&TRY_CODE, values![operator, CODES_A_MINUTE, CODES_AN_HOUR]).await? > 0)
}

pub(crate) async fn use_code<E: Engine>(db: &E, operator: OperatorId, step: i64) -> Result<bool, Fault> {
    Ok(db.once(&USE_CODE, values![operator, step]).await? > 0)
}

pub(crate) async fn use_recovery<E: Engine>(db: &E, operator: OperatorId, hash: &str) -> Result<bool, Fault> {
    Ok(db.once(&USE_RECOVERY, values![operator, hash]).await? > 0)
}

pub(crate) async fn open_session<E: Engine>(
    db: &E,
    session: &OperatorSession,
    version: i64,
    entry: &AuditEntry,
) -> Result<bool, Fault> {
    let mut task = begin(db).await?;
    let found: Option<i64> = task.fetch(&AS_READ, values![session.operator, version]).await?.pop();
    if found != Some(1) {
        task.give_up().await;
        return Ok(false);
    }
    task.execute(&OPEN, values![Rows::of(E::DATABASE, [Of(session)])]).await?;
    task.execute(&OLDEST, values![session.operator, KEYS_MAX]).await?;
    write_entry(&mut task, entry).await?;
    task.commit().await?;
    Ok(true)
}

pub(crate) async fn session<E: Engine>(db: &E, id: &str) -> Result<Option<(OperatorSession, Operator)>, Fault> {
    let Some(session): Option<OperatorSession> = db.all(&SESSION, values![id]).await?.pop() else { return Ok(None) };
    let owner = db.all(&OWNER, values![session.operator]).await?.pop();
    Ok(owner.map(|owner| (session, owner)))
}

pub(crate) async fn key<E: Engine>(db: &E, id: &str) -> Result<Option<(OperatorKey, Operator)>, Fault> {
    let Some(key): Option<OperatorKey> = db.all(&KEY, values![id]).await?.pop() else { return Ok(None) };
    let owner = db.all(&OWNER, values![key.operator]).await?.pop();
    Ok(owner.map(|owner| (key, owner)))
}

pub(crate) async fn see_session<E: Engine>(db: &E, id: &str, at: Timestamp) -> Result<(), Fault> {
    db.once(&SEE_SESSION, values![id, at]).await.map(drop)
}

pub(crate) async fn confirm_session<E: Engine>(db: &E, id: &str, at: Timestamp) -> Result<(), Fault> {
    changed(db, &CONFIRM, values![id, at], None).await.map(drop)
}

pub(crate) async fn end_session<E: Engine>(
    db: &E,
    operator: OperatorId,
    handle: &str,
    entry: &AuditEntry,
) -> Result<bool, Fault> {
    changed(db, &END_SESSION, values![operator, handle], Some(entry)).await
}

pub(crate) async fn add_key<E: Engine>(db: &E, key: &OperatorKey, entry: &AuditEntry) -> Result<Change, Fault> {
    let mut task = begin(db).await?;
    let open: Option<i64> = task.fetch(&KEYS_OF, values![key.operator, key.created_at]).await?.pop();
    if open.unwrap_or(0) >= KEYS_MAX as i64 {
        return refused(task, Change::Full).await;
    }
    task.execute(&ADD_KEY, values![Rows::of(E::DATABASE, [Of(key)])]).await?;
    write_entry(&mut task, entry).await?;
    task.commit().await?;
    Ok(Change::Done)
}

pub(crate) async fn rotate_key<E: Engine>(
    db: &E,
    operator: OperatorId,
    id: &str,
    secret: &str,
    old_until: Timestamp,
    entry: &AuditEntry,
) -> Result<bool, Fault> {
    changed(db, &ROTATE, values![operator, id, secret, old_until], Some(entry)).await
}

pub(crate) async fn see_key<E: Engine>(db: &E, id: &str, at: Timestamp) -> Result<(), Fault> {
    db.once(&SEE_KEY, values![id, at]).await.map(drop)
}

pub(crate) async fn remove_key<E: Engine>(
    db: &E,
    operator: OperatorId,
    id: &str,
    entry: &AuditEntry,
) -> Result<bool, Fault> {
    changed(db, &REMOVE_KEY, values![operator, id], Some(entry)).await
}

pub(crate) async fn prune_operators<E: Engine>(
    db: &E,
    began: Timestamp,
    seen: Timestamp,
    ended: Timestamp,
) -> Result<u64, Fault> {
    let sessions = db.once(&OLD_SESSIONS, values![began, seen, BATCH]).await?;
    Ok(sessions + db.once(&OLD_KEYS, values![ended, BATCH]).await?)
}
