//! Sends messages: limiter -> begin -> sendMessage; `settling` goes on from there. Layer `actors`. Keeps I4, I6, I8.
//!
//! A message leaves only after its `sending` was committed, with a permit of the limiter in hand. Parts of one text
//! follow one another: a part is given up when the part before it was not sent.

use std::sync::Arc;
use std::time::Duration;

use crate::actors::bot::messages::BotMsg;
use crate::actors::bot::outgoing::{BOUND_RETRY, SEND_BACKOFF, Stage};
use crate::actors::bot::state::BotState;
use crate::actors::node::committer::{CommitError, CommitResult, STORE_RETRY};
use crate::actors::node::voices::Voice;
use crate::behaviour::physics::send_rules;
use crate::domain::commit::operations::{Begin, Operation};
use crate::domain::commit::outcome::{Applied, Refusal, Verdict};
use crate::domain::commit::start::Start;
use crate::domain::ids::{AttemptId, OutboxId, TurnId};
use crate::domain::outbox::{OutboxMessage, OutboxState};
use crate::domain::silence::Silence;
use crate::domain::time::Timestamp;
use crate::ports::telegram::{SendMessage, TelegramError};

/// "typing" lasts five seconds: repeat before it ends (Bot API, sendChatAction).
const TYPING_REPEAT: Duration = Duration::from_secs(4);

/// Mean time until a bot checks again whether Telegram is believed to be within reach: polls find out meanwhile.
const REACH_RETRY: Duration = Duration::from_millis(500);

/// Time until a message that waits for a closed chat is looked at again.
const SHUT_RETRY: Duration = Duration::from_secs(1);

impl BotState {
    /// Continues with the first message of a turn, since all of them are in the outbox.
    pub(super) fn on_said(&mut self, turn: TurnId, verdict: Option<Verdict>, start: Option<Start>) {
        let Some(first) = self.sending.lowest_part(turn) else {
            return;
        };
        if let Some(verdict) = verdict {
            if let Some(out) = self.sending.outgoing.get_mut(&first) {
                out.begun = start;
            }
            self.obey(first, verdict);
        } else {
            self.show_typing(first);
            self.wait_until_due(first);
        }
    }

    /// Queues a stored message that nobody works on.
    pub(super) fn queue_message(&mut self, mut message: OutboxMessage) {
        let (id, turn) = (message.id, message.turn);
        if message.progress.attempts > 0 {
            // A pause has put the message off; that pause has a row of its own, and a person may have lifted it.
            let pause = self.sending.limiter.pause_left(message.chat).unwrap_or_default();
            let latest = self.node.clock.now() + pause.max(SEND_BACKOFF.max);
            message.progress.due_at = message.progress.due_at.min(latest);
        }
        let stage = if self.sending.knows_turn(turn) { Stage::Held } else { Stage::Waiting };
        let waits = matches!(stage, Stage::Waiting);
        self.sending.remember(message, stage);
        if waits {
            self.wait_until_due(id);
        }
    }

    /// Queues a stored later part when the part before it was sent; gives it up when that part never will be.
    pub(super) fn resume_part(&mut self, message: OutboxMessage, parts: &[OutboxMessage]) {
        let before = parts.iter().find(|part| part.part + 1 == message.part);
        match before.map(|part| part.progress.state) {
            Some(OutboxState::Sent) => self.queue_message(message),
            // The part before is still waiting or being sent: this part is found again when that ends.
            Some(state) if state == OutboxState::Sending || state.may_begin() => {}
            _ => self.give_up(message.id, "the part before it was not sent"),
        }
    }

    pub(super) fn wait_until_due(&mut self, outbox: OutboxId) {
        let now = self.node.clock.now();
        let Some(out) = self.sending.outgoing.get_mut(&outbox) else {
            return;
        };
        out.stage = Stage::Waiting;
        let (wait, life) = (out.message.progress.due_at.since(now), out.message.expires_at.since(now));
        let wait = wait.min(life);
        if wait.is_zero() {
            self.on_send_due(outbox);
        } else {
            drop(self.myself.send_after(wait, move || BotMsg::SendDue(outbox)));
        }
    }

    /// Returns how long nothing is to be begun, because it would not be sent: the node may not act, or Telegram is out
    /// of reach.
    pub(super) fn cannot_act(&self) -> Option<Duration> {
        match (self.node.may_act(), self.api.sends_go()) {
            (false, _) => Some(BOUND_RETRY),
            (true, false) => Some(REACH_RETRY.mul_f64(0.5 + self.node.jitter.next())),
            (true, true) => None,
        }
    }

    fn give_up_turn(&mut self, turn: TurnId, reason: &str) {
        for part in self.sending.parts_of(turn) {
            self.give_up(part, reason);
        }
    }

    /// Begins a waiting message if the limiter lets it.
    pub(super) fn on_send_due(&mut self, outbox: OutboxId) {
        let node = Arc::clone(&self.node);
        let now = node.clock.now();
        if self.holding_sends {
            return;
        }
        // Nothing is begun that could not be sent.
        if let Some(wait) = self.cannot_act() {
            drop(self.myself.send_after(wait, move || BotMsg::SendDue(outbox)));
            return;
        }
        let Some(out) = self.sending.outgoing.get_mut(&outbox).filter(|out| matches!(out.stage, Stage::Waiting)) else {
            return;
        };
        let left = out.message.progress.due_at.since(now);
        if left.is_zero()
            && let Some(pending) = out.pending.take()
        {
            return self.look_again(outbox, pending);
        }
        let voice = node.voices.of(self.profile.id, out.message.chat, out.message.thread, now);
        if let Voice::Not(why @ (Silence::Absent | Silence::TopicShut)) = voice {
            // The bot may be let in again before the message is stale, and nobody else may find that out.
            if out.message.expires_at > now {
                let chat = out.message.chat;
                if why == Silence::Absent && node.voices.may_try(self.profile.id, chat) {
                    self.try_chat(chat);
                }
                drop(self.myself.send_after(SHUT_RETRY, move || BotMsg::SendDue(outbox)));
                return;
            }
            let turn = out.message.turn;
            self.give_up_turn(turn, &format!("could not speak: {why}"));
            return;
        }
        let wait = if left.is_zero() { self.sending.limiter.permit(out.message.chat).err() } else { Some(left) };
        if let Some(wait) = wait {
            let life = out.message.expires_at.since(now);
            if life.is_zero() {
                let turn = out.message.turn;
                self.give_up_turn(turn, "could not be sent before it was stale");
                return;
            }
            drop(self.myself.send_after(wait.min(life), move || BotMsg::SendDue(outbox)));
            return;
        }
        let Some(chat) = node.directory.chat_profile(out.message.chat) else {
            let turn = out.message.turn;
            self.give_up_turn(turn, "the chat is no longer in the manifest");
            return;
        };
        out.stage = Stage::Beginning;
        let attempt = node.attempt_id();
        out.message.progress.attempt = Some(attempt);
        node.traffic.waited(now.since(out.message.progress.due_at));
        let rules = send_rules(&chat, &self.profile, out.message.answers_bot, self.settings.sends_per_chat_per_minute);
        let start = Start { attempt, rules, now };
        out.begun = Some(start.clone());
        let begin = Begin { bot: self.profile.id, epoch: self.epoch, outbox, start };
        let myself = self.myself.clone();
        node.committer.submit(Operation::Begin(begin), move |result| {
            let _ = myself.cast(BotMsg::Begun(outbox, attempt, result));
        });
    }

    pub(super) fn on_begun(&mut self, outbox: OutboxId, attempt: AttemptId, result: CommitResult) {
        let current =
            self.sending.outgoing.get(&outbox).is_some_and(|out| out.message.progress.attempt == Some(attempt));
        if !current {
            return;
        }
        match result {
            Ok(Applied::Begun(verdict)) => self.obey(outbox, verdict),
            Ok(_) => {}
            Err(CommitError::Unavailable(_)) => {
                if let Some(out) = self.sending.outgoing.get_mut(&outbox) {
                    out.doubtful = out.begun.take();
                }
                self.try_again(outbox, self.node.clock.now() + STORE_RETRY);
            }
            Err(CommitError::Refused(Refusal::Fenced)) => {
                self.sending.forget(outbox);
                self.on_fenced();
            }
            Err(CommitError::Refused(refusal)) => {
                let doubtful = self.sending.outgoing.get_mut(&outbox).and_then(|out| out.doubtful.take());
                if let Some(start) = doubtful {
                    return self.not_sent(outbox, &start, self.node.clock.now(), "its begin was in doubt");
                }
                tracing::warn!(bot.id = %self.profile.id, outbox.id = %outbox, error = %refusal, "message could not be begun");
                self.ended_unsent(outbox);
            }
        }
    }

    /// Carries out the store's verdict on a message that is being begun.
    fn obey(&mut self, outbox: OutboxId, verdict: Verdict) {
        match verdict {
            Verdict::Send => {
                let now = self.node.clock.now();
                let out = self.sending.outgoing.get(&outbox);
                let pause = out.and_then(|out| self.sending.limiter.pause_left(out.message.chat));
                match (pause, out.and_then(|out| out.begun.clone())) {
                    // Telegram asked for a pause while `sending` was being committed.
                    (Some(pause), Some(start)) => {
                        self.not_sent(outbox, &start, now + pause, "Telegram asked for a pause meanwhile");
                    }
                    _ => self.transmit(outbox),
                }
            }
            Verdict::Wait(until) => {
                metrics::counter!("botfleet_sends_delayed_total").increment(1);
                self.try_again(outbox, until);
            }
            Verdict::Cancelled(reason) => {
                metrics::counter!("botfleet_sends_cancelled_total").increment(1);
                tracing::info!(bot.id = %self.profile.id, outbox.id = %outbox, reason = %reason, "message given up");
                self.ended_unsent(outbox);
            }
        }
    }

    pub(super) fn try_again(&mut self, outbox: OutboxId, due_at: Timestamp) {
        if let Some(out) = self.sending.outgoing.get_mut(&outbox) {
            out.message.progress.due_at = due_at;
            self.wait_until_due(outbox);
        }
    }

    fn transmit(&mut self, outbox: OutboxId) {
        let Some(out) = self.sending.outgoing.get_mut(&outbox) else {
            return;
        };
        let Some(attempt) = out.message.progress.attempt else {
            return;
        };
        out.stage = Stage::InFlight(attempt);
        out.message.progress.attempts += 1;
        let chat = self.node.directory.telegram_chat(out.message.chat).unwrap_or(out.message.telegram_chat);
        if chat != out.message.telegram_chat {
            // The group became a supergroup meanwhile: the message that is replied to has no such id there.
            (out.message.telegram_chat, out.message.reply_to) = (chat, None);
        }
        let message = SendMessage {
            chat: out.message.telegram_chat,
            thread: out.message.thread,
            reply_to: out.message.reply_to,
            text: out.message.text.clone(),
        };
        let (api, myself) = (Arc::clone(&self.api), self.myself.clone());
        self.tasks.spawn(async move {
            let _ = myself.cast(BotMsg::SendFinished(outbox, attempt, api.send_message(&message).await));
        });
    }

    /// Shows "typing" until the message is due.
    fn show_typing(&mut self, outbox: OutboxId) {
        let Some(out) = self.sending.outgoing.get(&outbox) else {
            return;
        };
        let left = out.message.progress.due_at.since(self.node.clock.now());
        if left.is_zero()
            || self.holding_sends
            || self.cannot_act().is_some()
            || self.sending.limiter.pause_left(out.message.chat).is_some()
        {
            return;
        }
        let (place, myself) = (out.message.chat, self.myself.clone());
        self.sending.typing.retain(|(_, task)| !task.is_finished());
        let (api, chat, thread) = (Arc::clone(&self.api), out.message.telegram_chat, out.message.thread);
        let task = self.tasks.spawn(async move {
            let until = tokio::time::Instant::now() + left;
            loop {
                match api.send_typing(chat, thread).await {
                    Ok(()) => {}
                    Err(TelegramError::RateLimited { retry_after }) => {
                        let _ = myself.cast(BotMsg::Limited(Some(place), retry_after));
                        return;
                    }
                    Err(_) => return,
                }
                if tokio::time::Instant::now() + TYPING_REPEAT >= until {
                    return;
                }
                tokio::time::sleep(TYPING_REPEAT).await;
            }
        });
        self.sending.typing.push((place, task));
    }
}
