//! Keeps the book of children: which failed how often, which wait for a restart, which are quarantined (I7). Layer
//! `actors`.

use std::collections::HashMap;

use ractor::{ActorCell, ActorId};
use tokio::time::Instant;

use crate::actors::fleet::child::{Child, Quarantined};
use crate::actors::node::directory::Directory;
use crate::domain::ownership::LeaseKey;
use crate::domain::time::Timestamp;
use crate::policy::restart::{FailureRecord, Remedy, RestartSettings};
use crate::ports::metrics;

impl From<LeaseKey> for Child {
    fn from(key: LeaseKey) -> Self {
        match key {
            LeaseKey::Bot(bot) => Self::Bot(bot),
            LeaseKey::Chat(chat) => Self::Chat(chat),
        }
    }
}

impl Child {
    /// Returns the child's name for people: `bot NAME`, `chat NAME`, `provider NAME`.
    pub fn name(&self, directory: &Directory) -> String {
        let known = directory.known();
        let name = match self {
            Self::Bot(id) => known.bots.get(id).map(|bot| format!("bot {}", bot.spec.name)),
            Self::Chat(id) => known.chats.get(id).map(|chat| format!("chat {}", chat.spec.name)),
            Self::Provider(_) => None,
        };
        name.unwrap_or_else(|| self.to_string())
    }

    /// Returns the child of that name.
    pub fn named(name: &str, directory: &Directory) -> Option<Self> {
        let (kind, name) = name.split_once(' ')?;
        let known = directory.known();
        match kind {
            "bot" => known.bots.values().find(|bot| bot.spec.name == name).map(|bot| Self::Bot(bot.id)),
            "chat" => known.chats.values().find(|chat| chat.spec.name == name).map(|chat| Self::Chat(chat.id)),
            "provider" => Some(Self::Provider(name.to_owned())),
            _ => None,
        }
    }
}

/// The fleet's book of its children.
#[derive(Default)]
pub(super) struct Book {
    alive: HashMap<ActorId, Child>,
    failures: HashMap<Child, FailureRecord>,
    quarantined: HashMap<Child, (String, Timestamp)>,
    /// Actors that are being killed because they do not answer.
    unresponsive: HashMap<ActorId, String>,
    restarts: u64,
}

impl Book {
    pub(super) fn started(&mut self, cell: &ActorCell, child: Child) {
        self.alive.insert(cell.get_id(), child);
    }

    /// Records that an actor is killed because it does not answer; returns false when it is not among the living.
    pub(super) fn give_up(&mut self, actor: ActorId, reason: String) -> bool {
        let alive = self.alive.contains_key(&actor);
        if alive {
            self.unresponsive.insert(actor, reason);
        }
        alive
    }

    /// Returns why the actor that ended was killed, if it was.
    pub(super) fn why_killed(&mut self, cell: &ActorCell) -> Option<String> {
        self.unresponsive.remove(&cell.get_id())
    }

    /// Updates the gauge of quarantined children.
    pub(super) fn tell(&self) {
        metrics::actors_quarantined.handle().set(self.quarantined.len() as f64);
    }

    /// Returns the child that this actor runs.
    pub(super) fn child(&self, cell: &ActorCell) -> Option<Child> {
        self.alive.get(&cell.get_id()).cloned()
    }

    /// Removes the actor that ended; returns its child.
    pub(super) fn ended(&mut self, cell: &ActorCell) -> Option<Child> {
        self.alive.remove(&cell.get_id())
    }

    /// Takes a child that has lost its lease out of the book; its actor ends when it has nothing left in hand.
    pub(super) fn detach(&mut self, child: &Child) -> Option<ActorId> {
        let id = self.alive.iter().find(|(_, alive)| *alive == child).map(|(id, _)| *id)?;
        self.alive.remove(&id);
        Some(id)
    }

    pub(super) fn is_alive(&self, child: &Child) -> bool {
        self.alive.values().any(|alive| alive == child)
    }

    /// Counts a failure; returns the remedy.
    pub(super) fn failed(
        &mut self,
        child: &Child,
        reason: &str,
        settings: &RestartSettings,
        now: Timestamp,
        random: f64,
    ) -> Remedy {
        let remedy = self.failures.entry(child.clone()).or_default().failed(settings, Instant::now(), random);
        match remedy {
            Remedy::Quarantine => {
                tracing::error!(child = %child, reason, "failed too often, quarantined until a person releases it");
                metrics::quarantines_total.increment(1);
                self.quarantined.insert(child.clone(), (reason.to_owned(), now));
            }
            Remedy::RestartAfter(wait) => {
                tracing::error!(child = %child, reason, restart_in_ms = wait.as_millis() as u64, "actor failed");
                metrics::actor_restarts_total.increment(1);
                self.restarts += 1;
            }
        }
        self.tell();
        remedy
    }

    pub(super) fn is_quarantined(&self, child: &Child) -> bool {
        self.quarantined.contains_key(child)
    }

    /// Releases a child; returns false when it was not quarantined.
    pub(super) fn release(&mut self, child: &Child) -> bool {
        self.failures.remove(child);
        let released = self.quarantined.remove(child).is_some();
        self.tell();
        released
    }

    pub(super) fn quarantined(&self, name: impl Fn(&Child) -> String) -> Vec<Quarantined> {
        let shown = |(child, (reason, since)): (&Child, &(String, Timestamp))| Quarantined {
            actor: name(child),
            reason: reason.clone(),
            since: *since,
        };
        let mut shown: Vec<_> = self.quarantined.iter().map(shown).collect();
        shown.sort_by(|a, b| a.actor.cmp(&b.actor));
        shown
    }

    pub(super) fn restarts(&self) -> u64 {
        self.restarts
    }
}
