//! Sends messages: limiter -> begin -> sendMessage; `settling` goes on from there. Layer `actors`. Keeps I4, I6, I8.
//!
//! A message leaves only after its `sending` was committed, with a permit of the limiter in hand. Parts of one text
//! follow one another: a part is given up when the part before it was not sent.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::actors::bot::effect::{Effect, Then};
use crate::actors::bot::messages::BotMsg;
use crate::actors::bot::outbox::messages::OutboxMsg;
use crate::actors::bot::outbox::{Outbox, SEND_BACKOFF, Stage};
use crate::actors::bot::surroundings::Step;
use crate::actors::bot::turns::messages::Tail;
use crate::actors::node::committer::{CommitError, CommitResult, STORE_RETRY};
use crate::actors::node::voices::Voice;
use crate::behaviour::interruption::{Pending, Reconsidered, go_on, reconsider};
use crate::behaviour::linked::shows_link;
use crate::behaviour::physics::send_rules;
use crate::domain::commit::operations::{Begin, Operation};
use crate::domain::commit::outcome::{Applied, Refusal, Verdict};
use crate::domain::commit::start::{SendRules, Start};
use crate::domain::ids::{AttemptId, OutboxId, TurnId};
use crate::domain::outbox::{OutboxMessage, OutboxState};
use crate::domain::silence::Silence;
use crate::domain::time::Timestamp;
use crate::ports::metrics;
use crate::ports::telegram::SendMessage;

/// Time until a message that waits for a closed chat is looked at again.
const SHUT_RETRY: Duration = Duration::from_secs(1);

impl Outbox {
    /// Continues with the first message of a turn, since all of them are in the outbox.
    pub(in crate::actors::bot) fn on_said(
        &mut self,
        turn: TurnId,
        verdict: Option<Verdict>,
        start: Option<Start>,
        step: &mut Step<'_>,
    ) {
        let Some(first) = self.lowest_part(turn) else {
            return;
        };
        if let Some(verdict) = verdict {
            if let Some(out) = self.outgoing.get_mut(&first) {
                out.begun = start;
            }
            self.obey(first, verdict, step);
        } else {
            self.show_typing(first, step);
            self.wait_until_due(first, step);
        }
    }

    /// Queues a stored message that nobody works on.
    pub(in crate::actors::bot) fn queue(&mut self, mut message: OutboxMessage, step: &mut Step<'_>) {
        let (id, turn) = (message.id, message.turn);
        if message.progress.attempts > 0 {
            // A pause has put the message off; that pause has a row of its own, and a person may have lifted it.
            let pause = self.limiter.pause_left(message.chat).unwrap_or_default();
            let latest = step.site.now() + pause.max(SEND_BACKOFF.max);
            message.progress.due_at = message.progress.due_at.min(latest);
        }
        let stage = if self.knows_turn(turn) { Stage::Held } else { Stage::Waiting };
        let waits = matches!(stage, Stage::Waiting);
        self.remember(message, stage);
        if waits {
            self.wait_until_due(id, step);
        }
    }

    /// Queues a stored later part when the part before it was sent; gives it up when that part never will be.
    pub(in crate::actors::bot) fn resume_part(
        &mut self,
        message: OutboxMessage,
        parts: &[OutboxMessage],
        step: &mut Step<'_>,
    ) {
        let before = parts.iter().find(|part| part.part + 1 == message.part);
        match before.map(|part| part.progress.state) {
            Some(OutboxState::Sent) => self.queue(message, step),
            // The part before is still waiting or being sent: this part is found again when that ends.
            Some(state) if state == OutboxState::Sending || state.may_begin() => {}
            _ => self.give_up(message.id, "the part before it was not sent", step),
        }
    }

    pub(super) fn wait_until_due(&mut self, outbox: OutboxId, step: &mut Step<'_>) {
        let now = step.site.now();
        let Some(out) = self.outgoing.get_mut(&outbox) else {
            return;
        };
        out.stage = Stage::Waiting;
        let (wait, life) = (out.message.progress.due_at.since(now), out.message.expires_at.since(now));
        let wait = wait.min(life);
        if wait.is_zero() {
            self.on_due(outbox, step);
        } else {
            look_again_at(outbox, wait, step);
        }
    }

    fn give_up_turn(&mut self, turn: TurnId, reason: &str, step: &mut Step<'_>) {
        for part in self.parts_of(turn) {
            // A begin in doubt may be stored, and then the store would not cancel: the begin is ended first, and the
            // message is given up when it is due again.
            if let Some(start) = self.outgoing.get_mut(&part).and_then(|out| out.doubtful.take()) {
                self.not_sent(part, &start, step.site.now(), reason, step);
                continue;
            }
            self.give_up(part, reason, step);
        }
    }

    /// Begins a waiting message if nothing keeps it.
    pub(super) fn on_due(&mut self, outbox: OutboxId, step: &mut Step<'_>) {
        if step.site.stay().holds_sends() {
            return;
        }
        // Nothing is begun that could not be sent.
        if let Some(wait) = step.site.cannot_act() {
            return look_again_at(outbox, wait, step);
        }
        let now = step.site.now();
        let Some(out) = self.outgoing.get_mut(&outbox).filter(|out| matches!(out.stage, Stage::Waiting)) else {
            return;
        };
        let (turn, place) = (out.message.turn, out.message.chat);
        let left = out.message.progress.due_at.since(now);
        if left.is_zero()
            && let Some(pending) = out.pending.take()
        {
            return step.ask(Effect::LookAgain(outbox, place, pending));
        }
        let life = out.message.expires_at.since(now);
        if let Voice::Not(why @ (Silence::Absent | Silence::TopicShut)) = step.site.voice(place, out.message.thread) {
            if life.is_zero() {
                return self.give_up_turn(turn, &format!("could not speak: {why}"), step);
            }
            // The bot may be let in again before the message is stale, and nobody else may find that out.
            if why == Silence::Absent && step.site.may_try(place) {
                step.ask(Effect::Try(place));
            }
            return look_again_at(outbox, SHUT_RETRY, step);
        }
        let wait = if left.is_zero() { self.limiter.permit(place).err() } else { Some(left) };
        match wait {
            Some(_) if life.is_zero() => {
                self.give_up_turn(turn, "could not be sent before it was stale", step);
            }
            Some(wait) => look_again_at(outbox, wait.min(life), step),
            None => self.begin(outbox, now, step),
        }
    }

    /// Commits `sending`, with the limits that the store is to keep.
    fn begin(&mut self, outbox: OutboxId, now: Timestamp, step: &mut Step<'_>) {
        let Some(out) = self.outgoing.get_mut(&outbox) else {
            return;
        };
        let (site, message) = (step.site, &mut out.message);
        let Some(chat) = site.chat(message.chat) else {
            let turn = message.turn;
            return self.give_up_turn(turn, "the chat is no longer in the manifest", step);
        };
        out.stage = Stage::Beginning;
        // A begin of unknown fate is repeated under its own attempt, so that one end settles whichever was committed.
        let attempt = out.doubtful.as_ref().map_or_else(|| site.attempt_id(), |start| start.attempt);
        message.progress.attempt = Some(attempt);
        step.effects.push(Effect::Waited(now.since(message.progress.due_at)));
        let per_minute = site.settings().sends_per_chat_per_minute;
        let rules = send_rules(&chat, site.profile(), message.answers_bot, per_minute);
        let rules = SendRules { yields: message.yields(), ..rules };
        let start = Start { attempt, rules, now };
        out.begun = Some(start.clone());
        out.settled_in_doubt = false;
        let begin = Begin { bot: site.profile().id, epoch: site.epoch(), outbox, start };
        step.ask(Effect::Commit(Operation::Begin(begin), Then::Begun(outbox, attempt)));
    }

    /// Reconsiders a message that was typed, after reading what came meanwhile: the news may make it needless.
    pub(super) fn on_looked_again(&mut self, outbox: OutboxId, pending: &Pending, tail: Tail, step: &mut Step<'_>) {
        let Some(out) = self.outgoing.get_mut(&outbox).filter(|out| matches!(out.stage, Stage::Waiting)) else {
            return;
        };
        let (turn, begun) = (out.message.turn, out.message.part > 0);
        let tail = tail.unwrap_or_default();
        out.linked = shows_link(pending, &tail);
        let look = || if begun { go_on(pending, &tail) } else { reconsider(pending, &tail) };
        let verdict = catch_unwind(AssertUnwindSafe(look)).unwrap_or(Reconsidered::Keep);
        let Reconsidered::Drop(reason) = verdict else {
            return self.on_due(outbox, step);
        };
        metrics::interruptions_total { result: "cancelled" }.increment(1);
        tracing::info!(bot.id = %step.site.profile().id, outbox.id = %outbox, reason, "message given up while it was typed");
        self.give_up_turn(turn, &format!("interruption: {reason}"), step);
    }

    pub(super) fn on_begun(&mut self, outbox: OutboxId, attempt: AttemptId, result: CommitResult, step: &mut Step<'_>) {
        let current = self.outgoing.get(&outbox).is_some_and(|out| out.message.progress.attempt == Some(attempt));
        if !current {
            return;
        }
        match result {
            Ok(Applied::Begun(verdict)) => {
                if let Some(out) = self.outgoing.get_mut(&outbox) {
                    out.doubtful = None;
                }
                self.obey(outbox, verdict, step);
            }
            Ok(_) => {}
            Err(CommitError::Unavailable(_)) => {
                if let Some(out) = self.outgoing.get_mut(&outbox) {
                    // The first start counts: an outage loses the answer to one commit, and refuses those after it.
                    let begun = out.begun.take();
                    out.doubtful = out.doubtful.take().or(begun);
                }
                self.try_again(outbox, step.site.now() + STORE_RETRY, step);
            }
            Err(CommitError::Refused(Refusal::Fenced)) => {
                self.forget(outbox);
                step.ask(Effect::Fenced);
            }
            Err(CommitError::Refused(refusal)) => {
                let doubtful = self.outgoing.get_mut(&outbox).and_then(|out| out.doubtful.take());
                if let Some(start) = doubtful {
                    return self.not_sent(outbox, &start, step.site.now(), "its begin was in doubt", step);
                }
                tracing::warn!(bot.id = %step.site.profile().id, outbox.id = %outbox, error = %refusal, "message could not be begun");
                self.ended_unsent(outbox, step);
            }
        }
    }

    /// Carries out the store's verdict on a message that is being begun.
    fn obey(&mut self, outbox: OutboxId, verdict: Verdict, step: &mut Step<'_>) {
        match verdict {
            Verdict::Send => {
                let now = step.site.now();
                let out = self.outgoing.get(&outbox);
                let pause = out.and_then(|out| self.limiter.pause_left(out.message.chat));
                match (pause, out.and_then(|out| out.begun.clone())) {
                    // Telegram asked for a pause while `sending` was being committed.
                    (Some(pause), Some(start)) => {
                        self.not_sent(outbox, &start, now + pause, "Telegram asked for a pause meanwhile", step);
                    }
                    _ => self.transmit(outbox, step),
                }
            }
            Verdict::Wait(until) => {
                metrics::sends_delayed_total.increment(1);
                self.try_again(outbox, until, step);
            }
            Verdict::Cancelled(reason) => {
                metrics::sends_cancelled_total.increment(1);
                tracing::info!(bot.id = %step.site.profile().id, outbox.id = %outbox, reason = %reason, "message given up");
                self.ended_unsent(outbox, step);
            }
        }
    }

    pub(super) fn try_again(&mut self, outbox: OutboxId, due_at: Timestamp, step: &mut Step<'_>) {
        if let Some(out) = self.outgoing.get_mut(&outbox) {
            out.message.progress.due_at = due_at;
            self.wait_until_due(outbox, step);
        }
    }

    fn transmit(&mut self, outbox: OutboxId, step: &mut Step<'_>) {
        let Some(out) = self.outgoing.get_mut(&outbox) else {
            return;
        };
        let Some(attempt) = out.message.progress.attempt else {
            return;
        };
        out.stage = Stage::InFlight(attempt);
        out.message.progress.attempts += 1;
        let chat = step.site.telegram_chat(out.message.chat).unwrap_or(out.message.telegram_chat);
        if chat != out.message.telegram_chat {
            // The group became a supergroup meanwhile: the message that is replied to has no such id there.
            (out.message.telegram_chat, out.message.reply_to) = (chat, None);
        }
        let message = SendMessage {
            chat: out.message.telegram_chat,
            thread: out.message.thread,
            reply_to: out.message.reply_to.filter(|_| out.linked),
            text: out.message.text.clone(),
            marks: out.message.marks.clone(),
        };
        step.ask(Effect::Send(outbox, attempt, message));
    }

    /// Shows "typing" until the message is due.
    pub(super) fn show_typing(&self, outbox: OutboxId, step: &mut Step<'_>) {
        let Some(out) = self.outgoing.get(&outbox) else {
            return;
        };
        let (chat, site) = (out.message.chat, step.site);
        let left = out.message.progress.due_at.since(site.now());
        if left.is_zero()
            || site.stay().holds_sends()
            || site.cannot_act().is_some()
            || self.limiter.pause_left(chat).is_some()
        {
            return;
        }
        let (telegram, thread) = (out.message.telegram_chat, out.message.thread);
        step.ask(Effect::Type { chat, telegram, thread, left });
    }
}

/// Looks at a waiting message again after a while.
fn look_again_at(outbox: OutboxId, wait: Duration, step: &mut Step<'_>) {
    step.ask(Effect::After(wait, BotMsg::Outbox(OutboxMsg::Due(outbox))));
}
