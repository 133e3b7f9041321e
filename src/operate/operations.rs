//! The fleet behind the operators' layer. Layer `operate`.

use std::sync::Arc;

use botfleet_actors::domain::ids::{BotId, ChatId};
use botfleet_actors::domain::ownership::NodeRole;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::clock::Clock;
use botfleet_actors::ports::rates::Rates;

use super::access::Access;
use super::access::known::Sent;
use super::access::token;
use super::context::Context;
use super::failure::{Code, Failure};
use super::principal::Principal;
use crate::runtime::fleet::RunningFleet;
use crate::runtime::view::Health;

/// Carries out operations on the running fleet.
#[derive(Clone)]
pub struct Operations {
    pub(super) fleet: Arc<RunningFleet>,
    pub(super) access: Arc<Access>,
}

impl Operations {
    /// Creates the layer over a fleet.
    pub fn new(fleet: Arc<RunningFleet>) -> Self {
        let access = Access::new(fleet.operators(), fleet.clock(), fleet.key_file().cloned());
        Self { fleet, access: Arc::new(access) }
    }

    /// Returns the principal of a request. A request that is `active` keeps a session alive.
    ///
    /// # Errors
    /// `Unauthenticated` when what was sent proves nothing; `Unavailable`.
    pub async fn principal(&self, sent: &Sent, context: Context, active: bool) -> Result<Principal, Failure> {
        self.access.known.principal(sent, context, active).await
    }

    /// Returns whether a principal may still go on with what was granted.
    ///
    /// # Errors
    /// `Unavailable` when the store does not tell.
    pub async fn is_still(&self, sent: &Sent, principal: &Principal) -> Result<bool, Failure> {
        self.access.known.is_still(sent, principal).await
    }

    /// Returns whether whoever sent that was looked up before.
    pub fn remembers(&self, sent: &Sent) -> bool {
        self.access.known.remembers(sent)
    }

    /// Returns the name of this installation, by which its cookies differ from others'.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn installation(&self) -> Result<&str, Failure> {
        let name = async || Ok::<_, Failure>(self.access.store.installation(&token::handle()?).await?);
        self.access.installation.get_or_try_init(name).await.map(String::as_str)
    }

    /// Returns the clock of the node.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.access.clock)
    }

    /// Returns the present instant.
    pub fn now(&self) -> Timestamp {
        self.access.clock.now()
    }

    /// Returns the rates that all nodes count together, for the limits of requests.
    pub fn rates(&self) -> Arc<dyn Rates> {
        self.fleet.rates()
    }

    /// Returns the role of this node.
    pub fn role(&self) -> NodeRole {
        self.fleet.role()
    }

    /// Returns whether the node can do its work; no permission is needed.
    pub fn is_ready(&self) -> bool {
        self.fleet.is_ready()
    }

    /// Returns the health of the parts, soon, even if one of them hangs; no permission is needed.
    pub async fn health(&self) -> Health {
        self.fleet.health().await
    }

    /// Returns the bot of that name in the manifest.
    pub(super) fn bot_named(&self, name: &str) -> Result<BotId, Failure> {
        self.fleet.bot_named(name).ok_or_else(|| unknown("bot", name))
    }

    /// Returns the chat of that name in the manifest.
    pub(super) fn chat_named(&self, name: &str) -> Result<ChatId, Failure> {
        self.fleet.chat_named(name).ok_or_else(|| unknown("chat", name))
    }
}

/// Returns the size of a page.
///
/// # Errors
/// `BadRequest` for another size than 1 to `max`.
pub(super) fn page_of(asked: Option<usize>, usual: usize, max: usize) -> Result<usize, Failure> {
    let size = asked.unwrap_or(usual);
    let wrong = || Failure::new(Code::BadRequest, format!("limit: give 1 to {max}"));
    (1..=max).contains(&size).then_some(size).ok_or_else(wrong)
}

fn unknown(kind: &str, name: &str) -> Failure {
    Failure::new(Code::UnknownName, format!("no {kind} named {name:?} in the manifest"))
}
