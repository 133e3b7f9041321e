//! Stores sealed secrets, and what is known of the keys that seal them. Layer: adapter. Keeps I12.
//!
//! Every change locks the row of the secrets' number first: changes run one at a time, and the numbers have the order of the
//! commits.

use botfleet_actors::domain::audit::AuditEntry;
use botfleet_actors::domain::operators::OperatorId;
use botfleet_actors::domain::secret::{SecretKey, SecretName, SecretNode, StoredSecret};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::secrets::{Retirement, SecretSet};

use super::audit::write as write_entry;
use super::text::statements;
use super::values::{Rows, values};
use crate::store::engine::{Engine, Run, Work};
use crate::store::fault::Fault;
use crate::store::rows::part::Of;

statements! {
    NUMBER "secrets_number" = "SELECT coalesce((SELECT config_seq FROM setting WHERE key = 'secrets'), 0)";
    NEXT_NUMBER "secrets_next" = "\
INSERT INTO setting (key, value, config_seq) VALUES ('secrets', '{}', 1) \
ON CONFLICT (key) DO UPDATE SET config_seq = setting.config_seq + 1";
    AFTER "secrets_after" = "\
SELECT `columns secret` FROM secret WHERE number > $1 ORDER BY number, kind, owner";
    SET "set_secret" = "\
INSERT INTO secret (`columns secret`) SELECT `columns secret` FROM `rows 1 ..secret` WHERE true \
ON CONFLICT (kind, owner) DO UPDATE SET destination = excluded.destination, state = excluded.state, key = excluded.key, \
wrapped = excluded.wrapped, sealed = excluded.sealed, version = secret.version + 1, number = excluded.number, \
set_at = excluded.set_at, set_by = excluded.set_by";
    VERSION "secret_version" = "SELECT version FROM secret WHERE kind = $1 AND owner = $2";
    REMOVE "remove_secret" = "\
UPDATE secret SET state = 'gone', key = '', wrapped = '', sealed = '', number = $3 \
WHERE kind = $1 AND owner = $2 AND state <> 'gone'";
    REWRAP "rewrap_secrets" = "\
UPDATE secret SET key = r.key, wrapped = r.wrapped, number = $2 FROM `rows 1 ..secret` \
WHERE secret.kind = r.kind AND secret.owner = r.owner AND secret.version = r.version AND secret.state = 'sealed'";
    REWRAP_SEED "rewrap_seed" = "UPDATE operator SET seed = $3 WHERE id = $1 AND seed = $2";
    LOST "lost_secrets" = "\
SELECT `columns secret` FROM secret WHERE state = 'sealed' \
AND key NOT IN (SELECT held FROM `rows 1 held text`) ORDER BY kind, owner";
    LOSE "lose_secrets" = "\
UPDATE secret SET state = 'lost', key = '', wrapped = '', sealed = '', number = $2 WHERE state = 'sealed' \
AND key NOT IN (SELECT held FROM `rows 1 held text`)";

    LOSE_KEYS "lose_secret_keys" = "\
UPDATE secret_key SET retired_at = $2 WHERE retired_at IS NULL AND id NOT IN (SELECT held FROM `rows 1 held text`)";

    KEYS "secret_keys" = "SELECT `columns secret_key` FROM secret_key ORDER BY made_at, id";
    ADD_KEY "add_secret_key" = "\
INSERT INTO secret_key (`columns secret_key`) SELECT `columns secret_key` FROM `rows 1 ..secret_key` WHERE true \
ON CONFLICT DO NOTHING";
    USABLE "secret_key_usable" = "SELECT count(*) FROM secret_key WHERE id = $1 AND retired_at IS NULL";
    KNOWN "secret_key_known" = "SELECT count(*) FROM secret_key WHERE id = $1";
    /// Seals of seeds begin with the form and the id of the key.
    IN_USE "secret_key_in_use" = "\
SELECT (SELECT count(*) FROM secret WHERE state = 'sealed' AND key = $1) \
+ (SELECT count(*) FROM operator WHERE seed LIKE 's2.' || $1 || '.%')";
    SEALING "secret_key_sealing" = "SELECT node FROM secret_node WHERE sealing = $1 AND at >= $2 ORDER BY node LIMIT 1";
    RETIRE "retire_secret_key" = "UPDATE secret_key SET retired_at = coalesce(retired_at, $2) WHERE id = $1";
    TELL "tell_secret_keys" = "\
INSERT INTO secret_node (`columns secret_node`) SELECT `columns secret_node` FROM `rows 1 ..secret_node` WHERE true \
ON CONFLICT (node) DO UPDATE SET sealing = excluded.sealing, opening = excluded.opening, at = excluded.at";
    NODES "secret_nodes" = "SELECT `columns secret_node` FROM secret_node WHERE at >= $1 ORDER BY node";
}

/// Begins a change, which no other runs beside; returns its number.
async fn begin<E: Engine>(db: &E) -> Result<(E::Task<'_>, i64), Fault> {
    let mut task = db.begin().await?;
    task.execute(&NEXT_NUMBER, values![]).await?;
    let number = task.fetch(&NUMBER, values![]).await?.pop().unwrap_or(0);
    Ok((task, number))
}

/// Returns whether a key may seal.
async fn usable(run: &mut impl Run, key: &str) -> Result<bool, Fault> {
    Ok(run.fetch::<i64>(&USABLE, values![key]).await?.pop().unwrap_or(0) > 0)
}

pub(crate) async fn secrets_number<E: Engine>(db: &E) -> Result<i64, Fault> {
    Ok(db.all(&NUMBER, values![]).await?.pop().unwrap_or(0))
}

pub(crate) async fn add_secret_key<E: Engine>(db: &E, key: &SecretKey) -> Result<(), Fault> {
    db.once(&ADD_KEY, values![Rows::of(E::DATABASE, [Of(key)])]).await.map(drop)
}

pub(crate) async fn set_secret<E: Engine>(
    db: &E,
    secret: &StoredSecret,
    entry: &AuditEntry,
) -> Result<SecretSet, Fault> {
    let (mut task, number) = begin(db).await?;
    if !usable(&mut task, &secret.key).await? {
        task.give_up().await;
        return Ok(SecretSet::Retired);
    }
    let numbered = StoredSecret { number, version: 1, ..secret.clone() };
    task.execute(&SET, values![Rows::of(E::DATABASE, [Of(&numbered)])]).await?;
    let version = task.fetch(&VERSION, values![secret.kind.as_str(), secret.owner.as_str()]).await?.pop().unwrap_or(1);
    write_entry(&mut task, entry).await?;
    task.commit().await?;
    Ok(SecretSet::Stored(version))
}

pub(crate) async fn remove_secret<E: Engine>(db: &E, name: &SecretName, entry: &AuditEntry) -> Result<bool, Fault> {
    let (mut task, number) = begin(db).await?;
    if task.execute(&REMOVE, values![name.kind.as_str(), name.owner.as_str(), number]).await? == 0 {
        task.give_up().await;
        return Ok(false);
    }
    write_entry(&mut task, entry).await?;
    task.commit().await?;
    Ok(true)
}

pub(crate) async fn rewrap_secrets<E: Engine>(db: &E, secrets: &[StoredSecret]) -> Result<u64, Fault> {
    let Some(first) = secrets.first() else { return Ok(0) };
    let (mut task, number) = begin(db).await?;
    if !usable(&mut task, &first.key).await? {
        task.give_up().await;
        return Ok(0);
    }
    let stored = task.execute(&REWRAP, values![Rows::of(E::DATABASE, secrets.iter().map(Of)), number]).await?;
    task.commit().await?;
    Ok(stored)
}

pub(crate) async fn rewrap_seed<E: Engine>(db: &E, operator: OperatorId, old: &str, new: &str) -> Result<bool, Fault> {
    let (mut task, _) = begin(db).await?;
    let stored = task.execute(&REWRAP_SEED, values![operator, old, new]).await? > 0;
    task.commit().await?;
    Ok(stored)
}

pub(crate) async fn retire_secret_key<E: Engine>(
    db: &E,
    id: &str,
    alive: Timestamp,
    now: Timestamp,
    entry: &AuditEntry,
) -> Result<Retirement, Fault> {
    let (mut task, _) = begin(db).await?;
    if task.fetch::<i64>(&KNOWN, values![id]).await?.pop().unwrap_or(0) == 0 {
        task.give_up().await;
        return Ok(Retirement::Unknown);
    }
    let sealed: i64 = task.fetch(&IN_USE, values![id]).await?.pop().unwrap_or(0);
    if sealed > 0 {
        task.give_up().await;
        return Ok(Retirement::Sealed(sealed.unsigned_abs()));
    }
    if let Some(node) = task.fetch::<String>(&SEALING, values![id, alive]).await?.pop() {
        task.give_up().await;
        return Ok(Retirement::Node(node));
    }
    task.execute(&RETIRE, values![id, now]).await?;
    write_entry(&mut task, entry).await?;
    task.commit().await?;
    Ok(Retirement::Done)
}

pub(crate) async fn lose_secrets<E: Engine>(
    db: &E,
    held: &[String],
    entry: &AuditEntry,
) -> Result<Vec<StoredSecret>, Fault> {
    let (mut task, number) = begin(db).await?;
    // No key has an empty id, so that without any key every secret is lost.
    let held = || Rows::of(E::DATABASE, held.iter().map(String::as_str).chain([""]));
    let lost = task.fetch(&LOST, values![held()]).await?;
    task.execute(&LOSE, values![held(), number]).await?;
    // What nobody has seals nothing more: the next secret may be sealed by a new key.
    task.execute(&LOSE_KEYS, values![held(), entry.at]).await?;
    write_entry(&mut task, entry).await?;
    task.commit().await?;
    Ok(lost)
}

pub(crate) async fn tell_secret_keys<E: Engine>(db: &E, node: &SecretNode) -> Result<(), Fault> {
    db.once(&TELL, values![Rows::of(E::DATABASE, [Of(node)])]).await.map(drop)
}
