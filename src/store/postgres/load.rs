//! Locks and loads the rows that a batch needs. Layer: adapter. Keeps I6, I11.
//!
//! Most batches are read without locks ([`look`]), and lock the rows as they are written. For the others two statements do
//! it. The first locks the leases, all of them at once in (kind, key) order. The second sees
//! everything that was committed before the locks were given, because under READ COMMITTED each statement has a
//! snapshot of its own. Rows that several nodes change (windows, budgets, turns, messages) are locked in key order as
//! they are read. A window or budget that nobody has counted yet has no row to lock. Its row is made first, so that two
//! nodes never both count from nothing.

use std::collections::HashSet;

use botfleet_actors::domain::allowance::AllowanceKey;
use botfleet_actors::domain::commit::needs::Needs;
use botfleet_actors::domain::commit::operations::Operation;
use botfleet_actors::domain::commit::rows::Loaded;
use botfleet_actors::domain::window::WindowKey;
use sqlx::AssertSqlSafe;

use super::session::{Session, Sessions};
use crate::store::commit::load;
use crate::store::engine::Run;
use crate::store::fault::Fault;
use crate::store::sql::text::statements;
use crate::store::sql::values::{Database, Rows, for_postgres, values};

statements! {
    /// Lets other writers under the same leases go on; whoever changes an owner waits.
    LOCK "lock" = "\
SELECT key FROM lease WHERE (kind = 'bot' AND key = ANY($1)) OR (kind = 'chat' AND key = ANY($2)) ORDER BY kind, key \
FOR SHARE";
    /// Waits for everybody who writes under the leases.
    LOCK_ALONE "lock" = "\
SELECT key FROM lease WHERE (kind = 'bot' AND key = ANY($1)) OR (kind = 'chat' AND key = ANY($2)) ORDER BY kind, key \
FOR NO KEY UPDATE";
    /// Lets one batch at a time change stops: what a stop becomes depends on what it is.
    LOCK_STOPS "lock" = "LOCK TABLE control IN SHARE ROW EXCLUSIVE MODE";
    MAKE_WINDOWS "make_windows" = "\
INSERT INTO send_window (key, slots) SELECT key, '[]' FROM `rows 1 key text` ORDER BY key ON CONFLICT (key) DO NOTHING";
    MAKE_ALLOWANCES "make_allowances" = "\
INSERT INTO allowance (`columns period`, granted) SELECT `columns period`, 0 FROM `rows 1 ..period` \
ORDER BY `columns period` ON CONFLICT (scope, key, unit, per, period_start) DO NOTHING";
}

/// The counters that this process knows to have rows: windows stay for ever, budgets until their period is long over.
#[derive(Default)]
pub(super) struct Counted {
    windows: HashSet<WindowKey>,
    allowances: HashSet<AllowanceKey>,
}

/// The number of known counters above which all are forgotten together, since periods of budgets end.
const COUNTED_MAX: usize = 100_000;

impl Counted {
    /// Returns whether all windows are known to have rows.
    pub(super) fn know(&self, needs: &Needs) -> bool {
        needs.windows.iter().all(|key| self.windows.contains(key))
    }

    /// Notes that the counters of a committed batch have rows.
    pub(super) fn note(&mut self, needs: &Needs) {
        if self.windows.len() + self.allowances.len() > COUNTED_MAX {
            *self = Self::default();
        }
        self.windows.extend(&needs.windows);
        self.allowances.extend(&needs.allowances);
    }
}

/// Returns whether a batch changes owners.
pub(super) fn hands_over(batch: &[Operation]) -> bool {
    batch.iter().any(|operation| matches!(operation.act(), Operation::HandOver(_)))
}

/// Returns whether a batch changes stops.
pub(super) fn sets_stops(batch: &[Operation]) -> bool {
    batch.iter().any(|operation| matches!(operation.act(), Operation::SetStop(_)))
}

/// Locks the leases that the batch needs and loads the rest, in the open transaction.
pub(super) async fn load(
    session: &mut Session<'_>,
    needs: &Needs,
    batch: &[Operation],
    counted: &Counted,
) -> Result<Loaded, Fault> {
    let exclusive = hands_over(batch);
    if sets_stops(batch) {
        session.execute(&LOCK_STOPS, values![]).await?;
    }
    if !needs.bots.is_empty() || !needs.chats.is_empty() {
        let bots: Vec<i64> = needs.bots.iter().map(|bot| bot.0).collect();
        let chats: Vec<i64> = needs.chats.iter().map(|chat| chat.0).collect();
        session.execute(if exclusive { &LOCK_ALONE } else { &LOCK }, values![bots, chats]).await?;
    }
    make_counted(session, needs, counted).await?;
    let (parts, text, values) = load::statement(needs, Database::Postgres, "")?;
    let statement = sqlx::query_with(AssertSqlSafe(text), for_postgres(&values)?);
    let row = session.fetch_one("load", statement).await?;
    Ok(load::read(parts, &row, needs)?)
}

/// Reads the rows that `needs` names, without locks and outside a transaction. Returns also their versions, and when they
/// were read.
pub(super) async fn look<'s>(
    sessions: &'s Sessions,
    needs: &Needs,
) -> Result<(Session<'s>, Loaded, (String, i64)), Fault> {
    let (parts, text, values) = load::without_locks(needs)?;
    let statement = || Ok(sqlx::query_with(AssertSqlSafe(text.clone()), for_postgres(&values)?));
    let (session, rows) = sessions.first("load", statement).await?;
    let row = rows.first().ok_or(Fault::Database(sqlx::Error::RowNotFound))?;
    let (loaded, versions) = load::read_with_versions(parts, row, needs)?;
    Ok((session, loaded, versions))
}

async fn make_counted(session: &mut Session<'_>, needs: &Needs, counted: &Counted) -> Result<(), Fault> {
    let windows = needs.windows.iter().filter(|key| !counted.windows.contains(key)).map(|key| key.name());
    let windows = Rows::of(Database::Postgres, windows);
    if !windows.is_empty() {
        session.execute(&MAKE_WINDOWS, values![windows]).await?;
    }
    let allowances = needs.allowances.iter().filter(|key| !counted.allowances.contains(key));
    let allowances = Rows::over(Database::Postgres, allowances);
    if !allowances.is_empty() {
        session.execute(&MAKE_ALLOWANCES, values![allowances]).await?;
    }
    Ok(())
}
