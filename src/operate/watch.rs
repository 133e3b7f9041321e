//! The stream of events: what a principal may see of it. Layer `operate`. Keeps I9.

use std::sync::Arc;
use std::time::Duration;

use botfleet_actors::domain::audit::{Act, AuditObject, ObjectKind};
use botfleet_actors::domain::ids::ChatId;
use futures::StreamExt;
use futures::stream::{BoxStream, unfold};

use super::failure::{Code, Failure};
use super::grant::Granted;
use super::operations::Operations;
use super::permission::{ReadAudit, ReadDecisions, ReadFleet, ReadTexts};
use crate::runtime::stream::cursor::{CHATS_MAX, Cursor};
use crate::runtime::stream::frame::Sent;
use crate::runtime::stream::hub::READERS_MAX;
use crate::runtime::stream::reader::{Reader, Sees};

/// Interval at which it is noted again that words are read: a new day has an entry of its own.
const NOTED_EVERY: Duration = Duration::from_mins(10);

/// The part of the stream that is asked for.
#[derive(Clone, Debug, Default)]
pub struct StreamAsked {
    /// The chats, by name or id; all within reach when empty.
    pub chats: Vec<String>,
    /// The cursor of the last frame that was received.
    pub after: Option<String>,
}

/// The part of a stream that holds words.
struct Listening {
    operations: Operations,
    texts: Granted<ReadTexts>,
    noted: tokio::time::Instant,
}

impl Operations {
    /// Streams what happens, from a cursor on or from now on. Words are added for whoever may read texts; each chat has an
    /// entry of the audit a day for that.
    ///
    /// # Errors
    /// `TooManyWatchers`, `UnknownChat`, `OutOfReach`, `Unavailable`; `BadRequest` for more chats than a stream tells, and for a
    /// cursor that is none.
    pub async fn watch(
        &self,
        by: &Granted<ReadFleet>,
        texts: Option<Granted<ReadTexts>>,
        asked: StreamAsked,
    ) -> Result<BoxStream<'static, Sent>, Failure> {
        let principal = by.principal();
        let fleet = principal.reaches_everything();
        let (chats, too_many) = self.watched(by, &asked.chats)?;
        if chats.is_empty() && !fleet {
            return Err(Failure::new(Code::OutOfReach, "none of your bots and chats has events"));
        }
        let wrong = || Failure::new(Code::BadRequest, "`after` is no id of an event of this stream");
        let cursor = asked.after.as_deref().filter(|text| !text.is_empty());
        let cursor = cursor.map(|text| Cursor::parse(text).ok_or_else(wrong)).transpose()?;
        let sees = Sees {
            // History holds decisions.
            chats: if principal.grant::<ReadDecisions>().is_ok() { chats } else { Vec::new() },
            too_many,
            fleet,
            audit: fleet && principal.grant::<ReadAudit>().is_ok(),
            words: texts.is_some(),
        };
        let full = || Failure::new(Code::TooManyWatchers, format!("{READERS_MAX} watch already"));
        let room = self.fleet.events.room().ok_or_else(full)?;
        let listening = match texts {
            Some(texts) => {
                self.note_reading(&texts, &sees.chats).await?;
                Some(Listening { operations: self.clone(), texts, noted: tokio::time::Instant::now() })
            }
            None => None,
        };
        let reader = Reader::open(Arc::clone(&self.fleet), room, sees, cursor).await?;
        let stream = unfold((reader, listening), |(mut reader, mut listening)| async move {
            let sent = reader.next().await?;
            if let Some(listening) = &mut listening {
                listening.note(reader.chats()).await?;
            }
            Some((sent, (reader, listening)))
        });
        Ok(stream.boxed())
    }

    /// Returns the chats of a stream, and whether more are within reach than it tells.
    fn watched(&self, by: &Granted<ReadFleet>, named: &[String]) -> Result<(Vec<ChatId>, bool), Failure> {
        let mut chats = Vec::with_capacity(named.len());
        for name in named {
            let unknown =
                || Failure::new(Code::UnknownChat, format!("{name:?} is no chat of the manifest, by name or id"));
            chats.push(by.chat(self.fleet.chat_called(name).ok_or_else(unknown)?)?);
        }
        let all = named.is_empty();
        if all {
            chats = self.fleet.all_chats().into_iter().filter(|chat| by.chat(*chat).is_ok()).collect();
        }
        chats.sort_unstable();
        chats.dedup();
        if chats.len() <= CHATS_MAX {
            return Ok((chats, false));
        }
        let many = || Failure::new(Code::BadRequest, format!("chats: name at most {CHATS_MAX}"));
        all.then(|| (Vec::new(), true)).ok_or_else(many)
    }

    /// Stores that somebody reads words of these chats today. Comes before the reading.
    async fn note_reading(&self, texts: &Granted<ReadTexts>, chats: &[ChatId]) -> Result<(), Failure> {
        for chat in chats {
            texts.chat(*chat)?;
            let entry = self.entry(texts, Act::ReadMessages, AuditObject::new(ObjectKind::Chat, *chat))?;
            self.fleet.audit.reading(entry, *chat).await?;
        }
        Ok(())
    }
}

impl Listening {
    /// Notes the reading again when some time has passed; `None` when that cannot be stored: then nothing more is read.
    async fn note(&mut self, chats: &[ChatId]) -> Option<()> {
        if self.noted.elapsed() < NOTED_EVERY {
            return Some(());
        }
        self.operations.note_reading(&self.texts, chats).await.ok()?;
        self.noted = tokio::time::Instant::now();
        Some(())
    }
}
