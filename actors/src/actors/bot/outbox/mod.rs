//! The outbox of a bot as a pure machine: it is told what happened, and asks for effects. Layer `actors`. Keeps I4, I6,
//! I8.
//!
//! | file | holds |
//! |---|---|
//! | `mod`, `messages` | the messages that are not settled, the bot's limiter, and what the outbox is told |
//! | `sending` | limiter -> begin -> sendMessage |
//! | `settling` | what becomes of a message after Telegram's answer |
//! | `pauses` | pauses that Telegram asked for, over restarts and until a person lifts them |

pub(crate) mod messages;
mod pauses;
mod sending;
mod settling;

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::actors::bot::outbox::messages::OutboxMsg;
use crate::actors::bot::settings::BotSettings;
use crate::actors::bot::surroundings::Step;
use crate::behaviour::interruption::Pending;
use crate::domain::commit::operations::Settle;
use crate::domain::commit::start::Start;
use crate::domain::ids::{AttemptId, ChatId, OutboxId, TurnId};
use crate::domain::outbox::OutboxMessage;
use crate::domain::time::Timestamp;
use crate::policy::backoff::BackoffSettings;
use crate::policy::limiter::SendLimiter;

/// Waits after a send that certainly did nothing.
pub(super) const SEND_BACKOFF: BackoffSettings =
    BackoffSettings { first: Duration::from_millis(500), max: Duration::from_secs(15) };

/// The messages that a bot has to send.
pub(super) struct Outbox {
    limiter: SendLimiter,
    outgoing: HashMap<OutboxId, Outgoing>,
    /// Messages in memory of each turn.
    turns: HashMap<TurnId, Vec<OutboxId>>,
    sent: u64,
    /// True when a person has lifted all pauses: pauses that are being read from the store do not count any more.
    lifted: bool,
    /// Messages whose events reached no chat in memory; their chats are told when these events are stored.
    untold: HashMap<OutboxId, ChatId>,
}

/// A message that is not settled.
struct Outgoing {
    message: OutboxMessage,
    stage: Stage,
    failures: u32,
    /// The context of the text, for a typed message that is reconsidered once it is due.
    pending: Option<Box<Pending>>,
    /// The start of the attempt under way: its counts are given back when the attempt sends nothing.
    begun: Option<Start>,
    /// The start of an attempt whose begin the store did not confirm: committed or not, nothing was sent in it.
    doubtful: Option<Start>,
    /// The time of Telegram's last answer.
    answered_at: Option<Instant>,
    /// Telegram draws a link to the message that this one answers.
    linked: bool,
    /// True when the store did not confirm the end of the attempt, so that the end may be committed all the same.
    settled_in_doubt: bool,
}

enum Stage {
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

impl Outbox {
    pub(super) fn new(settings: &BotSettings) -> Self {
        Self {
            limiter: SendLimiter::new(settings.sends_per_second, settings.sends_per_chat_per_minute.is_some()),
            outgoing: HashMap::new(),
            turns: HashMap::new(),
            sent: 0,
            lifted: false,
            untold: HashMap::new(),
        }
    }

    /// Handles a message.
    pub(super) fn handle(&mut self, message: OutboxMsg, step: &mut Step<'_>) {
        match message {
            OutboxMsg::Due(outbox) => self.on_due(outbox, step),
            OutboxMsg::LookedAgain(outbox, pending, tail) => self.on_looked_again(outbox, &pending, tail, step),
            OutboxMsg::Begun(outbox, attempt, result) => self.on_begun(outbox, attempt, result, step),
            OutboxMsg::Answered(outbox, attempt, at, result) => {
                if let Some(out) = self.outgoing.get_mut(&outbox) {
                    out.answered_at = Some(at);
                }
                self.on_answered(outbox, attempt, result, step);
            }
            OutboxMsg::Settled(outbox, result) => self.on_settled(outbox, result, step),
            OutboxMsg::SettleAgain(outbox) => self.settle(outbox, step),
        }
    }

    /// Returns the messages in memory of a turn.
    fn parts_of(&self, turn: TurnId) -> Vec<OutboxId> {
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
    fn unpaused(&self, now: Timestamp) -> Vec<(OutboxId, Timestamp)> {
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

    /// Returns the limiter of the bot's sends.
    pub(super) fn limiter(&self) -> &SendLimiter {
        &self.limiter
    }

    /// Returns the number of messages sent since the bot started.
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
        self.outgoing.insert(
            message.id,
            Outgoing {
                message,
                stage,
                failures: 0,
                pending: None,
                begun: None,
                doubtful: None,
                answered_at: None,
                linked: true,
                settled_in_doubt: false,
            },
        );
    }

    fn forget(&mut self, outbox: OutboxId) -> Option<OutboxMessage> {
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

    fn lowest_part(&self, turn: TurnId) -> Option<OutboxId> {
        let parts = self.turns.get(&turn)?;
        parts.iter().filter_map(|id| self.outgoing.get(id)).min_by_key(|out| out.message.part).map(|out| out.message.id)
    }

    /// Keeps the context of a message that is being typed, so that the message is reconsidered once it is due.
    pub(super) fn reconsider_later(&mut self, outbox: OutboxId, pending: Box<Pending>) {
        if let Some(out) = self.outgoing.get_mut(&outbox) {
            out.pending = Some(pending);
        }
    }

    /// Notes that the event of a message reached no chat in memory: the chat is told once the event is stored.
    pub(super) fn not_delivered(&mut self, outbox: OutboxId, chat: ChatId) {
        self.untold.insert(outbox, chat);
    }
}

#[cfg(test)]
mod tests;
