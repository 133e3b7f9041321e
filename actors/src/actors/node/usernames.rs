//! Gathers the usernames that Telegram told, and stores them together. Layer `actors`. Keeps I10.
//!
//! When a fleet starts, every bot learns its name within the same second. A transaction for each would keep the store from
//! other work, and would have every node read the configuration as often.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::ids::BotId;
use crate::ports::store::Store;

/// The usernames that are news to the store.
#[derive(Default)]
pub struct Usernames {
    waiting: Mutex<BTreeMap<BotId, String>>,
    turn: tokio::sync::Mutex<()>,
}

impl Usernames {
    fn waiting(&self) -> MutexGuard<'_, BTreeMap<BotId, String>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a username that [`Usernames::store`] is to store.
    pub fn learned(&self, bot: BotId, username: &str) {
        self.waiting().insert(bot, username.to_owned());
    }

    /// Stores all usernames that wait. While one call stores, more usernames gather for the next call.
    ///
    /// # Cancel safety
    /// The usernames of a dropped call still wait.
    pub async fn store(&self, store: &dyn Store) {
        let _turn = self.turn.lock().await;
        let names: Vec<_> = self.waiting().iter().map(|(bot, name)| (*bot, name.clone())).collect();
        if names.is_empty() {
            return;
        }
        if let Err(error) = store.set_usernames(&names).await {
            tracing::warn!(bots = names.len(), error = %error, "usernames could not be stored, they wait for the next one");
            return;
        }
        let mut waiting = self.waiting();
        for (bot, name) in names {
            if waiting.get(&bot) == Some(&name) {
                waiting.remove(&bot);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::memory_store::MemoryStore;
    use crate::testkit::rows::{at, plan};

    #[tokio::test]
    async fn usernames_learned_while_one_is_stored_are_stored_as_one_change() {
        let store = MemoryStore::default();
        let roster = store.apply_roster(&plan(3, 1), at(1)).await.unwrap();
        let bots: Vec<_> = roster.bots.keys().copied().collect();
        let names = Usernames::default();
        names.learned(bots[0], "first_bot");
        names.learned(bots[1], "old_bot");
        names.learned(bots[1], "second_bot");
        tokio::join!(names.store(&store), names.store(&store));
        let stored = store.roster().await.unwrap();
        assert_eq!(stored.config_seq.0, roster.config_seq.0 + 1);
        let username = |place: usize| stored.bots[&bots[place]].username.as_deref();
        assert_eq!((username(0), username(1), username(2)), (Some("first_bot"), Some("second_bot"), None));
    }
}
