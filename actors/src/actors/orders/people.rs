//! Keeps this node's copy of people's rights and of stops. Layer `actors`. Keeps I9.
//!
//! The copy changes at once with this node's own commits, by a hint when another node commits, and by reconciling when
//! the hint was lost. Reading it costs no more than copying a pointer. The store keeps the authority: the transaction
//! that stores words checks again.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use crate::domain::control::{Stop, StopScope, Stops};
use crate::domain::ids::{ChatId, TelegramUserId};
use crate::domain::people::{Right, Rights};
use crate::domain::time::Timestamp;

/// Rights and stops in force, as far as this node knows.
#[derive(Debug, Default)]
pub struct People {
    rights: RwLock<Arc<Rights>>,
    stops: RwLock<Arc<Stops>>,
    /// People who opted out on this node and whose opt-out is not stored yet.
    wishes: RwLock<HashSet<TelegramUserId>>,
    /// People whose erasure request came to this node.
    mine: RwLock<HashSet<TelegramUserId>>,
}

fn read<T: ?Sized>(lock: &RwLock<Arc<T>>) -> Arc<T> {
    Arc::clone(&lock.read().unwrap_or_else(PoisonError::into_inner))
}

impl People {
    /// Returns people's rights.
    pub fn rights(&self) -> Arc<Rights> {
        read(&self.rights)
    }

    /// Returns the stops.
    pub fn stops(&self) -> Arc<Stops> {
        read(&self.stops)
    }

    /// Returns whether a stop keeps all bots silent in a chat.
    pub fn is_stopped(&self, chat: ChatId, now: Timestamp) -> bool {
        let stops = self.stops();
        !stops.0.is_empty() && (stops.holds(StopScope::Fleet, now) || stops.holds(StopScope::Chat(chat), now))
    }

    /// Applies a right that a person exercises at once, before it is stored.
    pub(in crate::actors) fn ordered(&self, person: TelegramUserId, right: Right, at: Timestamp) {
        let mut wishes = self.wishes.write().unwrap_or_else(PoisonError::into_inner);
        match right {
            Right::OptOut => drop(wishes.insert(person)),
            // Only the store knows whether a newer order says the opposite.
            Right::OptIn => return,
            Right::Forget => {}
        }
        let mut held = self.rights.write().unwrap_or_else(PoisonError::into_inner);
        let mut rights = (**held).clone();
        match right {
            Right::OptOut => drop(rights.opted_out.insert(person)),
            Right::OptIn => {}
            Right::Forget => {
                let until = rights.forgotten.entry(person).or_insert(at);
                *until = (*until).max(at);
            }
        }
        *held = Arc::new(rights);
    }

    /// Records that a person's order is stored.
    pub(in crate::actors) fn stored(&self, person: TelegramUserId, right: Right) {
        match right {
            Right::OptOut | Right::OptIn => self.settle(person, right == Right::OptOut),
            Right::Forget => drop(self.mine.write().unwrap_or_else(PoisonError::into_inner).insert(person)),
        }
    }

    /// Takes over from the store whether a person has opted out.
    pub(in crate::actors) fn settle(&self, person: TelegramUserId, out: bool) {
        self.wishes.write().unwrap_or_else(PoisonError::into_inner).remove(&person);
        let mut held = self.rights.write().unwrap_or_else(PoisonError::into_inner);
        if held.opted_out.contains(&person) != out {
            let mut rights = (**held).clone();
            if out {
                rights.opted_out.insert(person);
            } else {
                rights.opted_out.remove(&person);
            }
            *held = Arc::new(rights);
        }
    }

    /// Returns whether this node took a person's erasure request, and so carries it out.
    pub(in crate::actors) fn took_wish_of(&self, person: TelegramUserId) -> bool {
        self.mine.read().unwrap_or_else(PoisonError::into_inner).contains(&person)
    }

    /// Takes over the store's rights. Opt-outs that are not stored yet stay in force.
    pub(in crate::actors) fn learned(&self, mut rights: Rights) {
        let wishes = self.wishes.read().unwrap_or_else(PoisonError::into_inner);
        rights.opted_out.extend(wishes.iter().copied());
        *self.rights.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rights);
    }

    /// Takes over the store's stops.
    pub(in crate::actors) fn learned_stops(&self, stops: Stops) {
        if *self.stops() != stops {
            *self.stops.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(stops);
        }
    }

    /// Takes over a stop that was committed here, or its end.
    pub fn stop_set(&self, scope: StopScope, stop: Option<Stop>) {
        let mut held = self.stops.write().unwrap_or_else(PoisonError::into_inner);
        let mut stops = (**held).clone();
        stops.put(scope, stop);
        *held = Arc::new(stops);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::control::Rank;
    use crate::testkit::rows::at;

    #[test]
    fn a_wish_that_is_not_stored_yet_outlives_what_the_store_says() {
        let (people, ayse) = (People::default(), TelegramUserId(7));
        people.ordered(ayse, Right::OptOut, at(1));
        people.learned(Rights { seq: 3, ..Rights::default() });
        assert!(people.rights().opted_out.contains(&ayse));
        people.stored(ayse, Right::OptOut);
        people.learned(Rights { seq: 4, ..Rights::default() });
        assert!(!people.rights().opted_out.contains(&ayse), "now the store's word counts");
    }

    #[test]
    fn a_chat_is_stopped_until_its_stop_ends() {
        let people = People::default();
        people.stop_set(StopScope::Chat(ChatId(1)), Some(Stop::firm(Some(at(60)), Rank::Administrator, at(0))));
        assert!(people.is_stopped(ChatId(1), at(59)) && !people.is_stopped(ChatId(2), at(59)));
        assert!(!people.is_stopped(ChatId(1), at(60)));
    }
}
