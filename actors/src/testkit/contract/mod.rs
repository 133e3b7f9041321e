//! The contract of the store: the claims that every implementation must keep. Part of the testkit.
//!
//! Each claim is an async function of a [`Home`], whose store it opens as often as it likes. A broken claim panics.
//! Each file lists its claims, and [`store_contract!`](crate::store_contract) makes a test of every one.

/// Lists the claims of a file, as a macro that makes a test of each. The first token is `$`: without it a macro cannot
/// write a macro.
macro_rules! claims {
    ($dollar:tt $list:ident of $file:ident: $($claim:ident)+) => {
        #[doc(hidden)]
        #[macro_export]
        macro_rules! $list {
            ($dollar home:expr) => {
                $(
                    #[tokio::test]
                    async fn $claim() {
                        $crate::testkit::contract::$file::$claim(&$dollar home).await;
                    }
                )+
            };
        }

        #[doc(hidden)]
        pub use $list as tests;
    };
}

pub mod advance;
pub mod allowance;
pub mod archive;
pub mod cluster;
pub mod filters;
pub mod growth;
pub mod hand_over;
pub mod ingest;
pub mod operator_orders;
pub mod orders;
pub mod outcomes;
pub mod people;
pub mod roster;
pub mod send;
pub mod speaking;
pub mod tenure;
pub mod turns;
pub mod unspoken;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::rows::{at, plan};
use crate::domain::commit::operations::Operation;
use crate::domain::commit::outcome::{Applied, Refusal};
use crate::domain::ids::{BotId, ChatId, Epoch};
use crate::domain::roster::Roster;
use crate::ports::store::{Kept, Store};

/// A place where a store lives. Each opening is a new process that finds what earlier ones left. The claims drop a
/// store before they open the next.
#[async_trait]
pub trait Home: Send + Sync {
    /// Opens the store that lives here.
    async fn open(&self) -> Arc<dyn Store>;
}

/// An open store in its tenure, with two bots that are both in two chats.
pub struct Scene {
    /// The store.
    pub store: Arc<dyn Store>,
    /// The stored roster.
    pub roster: Roster,
    /// The epoch of the tenure.
    pub epoch: Epoch,
    /// The bots.
    pub bots: [BotId; 2],
    /// The chats.
    pub chats: [ChatId; 2],
}

impl Scene {
    /// Opens the store, applies the roster and begins a tenure.
    pub async fn open(home: &dyn Home) -> Self {
        let store = home.open().await;
        let roster = store.apply_roster(&plan(2, 2), at(0)).await.expect("the plan is sound");
        let tenure = store.begin_tenure("here", at(0)).await.expect("a tenure begins");
        let (mut bots, mut chats) = (roster.bots.keys().copied(), roster.chats.keys().copied());
        let bots = [bots.next().unwrap(), bots.next().unwrap()];
        let chats = [chats.next().unwrap(), chats.next().unwrap()];
        Self { store, roster, epoch: tenure.epoch, bots, chats }
    }

    /// Ends the process, and begins the tenure of another one.
    pub async fn reopen(self, home: &dyn Home) -> Self {
        drop(self);
        Self::open(home).await
    }

    /// Commits a batch.
    pub async fn commit(&self, batch: Vec<Operation>) -> Vec<Result<Applied, Refusal>> {
        let operations = batch.len();
        let results = self.store.commit(batch).await.expect("the store works");
        assert_eq!(results.len(), operations, "each operation has its result");
        results
    }

    /// Commits one operation.
    pub async fn commit_one(&self, operation: Operation) -> Result<Applied, Refusal> {
        self.commit(vec![operation]).await.pop().unwrap()
    }

    /// Commits a batch and requires that nothing of it is refused.
    pub async fn commit_all(&self, batch: Vec<Operation>) -> Vec<Applied> {
        self.commit(batch).await.into_iter().collect::<Result<_, _>>().expect("nothing is refused")
    }
}

/// Keeps handled inbox rows up to now, and everything else for years.
pub const HANDLED_GO: Kept =
    Kept { handled: Duration::ZERO, decisions: Duration::from_hours(87_600), letters: Duration::from_hours(87_600) };

/// Asserts that an operation was refused because its caller's knowledge was stale.
pub fn assert_conflict(result: &Result<Applied, Refusal>) {
    assert!(matches!(result, Err(Refusal::Conflict(_))), "expected a conflict, got {result:?}");
}

/// Makes a test of every claim of the contract; `$home` is evaluated anew for each.
#[macro_export]
macro_rules! store_contract {
    ($home:expr) => {
        $crate::store_contract!(@files $home,
            ingest advance turns send allowance unspoken tenure
            roster hand_over operator_orders speaking orders people archive filters growth outcomes
        );
    };
    (@files $home:expr, $($file:ident)+) => {
        $($crate::testkit::contract::$file::tests!($home);)+
    };
}
