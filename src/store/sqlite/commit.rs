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
use sqlx::Executor;

use super::error::is_constraint;
use super::load::{LoadError, begin_and_load};
use super::write::{Then, write};
use super::writer::Writer;
use crate::store::engine::Fault;

type Judgements = Vec<Result<Applied, Refusal>>;

/// Commits a batch in one transaction.
pub(super) async fn commit(writer: &mut Writer, batch: Vec<Operation>) -> Result<Judgements, StoreError> {
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    let mut loaded = load(writer, &batch).await?;
    // Needed only when a constraint objects: cloning a batch costs far less than a transaction.
    let again = batch.clone();
    let (judgements, changes) = judge(batch, &mut loaded);
    match store(writer, &changes, &loaded).await? {
        Stored::Yes => Ok(judgements),
        Stored::Contradicted => one_by_one(writer, again).await,
    }
}

enum Stored {
    Yes,
    Contradicted,
}

async fn load(writer: &mut Writer, batch: &[Operation]) -> Result<Loaded, StoreError> {
    let needs = Needs::of(batch);
    match begin_and_load(writer.take().await?, &needs).await {
        Ok(loaded) => Ok(loaded),
        Err(LoadError::Database(error)) => Err(writer.fail(&error)),
        Err(LoadError::Row(error)) => Err(error),
    }
}

async fn store(writer: &mut Writer, changes: &Changes, loaded: &Loaded) -> Result<Stored, StoreError> {
    match write(writer.connection()?, changes, loaded, Then::Commit).await {
        Ok(()) => {
            writer.confirm();
            Ok(Stored::Yes)
        }
        // The writer stays in doubt and rolls back before anything else.
        Err(Fault::Database(error)) if is_constraint(&error) => Ok(Stored::Contradicted),
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
    let mut loaded = match super::load::load(writer.connection()?, &needs).await {
        Ok(loaded) => loaded,
        Err(LoadError::Database(error)) => return Err(writer.fail(&error)),
        Err(LoadError::Row(error)) => return Err(error),
    };
    let (mut judgements, changes) = judge(vec![operation], &mut loaded);
    let mut judgement = judgements.pop().unwrap_or_else(|| Err(Refusal::Conflict("not judged".to_owned())));
    if judgement.is_err() {
        return Ok(judgement);
    }
    run(writer, "SAVEPOINT operation").await?;
    match write(writer.connection()?, &changes, &loaded, Then::StayOpen).await {
        Ok(()) => {}
        Err(Fault::Database(error)) if is_constraint(&error) => {
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
