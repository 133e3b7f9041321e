//! Tells others that something waits for them: in memory within the node, over the bus beyond it. Layer `actors`.
//!
//! Hints are sent after the commit, and their receivers look into the store. Lost hints are made up for by reconciling.

use std::collections::BTreeMap;

use crate::actors::bot::messages::BotMsg;
use crate::actors::chat::messages::ChatMsg;
use crate::actors::fleet::messages::FleetMsg;
use crate::actors::node::Node;
use crate::domain::ids::{BotId, ChatId};
use crate::domain::operator_order::OrderTarget;
use crate::domain::ownership::{Incarnation, LeaseKey};
use crate::ports::bus::{Audience, BusMessage, Hint};
use crate::ports::event::{EventKind, LiveEvent};
use crate::ports::metrics;

/// Returns the lease that a hint concerns; `None` when the hint concerns all nodes.
fn addressee(hint: &Hint) -> Option<LeaseKey> {
    match hint {
        Hint::Chat(chat)
        | Hint::SendUnknown(chat)
        | Hint::Spent(chat)
        | Hint::CannotPost(chat, _)
        | Hint::CanPost(chat, _)
        | Hint::Paused(chat, ..)
        | Hint::Migrated(chat, _) => Some(LeaseKey::Chat(*chat)),
        Hint::Bot(bot) | Hint::Retract(bot) | Hint::Opened(bot, _) | Hint::Wanted(bot, _) => Some(LeaseKey::Bot(*bot)),
        Hint::Order(target) => target.lease(),
        Hint::Lease(_) | Hint::Nodes | Hint::People | Hint::Interventions | Hint::Silent(..) => None,
    }
}

impl Node {
    /// Passes hints on to the nodes they concern: in one message to each node, and directly to the actors that live
    /// here.
    pub fn tell(&self, hints: impl IntoIterator<Item = Hint>) {
        let mut away: BTreeMap<Incarnation, Vec<Hint>> = BTreeMap::new();
        let mut all = Vec::new();
        for hint in hints {
            match addressee(&hint) {
                None if self.is_target(&hint) => self.hear(hint),
                None => match hint {
                    Hint::Order(OrderTarget::Node(node)) => away.entry(node).or_default().push(hint),
                    _ => all.push(hint),
                },
                Some(key) => match self.leases.elsewhere(key) {
                    Some(owner) => away.entry(owner).or_default().push(hint),
                    None => self.hear(hint),
                },
            }
        }
        for (owner, hints) in away {
            metrics::hints_sent_total.increment(hints.len() as u64);
            self.bus.publish(Audience::Node(owner), BusMessage::Hints(hints));
        }
        if !all.is_empty() {
            self.bus.publish(Audience::Everybody, BusMessage::Hints(all));
        }
    }

    /// Passes a hint that reached this node on to the actor that it concerns, if that actor lives here.
    pub fn hear(&self, hint: Hint) {
        match hint {
            Hint::Chat(chat) => self.tell_chat(chat, ChatMsg::RowsWait),
            Hint::Bot(bot) => {
                if let Some(actor) = self.directory.bot(bot) {
                    let _ = actor.cast(BotMsg::TurnsWait);
                }
            }
            Hint::SendUnknown(chat) => self.tell_chat(chat, ChatMsg::SendUnknown),
            Hint::Spent(chat) => self.tell_chat(chat, ChatMsg::Spent),
            Hint::CannotPost(chat, bot) => self.tell_chat(chat, ChatMsg::CannotPost(bot)),
            Hint::CanPost(chat, bot) => self.tell_chat(chat, ChatMsg::CanPost(bot)),
            Hint::Opened(bot, chat) => self.voices.opened(bot, chat),
            Hint::Wanted(bot, chat) => {
                if let Some(actor) = self.directory.bot(bot).filter(|_| self.voices.may_try(bot, chat)) {
                    let _ = actor.cast(BotMsg::TryChat(chat));
                }
            }
            // This node knows its own bots better than any message that comes back to this node.
            Hint::Silent(bot, why) if self.leases.epoch(LeaseKey::Bot(bot)).is_none() => self.voices.heard(bot, why),
            Hint::Paused(chat, bot, until) => self.voices.paused(bot, Some(chat), until, self.clock.now()),
            Hint::Migrated(chat, to) => {
                self.directory.migrate(chat, to);
                self.tell_chat(chat, ChatMsg::Migrated(to));
            }
            Hint::Order(target) => {
                if let Some(fleet) = self.directory.fleet() {
                    let _ = fleet.cast(FleetMsg::LookAtOrders(target));
                }
            }
            Hint::Retract(bot) => {
                if let Some(actor) = self.directory.bot(bot) {
                    let _ = actor.cast(BotMsg::Retract);
                }
            }
            Hint::People | Hint::Interventions => {
                if let Some(fleet) = self.directory.fleet() {
                    let _ = fleet.cast(FleetMsg::LookAtPeople);
                }
            }
            Hint::Silent(..) | Hint::Lease(_) | Hint::Nodes => {}
        }
    }

    fn is_target(&self, hint: &Hint) -> bool {
        matches!(hint, Hint::Order(target) if *target == OrderTarget::Node(self.leases.place()))
    }

    /// Tells a chat of this node. A chat that is not in memory wakes, and reads its waiting rows from the store.
    fn tell_chat(&self, chat: ChatId, news: ChatMsg) {
        if let Some(handle) = self.directory.chat(chat) {
            let _ = handle.actor.cast(news);
        } else if self.leases.epoch(LeaseKey::Chat(chat)).is_some()
            && let Some(fleet) = self.directory.fleet()
        {
            let _ = fleet.cast(FleetMsg::WakeChat(chat));
        }
    }

    /// Tells chats, wherever they live, that rows wait for them in the store.
    pub fn wake_chats(&self, chats: impl IntoIterator<Item = ChatId>) {
        self.tell(chats.into_iter().map(Hint::Chat));
    }

    /// Tells bots, wherever they live, that turns wait for them in the store.
    pub fn wake_bots(&self, bots: impl IntoIterator<Item = BotId>) {
        self.tell(bots.into_iter().map(Hint::Bot));
    }

    /// Announces an event to live observers.
    pub fn announce(&self, kind: EventKind, subject: impl Into<String>) {
        let (node, kind) = (self.name.clone(), kind.as_str().to_owned());
        let event = LiveEvent { at: self.clock.now(), node, kind, subject: subject.into() };
        self.bus.publish(Audience::Everybody, BusMessage::Event(event));
    }
}
