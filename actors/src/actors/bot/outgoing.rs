//! The messages of a bot that are not settled: those that wait, and those under way. Layer `actors`.

use std::collections::HashMap;
use std::time::Duration;

use tokio::task::AbortHandle;

use crate::actors::bot::settings::BotSettings;
use crate::behaviour::interruption::Pending;
use crate::domain::commit::operations::Settle;
use crate::domain::commit::start::Start;
use crate::domain::ids::{AttemptId, ChatId, OutboxId, TurnId};
use crate::domain::outbox::OutboxMessage;
use crate::domain::pause::Pause;
use crate::domain::time::Timestamp;
use crate::policy::backoff::BackoffSettings;
use crate::policy::limiter::SendLimiter;

/// Waits after a send that certainly did nothing.
pub(super) const SEND_BACKOFF: BackoffSettings =
    BackoffSettings { first: Duration::from_millis(500), max: Duration::from_secs(15) };

/// Time until a node that may not act looks again whether it may.
pub(super) const BOUND_RETRY: Duration = Duration::from_millis(100);

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
    pub(super) typing: Vec<(ChatId, AbortHandle)>,
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

    pub(super) fn remember(&mut self, message: OutboxMessage, stage: Stage) {
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
