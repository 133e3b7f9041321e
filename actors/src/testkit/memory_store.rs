//! A store in memory: the judge of the group commit over maps. Part of the testkit. It keeps the same contract as the
//! real stores, can be told to fail, and counts commits. A second handle sees what a killed process left behind.

mod archive;
mod cluster;
mod growth;
mod people;
mod reading;
mod roster;
mod state;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;

use self::state::State;
use crate::domain::allowance::AllowanceKey;
use crate::domain::commit::operations::Operation;
use crate::domain::commit::outcome::{Applied, Refusal};
use crate::domain::control::Stops;
use crate::domain::dead_letter::{DeadLetter, DeadLetterId};
use crate::domain::ids::{BotId, ChatId, Epoch, MessageId, Number, OutboxId, TelegramChatId, TelegramUserId, TurnId};
use crate::domain::inbox::InboxRow;
use crate::domain::outbox::OutboxMessage;
use crate::domain::ownership::Incarnation;
use crate::domain::pause::Pause;
use crate::domain::people::{Forgotten, PersonRecord, Rights};
use crate::domain::roster::{DeliveryChoice, Roster, RosterPlan};
use crate::domain::time::Timestamp;
use crate::domain::transcript::{EntryKey, TranscriptEntry};
use crate::domain::turn::Turn;
use crate::ports::store::{
    Backlog, ChatMemory, Cut, Kept, OutcomeCursor, OutcomeRecord, QueueDepths, Store, StoreError, Tenure,
};

/// A handle on rows in memory, held by one process.
#[derive(Default)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
    place: Mutex<Place>,
    cut_off: AtomicBool,
    failing: AtomicU64,
    commits: AtomicU64,
}

/// The relation of one process to the rows.
#[derive(Clone, Copy, Default)]
struct Place {
    /// The epoch of the process's tenure, when it owns everything.
    tenure: Option<Epoch>,
    /// The process's incarnation.
    me: Option<Incarnation>,
    /// True when the process shares the rows with other nodes.
    in_cluster: bool,
}

impl MemoryStore {
    /// Returns a handle for another process on the same rows, without a tenure.
    #[must_use]
    pub fn reopened(&self) -> Self {
        Self { state: Arc::clone(&self.state), ..Self::default() }
    }

    /// Makes the next `commits` commits fail as unavailable, with nothing written.
    pub fn fail_next(&self, commits: u64) {
        self.failing.store(commits, Ordering::SeqCst);
    }

    /// Returns how many commits succeeded.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::SeqCst)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap()
    }

    /// Returns the rows, while this process reaches them.
    fn reach(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        if self.cut_off.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("cut off".to_owned()));
        }
        Ok(self.state())
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn commit(&self, batch: Vec<Operation>) -> Result<Vec<Result<Applied, Refusal>>, StoreError> {
        let fail_one = |left: u64| left.checked_sub(1);
        if self.failing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fail_one).is_ok() {
            return Err(StoreError::Unavailable("told to fail".to_owned()));
        }
        let (me, mut state) = (self.place().me, self.reach()?);
        let results = batch.into_iter().map(|operation| state.decide(operation, me)).collect();
        self.commits.fetch_add(1, Ordering::SeqCst);
        Ok(results)
    }

    async fn apply_roster(&self, plan: &RosterPlan, _now: Timestamp) -> Result<Roster, StoreError> {
        let Place { me, tenure, .. } = *self.place();
        self.reach()?.apply_roster(plan, me.zip(tenure))
    }

    async fn roster(&self) -> Result<Roster, StoreError> {
        Ok(self.reach()?.roster())
    }

    async fn set_username(&self, bot: BotId, username: &str) -> Result<(), StoreError> {
        let mut state = self.reach()?;
        if state.usernames.insert(bot, username.to_owned()).as_deref() != Some(username) {
            state.config_seq += 1;
        }
        Ok(())
    }

    async fn begin_tenure(&self, node: &str, now: Timestamp) -> Result<Tenure, StoreError> {
        let (me, tenure) = self.reach()?.begin_tenure(node, now);
        *self.place() = Place { tenure: Some(tenure.epoch), me: Some(me), in_cluster: false };
        Ok(tenure)
    }

    async fn reclaim(&self, bot: BotId) -> Result<(), StoreError> {
        let me = self.place().me;
        self.reach()?.reclaim(me, bot);
        Ok(())
    }

    async fn chat_memory(&self, chat: ChatId, recent: usize) -> Result<ChatMemory, StoreError> {
        Ok(self.reach()?.chat_memory(chat, recent))
    }

    async fn unhandled(&self, chat: ChatId, limit: usize) -> Result<Vec<InboxRow>, StoreError> {
        Ok(self.reach()?.unhandled(chat, limit))
    }

    async fn transcript(
        &self,
        chat: ChatId,
        upto: Number,
        limit: usize,
    ) -> Result<Vec<Arc<TranscriptEntry>>, StoreError> {
        Ok(self.reach()?.transcript_until(chat, upto, limit))
    }

    async fn conversation(
        &self,
        chat: ChatId,
        upto: Number,
        said: usize,
    ) -> Result<Vec<Arc<TranscriptEntry>>, StoreError> {
        Ok(self.reach()?.conversation(chat, upto, said))
    }

    async fn find_messages(
        &self,
        chat: TelegramChatId,
        messages: &[MessageId],
    ) -> Result<Vec<Arc<TranscriptEntry>>, StoreError> {
        Ok(self.reach()?.find_messages(chat, messages))
    }

    async fn entry_numbers(&self, keys: &[EntryKey]) -> Result<Vec<(EntryKey, Number)>, StoreError> {
        Ok(self.reach()?.entry_numbers(keys))
    }

    async fn next_offset(&self, bot: BotId) -> Result<Option<i64>, StoreError> {
        Ok(self.reach()?.offsets.get(&bot).copied())
    }

    async fn queued_turns(&self, bot: BotId, limit: usize) -> Result<Vec<Turn>, StoreError> {
        Ok(self.reach()?.queued_turns(bot, limit))
    }

    async fn waiting_messages(&self, bot: BotId, limit: usize) -> Result<Vec<OutboxMessage>, StoreError> {
        Ok(self.reach()?.waiting_messages(bot, limit))
    }

    async fn backlog(&self, now: Timestamp) -> Result<Backlog, StoreError> {
        let Place { me, in_cluster, .. } = *self.place();
        Ok(self.reach()?.backlog(me.filter(|_| in_cluster), now))
    }

    async fn depths(&self) -> Result<QueueDepths, StoreError> {
        Ok(self.reach()?.depths())
    }

    async fn allowances(&self) -> Result<Vec<(AllowanceKey, i64)>, StoreError> {
        Ok(self.reach()?.allowances())
    }

    async fn rights(&self, known: i64) -> Result<Option<Rights>, StoreError> {
        Ok(self.reach()?.rights(known))
    }

    async fn person(&self, person: TelegramUserId) -> Result<PersonRecord, StoreError> {
        Ok(self.reach()?.person(person))
    }

    async fn forget(&self, person: TelegramUserId, wish: Option<i64>, cut: Cut<'_>) -> Result<Forgotten, StoreError> {
        Ok(self.reach()?.forget(person, wish, cut))
    }

    async fn stops(&self) -> Result<Stops, StoreError> {
        Ok(self.reach()?.stops.clone())
    }

    async fn outcomes(
        &self,
        cursor: OutcomeCursor,
        limit: usize,
    ) -> Result<(Vec<OutcomeRecord>, OutcomeCursor), StoreError> {
        Ok(self.reach()?.outcomes(cursor, limit))
    }

    async fn prune(&self, now: Timestamp, kept: &Kept) -> Result<u64, StoreError> {
        let alone = !self.place().in_cluster;
        Ok(self.reach()?.prune(alone, now, kept))
    }

    async fn expire(&self, now: Timestamp) -> Result<u64, StoreError> {
        Ok(self.reach()?.expire(now))
    }

    async fn expire_unspoken(&self, before: Timestamp) -> Result<u64, StoreError> {
        Ok(self.reach()?.expire_unspoken(before))
    }

    async fn turn(&self, turn: TurnId) -> Result<Option<(Turn, Vec<OutboxMessage>)>, StoreError> {
        let state = self.reach()?;
        Ok(state.turns.get(&turn).map(|found| (found.clone(), state.messages_of(turn).cloned().collect())))
    }

    async fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn pauses(&self, bot: BotId) -> Result<Vec<Pause>, StoreError> {
        Ok(self.reach()?.pauses.iter().filter(|pause| pause.bot == bot).collect())
    }

    async fn unknown_messages(&self, chat: ChatId) -> Result<Vec<OutboxMessage>, StoreError> {
        Ok(self.reach()?.unknown_messages(chat))
    }

    async fn said_lately(&self, bot: BotId, limit: usize) -> Result<Vec<String>, StoreError> {
        Ok(self.reach()?.said_lately(bot, limit))
    }

    async fn dead_letters(&self, after: Option<DeadLetterId>, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        Ok(self.reach()?.dead_letters(after, limit))
    }

    async fn delivery(&self, bot: BotId) -> Result<Option<DeliveryChoice>, StoreError> {
        Ok(self.reach()?.deliveries.get(&bot).cloned())
    }

    async fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn message(&self, outbox: OutboxId) -> Result<Option<OutboxMessage>, StoreError> {
        Ok(self.reach()?.outbox.get(&outbox).cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::cluster::Cluster;
    use crate::testkit::contract::Home;
    use crate::testkit::contract::cluster::ClusterHome;
    use crate::testkit::rows::{at, plan};

    /// A home whose rows outlive every handle on them.
    #[derive(Default)]
    struct MemoryHome(MemoryStore);

    #[async_trait]
    impl Home for MemoryHome {
        async fn open(&self) -> Arc<dyn Store> {
            Arc::new(self.0.reopened())
        }
    }

    #[async_trait]
    impl ClusterHome for MemoryHome {
        async fn open(&self) -> (Arc<dyn Store>, Arc<dyn Cluster>) {
            let process = Arc::new(self.0.reopened());
            (process.clone(), process)
        }
    }

    crate::store_contract!(MemoryHome::default());
    crate::cluster_contract!(MemoryHome::default());

    #[tokio::test]
    async fn a_commit_that_is_told_to_fail_writes_nothing() {
        let store = MemoryStore::default();
        let roster = store.apply_roster(&plan(1, 1), at(0)).await.unwrap();
        let epoch = store.begin_tenure("here", at(0)).await.unwrap().epoch;
        let (bot, chat) = (*roster.bots.keys().next().unwrap(), *roster.chats.keys().next().unwrap());
        let batch =
            || vec![crate::testkit::rows::ingest(bot, epoch, vec![crate::testkit::rows::update(1, bot, chat, 1)])];
        store.fail_next(1);
        assert!(store.commit(batch()).await.unwrap_err().is_retryable());
        assert_eq!((store.commits(), store.next_offset(bot).await.unwrap()), (0, None));
        store.commit(batch()).await.unwrap();
        assert_eq!((store.commits(), store.next_offset(bot).await.unwrap()), (1, Some(2)));
    }
}
