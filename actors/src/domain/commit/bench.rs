//! The rows over which a batch is judged, with what several operations do to them. Layer `domain`. Keeps I2, I6.

use std::collections::HashSet;

use serde_json::Value;

use crate::domain::commit::outcome::{Refusal, conflict};
use crate::domain::commit::rows::{Changes, ChatHead, Loaded, OrderChange, TurnHead};
use crate::domain::ids::{BotId, ChatId, Epoch, OutboxId, TelegramUserId, TurnId};
use crate::domain::inbox::{InboxRow, Outcome, OutcomeKind, SentEvent};
use crate::domain::operator_order::{OrderFailure, OrderFruit, OrderState, OrderStep, outcome_of};
use crate::domain::ownership::LeaseKey;
use crate::domain::pause::Pause;
use crate::domain::people::{FORGOTTEN, OPTED_OUT, TOMBSTONE};
use crate::domain::time::Timestamp;
use crate::domain::turn::TurnState;

/// The rows of a batch while it is judged: each operation finds them as the one before it left them.
pub(super) struct Bench<'a> {
    pub(super) loaded: &'a mut Loaded,
    pub(super) changes: Changes,
    pub(super) new_turns: HashSet<TurnId>,
    pub(super) new_outbox: HashSet<OutboxId>,
}

/// How an order stands that is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OpenOrder {
    /// Nobody began it in its time.
    Late,
    /// Nobody has begun it.
    Waiting,
    /// It is begun; `here` when under the epoch of the step.
    Begun { here: bool },
}

impl<'a> Bench<'a> {
    pub(super) fn new(loaded: &'a mut Loaded) -> Self {
        Self { loaded, changes: Changes::default(), new_turns: HashSet::new(), new_outbox: HashSet::new() }
    }

    /// Refuses whoever does not hold the lease under this epoch.
    pub(super) fn fence(&self, key: LeaseKey, epoch: Epoch) -> Result<(), Refusal> {
        let held = match key {
            LeaseKey::Bot(bot) => self.loaded.bots.get(&bot).copied(),
            LeaseKey::Chat(chat) => self.loaded.chats.get(&chat).map(|head| head.epoch),
        };
        if held == Some(epoch) { Ok(()) } else { Err(Refusal::Fenced) }
    }

    /// Returns the state of a chat whose lease is held.
    pub(super) fn head(&self, chat: ChatId) -> Result<ChatHead, Refusal> {
        self.loaded.chats.get(&chat).copied().ok_or(Refusal::Fenced)
    }

    /// Stores a row unless its source is stored already (I2); returns whether the row is new.
    pub(super) fn insert_inbox(&mut self, mut row: InboxRow) -> bool {
        if !self.loaded.sources.insert((row.bot, row.source)) {
            return false;
        }
        // Words that may not be stored leave nothing behind: neither text nor name.
        if let Some(reason) = row.author.and_then(|(author, said_at)| self.refuses(author, said_at)) {
            TOMBSTONE.clone_into(&mut row.payload);
            row.outcome = Some(Outcome::because(OutcomeKind::Ignored, reason));
        }
        self.loaded.inbox.insert(row.id, row.outcome.is_none());
        self.changes.inbox.push(row);
        true
    }

    /// Returns why words may not be stored. Words in flight when somebody used a right are judged like later ones.
    pub(super) fn refuses(&self, author: TelegramUserId, said_at: Timestamp) -> Option<&'static str> {
        if self.loaded.opted_out.contains(&author) {
            return Some(OPTED_OUT);
        }
        self.loaded.forgotten.get(&author).filter(|until| said_at <= **until).map(|_| FORGOTTEN)
    }

    /// Returns the bot's turn, if the turn is in `state`.
    pub(super) fn turn(&mut self, bot: BotId, turn: TurnId, state: TurnState) -> Result<&mut TurnHead, Refusal> {
        match self.loaded.turns.get_mut(&turn) {
            Some(head) if head.bot == bot && head.progress.state == state => Ok(head),
            Some(head) => conflict(format!("turn {turn} is {}", head.progress.state.as_str())),
            None => conflict(format!("turn {turn} is not stored")),
        }
    }

    pub(super) fn turn_moved(&mut self, turn: TurnId) {
        if !self.new_turns.contains(&turn) {
            self.changes.turns.insert(turn);
        }
    }

    pub(super) fn put_back(&mut self, turn: TurnId) {
        if let Some(head) = self.loaded.turns.get_mut(&turn) {
            head.progress.state = TurnState::Queued;
            head.progress.attempts = head.progress.attempts.saturating_sub(1);
            head.progress.claimed_epoch = None;
            self.turn_moved(turn);
        }
    }

    pub(super) fn waiting(&self, bot: BotId, outbox: OutboxId) -> Result<(), Refusal> {
        match self.loaded.outbox.get(&outbox) {
            Some(head) if head.bot == bot && head.progress.state.may_begin() => Ok(()),
            Some(head) => conflict(format!("message {outbox} is {}", head.progress.state.as_str())),
            None => conflict(format!("message {outbox} is not stored")),
        }
    }

    pub(super) fn outbox_moved(&mut self, outbox: OutboxId) {
        if !self.new_outbox.contains(&outbox) {
            self.changes.outbox.insert(outbox);
        }
    }

    /// Stores the event of a sent message, without the text when that was removed while the message was on its way.
    pub(super) fn insert_sent(&mut self, mut event: InboxRow, emptied: bool) {
        if emptied {
            if let Ok(sent) = serde_json::from_str::<SentEvent>(&event.payload) {
                let sent = SentEvent { text: String::new(), ..sent };
                event.payload = serde_json::to_string(&sent).unwrap_or_default();
            }
            self.loaded.emptied.insert(event.id);
        }
        self.insert_inbox(event);
    }

    /// Returns how an operator's order stands that is open, and whose target is that of the step.
    pub(super) fn open_order(&self, step: &OrderStep) -> Result<OpenOrder, Refusal> {
        let Some(head) = self.loaded.orders.get(&step.order) else {
            return conflict(format!("order {} is not stored", step.order));
        };
        match head.state {
            _ if head.target != step.target => conflict(format!("order {} is for {}", step.order, head.target)),
            OrderState::Waiting if head.late => Ok(OpenOrder::Late),
            OrderState::Waiting => Ok(OpenOrder::Waiting),
            OrderState::Begun => Ok(OpenOrder::Begun { here: head.epoch == Some(step.epoch) }),
            over => conflict(format!("order {} is {}", step.order, over.as_str())),
        }
    }

    /// Refuses an operation that carries out an order which waits no more. Comes before the operation's first change.
    pub(super) fn order_waits(&self, step: Option<&OrderStep>) -> Result<(), Refusal> {
        let Some(step) = step else { return Ok(()) };
        match self.open_order(step)? {
            OpenOrder::Waiting => Ok(()),
            OpenOrder::Late => conflict(format!("order {} came too late", step.order)),
            OpenOrder::Begun { .. } => conflict(format!("order {} is begun", step.order)),
        }
    }

    /// Moves an order on, together with what the batch does for it, and with the outcome in the audit once the order is over.
    pub(super) fn order_moves(&mut self, step: OrderStep, state: OrderState, failure: Option<&OrderFailure>) {
        let result = failure.and_then(|failure| serde_json::to_value(failure).ok());
        self.order_comes_to(step, state, result);
    }

    /// Ends the order that an operation has carried out, and tells what came of it.
    pub(super) fn order_bears(&mut self, step: OrderStep, fruit: OrderFruit) {
        self.order_comes_to(step, OrderState::Done, serde_json::to_value(fruit).ok());
    }

    fn order_comes_to(&mut self, step: OrderStep, state: OrderState, result: Option<Value>) {
        if let Some(head) = self.loaded.orders.get_mut(&step.order) {
            (head.state, head.epoch) = (state, Some(step.epoch));
            let intent = head.intent.take_if(|_| state.is_over());
            let outcome = intent.and_then(|intent| outcome_of(step.order, &intent, state, Some(&step.node), head.now));
            self.changes.orders.audit.extend(outcome);
        }
        self.changes.orders.operator.insert(step.order, OrderChange { state, result, step });
    }

    /// Ends the order that an operation has carried out.
    pub(super) fn order_done(&mut self, step: Option<OrderStep>) {
        if let Some(step) = step {
            self.order_moves(step, OrderState::Done, None);
        }
    }

    /// Refuses whoever is not the holder of a bot that somebody has taken over.
    pub(super) fn not_held_by_another(
        &self,
        (chat, bot): (ChatId, BotId),
        by: &str,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        match self.loaded.takeovers.of(chat, bot, now) {
            Some(takeover) if takeover.holder != by => Err(Refusal::TakenOver(takeover.holder.clone())),
            _ => Ok(()),
        }
    }

    pub(super) fn pause(&mut self, pause: Pause) {
        self.loaded.pauses.add(pause);
        self.changes.pauses.push(pause);
    }
}
