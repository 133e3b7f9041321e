//! Implements the actions of people in the chats: post, edit, react, delete. Layer: world.

use super::World;
use super::error::WorldError;
use super::event::{Post, WorldEvent};
use super::publish::Draft;
use super::state::{ChatState, Odd, State};
use super::text::{Formatted, MAX_TEXT, format};

impl World {
    /// Lets a person post a message and returns its id.
    ///
    /// # Errors
    /// An unknown chat, topic or message to reply to; a person who is not in the chat; a person who wants to be
    /// anonymous but is no administrator; a closed or deleted topic; a text that Telegram does not accept.
    pub fn post(&self, chat: i64, person: i64, post: Post) -> Result<i64, WorldError> {
        let Post { text, reply_to, thread, anonymous, dated_s, extra, without, unnumbered, only } = post;
        let mut state = self.lock();
        let room = room(&state, chat, person)?;
        if anonymous && !room.is_admin(person) {
            return Err(WorldError::NotAnAdmin { chat, member: person });
        }
        let missing = |message_id| WorldError::UnknownMessage { chat, message_id };
        let original = match reply_to {
            Some(id) => Some(room.messages.get(&id).ok_or_else(|| missing(id))?),
            None => None,
        };
        let topic = thread.or_else(|| original.and_then(|m| m.topic));
        if let Some(thread) = topic
            && !room.topics.contains_key(&thread)
        {
            return Err(WorldError::UnknownThread { chat, thread });
        }
        if let Some(why) = topic.and_then(|thread| room.shut_topics.get(&thread)) {
            return Err(WorldError::Invalid(why.description.clone()));
        }
        let body = if text.is_empty() && !extra.is_empty() { Formatted::default() } else { formatted(&text)? };
        let author = state.author(person).ok_or(WorldError::NotAMember { chat, member: person })?;
        let language = state.people.get(&person).map(|p| p.language_code.clone());
        let odd = Odd { extra, without, unnumbered, only };
        let draft = Draft { language, anonymous, reply_to, topic, dated_s, odd, ..Draft::new(author, body) };
        self.publish(&mut state, chat, draft).ok_or(WorldError::UnknownChat(chat))
    }

    /// Lets a person give their message a new text.
    ///
    /// # Errors
    /// An unknown chat or person; a message of another author; a text that Telegram does not accept.
    pub fn edit(&self, chat: i64, person: i64, message_id: i64, text: &str) -> Result<(), WorldError> {
        let mut state = self.lock();
        own_message(&state, chat, person, message_id)?;
        let body = formatted(text)?;
        self.publish_edit(&mut state, chat, message_id, body);
        Ok(())
    }

    /// Lets a person react to a message, or take the reaction back.
    ///
    /// # Errors
    /// An unknown chat, person or message.
    pub fn react(&self, chat: i64, person: i64, message_id: i64, emoji: Option<&str>) -> Result<(), WorldError> {
        let mut state = self.lock();
        let room = room(&state, chat, person)?;
        if !room.messages.contains_key(&message_id) {
            return Err(WorldError::UnknownMessage { chat, message_id });
        }
        let author = state.author(person).ok_or(WorldError::NotAMember { chat, member: person })?;
        self.publish_reaction(&mut state, chat, message_id, &author, emoji);
        Ok(())
    }

    /// Lets a person delete their own message, or an administrator any message. Bots are not told.
    ///
    /// # Errors
    /// An unknown chat, person or message.
    pub fn delete(&self, chat: i64, person: i64, message_id: i64) -> Result<(), WorldError> {
        let mut state = self.lock();
        if !room(&state, chat, person)?.is_admin(person) {
            own_message(&state, chat, person, message_id)?;
        }
        let gone = state.chats.get_mut(&chat).and_then(|room| room.messages.remove(&message_id));
        if gone.is_none() {
            return Err(WorldError::UnknownMessage { chat, message_id });
        }
        self.show(WorldEvent::Deleted { chat, message_id });
        Ok(())
    }
}

fn formatted(text: &str) -> Result<Formatted, WorldError> {
    let body = format(text, None, MAX_TEXT, "message is too long").map_err(|_| WorldError::Text)?;
    if body.text.is_empty() {
        return Err(WorldError::Text);
    }
    Ok(body)
}

fn room(state: &State, chat: i64, person: i64) -> Result<&ChatState, WorldError> {
    let room = state.chats.get(&chat).ok_or(WorldError::UnknownChat(chat))?;
    if let Some(to) = room.migrated_to {
        return Err(WorldError::Migrated { from: chat, to });
    }
    if !room.is_present(person) || !state.people.contains_key(&person) {
        return Err(WorldError::NotAMember { chat, member: person });
    }
    Ok(room)
}

fn own_message(state: &State, chat: i64, person: i64, message_id: i64) -> Result<(), WorldError> {
    let message = room(state, chat, person)?.messages.get(&message_id);
    match message {
        Some(message) if message.author.id == person && message.service.is_none() => Ok(()),
        _ => Err(WorldError::UnknownMessage { chat, message_id }),
    }
}
