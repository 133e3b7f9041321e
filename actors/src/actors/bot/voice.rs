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

use ractor::RpcReplyPort;

use super::polling::{ANSWER_WITHIN, answered};
use crate::actors::bot::messages::BotMsg;
use crate::actors::bot::state::BotState;
use crate::domain::commit::operations::{AddPause, LiftPauses, Operation, SetAbsence};
use crate::domain::ids::{ChatId, ThreadId, TurnId};
use crate::domain::pause::{PAUSE_MAX, Pause};
use crate::domain::silence::Silence;
use crate::domain::time::Timestamp;
use crate::ports::bus::Hint;
use crate::ports::telegram::{Shut, TelegramError};

/// Wait of a turn of a bot without an accepted token or in quarantine: a person may mend that before it is stale.
const REFUSED_RETRY: Duration = Duration::from_secs(15);

/// The length beyond which a pause is told to other nodes: turns outwait a shorter one.
const TOLD_FROM: Duration = Duration::from_secs(30);

impl BotState {
    /// Returns why the bot cannot speak in the turn's time, whatever a model would say.
    pub(super) fn silenced(&self, turn: TurnId) -> Option<Silence> {
        if self.node.voices.all_speak() {
            return None;
        }
        let given = &self.jobs.get(&turn)?.given;
        let thread = given.target.as_ref().and_then(|target| target.thread);
        let voice = self.node.voices.of(self.profile.id, given.turn.chat, thread, self.node.clock.now());
        voice.silent_until(given.turn.expires_at)
    }

    /// Drops a turn that cannot be spoken, or tries it again later, so that nothing is paid for it.
    pub(super) fn hold_tongue(&mut self, turn: TurnId, why: Silence) {
        match why {
            Silence::NoToken | Silence::Refused | Silence::Quarantined => self.again_after(turn, REFUSED_RETRY),
            Silence::Stopped | Silence::Absent | Silence::TopicShut | Silence::Paused(_) => {
                tracing::info!(bot.id = %self.profile.id, turn.id = %turn, why = why.label(), "turn dropped: the bot cannot speak");
                self.drop_turn(turn, why.label(), format!("could not speak: {why}"));
            }
        }
    }

    /// Notes why the bot is silent everywhere, or that nothing silences it any more, and tells the other nodes.
    pub(super) fn set_silence(&self, why: Option<Silence>) {
        if self.node.voices.set(self.profile.id, why) {
            self.node.tell([Hint::Silent(self.profile.id, why)]);
        }
    }

    /// Notes how long the bot is paused in the chat, or everywhere, and tells other nodes of a long pause.
    pub(super) fn note_pause(&self, chat: Option<ChatId>, until: Timestamp) {
        let (now, bot) = (self.node.clock.now(), self.profile.id);
        self.node.voices.paused(bot, chat, until, now);
        if until.since(now) > TOLD_FROM {
            match chat {
                Some(chat) => self.node.tell([Hint::Paused(chat, bot, until)]),
                None => self.node.tell([Hint::Silent(bot, Some(Silence::Paused(until)))]),
            }
        }
    }

    /// Resumes pauses that an earlier process was asked for. None is believed beyond the longest that one may be.
    pub(super) fn resume_pauses(&mut self, mut pauses: Vec<Pause>) {
        if self.sending.lifted {
            return;
        }
        let now = self.node.clock.now();
        let longest = now + PAUSE_MAX;
        if pauses.iter().any(|pause| pause.until > longest) {
            tracing::warn!(bot.id = %self.profile.id, "a stored pause lies further ahead than any is believed: it is shortened to a day");
            self.shorten_pauses(longest, None);
        }
        for pause in &mut pauses {
            pause.until = pause.until.min(longest);
            if pause.until > now {
                self.note_pause(pause.chat, pause.until);
            }
        }
        self.sending.resume_pauses(&pauses, now);
    }

    /// Pauses the bot after a 429 to a call that sends no message: in the chat, or everywhere when the call names no
    /// chat. A row keeps the pause over a restart.
    pub(super) fn on_limited(&mut self, chat: Option<ChatId>, retry_after: Duration) {
        let retry_after = retry_after.min(PAUSE_MAX);
        let until = self.node.clock.now() + retry_after;
        match chat {
            Some(chat) => self.sending.limiter.pause(chat, retry_after),
            None => self.sending.limiter.pause_calls(retry_after),
        }
        self.note_pause(chat, until);
        self.sending.end_typing(chat);
        metrics::counter!("botfleet_telegram_pauses_total").increment(1);
        let bot = self.profile.id;
        let pause = AddPause { epoch: self.epoch, pause: Pause { bot, chat, until } };
        self.node.committer.submit(Operation::AddPause(pause), move |result| {
            if let Err(error) = result {
                tracing::warn!(bot.id = %bot, error = %error, "a pause is kept in memory only");
            }
        });
    }

    /// Stores what is left of all pauses anew after the clock jumped ahead. Pauses are stored as instants of that
    /// clock, so that the jump would shorten them after a restart.
    pub(super) fn keep_pauses(&mut self) {
        if self.is_closing() {
            return;
        }
        let (now, bot) = (self.node.clock.now(), self.profile.id);
        let chats = self.sending.limiter.pauses().map(|(chat, left)| (Some(chat), left));
        let whole = self.sending.limiter.bot_pause().map(|left| (None, left));
        for (chat, left) in chats.chain(whole).collect::<Vec<_>>() {
            let pause = Pause { bot, chat, until: now + left };
            self.note_pause(chat, pause.until);
            let paused = AddPause { epoch: self.epoch, pause };
            self.node.committer.submit(Operation::AddPause(paused), move |result| {
                if let Err(error) = result {
                    tracing::warn!(bot.id = %bot, error = %error, "a pause is kept in memory only");
                }
            });
        }
    }

    /// Lifts all pauses of the bot for a person; the next calls show what Telegram thinks of that.
    pub(super) fn lift_pauses(&mut self, reply: RpcReplyPort<bool>) {
        let now = self.node.clock.now();
        tracing::warn!(bot.id = %self.profile.id, "a person lifted the pauses that telegram asked for");
        self.sending.limiter.lift();
        self.sending.lifted = true;
        self.node.voices.resumed(self.profile.id);
        self.node.tell([Hint::Silent(self.profile.id, self.node.voices.everywhere(self.profile.id, now))]);
        self.shorten_pauses(now, Some(reply));
        // Messages that are due wait for a permit that the limiter would have given only after the pause.
        for (outbox, due_at) in self.sending.unpaused(now) {
            self.try_again(outbox, due_at);
        }
        if self.me.is_some() {
            self.open_intake();
        } else {
            self.identify();
        }
    }

    /// Shortens stored pauses of the bot, so that none lasts beyond `until`.
    fn shorten_pauses(&self, until: Timestamp, reply: Option<RpcReplyPort<bool>>) {
        let lift = LiftPauses { bot: self.profile.id, epoch: self.epoch, until };
        let bot = self.profile.id;
        self.node.committer.submit(Operation::LiftPauses(lift), move |result| {
            if let Err(error) = &result {
                tracing::warn!(bot.id = %bot, error = %error, "stored pauses could not be shortened");
            }
            if let Some(reply) = reply {
                let _ = reply.send(result.is_ok());
            }
        });
    }

    /// Notes that Telegram let the bot write nothing there: the bot is silent there until it can write again.
    pub(super) fn on_shut(&self, chat: ChatId, thread: Option<ThreadId>, place: Shut) {
        if self.node.voices.shut(self.profile.id, chat, thread, place) {
            tracing::warn!(bot.id = %self.profile.id, chat.id = %chat, place = place.as_str(), "the bot cannot write there");
            metrics::counter!("botfleet_places_shut_total", "place" => place.as_str()).increment(1);
        }
        if place != Shut::Topic {
            self.tell_absence(chat, true);
        }
    }

    /// Stores whether the bot can post in the chat, and then tells the chat. The bot stores this itself, since the chat
    /// may live elsewhere.
    fn tell_absence(&self, chat: ChatId, absent: bool) {
        let (node, bot) = (Arc::clone(&self.node), self.profile.id);
        let absence = SetAbsence { bot, epoch: self.epoch, chat, absent };
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
        let paused = self.sending.limiter.pause_left(chat).is_some();
        let Some(telegram) = self.node.directory.telegram_chat(chat) else {
            return;
        };
        if self.is_closing() || paused || self.cannot_act().is_some() {
            return;
        }
        let (api, myself) = (Arc::clone(&self.api), self.myself.clone());
        self.tasks.spawn(async move {
            let answer = answered(ANSWER_WITHIN, api.send_typing(telegram, None)).await;
            let _ = myself.cast(BotMsg::ChatTried(chat, answer));
        });
    }

    pub(super) fn on_chat_tried(&mut self, chat: ChatId, result: &Result<(), TelegramError>) {
        match result {
            Ok(()) => {
                tracing::info!(bot.id = %self.profile.id, chat.id = %chat, "the bot can write there again");
                self.node.voices.opened(self.profile.id, chat);
                self.tell_absence(chat, false);
            }
            Err(TelegramError::RateLimited { retry_after }) => self.on_limited(Some(chat), *retry_after),
            Err(error) => {
                tracing::debug!(bot.id = %self.profile.id, chat.id = %chat, error = %error, "the bot still cannot write there");
            }
        }
    }
}
