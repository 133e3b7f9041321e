//! Finds evidence that a message of unknown fate is in the chat after all. Layer `actors`. Keeps I4.
//!
//! Another bot of the fleet receives a copy of the message (bot-to-bot mode), or somebody replies to it. Both carry the
//! author and the text. The match is the oldest message of that bot in that chat whose fate is unknown and whose text
//! is the same. A commit of its own resolves the match, and its event is handled before the row that told. A copy often
//! comes while the send still waits for its answer: the last copies are kept until a send ends unknown.

use ractor::ActorRef;

use super::actor::ChatState;
use super::loading::RELOAD_AFTER;
use crate::actors::chat::messages::{ChatMsg, Content, Delivery};
use crate::actors::node::deadline::in_time;
use crate::domain::commit::operations::{Operation, Resolve};
use crate::domain::ids::{BotId, MessageId, Number, TelegramChatId};
use crate::domain::inbox::{InboxRow, SentEvent};
use crate::domain::incoming::{Event, Incoming, Message};
use crate::domain::transcript::{EntryKey, EntryKind};
use crate::ports::metrics;
use crate::ports::store::StoreError;

/// Sightings kept while their sends may still end unknown.
const SIGHTINGS: usize = 64;

/// A message of the fleet that somebody has seen and that has no entry.
#[derive(Clone, Debug)]
pub(super) struct Sighting {
    bot: BotId,
    chat: TelegramChatId,
    message_id: MessageId,
    text: String,
}

impl ChatState {
    /// Returns the event of a message of unknown fate that `delivery` proves to be sent. `known` is the number of the
    /// delivered message's own entry, if there is one.
    pub(super) async fn evidence(
        &mut self,
        delivery: &Delivery,
        known: Option<Number>,
    ) -> Result<Option<Delivery>, StoreError> {
        let Content::Update(Incoming { chat: Some(chat), event: Event::Message(message), .. }) = &delivery.content
        else {
            return Ok(None);
        };
        let Some(sighting) = self.sighting(*chat, message, known) else {
            return Ok(None);
        };
        let resolved = self.resolve(&sighting).await?;
        if resolved.is_none() && !self.has_entry(&sighting) {
            self.sightings.push_back(sighting);
            if self.sightings.len() > SIGHTINGS {
                self.sightings.pop_front();
            }
        }
        Ok(resolved)
    }

    /// Looks again at what was seen while a send was under way, since the send ended unknown.
    pub(super) async fn on_send_unknown(&mut self, myself: &ActorRef<ChatMsg>) {
        if self.memory.is_none() {
            // Without memory nothing tells which sightings are of use.
            drop(myself.send_after(RELOAD_AFTER, || ChatMsg::SendUnknown));
            return;
        }
        let mut resolved = Vec::new();
        for sighting in std::mem::take(&mut self.sightings) {
            match self.resolve(&sighting).await {
                Ok(Some(delivery)) => resolved.push(delivery),
                Ok(None) if !self.has_entry(&sighting) => self.sightings.push_back(sighting),
                Ok(None) => {}
                Err(error) => return self.store_failed(myself, &error),
            }
        }
        if self.isolation.is_none() {
            self.take(myself, resolved).await;
        }
    }

    fn has_entry(&self, sighting: &Sighting) -> bool {
        let key = EntryKey {
            telegram_chat: sighting.chat,
            message_id: sighting.message_id,
            kind: EntryKind::Message,
            revision: 0,
        };
        self.memory.as_ref().is_none_or(|memory| memory.number_of(&key).is_some())
    }

    async fn resolve(&self, sighting: &Sighting) -> Result<Option<Delivery>, StoreError> {
        if self.has_entry(sighting) {
            return Ok(None);
        }
        let unknown = in_time(self.node.store.unknown_messages(self.profile.id)).await?;
        let same = unknown.into_iter().find(|message| {
            message.bot == sighting.bot
                && message.telegram_chat == sighting.chat
                && message.text.trim() == sighting.text.trim()
        });
        let Some(resolved) = same else {
            return Ok(None);
        };
        if !in_time(self.node.store.find_messages(sighting.chat, &[sighting.message_id])).await?.is_empty() {
            return Ok(None);
        }
        let now = self.node.clock.now();
        let event = SentEvent::of(&resolved, sighting.message_id, now);
        let inbox = self.node.inbox_id();
        let resolve = Resolve {
            chat: self.profile.id,
            epoch: self.epoch,
            outbox: resolved.id,
            message_id: sighting.message_id,
            event: InboxRow::of_sent(inbox, &resolved, &event, now),
        };
        let (chat, outbox) = (self.profile.id, resolved.id);
        self.node.committer.submit(Operation::Resolve(resolve), move |result| match result {
            Ok(_) => {
                metrics::sends_resolved_total.increment(1);
                tracing::info!(chat.id = %chat, outbox.id = %outbox, "a message of unknown fate was seen in the chat");
            }
            Err(error) => {
                tracing::warn!(chat.id = %chat, outbox.id = %outbox, error = %error, "evidence could not be stored");
            }
        });
        Ok(Some(Delivery { inbox, bot: resolved.bot, content: Content::Sent(event) }))
    }

    fn sighting(&self, chat: TelegramChatId, message: &Message, known: Option<Number>) -> Option<Sighting> {
        if let Some(bot) = self.node.directory.bot_of(message.author.id) {
            let text = message.text.clone().filter(|_| known.is_none() && !message.service)?;
            return Some(Sighting { bot, chat, message_id: message.message_id, text });
        }
        let quoted = message.quoted.as_ref()?;
        let bot = self.node.directory.bot_of(quoted.author?)?;
        Some(Sighting { bot, chat, message_id: message.reply_to?, text: quoted.text.clone()? })
    }
}
