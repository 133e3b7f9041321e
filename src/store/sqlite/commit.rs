//! The group commit: load, judge, write, in one transaction. Layer: adapter. Keeps I1-I4, I6, I8, I11.
//!
//! | on | what happens |
//! |---|---|
//! | a refused operation | the operation drops out, the rest commits |
//! | a row that breaks a constraint | operations are judged again one by one, in one transaction; that one is refused |
//! | any other error | nothing of the batch is stored; `Unavailable` when the error can pass by itself |
//! | a dropped future | all of the batch is stored, or nothing |

use botfleet_actors::domain::commit::judge::judge;
use botfleet_actors::domain::commit::needs::Needs;
use botfleet_actors::domain::commit::operations::Operation;
use botfleet_actors::domain::commit::outcome::{Applied, Refusal};
use botfleet_actors::domain::commit::rows::{Changes, Loaded};
use botfleet_actors::ports::store::StoreError;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Executor};

use super::engine::Within;
use super::writer::Writer;
use crate::store::commit::{load, write};
use crate::store::engine::Judgements;
use crate::store::fault::{Fault, is_contradiction};
use crate::store::sql::values::{Database, for_sqlite};

/// Commits a batch in one transaction.
pub(super) async fn commit(writer: &mut Writer, batch: Vec<Operation>) -> Result<Judgements, StoreError> {
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    let mut loaded = begin(writer, &batch).await?;
    // Needed only when a constraint objects: cloning a batch costs far less than a transaction.
    let again = batch.clone();
    let (judgements, changes) = judge(batch, &mut loaded);
    if store(writer, &changes, &loaded).await? { Ok(judgements) } else { one_by_one(writer, again).await }
}

/// Loads the rows that `needs` names, after the command `first`.
async fn loaded(connection: &mut SqliteConnection, needs: &Needs, first: &'static str) -> Result<Loaded, Fault> {
    let (parts, text, values) = load::statement(needs, Database::Sqlite, first)?;
    let row = sqlx::query_with(AssertSqlSafe(text), for_sqlite(values)?).fetch_one(connection).await?;
    Ok(load::read(parts, &row, needs)?)
}

/// Writes the changes, and runs the command `last`: several statements in one text, in one crossing.
async fn write(
    connection: &mut SqliteConnection,
    changes: &Changes,
    loaded: &Loaded,
    last: &'static str,
) -> Result<(), Fault> {
    write::before(&mut Within(&mut *connection), changes).await?;
    let (text, values) = write::for_sqlite(changes, loaded, last)?;
    sqlx::query_with(AssertSqlSafe(text), for_sqlite(values)?).execute(connection).await?;
    Ok(())
}

async fn begin(writer: &mut Writer, batch: &[Operation]) -> Result<Loaded, StoreError> {
    let needs = Needs::of(batch);
    let loaded = loaded(writer.take().await?, &needs, "BEGIN IMMEDIATE; ").await;
    loaded.map_err(|fault| writer.failed(fault))
}

/// Returns false when the database contradicts the judge.
async fn store(writer: &mut Writer, changes: &Changes, loaded: &Loaded) -> Result<bool, StoreError> {
    match write(writer.connection()?, changes, loaded, "COMMIT").await {
        Ok(()) => {
            writer.confirm();
            Ok(true)
        }
        // The writer stays in doubt and rolls back before anything else.
        Err(Fault::Database(error)) if is_contradiction(&error) => Ok(false),
        Err(fault) => Err(writer.failed(fault)),
    }
}

/// Judges each operation alone, behind a savepoint of its own, all in one transaction.
async fn one_by_one(writer: &mut Writer, batch: Vec<Operation>) -> Result<Judgements, StoreError> {
    let mut judgements = Vec::with_capacity(batch.len());
    writer.begin().await?;
    for operation in batch {
        judgements.push(alone(writer, operation).await?);
    }
    writer.commit().await?;
    Ok(judgements)
}

async fn alone(writer: &mut Writer, operation: Operation) -> Result<Result<Applied, Refusal>, StoreError> {
    let needs = Needs::of([&operation]);
    let loaded = loaded(writer.connection()?, &needs, "").await;
    let mut loaded = loaded.map_err(|fault| writer.failed(fault))?;
    let (mut judgements, changes) = judge(vec![operation], &mut loaded);
    let mut judgement = judgements.pop().unwrap_or_else(|| Err(Refusal::Conflict("not judged".to_owned())));
    if judgement.is_err() {
        return Ok(judgement);
    }
    run(writer, "SAVEPOINT operation").await?;
    match write(writer.connection()?, &changes, &loaded, "").await {
        Ok(()) => {}
        Err(Fault::Database(error)) if is_contradiction(&error) => {
            judgement = Err(Refusal::Conflict(format!("a row contradicts what is stored: {error}")));
            run(writer, "ROLLBACK TO operation").await?;
        }
        Err(fault) => return Err(writer.failed(fault)),
    }
    run(writer, "RELEASE operation").await?;
    Ok(judgement)
}

async fn run(writer: &mut Writer, sql: &'static str) -> Result<(), StoreError> {
    match writer.connection()?.execute(sql).await {
        Ok(_) => Ok(()),
        Err(error) => Err(writer.fail(&error)),
    }
}
