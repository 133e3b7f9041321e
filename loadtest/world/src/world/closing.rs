//! Closes and deletes chats and topics, so that bots may not write there. Layer: world.
//!
//! In a closed chat only administrators may write. The simulated people may still post there and count as
//! administrators. In Telegram a deleted chat or topic never comes back; here [`World::lift`] brings it back for
//! harnesses that heal everything.
//!
//! # Source
//! tdlib/telegram-bot-api, `Client.cpp`: `check_chat_access`, `fail_query_with_error`.

use serde_json::json;

use super::World;
use super::error::{ApiError, WorldError};
use super::membership::actor_of;
use super::publish::Draft;
use super::shut::Shut;
use super::state::{ChatState, Standing, State};
use crate::ledger::LedgerEvent;

/// Refuses a bot that may not write in a chat or in one of its topics.
pub(crate) fn may_write(room: &ChatState, bot: i64, topic: Option<i64>) -> Result<(), ApiError> {
    if room.members.get(&bot) == Some(&Standing::Restricted) {
        return Err(Shut::without_rights().refusal());
    }
    let of_chat = room.shut.as_ref().filter(|shut| shut.gone || !room.is_admin(bot));
    let of_topic = topic.and_then(|topic| room.shut_topics.get(&topic));
    of_chat.or(of_topic).map_or(Ok(()), |shut| Err(shut.refusal()))
}

impl World {
    /// Closes a chat to its members, bots among them; administrators may still write.
    ///
    /// # Errors
    /// An unknown chat.
    pub fn close_chat(&self, chat: i64, why: Shut) -> Result<(), WorldError> {
        let mut state = self.lock();
        let room = room(&mut state, chat)?;
        let told = why.description.clone();
        room.shut = Some(why);
        self.ledger().record(LedgerEvent::Shut { chat, thread: None, why: told });
        Ok(())
    }

    /// Deletes a chat: bots are refused as Telegram refuses them for a deleted chat of this kind.
    ///
    /// # Errors
    /// An unknown chat.
    pub fn delete_chat(&self, chat: i64) -> Result<(), WorldError> {
        let kind = room(&mut self.lock(), chat)?.kind;
        self.close_chat(chat, Shut::deleted(kind))
    }

    /// Opens a chat again.
    ///
    /// # Errors
    /// An unknown chat.
    pub fn open_chat(&self, chat: i64) -> Result<(), WorldError> {
        let mut state = self.lock();
        if room(&mut state, chat)?.shut.take().is_some() {
            self.ledger().record(LedgerEvent::Opened { chat, thread: None });
        }
        Ok(())
    }

    /// Closes a topic, with a service message.
    ///
    /// # Errors
    /// An unknown chat or topic.
    pub fn close_topic(&self, chat: i64, thread: i64) -> Result<(), WorldError> {
        let mut state = self.lock();
        self.tell_of_topic(&mut state, chat, thread, "forum_topic_closed")?;
        let why = Shut::closed(400, "Bad Request: TOPIC_CLOSED");
        self.shut_topic(&mut state, chat, thread, why)
    }

    /// Deletes a topic, without a service message.
    ///
    /// # Errors
    /// An unknown chat or topic.
    pub fn delete_topic(&self, chat: i64, thread: i64) -> Result<(), WorldError> {
        let mut state = self.lock();
        topic(&mut state, chat, thread)?;
        let why = Shut { gone: true, ..Shut::closed(400, "Bad Request: message thread not found") };
        self.shut_topic(&mut state, chat, thread, why)
    }

    /// Opens a topic again, with a service message.
    ///
    /// # Errors
    /// An unknown chat or topic.
    pub fn open_topic(&self, chat: i64, thread: i64) -> Result<(), WorldError> {
        let mut state = self.lock();
        if topic(&mut state, chat, thread)?.shut_topics.remove(&thread).is_some() {
            self.ledger().record(LedgerEvent::Opened { chat, thread: Some(thread) });
            self.tell_of_topic(&mut state, chat, thread, "forum_topic_reopened")?;
        }
        Ok(())
    }

    /// Heals the world: opens every chat and topic, lets every bot write, releases held updates and ends all pauses.
    pub fn lift(&self) {
        let (chats, topics, restricted, bots) = {
            let state = self.lock();
            let chats: Vec<i64> = state.chats.values().filter(|room| room.shut.is_some()).map(|room| room.id).collect();
            let topics: Vec<(i64, i64)> = state
                .chats
                .values()
                .flat_map(|room| room.shut_topics.keys().map(|thread| (room.id, *thread)))
                .collect();
            let is_restricted = |standing| standing == Standing::Restricted;
            let restricted: Vec<(i64, i64)> = state
                .chats
                .values()
                .flat_map(|room| {
                    room.members.iter().filter(|(_, standing)| is_restricted(**standing)).map(|(id, _)| (room.id, *id))
                })
                .collect();
            (chats, topics, restricted, state.bots.keys().copied().collect::<Vec<_>>())
        };
        // Each of them existed a moment ago, and a world never removes a chat, topic or bot.
        for chat in chats {
            let _ = self.open_chat(chat);
        }
        for (chat, thread) in topics {
            let _ = self.open_topic(chat, thread);
        }
        for (chat, bot) in restricted {
            let _ = self.set_restricted(chat, bot, false);
        }
        for bot in bots {
            self.release_updates(bot);
        }
        self.lock().limiter.forgive();
    }

    fn shut_topic(&self, state: &mut State, chat: i64, thread: i64, why: Shut) -> Result<(), WorldError> {
        let told = why.description.clone();
        topic(state, chat, thread)?.shut_topics.insert(thread, why);
        self.ledger().record(LedgerEvent::Shut { chat, thread: Some(thread), why: told });
        Ok(())
    }

    fn tell_of_topic(&self, state: &mut State, chat: i64, thread: i64, what: &str) -> Result<(), WorldError> {
        let actor = {
            topic(state, chat, thread)?;
            let room = state.chats.get(&chat).ok_or(WorldError::UnknownChat(chat))?;
            actor_of(state, room)
        };
        let draft = Draft { topic: Some(thread), ..Draft::service(actor, json!({what: {}})) };
        self.publish(state, chat, draft).map(drop).ok_or(WorldError::UnknownChat(chat))
    }
}

fn room(state: &mut State, chat: i64) -> Result<&mut ChatState, WorldError> {
    state.chats.get_mut(&chat).ok_or(WorldError::UnknownChat(chat))
}

fn topic(state: &mut State, chat: i64, thread: i64) -> Result<&mut ChatState, WorldError> {
    let room = room(state, chat)?;
    if room.topics.contains_key(&thread) { Ok(room) } else { Err(WorldError::UnknownThread { chat, thread }) }
}
