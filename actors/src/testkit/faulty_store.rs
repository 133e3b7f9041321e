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
use crate::domain::allowance::AllowanceKey;
use crate::domain::commit::operations::Operation;
use crate::domain::commit::outcome::{Applied, Refusal};
use crate::domain::control::Stops;
use crate::domain::dead_letter::{DeadLetter, DeadLetterId};
use crate::domain::decision::Decision;
use crate::domain::ids::{
    BotId, ChatId, DecisionNumber, MessageId, Number, OutboxId, TelegramChatId, TelegramUserId, TurnId,
};
use crate::domain::inbox::InboxRow;
use crate::domain::outbox::OutboxMessage;
use crate::domain::pause::Pause;
use crate::domain::people::{Forgotten, PersonRecord, Rights};
use crate::domain::roster::{DeliveryChoice, Roster, RosterPlan};
use crate::domain::time::Timestamp;
use crate::domain::transcript::{EntryKey, TranscriptEntry};
use crate::domain::turn::Turn;
use crate::ports::archive::{Archive, DecisionQuery};
use crate::ports::store::{
    Backlog, ChatMemory, Cut, Kept, OutcomeCursor, OutcomeRecord, QueueDepths, Store, StoreError, Tenure,
};

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

    /// Makes the next `times` batches with an operation of that name fail, with nothing written.
    pub fn fail(&self, operation: &'static str, times: u64) {
        self.faults.lock().unwrap().insert(operation, (Fault::NothingWritten, times));
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
        let of_name = |(name, _): &&(&'static str, String)| *name == operation.name();
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

    fn reach(&self) -> Result<&MemoryStore, StoreError> {
        if self.down.load(Ordering::SeqCst) { Err(unavailable()) } else { Ok(&self.rows) }
    }
}

fn unavailable() -> StoreError {
    StoreError::Unavailable("told to fail".to_owned())
}

#[async_trait]
impl Store for FaultyStore {
    async fn commit(&self, batch: Vec<Operation>) -> Result<Vec<Result<Applied, Refusal>>, StoreError> {
        // As slow as a disk: others queue behind the commit, and paused time moves on even if callers never wait.
        tokio::time::sleep(COMMIT_TAKES).await;
        let names: Vec<_> = batch.iter().map(Operation::name).collect();
        let _ = self.held.subscribe().wait_for(|held| held.spares(&names)).await;
        let fault = self.fault(&names);
        let failed = |names: &[&'static str]| {
            for name in names {
                self.journal.note(Happening::Failed(name));
            }
            Err(unavailable())
        };
        if self.reach().is_err() || fault == Some(Fault::NothingWritten) {
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

    async fn apply_roster(&self, plan: &RosterPlan, now: Timestamp) -> Result<Roster, StoreError> {
        self.reach()?.apply_roster(plan, now).await
    }

    async fn roster(&self) -> Result<Roster, StoreError> {
        self.reach()?.roster().await
    }

    async fn set_username(&self, bot: BotId, username: &str) -> Result<(), StoreError> {
        self.reach()?.set_username(bot, username).await
    }

    async fn begin_tenure(&self, node: &str, now: Timestamp) -> Result<Tenure, StoreError> {
        self.reach()?.begin_tenure(node, now).await
    }

    async fn reclaim(&self, bot: BotId) -> Result<(), StoreError> {
        self.reach()?.reclaim(bot).await
    }

    async fn chat_memory(&self, chat: ChatId, recent: usize) -> Result<ChatMemory, StoreError> {
        self.reach()?.chat_memory(chat, recent).await
    }

    async fn unhandled(&self, chat: ChatId, limit: usize) -> Result<Vec<InboxRow>, StoreError> {
        self.reach()?.unhandled(chat, limit).await
    }

    async fn transcript(
        &self,
        chat: ChatId,
        upto: Number,
        limit: usize,
    ) -> Result<Vec<Arc<TranscriptEntry>>, StoreError> {
        self.reach()?.transcript(chat, upto, limit).await
    }

    async fn conversation(
        &self,
        chat: ChatId,
        upto: Number,
        said: usize,
    ) -> Result<Vec<Arc<TranscriptEntry>>, StoreError> {
        self.reach()?.conversation(chat, upto, said).await
    }

    async fn find_messages(
        &self,
        chat: TelegramChatId,
        messages: &[MessageId],
    ) -> Result<Vec<Arc<TranscriptEntry>>, StoreError> {
        self.reach()?.find_messages(chat, messages).await
    }

    async fn entry_numbers(&self, keys: &[EntryKey]) -> Result<Vec<(EntryKey, Number)>, StoreError> {
        self.reach()?.entry_numbers(keys).await
    }

    async fn next_offset(&self, bot: BotId) -> Result<Option<i64>, StoreError> {
        self.reach()?.next_offset(bot).await
    }

    async fn queued_turns(&self, bot: BotId, limit: usize) -> Result<Vec<Turn>, StoreError> {
        if self.hanging.lock().unwrap().contains(&bot) {
            std::future::pending::<()>().await;
        }
        self.reach()?.queued_turns(bot, limit).await
    }

    async fn waiting_messages(&self, bot: BotId, limit: usize) -> Result<Vec<OutboxMessage>, StoreError> {
        self.reach()?.waiting_messages(bot, limit).await
    }

    async fn backlog(&self, now: Timestamp) -> Result<Backlog, StoreError> {
        self.reach()?.backlog(now).await
    }

    async fn depths(&self) -> Result<QueueDepths, StoreError> {
        self.reach()?.depths().await
    }

    async fn allowances(&self) -> Result<Vec<(AllowanceKey, i64)>, StoreError> {
        self.reach()?.allowances().await
    }

    async fn rights(&self, known: i64) -> Result<Option<Rights>, StoreError> {
        self.reach()?.rights(known).await
    }

    async fn person(&self, person: TelegramUserId) -> Result<PersonRecord, StoreError> {
        let _ = self.records_held.subscribe().wait_for(|held| !held).await;
        self.reach()?.person(person).await
    }

    async fn forget(&self, person: TelegramUserId, wish: Option<i64>, cut: Cut<'_>) -> Result<Forgotten, StoreError> {
        if self.fault(&["forget"]).is_some() {
            self.journal.note(Happening::Failed("forget"));
            return Err(unavailable());
        }
        self.reach()?.forget(person, wish, cut).await
    }

    async fn stops(&self) -> Result<Stops, StoreError> {
        self.reach()?.stops().await
    }

    async fn outcomes(
        &self,
        cursor: OutcomeCursor,
        limit: usize,
    ) -> Result<(Vec<OutcomeRecord>, OutcomeCursor), StoreError> {
        self.reach()?.outcomes(cursor, limit).await
    }

    async fn prune(&self, now: Timestamp, kept: &Kept) -> Result<u64, StoreError> {
        self.reach()?.prune(now, kept).await
    }

    async fn expire(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.reach()?.expire(now).await
    }

    async fn expire_unspoken(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.reach()?.expire_unspoken(before).await
    }

    async fn turn(&self, turn: TurnId) -> Result<Option<(Turn, Vec<OutboxMessage>)>, StoreError> {
        self.reach()?.turn(turn).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.reach()?.check().await
    }

    async fn pauses(&self, bot: BotId) -> Result<Vec<Pause>, StoreError> {
        self.reach()?.pauses(bot).await
    }

    async fn said_lately(&self, bot: BotId, limit: usize) -> Result<Vec<String>, StoreError> {
        if self.fault(&["said_lately"]).is_some() {
            self.journal.note(Happening::Failed("said_lately"));
            return Err(unavailable());
        }
        self.reach()?.said_lately(bot, limit).await
    }

    async fn unknown_messages(&self, chat: ChatId) -> Result<Vec<OutboxMessage>, StoreError> {
        self.reach()?.unknown_messages(chat).await
    }

    async fn dead_letters(&self, after: Option<DeadLetterId>, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        self.reach()?.dead_letters(after, limit).await
    }

    async fn delivery(&self, bot: BotId) -> Result<Option<DeliveryChoice>, StoreError> {
        self.reach()?.delivery(bot).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.reach()?.close().await
    }

    async fn message(&self, outbox: OutboxId) -> Result<Option<OutboxMessage>, StoreError> {
        self.reach()?.message(outbox).await
    }
}

#[async_trait]
impl Archive for FaultyStore {
    async fn recorded_roster(&self) -> Result<Roster, StoreError> {
        self.reach()?.recorded_roster().await
    }

    async fn decisions(&self, chat: ChatId, query: &DecisionQuery) -> Result<Vec<Decision>, StoreError> {
        self.reach()?.decisions(chat, query).await
    }

    async fn turns_of(
        &self,
        chat: ChatId,
        decisions: &[DecisionNumber],
    ) -> Result<Vec<(Turn, Vec<OutboxMessage>)>, StoreError> {
        self.reach()?.turns_of(chat, decisions).await
    }

    async fn entries(&self, chat: ChatId, from: Number, limit: usize) -> Result<Vec<Arc<TranscriptEntry>>, StoreError> {
        self.reach()?.entries(chat, from, limit).await
    }

    async fn message_number(&self, chat: ChatId, message: MessageId) -> Result<Option<Number>, StoreError> {
        self.reach()?.message_number(chat, message).await
    }
}
