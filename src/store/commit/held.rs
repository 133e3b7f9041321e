//! Whether the rows that a batch was judged by are still what they were when it is written. Layer: adapter. Keeps I3, I4,
//! I6.
//!
//! On PostgreSQL a batch is read without locks, and written by one statement (ADR 44). The reading returns the versions of
//! the rows as one text. The writing locks the same rows, in the order in which everybody locks them, and writes nothing
//! unless their versions are still that text. A lease's version is its epoch; another row's is the transaction that wrote
//! it. Rows without a version here (stops, take-overs, pauses, people) are believed for [`BELIEVED`] only: a batch that stalls, or
//! waits long for a lock, is read anew.

use std::time::Duration;

use botfleet_actors::domain::commit::needs::Needs;
use botfleet_actors::ports::store::StoreError;

use crate::store::engine::Values;
use crate::store::sql::text::statements;
use crate::store::sql::values::{Database, Rows, values};

statements! {
    VERSIONS "versions" = "concat_ws(';', \
coalesce((SELECT string_agg(l.key || ':' || l.epoch, ',') FROM \
(SELECT key, epoch FROM lease WHERE kind = 'bot' AND key = ANY($1) ORDER BY key FOR SHARE) l), ''), \
coalesce((SELECT string_agg(l.key || ':' || l.epoch, ',') FROM \
(SELECT key, epoch FROM lease WHERE kind = 'chat' AND key = ANY($2) ORDER BY key FOR SHARE) l), ''), \
coalesce((SELECT string_agg(w.place || ':' || w.version, ',') FROM (SELECT r.place, w.xmin AS version \
FROM `places 3 key text` JOIN send_window w ON w.key = r.key ORDER BY w.key `for update of w`) w), ''), \
coalesce((SELECT string_agg(t.id || ':' || t.version, ',') FROM \
(SELECT id, xmin AS version FROM turn WHERE id = ANY($4) ORDER BY id `for update`) t), ''), \
coalesce((SELECT string_agg(o.id || ':' || o.version, ',') FROM \
(SELECT id, xmin AS version FROM outbox WHERE id = ANY($5) ORDER BY id `for update`) o), ''), \
coalesce((SELECT string_agg(i.id || ':' || i.version, ',') FROM \
(SELECT id, xmin AS version FROM inbox WHERE id = ANY($6) ORDER BY id `for update`) i), ''))";
}

/// How long a reading without locks is believed: a stop, or a person's opt-out, must be heeded within a second (I9).
const BELIEVED: Duration = Duration::from_millis(500);

/// The time at which a reading began, by the database's clock, in milliseconds.
pub(super) const READ_AT: &str = "(extract(epoch FROM statement_timestamp()) * 1000)::bigint";

/// The clauses that lock rows; the longer ones come first.
const LOCKS: [&str; 4] = [" FOR SHARE", " FOR NO KEY UPDATE OF w", " FOR NO KEY UPDATE OF a", " FOR NO KEY UPDATE"];

/// What a batch was judged by.
pub(crate) struct Held<'b> {
    pub(crate) needs: &'b Needs,
    /// The versions of its rows.
    pub(crate) versions: &'b str,
    /// The time of the reading, by the database's clock, in milliseconds.
    pub(crate) read_at: i64,
    /// The writer, whose mark must have a row.
    pub(crate) writer: &'b str,
}

/// Returns whether the versions of all rows that a batch needs locks for can be told. The other rows are rarely needed.
pub(crate) fn is_told(needs: &Needs) -> bool {
    needs.allowances.is_empty() && needs.dead_updates.is_empty() && needs.orders.is_empty()
}

/// Returns a statement for PostgreSQL without its locks.
pub(super) fn without_locks(text: &str) -> String {
    LOCKS.iter().fold(text.to_owned(), |text, lock| text.replace(lock, ""))
}

/// Returns the expression that tells the versions and locks their rows; its values follow `before` earlier ones. The second
/// result is how many values there are then.
pub(super) fn versions(before: usize) -> Result<(String, usize), StoreError> {
    VERSIONS.part(Database::Postgres, before)
}

/// Returns the values of the versions.
pub(super) fn values_of(needs: &Needs) -> Values<'static> {
    values![
        needs.bots.iter().map(|bot| bot.0).collect::<Vec<i64>>(),
        needs.chats.iter().map(|chat| chat.0).collect::<Vec<i64>>(),
        Rows::of(Database::Postgres, needs.windows.iter().map(|key| key.name())),
        needs.turns.iter().map(|turn| turn.0).collect::<Vec<i64>>(),
        needs.outbox.iter().map(|outbox| outbox.0).collect::<Vec<i64>>(),
        needs.inbox.iter().map(|inbox| inbox.0).collect::<Vec<i64>>(),
    ]
}

/// Returns the table `held`, which has a row if the versions are still the same, the reading is not too old once the locks
/// are given, and the writer's mark has a row. Its values follow `before` earlier ones.
pub(super) fn table(before: usize) -> Result<String, StoreError> {
    let (versions, last) = versions(before)?;
    let (told, writer, until) = (last + 1, last + 2, last + 3);
    // The case reads the clock after the locks are given.
    Ok(format!(
        "held AS MATERIALIZED (SELECT m.writer AS held FROM \
         (SELECT writer FROM commit_mark WHERE writer = ${writer} FOR NO KEY UPDATE) m \
         WHERE CASE WHEN {versions} = ${told} THEN extract(epoch FROM clock_timestamp()) * 1000 <= ${until}::bigint \
         ELSE false END)"
    ))
}

/// Returns the values of `held`.
pub(super) fn values_of_table<'b>(held: &Held<'b>) -> Values<'b> {
    let mut values: Values<'b> = values_of(held.needs);
    let until = held.read_at + BELIEVED.as_millis() as i64;
    values.extend(values![held.versions, held.writer, until]);
    values
}

/// Returns a part of a write that has rows only if the table `held` has one.
pub(super) fn if_held(part: &str) -> String {
    part.replacen("FROM unnest(", "FROM held CROSS JOIN unnest(", 1)
}
