//! Settles attempts to send: commits the result of each as its end. Layer `actors`. Keeps I4, I6, I8.
//!
//! | Telegram says | the message | besides |
//! |---|---|---|
//! | accepted | sent, its event in the chat's inbox | the next part goes on |
//! | 429 | due again after the pause | the pause is a row of the store; two chats limited together pause the bot |
//! | nothing: no connection, refused, TLS | due again after a backoff | |
//! | the token is refused | due again after 15 s, until it is stale | polling shows it |
//! | the group became a supergroup | due again within moments, under the new id | the chat is told |
//! | no clear answer after writing | unknown, or due again as its policy says | if unknown, later parts are given up |
//! | the place is closed to the bot | rejected | the bot is silent there until it can write again |
//! | any other refusal | rejected: a dead letter with its reason | later parts are given up |
//!
//! The end is committed again and again until the store has it.

use std::time::Duration;

use crate::actors::bot::effect::{Effect, Then};
use crate::actors::bot::messages::BotMsg;
use crate::actors::bot::outbox::messages::OutboxMsg;
use crate::actors::bot::outbox::{Outbox, Outgoing, SEND_BACKOFF, Stage};
use crate::actors::bot::surroundings::Step;
use crate::actors::chat::messages::{Content, Delivery};
use crate::actors::node::committer::{CommitError, CommitResult, STORE_RETRY};
use crate::domain::commit::operations::{Cancel, Operation, Settle};
use crate::domain::commit::outcome::Refusal;
use crate::domain::commit::start::Start;
use crate::domain::ids::{AttemptId, MessageId, OutboxId};
use crate::domain::inbox::{InboxRow, SentEvent};
use crate::domain::outbox::{OnUnknown, OutboxMessage, RESEND_ATTEMPTS_MAX, SendResult};
use crate::domain::pause::{PAUSE_MAX, Pause};
use crate::domain::time::Timestamp;
use crate::policy::limiter::Reach;
use crate::ports::bus::Hint;
use crate::ports::metrics;
use crate::ports::telegram::TelegramError;

/// Wait while the token is refused: a person may replace it before the message is stale.
const REFUSED_RETRY: Duration = Duration::from_secs(15);

/// Wait, for each failure, until the chat has learned its new id.
const MIGRATED_RETRY: Duration = Duration::from_millis(200);

impl Outbox {
    pub(super) fn on_answered(
        &mut self,
        outbox: OutboxId,
        attempt: AttemptId,
        result: Result<MessageId, TelegramError>,
        step: &mut Step<'_>,
    ) {
        let now = step.site.now();
        let Some(out) = self.outgoing.get(&outbox) else {
            return;
        };
        if !matches!(out.stage, Stage::InFlight(current) if current == attempt) {
            return;
        }
        let mut settle = Settle {
            outbox,
            attempt,
            result: SendResult::Unknown(String::new()),
            event: None,
            pauses: Vec::new(),
            unsent: None,
        };
        let mut delivery = None;
        step.ask(Effect::Answered(result.as_ref().err().map(ToString::to_string)));
        match result {
            Ok(message_id) => {
                let event = SentEvent::of(&out.message, message_id, now);
                let id = step.site.inbox_id();
                let (chat, bot) = (out.message.chat, out.message.bot);
                settle.result = SendResult::Sent(message_id);
                settle.event = Some(InboxRow::of_sent(id, &out.message, &event, now));
                delivery = Some((chat, Delivery { inbox: id, bot, content: Content::Sent(event) }));
            }
            Err(error) => self.failed_to_send(outbox, &error, &mut settle, step),
        }
        if let Some(out) = self.outgoing.get_mut(&outbox) {
            out.stage = Stage::Settling(Box::new(settle));
        }
        self.settle(outbox, step);
        if let Some((chat, delivery)) = delivery {
            step.ask(Effect::Deliver(outbox, chat, delivery));
        }
    }

    /// Decides what becomes of a message after a failure; see the table above.
    fn failed_to_send(&mut self, outbox: OutboxId, error: &TelegramError, settle: &mut Settle, step: &mut Step<'_>) {
        let (now, random, bot) = (step.site.now(), step.site.random(), step.site.profile().id);
        let Some(out) = self.outgoing.get_mut(&outbox) else {
            return;
        };
        out.failures += 1;
        let (failures, chat) = (out.failures, out.message.chat);
        let resend = out.message.on_unknown == OnUnknown::Resend && out.message.progress.attempts < RESEND_ATTEMPTS_MAX;
        tracing::warn!(bot.id = %bot, chat.id = %chat, outbox.id = %outbox, error = %error, "sendMessage failed");
        settle.result = match error {
            TelegramError::RateLimited { retry_after } => {
                let retry_after = (*retry_after).min(PAUSE_MAX);
                let until = now + retry_after;
                settle.pauses.push(Pause { bot, chat: Some(chat), until });
                if self.limiter.limited(chat, retry_after) == Reach::Bot {
                    tracing::warn!(bot.id = %bot, "two chats are limited together, the whole bot pauses");
                    settle.pauses.push(Pause { bot, chat: None, until });
                }
                for pause in &settle.pauses {
                    step.ask(Effect::EndTyping(pause.chat));
                    step.ask(Effect::Pause(pause.chat, until));
                }
                metrics::telegram_pauses_total.increment(settle.pauses.len() as u64);
                SendResult::RetryAt(until, error.to_string())
            }
            TelegramError::Unreachable(_) => {
                SendResult::RetryAt(now + SEND_BACKOFF.wait(failures, random), error.to_string())
            }
            TelegramError::Unauthorized(_) => SendResult::RetryAt(now + REFUSED_RETRY, error.to_string()),
            TelegramError::Migrated(to) => {
                step.ask(Effect::Migrate(chat, *to));
                SendResult::RetryAt(now + MIGRATED_RETRY * failures, error.to_string())
            }
            TelegramError::Unknown(_) if resend => {
                metrics::sends_resent_total.increment(1);
                let again = now + SEND_BACKOFF.wait(failures, random);
                SendResult::RetryAt(again, format!("{error}; sent again, as its policy says"))
            }
            TelegramError::Unknown(_) => SendResult::Unknown(error.to_string()),
            TelegramError::CannotWrite { place, .. } => {
                step.ask(Effect::Shut(chat, out.message.thread, *place));
                SendResult::Rejected(error.to_string())
            }
            TelegramError::WebhookSet(_) | TelegramError::Conflict(_) | TelegramError::Rejected { .. } => {
                SendResult::Rejected(error.to_string())
            }
        };
        // A message that Telegram may have counts as sent, also when it is sent again.
        if !matches!(error, TelegramError::Unknown(_))
            && let Some(out) = self.outgoing.get(&outbox)
        {
            settle.unsent = out.begun.as_ref().map(Start::counted);
        }
    }

    /// Settles an attempt in which certainly nothing was sent, although `sending` may be committed.
    pub(super) fn not_sent(
        &mut self,
        outbox: OutboxId,
        start: &Start,
        again_at: Timestamp,
        why: &str,
        step: &mut Step<'_>,
    ) {
        let settle = Settle::unsent(outbox, start, SendResult::RetryAt(again_at, why.to_owned()));
        if let Some(out) = self.outgoing.get_mut(&outbox) {
            out.stage = Stage::Settling(Box::new(settle));
            self.settle(outbox, step);
        }
    }

    /// Commits the end of an attempt.
    pub(super) fn settle(&self, outbox: OutboxId, step: &mut Step<'_>) {
        let Some(Outgoing { stage: Stage::Settling(settle), .. }) = self.outgoing.get(&outbox) else {
            return;
        };
        step.ask(Effect::Commit(Operation::Settle((**settle).clone()), Then::Settled(outbox)));
    }

    pub(super) fn on_settled(&mut self, outbox: OutboxId, result: CommitResult, step: &mut Step<'_>) {
        let Some(out) = self.outgoing.get(&outbox) else {
            return;
        };
        let Stage::Settling(settle) = &out.stage else {
            return;
        };
        let ended = settle.result.clone();
        let wordless = settle.event.as_ref().is_some_and(|event| event.outcome.is_some());
        match result {
            Err(CommitError::Unavailable(_)) => {
                if let Some(out) = self.outgoing.get_mut(&outbox) {
                    out.settled_in_doubt = true;
                }
                step.ask(Effect::After(STORE_RETRY, BotMsg::Outbox(OutboxMsg::SettleAgain(outbox))));
            }
            // The attempt has ended already: by the commit whose answer got lost.
            Err(CommitError::Refused(Refusal::Conflict(_))) if out.settled_in_doubt => {
                self.settled(outbox, &ended, step);
            }
            Err(CommitError::Refused(refusal)) if self.settles_without_words(outbox, &refusal, step) => {
                self.settle(outbox, step);
            }
            Err(CommitError::Refused(refusal)) => {
                tracing::warn!(bot.id = %step.site.profile().id, outbox.id = %outbox, error = %refusal, "attempt was settled elsewhere");
                self.untold.remove(&outbox);
                self.ended_unsent(outbox, step);
            }
            Ok(_) => {
                if wordless {
                    tracing::error!(bot.id = %step.site.profile().id, outbox.id = %outbox, "the event of a message is a dead letter");
                    metrics::rows_dead_total { at: "send" }.increment(1);
                }
                self.settled(outbox, &ended, step);
            }
        }
    }

    /// Makes the event in a refused end a dead letter, so that the end can be committed once more: an attempt that
    /// never ends keeps its bot's turn open. Returns false when there is no such event: then somebody else has ended
    /// the attempt.
    fn settles_without_words(&mut self, outbox: OutboxId, refusal: &Refusal, step: &Step<'_>) -> bool {
        let Some(Outgoing { stage: Stage::Settling(settle), .. }) = self.outgoing.get_mut(&outbox) else {
            return false;
        };
        let Some(event) = settle.event.as_mut().filter(|event| event.outcome.is_none()) else {
            return false;
        };
        *event = event.dead(step.site.inbox_id(), &refusal.to_string());
        true
    }

    fn settled(&mut self, outbox: OutboxId, result: &SendResult, step: &mut Step<'_>) {
        let status = match result {
            SendResult::Sent(_) => "sent",
            SendResult::Rejected(_) => "rejected",
            SendResult::RetryAt(..) => "retry",
            SendResult::Unknown(_) => "unknown",
        };
        metrics::sends_settled_total { status }.increment(1);
        if let Some(at) = self.outgoing.get_mut(&outbox).and_then(|out| out.answered_at.take()) {
            metrics::send_settle_duration_seconds.handle().record(at.elapsed().as_secs_f64());
        }
        if let Some(chat) = self.untold.remove(&outbox) {
            step.ask(Effect::Tell(Hint::Chat(chat)));
        }
        if step.site.stay().is_gone() {
            // The rest of the turn is the new owner's.
            if matches!(result, SendResult::Sent(_)) {
                step.ask(Effect::Sent);
            }
            if let (SendResult::Unknown(_), Some(out)) = (result, self.outgoing.get(&outbox)) {
                step.ask(Effect::Tell(Hint::SendUnknown(out.message.chat)));
            }
            self.forget(outbox);
            step.ask(Effect::Tell(Hint::Bot(step.site.profile().id)));
            return;
        }
        match result {
            SendResult::RetryAt(due_at, _) => self.try_again(outbox, *due_at, step),
            SendResult::Unknown(_) => {
                if let Some(out) = self.outgoing.get(&outbox) {
                    step.ask(Effect::Tell(Hint::SendUnknown(out.message.chat)));
                }
                self.ended_unsent(outbox, step);
            }
            SendResult::Rejected(_) => self.ended_unsent(outbox, step),
            SendResult::Sent(_) => {
                self.sent += 1;
                step.ask(Effect::Sent);
                if let Some(message) = self.forget(outbox) {
                    step.ask(Effect::Spoke(message.chat, message.thread));
                    self.go_on_after(&message, step);
                }
            }
        }
    }

    /// Goes on with the part after one that was sent. Where that part is not in memory, the store tells what became of
    /// it: the rest is forgotten here, and found there again.
    fn go_on_after(&mut self, sent: &OutboxMessage, step: &mut Step<'_>) {
        let parts = self.parts_of(sent.turn);
        let is_next = |part: &&OutboxId| self.outgoing.get(part).is_some_and(|out| out.message.part == sent.part + 1);
        match parts.iter().find(is_next) {
            Some(next) => {
                self.show_typing(*next, step);
                self.wait_until_due(*next, step);
            }
            None => parts.into_iter().for_each(|part| drop(self.forget(part))),
        }
    }

    /// Forgets a message that is not sent, or of unknown fate, and gives up the later parts.
    pub(super) fn ended_unsent(&mut self, outbox: OutboxId, step: &mut Step<'_>) {
        let Some(message) = self.forget(outbox) else {
            return;
        };
        for part in self.parts_of(message.turn) {
            self.give_up(part, "the part before it was not sent", step);
        }
    }

    /// Ends begins in doubt, since the bot begins nothing any more: they may be stored, and nobody else would end them.
    pub(in crate::actors::bot) fn release_doubtful(&mut self, step: &mut Step<'_>) {
        let now = step.site.now();
        for (outbox, out) in &mut self.outgoing {
            if let (Stage::Waiting, Some(start)) = (&out.stage, out.doubtful.take()) {
                let result = SendResult::RetryAt(now, "its begin was in doubt".to_owned());
                step.ask(Effect::Commit(Operation::Settle(Settle::unsent(*outbox, &start, result)), Then::Nobody));
            }
        }
    }

    /// Forgets a message that will not be sent, and cancels it in the store.
    pub(super) fn give_up(&mut self, outbox: OutboxId, reason: &str, step: &mut Step<'_>) {
        if let Some(message) = self.forget(outbox) {
            step.ask(Effect::Unsay(message.text));
        }
        let site = step.site;
        if site.stay().is_gone() {
            return;
        }
        let cancel = Cancel { bot: site.profile().id, epoch: site.epoch(), outbox, reason: reason.to_owned() };
        step.ask(Effect::Commit(Operation::Cancel(cancel), Then::Log("message could not be given up")));
    }
}
