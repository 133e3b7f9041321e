//! The group commit. Layer: adapter. Keeps I1-I4, I6, I8, I11.
//!
//! A batch is first tried at once: loaded without locks, judged, and written by one statement that locks the rows and writes
//! nothing if they are no longer what the batch was judged by (ADR 44). Otherwise it is done under locks, in a transaction:
//! lock, load, judge, write, commit.
//!
//! | on | what happens |
//! |---|---|
//! | a row that changed meanwhile, a refusal, a contradiction | at once: the batch is begun again under locks |
//! | a refused operation | the operation drops out, the rest commits; a batch of refusals commits nothing |
//! | a row that breaks a constraint | operations are judged again one by one, in one transaction; that one is refused |
//! | a deadlock or a failed serialisation | the batch is begun again, at most five times in all |
//! | an error before a statement that commits was sent | nothing is stored; `Unavailable` when the error can pass by itself |
//! | no answer to that statement | the old backend is ended; the writer's mark, read under its lock, tells the result |
//! | a dropped future | all of the batch is stored, or nothing; the next call first waits until that is known |

use std::sync::Arc;
use std::time::Duration;

use botfleet_actors::domain::commit::judge::judge;
use botfleet_actors::domain::commit::needs::Needs;
use botfleet_actors::domain::commit::operations::Operation;
use botfleet_actors::domain::commit::outcome::{Applied, Refusal};
use botfleet_actors::domain::commit::rows::{Changes, Loaded};
use botfleet_actors::domain::ownership::Incarnation;
use botfleet_actors::ports::metrics;
use botfleet_actors::ports::store::StoreError;
use sqlx::{AssertSqlSafe, Error};

use super::load::{Counted, hands_over, load, look, sets_stops};
use super::session::{Session, Sessions};
use crate::store::commit::held::{self, Held};
use crate::store::commit::write;
use crate::store::engine::{Judgements, Run, Values};
use crate::store::fault::{Fault, is_broken, is_collision, is_contradiction, to_port};
use crate::store::sql::text::statements;
use crate::store::sql::values::{for_postgres, values};

/// The number of times that a batch is begun which collides with other transactions.
const ATTEMPTS: u32 = 5;
/// The wait before the database is asked again whether a commit was stored.
const ASK_EVERY: Duration = Duration::from_millis(200);

statements! {
    MAKE_MARK "make_mark" = "\
INSERT INTO commit_mark (writer, batch, at) VALUES ($1, $2, (extract(epoch FROM clock_timestamp()) * 1000)::bigint) \
ON CONFLICT (writer) DO NOTHING";
    /// Notes the batch, so that the process can find out later whether a batch whose answer was lost is stored.
    MARK "write mark" = "\
UPDATE commit_mark SET batch = $2, at = (extract(epoch FROM clock_timestamp()) * 1000)::bigint WHERE writer = $1";
    /// Reads the mark under its lock: a transaction that wrote the mark holds its row, so this waits for its end.
    READ_MARK "read_mark" = "SELECT batch FROM commit_mark WHERE writer = $1 FOR UPDATE";
    /// Ends this writer's other connections on the server and waits for their end: before it, a statement that has not
    /// yet come to the mark could still be stored.
    END_OLD "end_old" = "\
SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity \
WHERE application_name = $1 AND usename = current_user AND pid <> pg_backend_pid()";
}

/// The one writer of a process, used behind a mutex.
pub(super) struct Writer {
    /// The writer's name among the marks; its connections have the same name.
    name: String,
    /// The number of the last batch.
    batch: i64,
    /// True when the writer's mark is known to have a row. Without a row nobody could wait for it.
    marked: bool,
    /// A statement that commits was sent, and no answer has come.
    in_doubt: bool,
    counted: Counted,
    pub(super) incarnation: Option<Incarnation>,
}

/// The result of one attempt.
enum Attempt {
    Judged(Judgements),
    /// The batch collided with another transaction.
    Collided(Error),
    /// The writer's mark had no row.
    Unmarked,
    Failed(StoreError),
}

impl From<Error> for Attempt {
    fn from(error: Error) -> Self {
        if is_collision(&error) { Self::Collided(error) } else { Self::Failed(to_port(&error)) }
    }
}

impl From<Fault> for Attempt {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Database(error) => error.into(),
            Fault::Port(error) => Self::Failed(error),
        }
    }
}

impl Writer {
    pub(super) fn new(name: String) -> Self {
        Self { name, batch: 0, marked: false, in_doubt: false, counted: Counted::default(), incarnation: None }
    }

    /// Commits a batch in one transaction.
    pub(super) async fn commit(
        &mut self,
        sessions: &Sessions,
        batch: Vec<Operation>,
    ) -> Result<Judgements, StoreError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        if self.in_doubt {
            self.ask(sessions).await?;
        }
        let mut met = None;
        for _ in 0..ATTEMPTS {
            if !self.marked {
                sessions.all::<i64>(&MAKE_MARK, values![self.name.as_str(), self.batch]).await?;
                self.marked = true;
            }
            self.batch += 1;
            match self.attempt(sessions, &batch).await {
                Attempt::Judged(judgements) => return Ok(judgements),
                Attempt::Failed(error) => return Err(error),
                Attempt::Unmarked => self.marked = false,
                Attempt::Collided(error) => {
                    metrics::store_collisions_total.increment(1);
                    met = Some(error);
                }
            }
        }
        Err(StoreError::Unavailable(met.map_or_else(|| "no mark".to_owned(), |error| error.to_string())))
    }

    async fn attempt(&mut self, sessions: &Sessions, batch: &[Operation]) -> Attempt {
        let needs = Needs::of(batch);
        if held::is_told(&needs) && self.counted.know(&needs) && !hands_over(batch) && !sets_stops(batch) {
            match self.at_once(sessions, batch, &needs).await {
                Ok(Some(judgements)) => return Attempt::Judged(judgements),
                Ok(None) => {}
                Err(attempt) => return attempt,
            }
        }
        match self.written(sessions, batch).await {
            Ok(Written { judgements, session: None }) => Attempt::Judged(judgements),
            Ok(Written { judgements, session: Some(mut session) }) => {
                self.in_doubt = true;
                let ended = session.end().await;
                match self.ended(sessions, session, ended).await {
                    Ok(()) => {
                        self.counted.note(&needs);
                        Attempt::Judged(judgements)
                    }
                    Err(attempt) => attempt,
                }
            }
            Err(attempt) => attempt,
        }
    }

    /// Commits the batch by two statements: one reads, the other writes and holds the batch to what was read. Returns
    /// nothing, and has stored nothing, when the batch must be judged under locks.
    async fn at_once(
        &mut self,
        sessions: &Sessions,
        batch: &[Operation],
        needs: &Needs,
    ) -> Result<Option<Judgements>, Attempt> {
        let (mut session, mut loaded, (versions, read_at)) = look(sessions, needs).await?;
        let (judgements, changes) = judge(batch.to_vec(), &mut loaded);
        if judgements.iter().any(Result::is_err) || !write::is_one_statement(&changes) {
            return Ok(None);
        }
        if write::is_nothing(&changes) {
            return Ok(Some(judgements));
        }
        let held = Held { needs, versions: &versions, read_at, writer: &self.name };
        let (text, values) = self.statement(&changes, &loaded, Some(&held)).map_err(Attempt::Failed)?;
        let statement = sqlx::query_with(AssertSqlSafe(text), for_postgres(&values)?);
        self.in_doubt = true;
        match session.change("write", statement).await {
            Ok(marked) => {
                self.in_doubt = false;
                if marked == 0 {
                    metrics::store_collisions_total.increment(1);
                }
                Ok((marked == 1).then_some(judgements))
            }
            Err(error) if is_collision(&error) || is_contradiction(&error) => {
                self.in_doubt = false;
                Ok(None)
            }
            failed => self.ended(sessions, session, failed.map(drop)).await.map(|()| Some(judgements)),
        }
    }

    /// Finds out whether the batch is stored whose last statement ended like that.
    async fn ended(
        &mut self,
        sessions: &Sessions,
        session: Session<'_>,
        ended: Result<(), Error>,
    ) -> Result<(), Attempt> {
        match ended {
            Err(error) if is_broken(&error) => {
                drop(session);
                tracing::warn!(%error, "no answer to a commit, the database is asked what became of it");
                if self.settle(sessions).await { Ok(()) } else { Err(Attempt::Failed(to_port(&error))) }
            }
            ended => {
                self.in_doubt = false;
                Ok(ended?)
            }
        }
    }

    /// Does everything but the end of the transaction.
    async fn written<'s>(&self, sessions: &'s Sessions, batch: &[Operation]) -> Result<Written<'s>, Attempt> {
        let mut session = sessions.transaction().await.map_err(Attempt::Failed)?;
        let mut loaded = load(&mut session, &Needs::of(batch), batch, &self.counted).await?;
        let (judgements, changes) = judge(batch.to_vec(), &mut loaded);
        if write::is_nothing(&changes) {
            session.roll_back().await;
            return Ok(Written { judgements, session: None });
        }
        match self.write(&mut session, &changes, &loaded).await {
            Ok(true) => Ok(Written { judgements, session: Some(session) }),
            Ok(false) => Err(Attempt::Unmarked),
            Err(Fault::Database(error)) if is_contradiction(&error) => {
                session.roll_back().await;
                drop(session);
                self.one_by_one(sessions, batch).await
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Writes `changes` by one statement. Returns whether the writer's mark was written; without the mark nothing may be
    /// committed.
    async fn write(&self, session: &mut Session<'_>, changes: &Changes, loaded: &Loaded) -> Result<bool, Fault> {
        write::before(session, changes).await?;
        let (text, values) = self.statement(changes, loaded, None)?;
        let statement = sqlx::query_with(AssertSqlSafe(text), for_postgres(&values)?);
        let marked = session.change("write", statement).await?;
        write::after(session, changes).await?;
        Ok(marked == 1)
    }

    fn statement<'b>(
        &'b self,
        changes: &'b Changes,
        loaded: &'b Loaded,
        held: Option<&Held<'b>>,
    ) -> Result<(Arc<str>, Values<'b>), StoreError> {
        let mark = (&MARK, values![self.name.as_str(), self.batch]);
        let me = self.incarnation.map(|Incarnation(me)| me);
        write::for_postgres(changes, loaded, me, held, mark)
    }

    /// Judges each operation alone, behind a savepoint of its own, all in one transaction.
    async fn one_by_one<'s>(&self, sessions: &'s Sessions, batch: &[Operation]) -> Result<Written<'s>, Attempt> {
        let mut session = sessions.transaction().await.map_err(Attempt::Failed)?;
        // Takes all locks at once and in order, as for the whole batch.
        load(&mut session, &Needs::of(batch), batch, &self.counted).await?;
        let mut judgements = Vec::with_capacity(batch.len());
        for operation in batch {
            judgements.push(self.alone(&mut session, operation).await?);
        }
        Ok(Written { judgements, session: Some(session) })
    }

    async fn alone(
        &self,
        session: &mut Session<'_>,
        operation: &Operation,
    ) -> Result<Result<Applied, Refusal>, Attempt> {
        let batch = std::slice::from_ref(operation);
        let mut loaded = load(session, &Needs::of(batch), batch, &self.counted).await?;
        let (mut judgements, changes) = judge(batch.to_vec(), &mut loaded);
        let mut judgement = judgements.pop().unwrap_or_else(|| Err(Refusal::Conflict("not judged".to_owned())));
        if judgement.is_err() {
            return Ok(judgement);
        }
        session.run("savepoint", "SAVEPOINT operation").await?;
        match self.write(session, &changes, &loaded).await {
            Ok(true) => {}
            Ok(false) => return Err(Attempt::Unmarked),
            Err(Fault::Database(error)) if is_contradiction(&error) => {
                judgement = Err(Refusal::Conflict(format!("a row contradicts what is stored: {error}")));
                session.run("savepoint", "ROLLBACK TO operation").await?;
            }
            Err(error) => return Err(error.into()),
        }
        session.run("savepoint", "RELEASE operation").await?;
        Ok(judgement)
    }

    /// Asks until the database answers whether the last batch is stored.
    async fn settle(&mut self, sessions: &Sessions) -> bool {
        loop {
            match self.ask(sessions).await {
                Ok(stored) => return stored,
                Err(error) => {
                    tracing::debug!(%error, "the database does not tell yet what became of a commit");
                    tokio::time::sleep(ASK_EVERY).await;
                }
            }
        }
    }

    /// Returns whether the last batch is stored. Ends the connection that wrote it, and waits for the end of its
    /// transaction.
    async fn ask(&mut self, sessions: &Sessions) -> Result<bool, StoreError> {
        let mut session = sessions.session().await?;
        let failed = |fault: Fault| {
            sessions.forget();
            StoreError::from(fault)
        };
        let ended: Vec<bool> = session.fetch(&END_OLD, values![self.name.as_str()]).await.map_err(failed)?;
        if ended.contains(&false) {
            return Err(StoreError::Unavailable("an old connection has not ended yet".to_owned()));
        }
        let mark: Vec<i64> = session.fetch(&READ_MARK, values![self.name.as_str()]).await.map_err(failed)?;
        let stored = mark.first() == Some(&self.batch);
        self.in_doubt = false;
        Ok(stored)
    }
}

/// A batch that is judged, and written unless it changes nothing.
struct Written<'s> {
    judgements: Judgements,
    session: Option<Session<'s>>,
}
