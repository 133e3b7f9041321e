//! Gives the operators' layer what it needs to know who asks: the accounts, the clock, the key of seeds, names. Layer
//! `runtime`.

use std::path::PathBuf;
use std::sync::Arc;

use botfleet_actors::domain::ids::{BotId, ChatId};
use botfleet_actors::ports::clock::Clock;
use botfleet_actors::ports::operators::Operators;

use super::fleet::RunningFleet;

/// The accounts of those who operate the fleet, and the file of the key that seals their seeds.
pub(super) struct Accounts {
    pub(super) store: Arc<dyn Operators>,
    pub(super) key_file: Option<PathBuf>,
}

impl RunningFleet {
    /// Returns the accounts of those who operate the fleet.
    pub fn operators(&self) -> Arc<dyn Operators> {
        Arc::clone(&self.accounts.store)
    }

    /// Returns the file of the key that seals seeds of one-time codes, where one is set.
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
