//! Messages of chats. Layer `operate`. Keeps I12.

use botfleet_actors::domain::audit::{Act, AuditObject, ObjectKind};
use botfleet_actors::domain::ids::{ChatId, Number};

use super::failure::{Code, Failure};
use super::grant::Granted;
use super::operations::{Operations, page_of};
use super::permission::{ReadDecisions, ReadTexts};
use crate::runtime::messages::{EntryView, MESSAGES_MAX, MessageWhy, Side};

/// Default number of entries on a page.
const PAGE: usize = 50;

/// A page of a chat's transcript.
#[derive(Clone, Debug)]
pub struct MessagePage {
    /// The entries.
    pub entries: Vec<EntryView>,
    /// The number from which the next page goes on.
    pub next: Option<Number>,
}

impl Operations {
    /// Returns a page of a chat's transcript, with words for whoever may read texts. The page is stored in the audit once a
    /// day then.
    ///
    /// # Errors
    /// `UnknownChat`, `OutOfReach`, `Unavailable`; `BadRequest` for a page of another size.
    pub async fn messages(
        &self,
        by: &Granted<ReadDecisions>,
        texts: Option<&Granted<ReadTexts>>,
        chat: &str,
        side: Side,
        limit: Option<usize>,
    ) -> Result<MessagePage, Failure> {
        let chat = self.read_chat(by, texts, chat).await?;
        let limit = page_of(limit, PAGE, MESSAGES_MAX)?;
        let entries = self.fleet.messages(chat, side, limit, texts.is_some()).await?;
        let next = (entries.len() == limit).then(|| entries.last().map(|last| last.number)).flatten();
        Ok(MessagePage { entries, next })
    }

    /// Returns one entry of a chat's transcript with its why.
    ///
    /// # Errors
    /// `UnknownChat`, `UnknownMessage`, `OutOfReach`, `Unavailable`.
    pub async fn message(
        &self,
        by: &Granted<ReadDecisions>,
        texts: Option<&Granted<ReadTexts>>,
        chat: &str,
        number: Number,
    ) -> Result<MessageWhy, Failure> {
        let chat = self.read_chat(by, texts, chat).await?;
        let unknown = || Failure::new(Code::UnknownMessage, format!("entry {number} is not stored"));
        self.fleet.message_why(chat, number, texts.is_some()).await?.ok_or_else(unknown)
    }

    /// Returns the chat of that name or id, once the reading of its words is stored where there is one.
    pub(super) async fn read_chat(
        &self,
        by: &Granted<ReadDecisions>,
        texts: Option<&Granted<ReadTexts>>,
        chat: &str,
    ) -> Result<ChatId, Failure> {
        let unknown = || Failure::new(Code::UnknownChat, format!("{chat:?} is no chat of the manifest, by name or id"));
        let chat = by.chat(self.fleet.chat_called(chat).ok_or_else(unknown)?)?;
        if let Some(texts) = texts {
            texts.chat(chat)?;
            let entry = self.entry(texts, Act::ReadMessages, AuditObject::new(ObjectKind::Chat, chat))?;
            self.fleet.audit.reading(entry, chat).await?;
        }
        Ok(chat)
    }
}
