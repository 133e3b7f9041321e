//! A store in memory: the judge of the group commit over maps. Part of the testkit. It keeps the same contract as the
//! real stores, can be told to fail, and counts commits. A second handle sees what a killed process left behind.

mod archive;
mod cluster;
mod growth;
mod orders;
mod people;
mod reading;
mod roster;
mod speaking;
mod state;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;

use self::state::State;
use crate::domain::audit::AuditEntry;
use crate::domain::commit::operations::Operation;
use crate::domain::commit::outcome::{Applied, Refusal};
use crate::domain::ids::Epoch;
use crate::domain::ownership::Incarnation;
use crate::ports::archive::archive_methods;
use crate::ports::store::{StoreError, store_methods};

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

    /// Returns the entries of the audit, in the order of their acts.
    pub fn acts(&self) -> Vec<AuditEntry> {
        self.state().acts.clone()
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

    fn commit_all(&self, batch: Vec<Operation>) -> Result<Vec<Result<Applied, Refusal>>, StoreError> {
        let fail_one = |left: u64| left.checked_sub(1);
        if self.failing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fail_one).is_ok() {
            return Err(StoreError::Unavailable("told to fail".to_owned()));
        }
        let (me, mut state) = (self.place().me, self.reach()?);
        let results = batch.into_iter().map(|operation| state.decide(operation, me)).collect();
        self.commits.fetch_add(1, Ordering::SeqCst);
        Ok(results)
    }
}

/// Implements a port by the methods of [`State`] of the same names, except for the calls that [`answer`] lists.
macro_rules! over_the_state {
    ($port:ident: $($method:ident($($value:ident: $type:ty),*) -> $result:ty;)+) => {
        #[async_trait]
        impl $port for MemoryStore {
            $(
                async fn $method(&self, $($value: $type),*) -> Result<$result, StoreError> {
                    answer!($method self $($value)*)
                }
            )+
        }
    };
}

/// Answers the calls that depend on the process, or that can be refused.
macro_rules! answer {
    (commit $store:ident $batch:ident) => {
        $store.commit_all($batch)
    };
    (apply_roster $store:ident $plan:ident $now:ident) => {{
        let (Place { me, tenure, .. }, _) = (*$store.place(), $now);
        $store.reach()?.apply_roster($plan, me.zip(tenure))
    }};
    (begin_tenure $store:ident $node:ident $now:ident) => {{
        let (me, tenure) = $store.reach()?.begin_tenure($node, $now);
        *$store.place() = Place { tenure: Some(tenure.epoch), me: Some(me), in_cluster: false };
        Ok(tenure)
    }};
    (reclaim $store:ident $bot:ident) => {{
        let me = $store.place().me;
        Ok($store.reach()?.reclaim(me, $bot))
    }};
    (backlog $store:ident $now:ident) => {{
        let Place { me, in_cluster, .. } = *$store.place();
        Ok($store.reach()?.backlog(me.filter(|_| in_cluster), $now))
    }};
    (prune $store:ident $now:ident $kept:ident) => {{
        let alone = !$store.place().in_cluster;
        Ok($store.reach()?.prune(alone, $now, $kept))
    }};
    (check $store:ident) => {
        Ok(())
    };
    (close $store:ident) => {
        Ok(())
    };
    ($method:ident $store:ident $($value:ident)*) => {
        Ok($store.reach()?.$method($($value),*))
    };
}

store_methods! { over_the_state Store: }
archive_methods! { over_the_state Archive: }

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::cluster::Cluster;
    use crate::ports::store::Store;
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
