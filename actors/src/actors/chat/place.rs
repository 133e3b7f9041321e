//! The chat as a place: who can post in it, and what Telegram calls it. Layer `actors`.

use std::sync::Arc;

use ractor::ActorRef;

use super::actor::{ChatMsg, ChatState, Content, Delivery, Step};
use crate::actors::committer::CommitError;
use crate::actors::committer::STORE_RETRY;
use crate::domain::commit::operation::{Migrate, Operation};
use crate::domain::ids::{BotId, TelegramChatId};
use crate::domain::incoming::{Event, Incoming};
use crate::ports::bus::{Audience, BusMessage, Hint};

impl ChatState {
    /// Takes notice of what an update says about the chat itself.
    pub(super) fn steer(&mut self, myself: &ActorRef<ChatMsg>, delivery: &Delivery, step: &mut Step) {
        let Content::Update(Incoming { event, .. }) = &delivery.content else {
            return;
        };
        match event {
            Event::Membership { can_post, .. } => self.note_absence(delivery.bot, !can_post, step),
            Event::MigratedTo { to } => self.on_migrated(myself, *to),
            _ => {}
        }
    }

    fn note_absence(&mut self, bot: BotId, absent: bool, step: &mut Step) {
        let news = if absent { self.absent.insert(bot) } else { self.absent.remove(&bot) };
        if news {
            tracing::warn!(chat.id = %self.profile.id, bot.id = %bot, absent, "who can post here has changed");
            step.absences.push((bot, absent));
        }
    }

    /// A send told what no update did: the bot is not in the chat. The bot has stored it.
    pub(super) fn on_cannot_post(&mut self, bot: BotId) {
        if self.absent.insert(bot) {
            tracing::warn!(chat.id = %self.profile.id, bot.id = %bot, "the bot cannot post here");
        }
    }

    /// The group became a supergroup: the same chat under another id.
    pub(super) fn on_migrated(&mut self, myself: &ActorRef<ChatMsg>, to: TelegramChatId) {
        self.node.directory.migrate(self.profile.id, to);
        if self.stored_telegram_id == to {
            return;
        }
        self.stored_telegram_id = to;
        tracing::warn!(chat.id = %self.profile.id, chat.telegram_id = to.0, "the group became a supergroup; put its new id into the manifest");
        self.store_migration(myself, to);
    }

    /// Commits the new id, again and again until the store has it.
    pub(super) fn store_migration(&self, myself: &ActorRef<ChatMsg>, to: TelegramChatId) {
        let migrate = Migrate { chat: self.profile.id, epoch: self.epoch, to, at: self.node.clock.now() };
        let (chat, node, id) = (myself.clone(), Arc::clone(&self.node), self.profile.id);
        self.node.committer.submit(Operation::Migrate(migrate), move |result| match result {
            // What arrives at other nodes may come under the new id already.
            Ok(_) => node.bus.publish(Audience::Everybody, BusMessage::Hints(vec![Hint::Migrated(id, to)])),
            Err(CommitError::Unavailable(_)) => {
                drop(chat.send_after(STORE_RETRY, move || ChatMsg::StoreMigration(to)));
            }
            Err(CommitError::Refused(_)) => {}
        });
    }
}
