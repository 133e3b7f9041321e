//! Who asks for an operation. Layer `operate`.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use botfleet_actors::domain::ids::{BotId, ChatId};
use botfleet_actors::domain::names::names;
use botfleet_actors::ports::metrics;

use super::failure::{Code, Failure};
use super::grant::Granted;
use super::permission::Permission;

/// The name of the principal of the local socket.
pub(super) const LOCAL: &str = "local";

/// The name of whoever calls a port, until people sign in.
const UNNAMED: &str = "api";

/// A role, the one with the fewest permissions first. Each role has the permissions of those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads, but no texts of messages.
    Viewer,
    /// Also steers bots and chats.
    Operator,
    /// Does everything.
    Admin,
}

names! { Role { Viewer = "viewer", Operator = "operator", Admin = "admin" } }

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The bots and chats that a principal's permissions concern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// All of them, and the fleet as a whole.
    Everything,
    /// These.
    Within {
        /// The bots.
        bots: BTreeSet<BotId>,
        /// The chats.
        chats: BTreeSet<ChatId>,
    },
}

/// Whoever asks: a name for the records, a role, and what it concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    name: String,
    role: Role,
    reach: Reach,
}

impl Principal {
    /// Creates a principal.
    pub fn new(name: impl Into<String>, role: Role, reach: Reach) -> Self {
        Self { name: name.into(), role, reach }
    }

    /// Returns the principal of the local socket, whose user the system has told: an admin.
    pub fn local() -> Self {
        Self::new(LOCAL, Role::Admin, Reach::Everything)
    }

    /// Returns whoever reaches the API's port. As long as nobody signs in, that is an admin, which is why the port is served
    /// to this machine and to named hosts alone.
    pub fn unnamed() -> Self {
        Self::new(UNNAMED, Role::Admin, Reach::Everything)
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the role.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Grants a permission.
    ///
    /// # Errors
    /// `Forbidden` when the role does not have the permission; the failure names it.
    pub fn grant<P: Permission>(self: &Arc<Self>) -> Result<Granted<P>, Failure> {
        if self.role < P::ROLE {
            metrics::operations_refused_total { code: Code::Forbidden.as_str() }.increment(1);
            let detail = format!("this needs the permission {}, which the role {} lacks", P::NAME, self.role);
            return Err(Failure::new(Code::Forbidden, detail));
        }
        Ok(Granted::new(Arc::clone(self)))
    }

    /// Returns whether a bot is within reach.
    pub(super) fn reaches_bot(&self, bot: BotId) -> bool {
        match &self.reach {
            Reach::Everything => true,
            Reach::Within { bots, .. } => bots.contains(&bot),
        }
    }

    /// Returns whether a chat is within reach.
    pub(super) fn reaches_chat(&self, chat: ChatId) -> bool {
        match &self.reach {
            Reach::Everything => true,
            Reach::Within { chats, .. } => chats.contains(&chat),
        }
    }

    /// Returns whether the fleet as a whole is within reach.
    pub(super) fn reaches_everything(&self) -> bool {
        self.reach == Reach::Everything
    }
}
