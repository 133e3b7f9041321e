//! Sends messages: limiter -> begin -> sendMessage; `settling` goes on from there. Layer `actors`. Keeps I4, I6, I8.
//!
//! A message leaves only after its `sending` was committed, with a permit of the limiter in hand. Parts of one text
//! follow one another: a part is given up when the part before it was not sent.
//!
//! A little longer than other files: the messages and their stages are one table, and its rows are read together.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;

use super::actor::BotState;
use super::settings::BotSettings;
use super::settling::SEND_BACKOFF;
use crate::actors::bot::messages::BotMsg;
use crate::actors::node::committer::{CommitError, CommitResult, STORE_RETRY};
use crate::actors::node::voices::Voice;
use crate::behaviour::interruption::Pending;
use crate::behaviour::physics::send_rules;
use crate::domain::commit::operations::{Begin, Operation, Settle};
use crate::domain::commit::outcome::{Applied, Refusal, Verdict};
use crate::domain::commit::start::Start;
use crate::domain::ids::{AttemptId, ChatId, OutboxId, TurnId};
use crate::domain::outbox::{OutboxMessage, OutboxState};
use crate::domain::pause::Pause;
use crate::domain::silence::Silence;
use crate::domain::time::Timestamp;
use crate::policy::limiter::SendLimiter;
use crate::ports::telegram::{SendMessage, TelegramError};

/// "typing" lasts five seconds: repeat before it ends (Bot API, sendChatAction).
const TYPING_REPEAT: Duration = Duration::from_secs(4);

/// Time until a node that may not act looks again whether it may.
pub(super) const BOUND_RETRY: Duration = Duration::from_millis(100);

/// Mean time until a bot checks again whether Telegram is believed to be within reach: polls find out meanwhile.
const REACH_RETRY: Duration = Duration::from_millis(500);

/// Time until a message that waits for a closed chat is looked at again.
const SHUT_RETRY: Duration = Duration::from_secs(1);

/// The messages that a bot has to send.
pub(super) struct Sending {
    pub(super) limiter: SendLimiter,
    pub(super) outgoing: HashMap<OutboxId, Outgoing>,
    /// Messages in memory of each turn.
    pub(super) turns: HashMap<TurnId, Vec<OutboxId>>,
    pub(super) sent: u64,
    /// True when a person has lifted all pauses: pauses that are being read from the store do not count any more.
    pub(super) lifted: bool,
    /// Messages whose events reached no chat in memory; their chats are told when these events are stored.
    pub(super) untold: HashMap<OutboxId, ChatId>,
    /// Tasks that show "typing", and where.
    typing: Vec<(ChatId, AbortHandle)>,
}

pub(super) struct Outgoing {
    pub(super) message: OutboxMessage,
    pub(super) stage: Stage,
    pub(super) failures: u32,
    /// The context of the text, for a typed message that is reconsidered once it is due.
    pub(super) pending: Option<Box<Pending>>,
    /// The start of the attempt under way: its counts are given back when the attempt sends nothing.
    pub(super) begun: Option<Start>,
    /// The start of an attempt whose begin the store did not confirm: committed or not, nothing was sent in it.
    pub(super) doubtful: Option<Start>,
}

pub(super) enum Stage {
    /// The message waits for the part before it.
    Held,
    /// The message waits for its time or a permit.
    Waiting,
    /// `sending` is being committed.
    Beginning,
    /// Telegram may have the message.
    InFlight(AttemptId),
    /// The end of the attempt is being committed.
    Settling(Box<Settle>),
}

impl Sending {
    pub(super) fn new(settings: &BotSettings) -> Self {
        Self {
            limiter: SendLimiter::new(settings.sends_per_second, settings.sends_per_chat_per_minute.is_some()),
            outgoing: HashMap::new(),
            turns: HashMap::new(),
            sent: 0,
            lifted: false,
            untold: HashMap::new(),
            typing: Vec::new(),
        }
    }

    /// Resumes pauses that an earlier process was asked for.
    pub(super) fn resume_pauses(&mut self, pauses: &[Pause], now: Timestamp) {
        // Two chats limited together pause the bot as long as the second one: that is about messages, and polls go on.
        let of_chats: Vec<Timestamp> = pauses.iter().filter_map(|pause| pause.chat.map(|_| pause.until)).collect();
        for pause in pauses.iter().filter(|pause| pause.until > now) {
            let left = pause.until.since(now);
            match pause.chat {
                Some(chat) => self.limiter.pause(chat, left),
                None if of_chats.contains(&pause.until) => self.limiter.pause_all(left),
                None => self.limiter.pause_calls(left),
            }
        }
    }

    /// Ends "typing" in a paused chat, or everywhere: a call of any kind counts as ignoring the pause.
    pub(super) fn end_typing(&mut self, chat: Option<ChatId>) {
        self.typing.retain(|(place, task)| {
            let ends = chat.is_none_or(|chat| chat == *place);
            if ends {
                task.abort();
            }
            !ends && !task.is_finished()
        });
    }

    /// Returns the messages in memory of a turn.
    pub(super) fn parts_of(&self, turn: TurnId) -> Vec<OutboxId> {
        self.turns.get(&turn).cloned().unwrap_or_default()
    }

    pub(super) fn knows(&self, outbox: OutboxId) -> bool {
        self.outgoing.contains_key(&outbox)
    }

    pub(super) fn knows_turn(&self, turn: TurnId) -> bool {
        self.turns.contains_key(&turn)
    }

    pub(super) fn waiting(&self) -> usize {
        self.outgoing.values().filter(|out| matches!(out.stage, Stage::Held | Stage::Waiting)).count()
    }

    /// Returns the messages that wait, each with its due time once all pauses are lifted. A message that was tried is
    /// due at once, any other no later than after the longest backoff.
    pub(super) fn unpaused(&self, now: Timestamp) -> Vec<(OutboxId, Timestamp)> {
        let waits = self.outgoing.iter().filter(|(_, out)| matches!(out.stage, Stage::Waiting));
        let due = |out: &Outgoing| {
            let tried = out.failures > 0 || out.message.progress.attempts > 0;
            out.message.progress.due_at.min(if tried { now } else { now + SEND_BACKOFF.max })
        };
        waits.map(|(id, out)| (*id, due(out))).collect()
    }

    /// Returns the number of messages that wait although they are due.
    pub(super) fn due(&self, now: Timestamp) -> usize {
        let due = |out: &&Outgoing| matches!(out.stage, Stage::Waiting) && out.message.progress.due_at <= now;
        self.outgoing.values().filter(due).count()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.outgoing.len() - self.waiting()
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// Takes a permit for the first of `messages`, if there is one now.
    pub(super) fn permit_now(&mut self, messages: &[OutboxMessage]) -> bool {
        messages.first().is_some_and(|message| self.limiter.permit(message.chat).is_ok())
    }

    /// Remembers messages whose turn is being finished.
    pub(super) fn prepare(&mut self, messages: &[OutboxMessage], begun: Option<AttemptId>) {
        for message in messages {
            let stage = match (message.part, begun) {
                (0, Some(_)) => Stage::Beginning,
                (0, None) => Stage::Waiting,
                _ => Stage::Held,
            };
            let mut message = message.clone();
            message.progress.attempt = begun.filter(|_| message.part == 0);
            self.remember(message, stage);
        }
    }

    fn remember(&mut self, message: OutboxMessage, stage: Stage) {
        self.turns.entry(message.turn).or_default().push(message.id);
        self.outgoing
            .insert(message.id, Outgoing { message, stage, failures: 0, pending: None, begun: None, doubtful: None });
    }

    pub(super) fn forget(&mut self, outbox: OutboxId) -> Option<OutboxMessage> {
        let gone = self.outgoing.remove(&outbox)?;
        if let Some(parts) = self.turns.get_mut(&gone.message.turn) {
            parts.retain(|part| *part != outbox);
            if parts.is_empty() {
                self.turns.remove(&gone.message.turn);
            }
        }
        Some(gone.message)
    }

    /// Takes back the begin of a turn whose end must be committed again: its first message waits for another permit.
    pub(super) fn unbegin(&mut self, turn: TurnId) {
        for outbox in self.parts_of(turn) {
            if let Some(out) = self.outgoing.get_mut(&outbox).filter(|out| matches!(out.stage, Stage::Beginning)) {
                out.stage = Stage::Waiting;
                out.message.progress.attempt = None;
            }
        }
    }

    /// Forgets the messages of a turn whose end was not committed: none of them will be sent.
    pub(super) fn discard_turn(&mut self, turn: TurnId) {
        for outbox in self.turns.remove(&turn).unwrap_or_default() {
            self.outgoing.remove(&outbox);
        }
    }

    pub(super) fn lowest_part(&self, turn: TurnId) -> Option<OutboxId> {
        let parts = self.turns.get(&turn)?;
        parts.iter().filter_map(|id| self.outgoing.get(id)).min_by_key(|out| out.message.part).map(|out| out.message.id)
    }
}

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
