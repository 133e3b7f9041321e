//! Keeps the pauses that Telegram asked a bot for: over a restart, and until a person lifts them. Layer `actors`.

use std::time::Duration;

use crate::actors::bot::effect::{Effect, Then};
use crate::actors::bot::outbox::Outbox;
use crate::actors::bot::surroundings::Step;
use crate::domain::commit::operations::{AddPause, LiftPauses, Operation};
use crate::domain::ids::ChatId;
use crate::domain::pause::{PAUSE_MAX, Pause};
use crate::domain::time::Timestamp;
use crate::ports::metrics;

impl Outbox {
    /// Resumes pauses that an earlier process was asked for. None is believed beyond the longest that one may be.
    pub(in crate::actors::bot) fn resume_pauses(&mut self, mut pauses: Vec<Pause>, step: &mut Step<'_>) {
        if self.lifted {
            return;
        }
        let (now, bot) = (step.site.now(), step.site.profile().id);
        let longest = now + PAUSE_MAX;
        if pauses.iter().any(|pause| pause.until > longest) {
            tracing::warn!(bot.id = %bot, "a stored pause lies further ahead than any is believed: it is shortened to a day");
            let shorten = LiftPauses { bot, epoch: step.site.epoch(), until: longest, order: None };
            let then = Then::Log("stored pauses could not be shortened");
            step.ask(Effect::Commit(Operation::LiftPauses(shorten), then));
        }
        for pause in &mut pauses {
            pause.until = pause.until.min(longest);
        }
        // Two chats limited together pause the bot as long as the second one: that is about messages, and polls go on.
        let of_chats: Vec<Timestamp> = pauses.iter().filter_map(|pause| pause.chat.map(|_| pause.until)).collect();
        for pause in pauses.iter().filter(|pause| pause.until > now) {
            step.ask(Effect::Pause(pause.chat, pause.until));
            let left = pause.until.since(now);
            match pause.chat {
                Some(chat) => self.limiter.pause(chat, left),
                None if of_chats.contains(&pause.until) => self.limiter.pause_all(left),
                None => self.limiter.pause_calls(left),
            }
        }
    }

    /// Pauses the bot after a 429 to a call that sends no message: in the chat, or everywhere when the call names no
    /// chat. A row keeps the pause over a restart.
    pub(in crate::actors::bot) fn limited(&mut self, chat: Option<ChatId>, retry_after: Duration, step: &mut Step<'_>) {
        let retry_after = retry_after.min(PAUSE_MAX);
        let until = step.site.now() + retry_after;
        match chat {
            Some(chat) => self.limiter.pause(chat, retry_after),
            None => self.limiter.pause_calls(retry_after),
        }
        step.ask(Effect::Pause(chat, until));
        step.ask(Effect::EndTyping(chat));
        metrics::telegram_pauses_total.increment(1);
        keep(chat, until, step);
    }

    /// Stores what is left of all pauses anew after the clock jumped ahead. Pauses are stored as instants of that
    /// clock, so that the jump would shorten them after a restart.
    pub(in crate::actors::bot) fn keep_pauses(&self, step: &mut Step<'_>) {
        let now = step.site.now();
        let chats = self.limiter.pauses().map(|(chat, left)| (Some(chat), left));
        let whole = self.limiter.bot_pause().map(|left| (None, left));
        for (chat, left) in chats.chain(whole) {
            step.ask(Effect::Pause(chat, now + left));
            keep(chat, now + left, step);
        }
    }

    /// Forgets all pauses, since a person lifts them.
    pub(in crate::actors::bot) fn forget_pauses(&mut self) {
        self.limiter.lift();
        self.lifted = true;
    }

    /// Looks again at messages that wait for permits which the limiter would have given only after the pause.
    pub(in crate::actors::bot) fn resume_unpaused(&mut self, step: &mut Step<'_>) {
        for (outbox, due_at) in self.unpaused(step.site.now()) {
            self.try_again(outbox, due_at, step);
        }
    }
}

/// Stores a pause.
fn keep(chat: Option<ChatId>, until: Timestamp, step: &mut Step<'_>) {
    let pause = Pause { bot: step.site.profile().id, chat, until };
    let add = AddPause { epoch: step.site.epoch(), pause };
    step.ask(Effect::Commit(Operation::AddPause(add), Then::Log("a pause is kept in memory only")));
}
