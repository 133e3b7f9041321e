//! Stops and releases. Layer `operate`.

use botfleet_actors::domain::audit::{Act, AuditObject, ObjectKind};
use botfleet_actors::domain::control::StopScope;
use serde_json::json;

use super::failure::Failure;
use super::grant::Granted;
use super::operations::Operations;
use super::orders::Ordered;
use super::permission::{Release, Stop};

/// The part of the fleet that an order names.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    /// The whole fleet.
    Fleet,
    /// The chat of that name in the manifest.
    Chat(&'a str),
    /// The bot of that name in the manifest.
    Bot(&'a str),
}

impl Operations {
    /// Stops or starts a part of the fleet. The change is durable when the call returns; only a message that is being sent
    /// already still goes out after a stop.
    ///
    /// # Errors
    /// `UnknownName`, `OutOfReach`, `Unavailable`.
    pub async fn set_stop(&self, by: &Granted<Stop>, part: Part<'_>, stopped: bool) -> Result<(), Failure> {
        let (scope, object) = match part {
            Part::Fleet => {
                by.everything()?;
                (StopScope::Fleet, AuditObject::only(ObjectKind::Fleet))
            }
            Part::Chat(name) => {
                let chat = by.chat(self.chat_named(name)?)?;
                (StopScope::Chat(chat), AuditObject::new(ObjectKind::Chat, chat).called(name))
            }
            Part::Bot(name) => {
                let bot = by.bot(self.bot_named(name)?)?;
                (StopScope::Bot(bot), AuditObject::new(ObjectKind::Bot, bot).called(name))
            }
        };
        let entry = self.entry(by, if stopped { Act::Stop } else { Act::Start }, object)?;
        let set = self.fleet.set_stop(scope, stopped, by.by(), Some(entry)).await;
        set.map_err(|error| Failure::unavailable(&error))
    }

    /// Lets an actor run again that failed too often. It is given as the view of the fleet shows it; `node` names the node of a
    /// provider, which is this one without it.
    ///
    /// # Errors
    /// `NotQuarantined`, `UnknownNode`, `OutOfReach`; those of [`Operations::ordered`].
    pub async fn release(&self, by: &Granted<Release>, actor: &str, node: Option<&str>) -> Result<Ordered, Failure> {
        let kind = actor.split_once(' ');
        let bot = kind.filter(|(kind, _)| *kind == "bot").and_then(|(_, name)| self.fleet.bot_named(name));
        let chat = kind.filter(|(kind, _)| *kind == "chat").and_then(|(_, name)| self.fleet.chat_named(name));
        match (bot, chat) {
            (Some(bot), _) => drop(by.bot(bot)?),
            (_, Some(chat)) => drop(by.chat(chat)?),
            _ => by.everything()?,
        }
        let entry = self.entry(by, Act::Release, AuditObject::new(ObjectKind::Actor, actor))?;
        let entry = entry.with_after(json!({ "node": node }));
        self.ordered(&self.fleet.release(actor, node, entry).await?)
    }
}
