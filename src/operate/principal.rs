//! The principal of a request: who asks, how they proved it, and what they may. Layer `operate`. Keeps I12.

use std::sync::Arc;

use botfleet_actors::domain::ids::{BotId, ChatId};
use botfleet_actors::domain::operators::{Grants, OperatorId};
use botfleet_actors::domain::time::Timestamp;

pub use botfleet_actors::domain::operators::{Reach, Role};

use super::context::Context;
use super::failure::{Code, Failure};
use super::grant::Granted;
use super::permission::{Mark, Permission};

/// The name of the principal of the local socket.
const LOCAL: &str = "local";

/// The name of whoever has not signed in.
const STRANGER: &str = "stranger";

/// Time for which a proof of ownership counts, for what asks again, in milliseconds.
const CONFIRMED_FOR_MS: i64 = 10 * 60 * 1000;

/// The proof of who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// None.
    Nothing,
    /// The local socket, whose caller's user the system told.
    Local,
    /// A session.
    Session {
        /// SHA-256 of its token, under which it is stored.
        id: String,
        /// Its public name.
        handle: String,
        /// Instant at which the person last proved to own the account.
        confirmed_at: Timestamp,
    },
    /// An API key, by its public part.
    Key(String),
}

/// Somebody who asks: a name for the records, a proof, and permissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The name.
    pub name: String,
    /// The account, where there is one.
    pub account: Option<OperatorId>,
    /// The proof.
    pub proof: Proof,
    /// The permissions.
    pub grants: Grants,
}

impl Identity {
    /// Returns the principal of the local socket: an admin.
    pub fn local() -> Self {
        let grants = Grants { role: Role::Admin, reach: Reach::Everything, reads_texts: true };
        Self { name: LOCAL.to_owned(), account: None, proof: Proof::Local, grants }
    }

    /// Returns whoever has not signed in, and may do nothing else.
    pub fn stranger() -> Self {
        let grants = Grants { role: Role::Stranger, reach: Reach::Everything, reads_texts: false };
        Self { name: STRANGER.to_owned(), account: None, proof: Proof::Nothing, grants }
    }
}

/// Whoever asks, with the circumstances of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    identity: Arc<Identity>,
    context: Context,
}

impl Principal {
    /// Joins somebody and a request.
    pub fn new(identity: Arc<Identity>, context: Context) -> Self {
        Self { identity, context }
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.identity.name
    }

    /// Returns the role.
    pub fn role(&self) -> Role {
        self.identity.grants.role
    }

    /// Returns who it is.
    pub fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    /// Returns whether somebody asks on the machine itself, whose files such a caller can read anyway.
    pub fn is_local(&self) -> bool {
        self.identity.proof == Proof::Local
    }

    /// Returns the circumstances of the request.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Grants a permission.
    ///
    /// # Errors
    /// `Unauthenticated` for a stranger; `Forbidden` when the role does not have the permission, which the failure names;
    /// `ConfirmFirst` when the permission asks for a fresh proof.
    pub fn grant<P: Permission>(self: &Arc<Self>) -> Result<Granted<P>, Failure> {
        let role = self.role();
        let apart = P::MARKS.contains(&Mark::Apart) && self.identity.grants.reads_texts;
        if role == Role::Stranger && P::ROLE > Role::Stranger {
            return Err(Failure::new(Code::Unauthenticated, "sign in (botfleet login NAME), or send an API key"));
        }
        if role < P::ROLE && !apart {
            let detail = format!("this needs the permission {}, which the role {role} lacks", P::NAME);
            return Err(Failure::new(Code::Forbidden, detail));
        }
        if P::MARKS.contains(&Mark::Fresh) {
            self.check_fresh(P::NAME)?;
        }
        Ok(Granted::new(Arc::clone(self)))
    }

    fn check_fresh(&self, permission: &str) -> Result<(), Failure> {
        match &self.identity.proof {
            Proof::Local | Proof::Nothing => Ok(()),
            Proof::Key(_) => {
                Err(Failure::new(Code::Forbidden, format!("no API key has the permission {permission}: sign in")))
            }
            Proof::Session { confirmed_at, .. } => {
                if self.context.at.as_millis().saturating_sub(confirmed_at.as_millis()) <= CONFIRMED_FOR_MS {
                    return Ok(());
                }
                Err(Failure::new(Code::ConfirmFirst, "prove again that this account is yours, by password or code"))
            }
        }
    }

    /// Returns whether a bot is within reach.
    pub(super) fn reaches_bot(&self, bot: BotId) -> bool {
        match &self.identity.grants.reach {
            Reach::Everything => true,
            Reach::Within { bots, .. } => bots.contains(&bot),
        }
    }

    /// Returns whether a chat is within reach.
    pub(super) fn reaches_chat(&self, chat: ChatId) -> bool {
        match &self.identity.grants.reach {
            Reach::Everything => true,
            Reach::Within { chats, .. } => chats.contains(&chat),
        }
    }

    /// Returns whether the fleet as a whole is within reach.
    pub(super) fn reaches_everything(&self) -> bool {
        self.identity.grants.reach == Reach::Everything
    }
}
