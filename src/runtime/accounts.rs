//! Gives the operators' layer what it needs to know who asks, and how often: the accounts, the clock, the key of seeds, names,
//! the fleet's rates. Layer `runtime`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use botfleet_actors::domain::ids::{BotId, ChatId};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::clock::Clock;
use botfleet_actors::ports::operators::Operators;
use botfleet_actors::ports::rates::Rates;
use botfleet_actors::ports::requests::Requests;

use super::fleet::RunningFleet;

/// The accounts of those who operate the fleet, the file of the key that sealed their seeds in earlier versions, their keyed
/// requests, and the rates at which they ask.
pub(super) struct Accounts {
    pub(super) store: Arc<dyn Operators>,
    pub(super) key_file: Option<PathBuf>,
    pub(super) requests: Arc<dyn Requests>,
    pub(super) rates: Arc<dyn Rates>,
}

/// Interval at which sessions, keys and keyed requests that are over are removed.
const TIDIED_EVERY: Duration = Duration::from_mins(10);

/// Time for which ended sessions and keys are kept, in milliseconds: longer than any of them lasts unused.
const KEPT_MS: i64 = 24 * 60 * 60 * 1000;

/// Removes sessions, keys and keyed requests that are over, as long as the node runs.
pub(super) async fn tidy(store: Arc<dyn Operators>, requests: Arc<dyn Requests>, clock: Arc<dyn Clock>) {
    loop {
        tokio::time::sleep(TIDIED_EVERY).await;
        let before = Timestamp::from_millis(clock.now().as_millis() - KEPT_MS);
        if let Err(error) = store.prune_operators(before, before, before).await {
            tracing::debug!(%error, "sessions that are over were not removed");
        }
        // They are removed some at a time, so that nothing waits for long.
        while requests.prune_requests(before).await.is_ok_and(|removed| removed > 0) {}
    }
}

impl RunningFleet {
    /// Returns the accounts of those who operate the fleet.
    pub fn operators(&self) -> Arc<dyn Operators> {
        Arc::clone(&self.accounts.store)
    }

    /// Returns the requests that carry an idempotency key.
    pub fn keyed_requests(&self) -> Arc<dyn Requests> {
        Arc::clone(&self.accounts.requests)
    }

    /// Returns the rates that all nodes count together.
    pub fn rates(&self) -> Arc<dyn Rates> {
        Arc::clone(&self.accounts.rates)
    }

    /// Returns the file of the key that sealed seeds of one-time codes in earlier versions, where one is set.
    pub fn key_file(&self) -> Option<&PathBuf> {
        self.accounts.key_file.as_ref()
    }

    /// Returns the clock of the node, which follows the database's in a cluster.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.node.clock)
    }

    /// Returns the name of a bot of the configuration.
    pub fn name_of_bot(&self, bot: BotId) -> Option<String> {
        self.node.directory.known().bots.get(&bot).map(|bot| bot.spec.name.clone())
    }

    /// Returns the name of a chat of the configuration.
    pub fn name_of_chat(&self, chat: ChatId) -> Option<String> {
        self.node.directory.known().chats.get(&chat).map(|chat| chat.spec.name.clone())
    }
}
