//! A store in memory that fails as a real one does: unreachable as a whole, for some operations, or only in its answer
//! after the write. Part of the testkit.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use super::journal::{Happening, Journal};
use super::memory_store::MemoryStore;
use crate::domain::commit::operations::Operation;
use crate::domain::commit::outcome::{Applied, Refusal};
use crate::domain::ids::BotId;
use crate::ports::archive::archive_methods;
use crate::ports::store::{Store, StoreError, store_methods};

/// The time that a commit takes.
const COMMIT_TAKES: Duration = Duration::from_millis(2);

/// The ways in which a commit fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Nothing is written.
    NothingWritten,
    /// Everything is written, and the caller hears that nothing was.
    AnswerLost,
}

/// Selects the commits that are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    Nothing,
    All,
    With(&'static str),
}

impl Held {
    fn spares(self, names: &[&'static str]) -> bool {
        match self {
            Self::Nothing => true,
            Self::All => false,
            Self::With(name) => !names.contains(&name),
        }
    }
}

/// A store that fails when told to.
pub struct FaultyStore {
    /// The rows: a handle on them that never fails.
    pub rows: Arc<MemoryStore>,
    journal: Journal,
    down: AtomicBool,
    held: watch::Sender<Held>,
    records_held: watch::Sender<bool>,
    hanging: Mutex<HashSet<BotId>>,
    faults: Mutex<HashMap<&'static str, (Fault, u64)>>,
    refused: Mutex<Vec<(&'static str, String)>>,
}

impl FaultyStore {
    /// A store over these rows that works.
    pub fn new(rows: impl Into<Arc<MemoryStore>>, journal: Journal) -> Self {
        Self {
            rows: rows.into(),
            journal,
            down: AtomicBool::new(false),
            held: watch::Sender::new(Held::Nothing),
            records_held: watch::Sender::new(false),
            hanging: Mutex::default(),
            faults: Mutex::default(),
            refused: Mutex::default(),
        }
    }

    /// Makes every call fail, or lets calls work again.
    pub fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// Leaves every query for the turns of `bot` without an answer, or answers again.
    pub fn hang(&self, bot: BotId, hanging: bool) {
        let mut bots = self.hanging.lock().unwrap();
        if hanging {
            bots.insert(bot)
        } else {
            bots.remove(&bot)
        };
    }

    /// Holds commits, or lets them go on; further ones queue behind the one under way.
    pub fn hold(&self, held: bool) {
        self.held.send_replace(if held { Held::All } else { Held::Nothing });
    }

    /// Holds batches with an operation of that name; further ones queue behind them.
    pub fn hold_with(&self, operation: &'static str) {
        self.held.send_replace(Held::With(operation));
    }

    /// Holds queries for the record about a person, or answers them.
    pub fn hold_records(&self, held: bool) {
        self.records_held.send_replace(held);
    }

    /// Makes the next `times` batches with an operation of that name, or calls of that name, fail with nothing written.
    pub fn fail(&self, name: &'static str, times: u64) {
        self.faults.lock().unwrap().insert(name, (Fault::NothingWritten, times));
    }

    /// Loses the answer to the next batch with an operation of that name.
    pub fn lose_answer(&self, operation: &'static str) {
        self.faults.lock().unwrap().insert(operation, (Fault::AnswerLost, 1));
    }

    /// Refuses every operation of that name that holds those words, like a row that no table accepts.
    pub fn refuse(&self, operation: &'static str, words: &str) {
        self.refused.lock().unwrap().push((operation, words.to_owned()));
    }

    fn refusal(&self, operation: &Operation) -> Option<Refusal> {
        let refused = self.refused.lock().unwrap();
        let of_name = |(name, _): &&(&'static str, String)| *name == operation.act().name();
        let words = refused.iter().filter(of_name).find(|(_, words)| format!("{operation:?}").contains(words));
        words.map(|_| Refusal::Conflict("a row contradicts what is stored".to_owned()))
    }

    fn fault(&self, names: &[&'static str]) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap();
        let name = names.iter().find(|name| faults.get(**name).is_some_and(|(_, left)| *left > 0))?;
        let (fault, left) = faults.get_mut(name)?;
        *left -= 1;
        Some(*fault)
    }

    /// Returns the rows for a call of that name, unless the store or the call is told to fail.
    fn reach(&self, call: &'static str) -> Result<&MemoryStore, StoreError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(unavailable());
        }
        if self.fault(&[call]).is_some() {
            self.journal.note(Happening::Failed(call));
            return Err(unavailable());
        }
        Ok(&self.rows)
    }

    /// Waits for ever while queries for the turns of `bot` are told to hang.
    async fn meet_hanging(&self, bot: BotId) {
        if self.hanging.lock().unwrap().contains(&bot) {
            std::future::pending::<()>().await;
        }
    }

    /// Waits while queries for records about people are held.
    async fn meet_hold_of_records(&self) {
        let _ = self.records_held.subscribe().wait_for(|held| !held).await;
    }

    async fn commit_as_told(&self, batch: Vec<Operation>) -> Result<Vec<Result<Applied, Refusal>>, StoreError> {
        // As slow as a disk: others queue behind the commit, and paused time moves on even if callers never wait.
        tokio::time::sleep(COMMIT_TAKES).await;
        let names: Vec<_> = batch.iter().map(|operation| operation.act().name()).collect();
        let _ = self.held.subscribe().wait_for(|held| held.spares(&names)).await;
        let fault = self.fault(&names);
        let failed = |names: &[&'static str]| {
            for name in names {
                self.journal.note(Happening::Failed(name));
            }
            Err(unavailable())
        };
        if self.down.load(Ordering::SeqCst) || fault == Some(Fault::NothingWritten) {
            return failed(&names);
        }
        let refusals: Vec<Option<Refusal>> = batch.iter().map(|operation| self.refusal(operation)).collect();
        let accepted = batch.into_iter().zip(&refusals).filter_map(|(op, no)| no.is_none().then_some(op)).collect();
        let mut accepted = self.rows.commit(accepted).await?.into_iter();
        let results: Vec<_> =
            refusals.into_iter().filter_map(|no| no.map_or_else(|| accepted.next(), |no| Some(Err(no)))).collect();
        if fault == Some(Fault::AnswerLost) {
            return failed(&names);
        }
        for (name, result) in names.iter().zip(&results) {
            self.journal.note(match result {
                Ok(_) => Happening::Committed(name),
                Err(refusal) => Happening::Refused(name, refusal.clone()),
            });
        }
        Ok(results)
    }
}

fn unavailable() -> StoreError {
    StoreError::Unavailable("told to fail".to_owned())
}

/// Implements a port over the rows: a call fails when the store is told so, and some calls do more.
macro_rules! over_the_rows {
    ($port:ident: $($method:ident($($value:ident: $type:ty),*) -> $result:ty;)+) => {
        #[async_trait]
        impl $port for FaultyStore {
            $(
                async fn $method(&self, $($value: $type),*) -> Result<$result, StoreError> {
                    answer!($method self $($value)*)
                }
            )+
        }
    };
}

macro_rules! answer {
    (commit $store:ident $batch:ident) => {
        $store.commit_as_told($batch).await
    };
    (queued_turns $store:ident $bot:ident $limit:ident) => {{
        $store.meet_hanging($bot).await;
        $store.reach("queued_turns")?.queued_turns($bot, $limit).await
    }};
    (queued_talk $store:ident $bot:ident $limit:ident $said:ident $known:ident) => {{
        $store.meet_hanging($bot).await;
        $store.reach("queued_talk")?.queued_talk($bot, $limit, $said, $known).await
    }};
    (person $store:ident $person:ident) => {{
        $store.meet_hold_of_records().await;
        $store.reach("person")?.person($person).await
    }};
    ($method:ident $store:ident $($value:ident)*) => {
        $store.reach(stringify!($method))?.$method($($value),*).await
    };
}

store_methods! { over_the_rows Store: }
archive_methods! { over_the_rows Archive: }
