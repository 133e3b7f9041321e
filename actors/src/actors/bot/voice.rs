//! Keeps the bot silent where it cannot speak: pauses that Telegram asks for, closed places, and the turns that meet
//! them. Layer `actors`. Keeps I14.
//!
//! | the bot | its turns |
//! |---|---|
//! | is paused beyond a turn's time, stopped, or cannot post there | are dropped: no model is asked |
//! | has no token, a refused token, or is in quarantine | wait until that ends, or they are stale |
//! | is paused for less | go on: a model answers meanwhile, and the message waits |

use std::sync::Arc;
use std::time::Duration;

use crate::actors::bot::intake::Intake;
use crate::actors::bot::messages::BotMsg;
use crate::actors::bot::outbox::Outbox;
use crate::actors::bot::perform::{ANSWER_WITHIN, answered};
use crate::actors::bot::state::BotState;
use crate::domain::commit::operations::{Operation, SetAbsence};
use crate::domain::ids::{ChatId, ThreadId};
use crate::domain::silence::Silence;
use crate::domain::time::Timestamp;
use crate::ports::bus::Hint;
use crate::ports::metrics;
use crate::ports::telegram::{Shut, TelegramError};

/// The length beyond which a pause is told to other nodes: turns outwait a shorter one.
const TOLD_FROM: Duration = Duration::from_secs(30);

impl BotState {
    /// Notes why the bot is silent everywhere, or that nothing silences it any more, and tells the other nodes.
    pub(super) fn set_silence(&self, why: Option<Silence>) {
        if self.node.voices.set(self.identity.profile.id, why) {
            self.node.tell([Hint::Silent(self.identity.profile.id, why)]);
        }
    }

    /// Notes how long the bot is paused in the chat, or everywhere, and tells other nodes of a long pause.
    pub(super) fn note_pause(&self, chat: Option<ChatId>, until: Timestamp) {
        let (now, bot) = (self.node.clock.now(), self.identity.profile.id);
        self.node.voices.paused(bot, chat, until, now);
        if until.since(now) > TOLD_FROM {
            match chat {
                Some(chat) => self.node.tell([Hint::Paused(chat, bot, until)]),
                None => self.node.tell([Hint::Silent(bot, Some(Silence::Paused(until)))]),
            }
        }
    }

    /// Pauses the bot after a 429 to a call that sends no message.
    pub(super) fn on_limited(&mut self, chat: Option<ChatId>, retry_after: Duration) {
        self.outbox(|outbox, step| outbox.limited(chat, retry_after, step));
    }

    /// Stores pauses anew after the clock jumped ahead.
    pub(super) fn on_clock_stepped(&mut self) {
        if !self.is_closing() {
            self.outbox(|outbox, step| outbox.keep_pauses(step));
        }
    }

    /// Forgets all pauses of the bot, which a person lifted; the next calls show what Telegram thinks of that.
    pub(super) fn on_pauses_lifted(&mut self) {
        let now = self.node.clock.now();
        tracing::warn!(bot.id = %self.identity.profile.id, "a person lifted the pauses that telegram asked for");
        self.outbox.forget_pauses();
        self.node.voices.resumed(self.identity.profile.id);
        self.node
            .tell([Hint::Silent(self.identity.profile.id, self.node.voices.everywhere(self.identity.profile.id, now))]);
        self.outbox(Outbox::resume_unpaused);
        if self.intake.me().is_some() {
            self.intake(Intake::open);
        } else {
            self.intake(Intake::identify);
        }
    }

    /// Notes that Telegram let the bot write nothing there: the bot is silent there until it can write again.
    pub(super) fn on_shut(&self, chat: ChatId, thread: Option<ThreadId>, place: Shut) {
        if self.node.voices.shut(self.identity.profile.id, chat, thread, place) {
            tracing::warn!(bot.id = %self.identity.profile.id, chat.id = %chat, place = place.as_str(), "the bot cannot write there");
            metrics::places_shut_total { place: place.as_str() }.increment(1);
        }
        if place != Shut::Topic {
            self.tell_absence(chat, true);
        }
    }

    /// Stores whether the bot can post in the chat, and then tells the chat. The bot stores this itself, since the chat
    /// may live elsewhere.
    fn tell_absence(&self, chat: ChatId, absent: bool) {
        let (node, bot) = (Arc::clone(&self.node), self.identity.profile.id);
        let absence = SetAbsence { bot, epoch: self.identity.epoch, chat, absent };
        self.node.committer.submit(Operation::SetAbsence(absence), move |result| match result {
            Ok(_) if absent => node.tell([Hint::CannotPost(chat, bot)]),
            Ok(_) => node.tell([Hint::CanPost(chat, bot)]),
            Err(error) => {
                tracing::warn!(bot.id = %bot, chat.id = %chat, error = %error, "whether the bot can post there was not stored");
            }
        });
    }

    /// Tries to show "typing" in a chat that wants the bot to speak: this needs the right to write and changes nothing.
    pub(super) fn try_chat(&mut self, chat: ChatId) {
        let paused = self.outbox.limiter().pause_left(chat).is_some();
        let Some(telegram) = self.node.directory.telegram_chat(chat) else {
            return;
        };
        if self.is_closing() || paused || self.outbox(|_, step| step.site.cannot_act()).is_some() {
            return;
        }
        let (api, myself) = (Arc::clone(&self.identity.api), self.hands.myself.clone());
        self.hands.tasks.spawn(async move {
            let answer = answered(ANSWER_WITHIN, api.send_typing(telegram, None)).await;
            let _ = myself.cast(BotMsg::ChatTried(chat, answer));
        });
    }

    pub(super) fn on_chat_tried(&mut self, chat: ChatId, result: &Result<(), TelegramError>) {
        match result {
            Ok(()) => {
                tracing::info!(bot.id = %self.identity.profile.id, chat.id = %chat, "the bot can write there again");
                self.node.voices.opened(self.identity.profile.id, chat);
                self.tell_absence(chat, false);
            }
            Err(TelegramError::RateLimited { retry_after }) => self.on_limited(Some(chat), *retry_after),
            Err(error) => {
                tracing::debug!(bot.id = %self.identity.profile.id, chat.id = %chat, error = %error, "the bot still cannot write there");
            }
        }
    }
}
