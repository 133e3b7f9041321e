//! Operations of those who delete what bots said. Layer `operate`. Keeps I4.

use botfleet_actors::domain::audit::{Act, AuditObject, ObjectKind};
use botfleet_actors::domain::ids::Number;
use botfleet_actors::domain::operator_order::OrderFruit;
use botfleet_actors::domain::retraction::{DELETABLE_FOR, RETRACTED_MAX, Saying};
use botfleet_actors::domain::time::Timestamp;
use serde_json::json;

use super::failure::{Code, Failure};
use super::grant::Granted;
use super::operations::Operations;
use super::orders::Ordered;
use super::permission::DeleteMessages;
use super::speaking::Came;
use crate::runtime::speaking::RetractionView;

/// The messages that an order deletes, or would delete.
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    /// Number of messages.
    pub messages: usize,
    /// Number of those that Telegram refuses to delete unless the bot may delete all messages: they are 48 hours old.
    pub too_old: usize,
    /// Set when there are more than one order deletes.
    pub more: bool,
}

impl Operations {
    /// Deletes a message of a bot: the fleet forgets its words at once, and Telegram is asked to delete it.
    ///
    /// # Errors
    /// `UnknownChat`, `OutOfReach`; `UnknownMessage` when the entry is no message of a bot of the chat, or is deleted; those of
    /// [`Operations::ordered`].
    pub async fn delete_message(
        &self,
        by: &Granted<DeleteMessages>,
        chat: &str,
        number: Number,
    ) -> Result<Came<RetractionView>, Failure> {
        let chat = self.chat_within(by, chat)?;
        let saying = Saying::Entry(number);
        let unknown = || {
            let detail = format!("entry {number} is no message of a bot of the chat, or is deleted");
            Failure::new(Code::UnknownMessage, detail)
        };
        let said = self.fleet.said(chat, saying, 1).await?.pop().ok_or_else(unknown)?;
        by.bot(said.bot)?;
        let entry = self.entry(by, Act::DeleteMessages, AuditObject::new(ObjectKind::Chat, chat))?;
        let told = json!({ "bot": said.bot, "entry": number });
        let given = self.fleet.retract(chat, saying, entry.with_after(told)).await?;
        match self.ordered(&given)? {
            Ordered::UnderWay(order) => Ok(Came::UnderWay(order)),
            Ordered::Done(_) => self.fleet.deletion_of(chat, said.message_id).await?.map(Came::To).ok_or_else(unknown),
        }
    }

    /// Deletes what a bot, or every bot, said in a chat from a time on; counts it alone when it is a dry run. Notices of the
    /// fleet about itself stay.
    ///
    /// # Errors
    /// `UnknownChat`, `UnknownName`, `OutOfReach`; `BadRequest` for a time before 1970; those of
    /// [`Operations::ordered`].
    pub async fn retract(
        &self,
        by: &Granted<DeleteMessages>,
        chat: &str,
        bot: Option<&str>,
        since: Timestamp,
        dry_run: bool,
    ) -> Result<Came<Counted>, Failure> {
        let chat = self.chat_within(by, chat)?;
        let bot = bot.map(|bot| by.bot(self.bot_named(bot)?)).transpose()?;
        if bot.is_none() {
            for member in self.fleet.bots_of(chat) {
                by.bot(member)?;
            }
        }
        if since.as_millis() < 0 {
            return Err(Failure::new(Code::BadRequest, "since: give milliseconds since 1970"));
        }
        let saying = Saying::Since(bot, since.min(self.now()));
        let said = self.fleet.said(chat, saying, RETRACTED_MAX + 1).await?;
        let oldest = self.now() - DELETABLE_FOR;
        let counted = Counted {
            messages: said.len().min(RETRACTED_MAX),
            too_old: said.iter().take(RETRACTED_MAX).filter(|one| one.at < oldest).count(),
            more: said.len() > RETRACTED_MAX,
        };
        if dry_run {
            return Ok(Came::To(counted));
        }
        let entry = self.entry(by, Act::DeleteMessages, AuditObject::new(ObjectKind::Chat, chat))?;
        let told = json!({ "bot": bot, "since": since, "messages": counted.messages });
        let given = self.fleet.retract(chat, saying, entry.with_after(told)).await?;
        match self.ordered(&given)? {
            Ordered::UnderWay(order) => Ok(Came::UnderWay(order)),
            Ordered::Done(fruit) => {
                let done = match fruit {
                    Some(OrderFruit::Retracted(done)) => usize::try_from(done).unwrap_or(counted.messages),
                    _ => counted.messages,
                };
                Ok(Came::To(Counted { messages: done, ..counted }))
            }
        }
    }

    /// Lists the latest deletions of a chat, newest first, with Telegram's answers.
    ///
    /// # Errors
    /// `UnknownChat`, `OutOfReach`, `Unavailable`.
    pub async fn retractions(&self, by: &Granted<DeleteMessages>, chat: &str) -> Result<Vec<RetractionView>, Failure> {
        let chat = self.chat_within(by, chat)?;
        Ok(self.fleet.retractions(chat).await?)
    }
}
