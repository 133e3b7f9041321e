//! Operations of those who speak as bots: saying something, taking a bot over, giving it back. Layer `operate`. Keeps I4, I14.

use std::time::Duration;

use botfleet_actors::domain::audit::{Act, AuditObject, ObjectKind};
use botfleet_actors::domain::ids::{BotId, ChatId, Number};
use botfleet_actors::domain::operator_order::OrderFruit;
use botfleet_actors::domain::takeover::{IDLE, IDLE_MAX};
use botfleet_actors::domain::text::{MESSAGE_UNITS_MAX, utf16_units};
use serde_json::json;

use super::failure::{Code, Failure};
use super::grant::Granted;
use super::operations::Operations;
use super::orders::Ordered;
use super::permission::{Permission, ReadFleet, SeizeTakeover, Speak};
use crate::runtime::orders::OrderView;
use crate::runtime::speaking::{EndError, SendingView, TakeoverView, Utterance};

/// Longest time of a take-over without a message, in minutes.
pub(crate) const IDLE_MINUTES_MAX: u32 = 60;

/// The result of an order that tells more than that it is done.
#[derive(Clone, Debug)]
pub enum Came<T> {
    /// The order was carried out.
    To(T),
    /// The owner has not ended it yet.
    UnderWay(Box<OrderView>),
}

/// A take-over that has begun.
#[derive(Clone, Debug)]
pub struct Begun {
    /// The take-over.
    pub takeover: TakeoverView,
    /// Number of the bot's turns that were cancelled.
    pub turns: u32,
    /// Number of the bot's messages that were cancelled.
    pub messages: u32,
    /// Messages of the bot that Telegram may be taking all the same.
    pub sending: Vec<SendingView>,
}

impl Operations {
    /// Returns the chat of that name or id, if it is within reach.
    pub(super) fn chat_within<P: Permission>(&self, by: &Granted<P>, chat: &str) -> Result<ChatId, Failure> {
        let unknown = || Failure::new(Code::UnknownChat, format!("{chat:?} is no chat of the manifest, by name or id"));
        by.chat(self.fleet.chat_called(chat).ok_or_else(unknown)?)
    }

    /// Returns a chat and one of its bots, if both are within reach.
    fn place<P: Permission>(&self, by: &Granted<P>, chat: &str, bot: &str) -> Result<(ChatId, BotId), Failure> {
        let chat = self.chat_within(by, chat)?;
        Ok((chat, by.bot(self.bot_named(bot)?)?))
    }

    /// Says something as a bot. The text goes the way of every other message: what forbids the bot to speak forbids it too.
    ///
    /// # Errors
    /// `UnknownChat`, `UnknownName`, `UnknownMessage`, `OutOfReach`; `BadRequest` for an empty text, one of more than 4,096
    /// UTF-16 units, or one with control characters; `CannotSpeak`, `TakenOver`; those of [`Operations::ordered`].
    pub async fn say(
        &self,
        by: &Granted<Speak>,
        (chat, bot): (&str, &str),
        text: &str,
        reply_to: Option<Number>,
    ) -> Result<Came<Utterance>, Failure> {
        let (chat, bot) = self.place(by, chat, bot)?;
        let text = sayable(text)?;
        let entry = self.entry(by, Act::Say, AuditObject::new(ObjectKind::Chat, chat))?;
        let told = json!({ "bot": bot, "reply_to": reply_to, "units": utf16_units(text) });
        let given = self.fleet.say_as((chat, bot), text.to_owned(), reply_to, entry.with_after(told)).await?;
        match self.ordered(&given)? {
            Ordered::UnderWay(order) => Ok(Came::UnderWay(order)),
            Ordered::Done(Some(OrderFruit::Turn(turn))) => Ok(Came::To(self.fleet.fate_of(chat, turn).await?)),
            Ordered::Done(_) => Err(Failure::new(Code::OrderUnknown, "the order does not tell its turn")),
        }
    }

    /// Takes a bot over: its own turns and messages in the chat end, and it keeps silent there until it is given back, or its
    /// holder has said nothing for `idle`.
    ///
    /// # Errors
    /// `UnknownChat`, `UnknownName`, `OutOfReach`; `BadRequest` for another time than 1 to 60 minutes; `TakenOver` when another
    /// operator holds it and `take` does not say that it is to be taken; those of [`Operations::ordered`].
    pub async fn take_over(
        &self,
        by: &Granted<Speak>,
        take: Option<&Granted<SeizeTakeover>>,
        (chat, bot): (&str, &str),
        idle_minutes: Option<u32>,
    ) -> Result<Came<Begun>, Failure> {
        let (chat, bot) = self.place(by, chat, bot)?;
        let idle = idle_minutes.map_or(IDLE, |minutes| Duration::from_mins(minutes.into()));
        if idle.is_zero() || idle > IDLE_MAX {
            return Err(Failure::new(Code::BadRequest, format!("idle_minutes: give 1 to {IDLE_MINUTES_MAX}")));
        }
        if !self.fleet.bots_of(chat).contains(&bot) {
            return Err(Failure::new(Code::CannotSpeak, "the bot is not of this chat"));
        }
        let entry = self.entry(by, Act::TakeOver, AuditObject::new(ObjectKind::Chat, chat))?;
        let told = json!({ "bot": bot, "idle_minutes": idle.as_secs() / 60, "take": take.is_some() });
        let given = self.fleet.take_over((chat, bot), idle, take.is_some(), entry.with_after(told)).await?;
        let (turns, messages) = match self.ordered(&given)? {
            Ordered::UnderWay(order) => return Ok(Came::UnderWay(order)),
            Ordered::Done(Some(OrderFruit::TakenOver { turns, messages })) => (turns, messages),
            Ordered::Done(_) => (0, 0),
        };
        let bot_name = self.fleet.name_of_bot(bot);
        let held = self.fleet.takeovers(chat).await?.into_iter().find(|held| Some(&held.bot) == bot_name.as_ref());
        let takeover = held.ok_or_else(|| Failure::new(Code::Conflict, "the take-over has ended already"))?;
        let sending = self.fleet.sending(chat, bot).await?;
        Ok(Came::To(Begun { takeover, turns, messages, sending }))
    }

    /// Gives a bot back. An admin ends the take-over of whoever holds it.
    ///
    /// # Errors
    /// `UnknownChat`, `UnknownName`, `OutOfReach`; `TakenOver` when another operator holds it; `Conflict` when nobody does;
    /// `Unavailable`.
    pub async fn end_takeover(
        &self,
        by: &Granted<Speak>,
        any: Option<&Granted<SeizeTakeover>>,
        (chat, bot): (&str, &str),
    ) -> Result<(), Failure> {
        let place = self.place(by, chat, bot)?;
        let mut entry = self.entry(by, Act::EndTakeover, AuditObject::new(ObjectKind::Chat, place.0))?;
        entry.set_after(json!({ "bot": place.1 }));
        let holder = if any.is_some() { None } else { Some(by.by()) };
        self.fleet.end_takeover(place, holder, entry).await.map_err(|error| match error {
            EndError::Held(why) => Failure::new(Code::TakenOver, why),
            EndError::Nobody(why) => Failure::new(Code::Conflict, why),
            EndError::Unavailable(why) => Failure::unavailable(&why),
        })
    }

    /// Lists the take-overs of a chat.
    ///
    /// # Errors
    /// `UnknownChat`, `OutOfReach`, `Unavailable`.
    pub async fn takeovers(&self, by: &Granted<ReadFleet>, chat: &str) -> Result<Vec<TakeoverView>, Failure> {
        let chat = self.chat_within(by, chat)?;
        Ok(self.fleet.takeovers(chat).await?)
    }
}

/// Returns a text as it is said.
fn sayable(text: &str) -> Result<&str, Failure> {
    let wrong = |why: String| Err(Failure::new(Code::BadRequest, format!("text: {why}")));
    let text = text.trim();
    let units = utf16_units(text);
    if text.is_empty() {
        return wrong("say something".to_owned());
    }
    if units > MESSAGE_UNITS_MAX {
        return wrong(format!("{units} UTF-16 units, of which Telegram takes {MESSAGE_UNITS_MAX} in a message"));
    }
    if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
        return wrong("leave out control characters".to_owned());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_telegram_would_not_take_is_refused_before_anything_is_ordered() {
        assert_eq!(sayable(" Selam\n\u{1f44b} ").ok(), Some("Selam\n\u{1f44b}"));
        let long = "\u{1f44b}".repeat(MESSAGE_UNITS_MAX / 2);
        assert_eq!(sayable(&long).ok(), Some(long.as_str()));
        for text in ["", " \n ", "a\0b", &format!("{long}a")] {
            assert_eq!(sayable(text).map_err(|failure| failure.code), Err(Code::BadRequest));
        }
    }
}
