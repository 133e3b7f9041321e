//! Finds out whether the people of a chat have been told that they talk to an AI. Layer `actors`. Keeps I9.

use crate::actors::chat::actor::ChatState;
use crate::actors::node::deadline::in_time;
use crate::behaviour::notices::disclosure;
use crate::domain::inbox::SentEvent;
use crate::domain::text::{MESSAGE_UNITS_MAX, split_message};
use crate::domain::turn::Act;
use crate::ports::store::{ChatMemory, StoreError};

/// Turns and messages of a bot that are searched for a disclosure.
const LOOK_AT: usize = 256;

impl ChatState {
    /// Returns whether a message that Telegram accepted tells the people of the chat that they talk to an AI.
    pub(super) fn is_disclosure(&self, event: &SentEvent) -> bool {
        let text = disclosure(&self.profile.spec).filter(|_| event.last_part);
        text.is_some_and(|text| split_message(&text, MESSAGE_UNITS_MAX).get(event.part as usize) == Some(&event.text))
    }

    /// Looks in the store for a disclosure that an earlier process decided, and that is not sent yet.
    pub(super) async fn find_disclosure(&self, loaded: &ChatMemory) -> Result<(), StoreError> {
        let (node, chat) = (&self.node, self.profile.id);
        let text = disclosure(&self.profile.spec).filter(|_| !loaded.disclosed && loaded.last_decision.0 > 0);
        let Some(text) = text.filter(|_| !node.notices.knows(chat)) else {
            return Ok(());
        };
        for bot in self.profile.members.iter().copied() {
            let turns = in_time(node.store.queued_turns(bot, LOOK_AT)).await?;
            let says = |act: &Act| matches!(act, Act::Say { text: said, .. } if *said == text);
            let decided = turns.iter().any(|turn| turn.chat == chat && says(&turn.act));
            if decided {
                node.notices.discloses(chat, Some(bot));
                return Ok(());
            }
            let parts = split_message(&text, MESSAGE_UNITS_MAX);
            let messages = in_time(node.store.waiting_messages(bot, LOOK_AT)).await?;
            if messages.iter().any(|message| message.chat == chat && parts.last() == Some(&message.text)) {
                node.notices.discloses(chat, Some(bot));
                return Ok(());
            }
        }
        Ok(())
    }
}
