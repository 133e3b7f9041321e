//! Keeps the chat as a place: the bots that can post in it, and Telegram's id of it. Layer `actors`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ractor::ActorRef;
use tokio::time::Instant;

use super::actor::{ChatState, Step};
use crate::actors::chat::messages::{ChatMsg, Content, Delivery};
use crate::actors::node::committer::{CommitError, STORE_RETRY};
use crate::domain::commit::operations::{Migrate, Operation};
use crate::domain::control::StopScope;
use crate::domain::ids::{BotId, TelegramChatId, ThreadId};
use crate::domain::incoming::{Event, Incoming};
use crate::domain::silence::Silence;
use crate::domain::time::Timestamp;
use crate::ports::bus::{Audience, BusMessage, Hint};

/// Time between calls for absent bots to find out whether they can post again; they try more seldom.
const WANTED_EVERY: Duration = Duration::from_mins(1);

impl ChatState {
    /// Notes what an update says about the chat itself.
    pub(super) fn steer(&mut self, myself: &ActorRef<ChatMsg>, delivery: &Delivery, step: &mut Step) {
        let Content::Update(Incoming { event, chat, .. }) = &delivery.content else {
            return;
        };
        match event {
            Event::Membership { can_post, .. } => self.note_absence(delivery.bot, !can_post, step),
            Event::MigratedTo { to } => self.on_migrated(myself, *to),
            // The supergroup tells this under its own id.
            Event::MigratedFrom { .. } => {
                if let Some(to) = chat {
                    self.on_migrated(myself, *to);
                }
            }
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

    /// Notes whether a bot can post in the chat, as a call has shown and no update. The bot has stored this.
    pub(super) fn on_cannot_post(&mut self, bot: BotId, absent: bool) {
        let news = if absent { self.absent.insert(bot) } else { self.absent.remove(&bot) };
        if news {
            tracing::warn!(chat.id = %self.profile.id, bot.id = %bot, absent, "who can post here has changed");
        }
    }

    /// Returns the members that cannot speak here in the time of a turn that is decided now, and why (I14).
    pub(super) fn silent_here(&self, thread: Option<ThreadId>, now: Timestamp) -> BTreeMap<BotId, Silence> {
        let mut silent: BTreeMap<_, _> = self.absent.iter().map(|bot| (*bot, Silence::Absent)).collect();
        let stops = self.node.people.stops();
        if self.node.voices.all_speak() && stops.0.is_empty() && self.node.steering.is_quiet() {
            return silent;
        }
        let deadline = now + self.profile.spec.pacing.stale_after;
        for bot in &self.profile.members {
            let stopped = stops.holds(StopScope::Bot(*bot), now).then_some(Silence::Stopped);
            let voice = || self.node.voices.of(*bot, self.profile.id, thread, now).silent_until(deadline);
            let taken = || self.node.steering.takeover(self.profile.id, *bot, now).map(|_| Silence::TakenOver);
            if let Some(why) = stopped.or_else(voice).or_else(taken) {
                silent.entry(*bot).or_insert(why);
            }
        }
        silent
    }

    /// Asks absent bots to find out whether they can post again, since somebody spoke here. `silent` holds all of them,
    /// whether the chat heard of the absence or a refusal told this node.
    pub(super) fn want_the_absent(&mut self, silent: &BTreeMap<BotId, Silence>) {
        let often = WANTED_EVERY.min(self.node.voices.first_try());
        let lately = |at: &Instant| at.elapsed() < often;
        let mut absent = silent.iter().filter(|(_, why)| **why == Silence::Absent).peekable();
        if absent.peek().is_none() || self.wanted_at.as_ref().is_some_and(lately) {
            return;
        }
        self.wanted_at = Some(Instant::now());
        let chat = self.profile.id;
        self.node.tell(absent.map(|(bot, _)| Hint::Wanted(*bot, chat)));
    }

    /// Learns the new id of a group that became a supergroup: the chat stays the same.
    pub(super) fn on_migrated(&mut self, myself: &ActorRef<ChatMsg>, to: TelegramChatId) {
        self.node.directory.migrate(self.profile.id, to);
        if self.stored_telegram_id == to {
            return;
        }
        self.stored_telegram_id = to;
        tracing::warn!(chat.id = %self.profile.id, chat.telegram_id = to.0, "the group became a supergroup; put its new id into the manifest");
        self.store_migration(myself, to);
    }

    /// Commits the new id, again and again until the store has answered.
    pub(super) fn store_migration(&self, myself: &ActorRef<ChatMsg>, to: TelegramChatId) {
        let migrate = Migrate { chat: self.profile.id, epoch: self.epoch, to, at: self.node.clock.now() };
        let (chat, node, id) = (myself.clone(), Arc::clone(&self.node), self.profile.id);
        self.node.committer.submit(Operation::Migrate(migrate), move |result| match result {
            // Updates at other nodes may come under the new id already.
            Ok(_) => node.bus.publish(Audience::Everybody, BusMessage::Hints(vec![Hint::Migrated(id, to)])),
            Err(CommitError::Unavailable(_)) => {
                drop(chat.send_after(STORE_RETRY, move || ChatMsg::StoreMigration(to)));
            }
            Err(CommitError::Refused(_)) => {}
        });
    }
}
