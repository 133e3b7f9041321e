//! Operations on chats. Layer `operate`.

use botfleet_actors::domain::ids::{ChatId, DecisionNumber, MessageId, Number};
use botfleet_actors::ports::archive::{DECISIONS_MAX, DecisionQuery};

use super::cursor::Listing;
use super::failure::{Code, Failure};
use super::grant::Granted;
use super::operations::{Operations, page_of};
use super::permission::{ReadDecisions, ReadTexts};
use crate::runtime::reasons::{DecisionView, Telling};

/// Default number of decisions on a page.
const PAGE: usize = 20;

/// The decisions that are asked for.
#[derive(Clone, Debug, Default)]
pub struct DecisionsAsked {
    /// Decisions about this message alone.
    pub about: Option<About>,
    /// The cursor that the last page told.
    pub before: Option<String>,
    /// Most decisions; 20 when absent.
    pub limit: Option<usize>,
    /// Adds the turns with their messages' fates.
    pub turns: bool,
}

/// The message that decisions are about.
#[derive(Clone, Copy, Debug)]
pub enum About {
    /// An entry of the transcript.
    Entry(Number),
    /// A message, by Telegram's id.
    Message(MessageId),
}

/// A page of decisions, newest first.
#[derive(Clone, Debug)]
pub struct DecisionPage {
    /// The decisions.
    pub decisions: Vec<DecisionView>,
    /// The value of `before` for the next page.
    pub next: Option<String>,
}

impl Operations {
    /// Explains decisions of a chat, which is given by its name or id. The beginnings of the messages are added for
    /// whoever may read texts.
    ///
    /// # Errors
    /// `UnknownChat`, `UnknownMessage`, `OutOfReach`; `BadRequest` for a page of another size.
    pub async fn decisions(
        &self,
        by: &Granted<ReadDecisions>,
        texts: Option<&Granted<ReadTexts>>,
        chat: &str,
        asked: DecisionsAsked,
    ) -> Result<DecisionPage, Failure> {
        let chat = self.read_chat(by, texts, chat).await?;
        let entry = match asked.about {
            None => None,
            Some(About::Entry(entry)) => Some(entry),
            Some(About::Message(message)) => Some(self.entry_of(chat, message).await?),
        };
        let about = entry.map(|entry: Number| entry.to_string());
        let limit = page_of(asked.limit, PAGE, DECISIONS_MAX)?;
        let listing = Listing::new("decisions, newest first", &[("chat", Some(chat.to_string())), ("entry", about)]);
        let before = listing.read(asked.before.as_deref(), |text| text.parse().ok().map(DecisionNumber))?;
        let query = DecisionQuery { after: None, before, entry, limit };
        let telling = Telling { turns: asked.turns, text: texts.is_some() };
        let decisions = self.fleet.decisions(chat, &query, telling).await?;
        let last = decisions.last().filter(|_| decisions.len() == limit);
        let next = last.map(|last| listing.after(&last.decision.number.0));
        Ok(DecisionPage { decisions, next })
    }

    async fn entry_of(&self, chat: ChatId, message: MessageId) -> Result<Number, Failure> {
        let unknown = || Failure::new(Code::UnknownMessage, format!("no entry of message {message} is stored"));
        self.fleet.entry_of(chat, message).await?.ok_or_else(unknown)
    }
}
