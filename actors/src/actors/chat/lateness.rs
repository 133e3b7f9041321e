//! Tells which rows a chat reads late, and limits stored times that lie too far ahead. Layer `actors`. Keeps I14.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::actor::ChatState;
use super::reading::{Reading, read_update};
use crate::actors::chat::messages::{Content, Delivery};
use crate::behaviour::director::address::addressed;
use crate::behaviour::freshness::LATE;
use crate::behaviour::note::Note;
use crate::behaviour::rhythm::longest_wait;
use crate::behaviour::scene::Scene;
use crate::domain::decision::Standing;
use crate::domain::ids::{InboxId, TelegramUserId};
use crate::domain::incoming::{Author, Entity, Event, Incoming, Message};
use crate::domain::roster::ChatPolicy;
use crate::domain::time::Timestamp;
use crate::ports::store::ChatMemory;

impl ChatState {
    /// Returns how old something is of which Telegram says the date.
    pub(super) fn age(&self, date: Timestamp) -> Duration {
        self.node.clock.now().since(self.node.clock.when(date))
    }

    /// Returns whether something of that date is too old to be answered.
    pub(super) fn is_too_old(&self, date: Timestamp) -> bool {
        self.age(date) > self.profile.spec.pacing.stale_after
    }

    /// Returns whether a row tells of something that has just happened; a row without a date counts as such.
    pub(super) fn is_news(&self, delivery: &Delivery) -> bool {
        match &delivery.content {
            Content::Update(incoming) => incoming.date().is_none_or(|date| !self.is_too_old(date)),
            _ => true,
        }
    }

    /// Returns the rows that were read late, and whose authors call again in a later one.
    pub(super) fn superseded(&self, deliveries: &[Delivery]) -> HashSet<InboxId> {
        let mut found = HashSet::new();
        if deliveries.len() < 2 || !deliveries.iter().any(|delivery| self.late_message(delivery).is_some()) {
            return found;
        }
        let mut newest: HashMap<TelegramUserId, &Message> = HashMap::new();
        // The pictures of an album are one call.
        let other = |one: &Message, other: &Message| {
            let album = |message: &Message| message.media.as_ref().and_then(|media| media.album.clone());
            one.message_id != other.message_id && (album(one).is_none() || album(one) != album(other))
        };
        for delivery in deliveries.iter().rev() {
            let Content::Update(incoming @ Incoming { event: Event::Message(message), .. }) = &delivery.content else {
                continue;
            };
            let author = message.author.id;
            let late = self.late_message(delivery).is_some();
            if late && newest.get(&author).is_some_and(|newer| other(newer, message)) {
                found.insert(delivery.inbox);
            } else if !self.is_too_old(message.date) && self.is_call(delivery.inbox, incoming) {
                newest.entry(author).or_insert(message);
            }
        }
        found
    }

    /// Returns the message of a row that was read late, unless the message is a service message.
    fn late_message<'a>(&self, delivery: &'a Delivery) -> Option<&'a Message> {
        match &delivery.content {
            Content::Update(Incoming { event: Event::Message(message), .. }) => {
                Some(message).filter(|message| !message.service && self.age(message.date) > LATE)
            }
            _ => None,
        }
    }

    /// Returns whether a message calls one of the bots.
    fn is_call(&self, inbox: InboxId, incoming: &Incoming) -> bool {
        let of_fleet = |author: &Author| self.node.directory.bot_of(author.id);
        let reading = read_update(self.profile.id, inbox, incoming.clone(), of_fleet);
        let (Reading::Entry(mut entry, shown), Some(memory)) = (reading, &self.memory) else {
            return false;
        };
        let bot = shown.and_then(|shown| shown.author).filter(|author| self.node.directory.bot_of(*author).is_some());
        entry.entities.extend(bot.map(Entity::turned_to));
        if self.profile.spec.policy == ChatPolicy::Every {
            return entry.text.is_some();
        }
        let standing = Standing::default();
        let now = self.node.clock.now();
        let scene = Scene {
            chat: &self.profile,
            cast: &self.cast,
            window: &memory.window,
            whole: &memory.window,
            standing: &standing,
            now,
        };
        !addressed(&scene, &Note::new(Arc::from(entry))).is_empty()
    }

    /// Shortens what was planned by a clock that was ahead: nothing lies further ahead than it can.
    pub(super) fn clamped(&mut self, mut loaded: ChatMemory) -> ChatMemory {
        let now = self.node.clock.now();
        let spec = &self.profile.spec;
        let calm = now + spec.physics.cool_down;
        loaded.calm_until = loaded.calm_until.map(|until| until.min(calm));
        if let (Some(at), Some(pace)) = (self.next_tick_at, spec.pacing.quiet_tick) {
            self.next_tick_at = Some(at.min(now + longest_wait(pace)));
        }
        loaded
    }
}
