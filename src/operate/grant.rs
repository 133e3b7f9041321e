//! A permission that a principal has, as proof that it was granted. Layer `operate`.

use std::marker::PhantomData;
use std::sync::Arc;

use botfleet_actors::domain::ids::{BotId, ChatId};

use super::context::Context;
use super::failure::{Code, Failure};
use super::permission::Permission;
use super::principal::Principal;

/// The permission `P` of a principal. Only [`Principal::grant`] makes one, and every operation takes one.
///
/// ```compile_fail,E0451
/// use std::marker::PhantomData;
/// use std::sync::Arc;
///
/// use botfleet::operate::grant::Granted;
/// use botfleet::operate::permission::Stop;
/// use botfleet::operate::principal::Principal;
/// fn forge(principal: Arc<Principal>) -> Granted<Stop> {
///     Granted { principal, permission: PhantomData }
/// }
/// ```
///
/// A permission is no other permission:
///
/// ```compile_fail,E0308
/// use botfleet::operate::grant::Granted;
/// use botfleet::operate::permission::{ReadFleet, Stop};
/// fn stop(_: &Granted<Stop>) {}
/// fn read(by: &Granted<ReadFleet>) {
///     stop(by);
/// }
/// ```
#[derive(Debug)]
pub struct Granted<P: Permission> {
    principal: Arc<Principal>,
    permission: PhantomData<P>,
}

impl<P: Permission> Granted<P> {
    pub(super) fn new(principal: Arc<Principal>) -> Self {
        Self { principal, permission: PhantomData }
    }

    /// Returns who was granted the permission, for the records.
    pub fn by(&self) -> &str {
        self.principal.name()
    }

    /// Returns who was granted the permission.
    pub fn principal(&self) -> &Arc<Principal> {
        &self.principal
    }

    /// Returns the circumstances of the request.
    pub fn context(&self) -> &Context {
        self.principal.context()
    }

    /// Checks that a bot is within reach.
    pub(super) fn bot(&self, bot: BotId) -> Result<BotId, Failure> {
        if self.principal.reaches_bot(bot) { Ok(bot) } else { Err(out_of_reach("this bot")) }
    }

    /// Checks that a chat is within reach.
    pub(super) fn chat(&self, chat: ChatId) -> Result<ChatId, Failure> {
        if self.principal.reaches_chat(chat) { Ok(chat) } else { Err(out_of_reach("this chat")) }
    }

    /// Checks that the fleet as a whole is within reach.
    pub(super) fn everything(&self) -> Result<(), Failure> {
        if self.principal.reaches_everything() { Ok(()) } else { Err(out_of_reach("the whole fleet")) }
    }
}

fn out_of_reach(what: &str) -> Failure {
    Failure::new(Code::OutOfReach, format!("{what} is not among the bots and chats of your role"))
}
