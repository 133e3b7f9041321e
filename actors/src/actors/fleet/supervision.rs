//! Who failed how often, who waits for a restart, who is quarantined (I7). Layer `actors`.

use std::collections::HashMap;

use ractor::{ActorCell, ActorId};
use serde::Serialize;
use tokio::time::Instant;

use crate::domain::ids::{BotId, ChatId};
use crate::policy::restart::{FailureRecord, Remedy, RestartSettings};

/// A child of the fleet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Child {
    /// A bot.
    Bot(BotId),
    /// A chat.
    Chat(ChatId),
    /// A provider.
    Provider(String),
}

impl std::fmt::Display for Child {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bot(id) => write!(f, "bot {id}"),
            Self::Chat(id) => write!(f, "chat {id}"),
            Self::Provider(name) => write!(f, "provider {name}"),
        }
    }
}

/// A quarantined child, as people see it.
#[derive(Clone, Debug, Serialize)]
pub struct Quarantined {
    /// What it is.
    pub child: String,
    /// How it failed last.
    pub reason: String,
}

/// The fleet's book of its children.
#[derive(Default)]
pub(super) struct Book {
    alive: HashMap<ActorId, Child>,
    failures: HashMap<Child, FailureRecord>,
    quarantined: HashMap<Child, String>,
    restarts: u64,
}

impl Book {
    pub(super) fn started(&mut self, cell: &ActorCell, child: Child) {
        self.alive.insert(cell.get_id(), child);
    }

    /// The child that ended.
    pub(super) fn ended(&mut self, cell: &ActorCell) -> Option<Child> {
        self.alive.remove(&cell.get_id())
    }

    pub(super) fn is_alive(&self, child: &Child) -> bool {
        self.alive.values().any(|alive| alive == child)
    }

    /// Counts a failure; the remedy tells what to do.
    pub(super) fn failed(&mut self, child: &Child, reason: &str, settings: &RestartSettings, random: f64) -> Remedy {
        let remedy = self.failures.entry(child.clone()).or_default().failed(settings, Instant::now(), random);
        match remedy {
            Remedy::Quarantine => {
                tracing::error!(child = %child, reason, "failed too often, quarantined until a person releases it");
                metrics::counter!("botfleet_quarantines_total").increment(1);
                self.quarantined.insert(child.clone(), reason.to_owned());
            }
            Remedy::RestartAfter(wait) => {
                tracing::error!(child = %child, reason, restart_in_ms = wait.as_millis() as u64, "actor failed");
                metrics::counter!("botfleet_actor_restarts_total").increment(1);
                self.restarts += 1;
            }
        }
        metrics::gauge!("botfleet_actors_quarantined").set(self.quarantined.len() as f64);
        remedy
    }

    pub(super) fn is_quarantined(&self, child: &Child) -> bool {
        self.quarantined.contains_key(child)
    }

    /// A person releases a child; false when it was not quarantined.
    pub(super) fn release(&mut self, child: &Child) -> bool {
        self.failures.remove(child);
        let released = self.quarantined.remove(child).is_some();
        metrics::gauge!("botfleet_actors_quarantined").set(self.quarantined.len() as f64);
        released
    }

    pub(super) fn quarantined(&self) -> Vec<Quarantined> {
        self.quarantined
            .iter()
            .map(|(child, reason)| Quarantined { child: child.to_string(), reason: reason.clone() })
            .collect()
    }

    pub(super) fn restarts(&self) -> u64 {
        self.restarts
    }
}
