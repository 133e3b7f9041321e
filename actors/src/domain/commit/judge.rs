//! Judges the operations of a group commit. Layer `domain`; pure, shared by every store. Keeps I1-I4, I6, I11.
//!
//! Longer than other files: every operation is judged over the rows that the one before it changed (the `Bench`), and
//! each part of a divided file would need all of them.

use std::collections::HashSet;

use super::operation::{
    Advance, Applied, Begin, Cancel, Claim, Counted, Finish, HandOver, Ingest, LiftPauses, Migrate, Operation, Paused,
    Receive, Redeliver, Refusal, Resolve, ReturnAllowance, SetDelivery, SetRight, Settle, Start, TakeAllowance,
    TurnEnding, Verdict,
};
use super::rows::{Changes, ChatChange, ChatHead, Loaded, OutboxHead, StopChange, TurnHead};
use crate::domain::allowance::grant;
use crate::domain::dead_letter::DeadLetterId;
use crate::domain::ids::{BotId, ChatId, DecisionNumber, Epoch, Number, OutboxId, TelegramUserId, TurnId};
use crate::domain::inbox::{InboxRow, Outcome, OutcomeKind, SentEvent};
use crate::domain::outbox::{OutboxState, SendProgress, SendResult};
use crate::domain::ownership::LeaseKey;
use crate::domain::pause::Pause;
use crate::domain::people::{FORGOTTEN, OPTED_OUT, REMOVED, Right, TOMBSTONE};
use crate::domain::time::Timestamp;
use crate::domain::transcript::TranscriptEntry;
use crate::domain::turn::{TURN_ATTEMPTS_MAX, TurnProgress, TurnState};

/// Decides `operations` in order, and changes `loaded` after each. The results are in the order of the operations; a
/// refused operation changes nothing.
pub fn judge(operations: Vec<Operation>, loaded: &mut Loaded) -> (Vec<Result<Applied, Refusal>>, Changes) {
    let mut bench =
        Bench { loaded, changes: Changes::default(), new_turns: HashSet::new(), new_outbox: HashSet::new() };
    let results = operations.into_iter().map(|operation| bench.decide(operation)).collect();
    (results, bench.changes)
}

struct Bench<'a> {
    loaded: &'a mut Loaded,
    changes: Changes,
    new_turns: HashSet<TurnId>,
    new_outbox: HashSet<OutboxId>,
}

type Judgement = Result<Applied, Refusal>;

fn conflict<T>(what: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Conflict(what.into()))
}

impl Bench<'_> {
    fn decide(&mut self, operation: Operation) -> Judgement {
        match operation {
            Operation::Ingest(op) => self.ingest(op),
            Operation::Advance(op) => self.advance(op),
            Operation::Claim(op) => self.claim(op),
            Operation::Finish(op) => self.finish(op),
            Operation::Begin(op) => self.begin(&op),
            Operation::Settle(op) => self.settle(op),
            Operation::Cancel(op) => self.cancel(&op),
            Operation::Pause(Paused { epoch, pause }) => {
                self.fence(pause.bot, epoch)?;
                self.pause(pause);
                Ok(Applied::Done)
            }
            Operation::LiftPauses(op) => self.lift_pauses(op),
            Operation::Resolve(op) => self.resolve(op),
            Operation::Migrate(op) => self.migrate(op),
            Operation::SetStop(op) => {
                let stop = self.loaded.stops.obey(op.scope, op.order, op.at);
                self.changes.stops.insert(op.scope, StopChange { stop: stop.clone(), by: op.by, at: op.at });
                Ok(Applied::StopSet(stop))
            }
            Operation::SetRight(op) => Ok(self.set_right(op)),
            Operation::Receive(op) => Ok(self.receive(op)),
            Operation::SetDelivery(op) => self.set_delivery(op),
            Operation::Unclaim(op) => self.unclaim(op),
            Operation::Redeliver(op) => self.redeliver(&op),
            Operation::TakeAllowance(op) => Ok(self.take_allowance(op)),
            Operation::ReturnAllowance(op) => Ok(self.return_allowance(op)),
            Operation::HandOver(op) => self.hand_over(op),
            Operation::SetAbsence(op) => {
                self.fence(op.bot, op.epoch)?;
                self.changes.absences.insert((op.chat, op.bot), op.absent);
                Ok(Applied::Done)
            }
        }
    }

    fn fence(&self, bot: BotId, epoch: Epoch) -> Result<(), Refusal> {
        if self.loaded.bots.get(&bot) == Some(&epoch) { Ok(()) } else { Err(Refusal::Fenced) }
    }

    fn chat_fence(&self, chat: ChatId, epoch: Epoch) -> Result<ChatHead, Refusal> {
        self.loaded.chats.get(&chat).filter(|head| head.epoch == epoch).copied().ok_or(Refusal::Fenced)
    }

    fn ingest(&mut self, op: Ingest) -> Judgement {
        self.fence(op.bot, op.epoch)?;
        let mut already_there = 0;
        for row in op.rows {
            already_there += usize::from(!self.insert_inbox(row));
        }
        self.changes.offsets.insert(op.bot, op.next_offset);
        Ok(Applied::Ingested { already_there })
    }

    /// Stores each row of a webhook once, and leaves the offset alone (I1).
    fn receive(&mut self, op: Receive) -> Applied {
        let stored = op.rows.into_iter().map(|row| usize::from(!self.insert_inbox(row)));
        Applied::Ingested { already_there: stored.sum() }
    }

    fn set_right(&mut self, op: SetRight) -> Applied {
        let out = self.loaded.opted_out.contains(&op.person);
        if op.right.is_outdated(op.at, self.loaded.said.get(&op.person).copied()) {
            let opposed = out != (op.right == Right::OptOut);
            return if opposed { Applied::RightOutdated } else { Applied::RightSet { already: true } };
        }
        if op.right != Right::Forget {
            let said = self.loaded.said.entry(op.person).or_insert(op.at);
            *said = (*said).max(op.at);
            self.changes.orders.said.insert(op.person, *said);
        }
        let already = match op.right {
            Right::OptOut => out,
            Right::OptIn => !out,
            // A request covers everything said until then: copies of it, and earlier requests, ask for nothing more.
            Right::Forget => self.loaded.forgotten.get(&op.person).is_some_and(|until| op.at <= *until),
        };
        match op.right {
            Right::OptOut => drop(self.loaded.opted_out.insert(op.person)),
            Right::OptIn => drop(self.loaded.opted_out.remove(&op.person)),
            Right::Forget if already => {}
            Right::Forget => drop(self.loaded.forgotten.insert(op.person, op.at)),
        }
        if !already {
            self.changes.orders.rights.push(op);
        }
        Applied::RightSet { already }
    }

    fn set_delivery(&mut self, op: SetDelivery) -> Judgement {
        self.fence(op.bot, op.epoch)?;
        // A poll earlier in the same batch must not bring the offset back.
        self.changes.offsets.remove(&op.bot);
        self.changes.orders.deliveries.insert(op.bot, op.choice);
        Ok(Applied::Done)
    }

    /// Stores a row unless its source is stored already (I2); returns whether the row is new.
    fn insert_inbox(&mut self, mut row: InboxRow) -> bool {
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
    fn refuses(&self, author: TelegramUserId, said_at: Timestamp) -> Option<&'static str> {
        if self.loaded.opted_out.contains(&author) {
            return Some(OPTED_OUT);
        }
        self.loaded.forgotten.get(&author).filter(|until| said_at <= **until).map(|_| FORGOTTEN)
    }

    fn advance(&mut self, mut op: Advance) -> Judgement {
        let head = self.chat_fence(op.chat, op.epoch)?;
        if head.last_number != op.base {
            return conflict(format!("transcript is at {}, not at {}", head.last_number, op.base));
        }
        if let Some(handled) = op.handled.iter().find(|h| self.loaded.inbox.get(&h.inbox) != Some(&true)) {
            return conflict(format!("inbox row {} does not wait for its outcome", handled.inbox));
        }
        for (entry, number) in op.entries.iter().zip(op.base.0 + 1..) {
            if entry.number != Number(number) {
                return conflict(format!("entry {} where {number} is due", entry.number));
            }
        }
        // When the step before this one had no entries and dropped out, only the decision numbers tell of it.
        for (decision, number) in op.decisions.iter().zip(head.last_decision.0 + 1..) {
            if decision.number != DecisionNumber(number) {
                return conflict(format!("decision {} where {number} is due", decision.number));
            }
        }
        let mut keys = HashSet::new();
        if let Some(entry) = op.entries.iter().find(|e| self.loaded.entries.contains(&e.key()) || !keys.insert(e.key()))
        {
            return conflict(format!("message {} has an entry already", entry.message_id));
        }

        let refused = |entry: &TranscriptEntry| self.refuses(entry.words_of()?, entry.date);
        if let Some(reason) = op.entries.iter().find_map(refused) {
            return Err(Refusal::Unwanted(reason));
        }
        // The text of these messages was removed, so their echo must not tell it either.
        for entry in op.entries.iter_mut().filter(|entry| self.loaded.emptied.contains(&entry.inbox)) {
            entry.text = None;
            entry.entities.clear();
        }

        let last_number = Number(op.base.0 + op.entries.len() as i64);
        let last_decision = DecisionNumber(head.last_decision.0 + op.decisions.len() as i64);
        self.loaded.chats.insert(op.chat, ChatHead { last_number, last_decision, ..head });
        for handled in &op.handled {
            self.loaded.inbox.insert(handled.inbox, false);
        }
        self.loaded.entries.extend(keys);
        for turn in &op.turns {
            self.loaded.turns.insert(turn.id, TurnHead { bot: turn.bot, progress: turn.progress.clone() });
            self.new_turns.insert(turn.id);
        }
        let change = ChatChange {
            last_number,
            next_tick_at: op.next_tick_at,
            calm_until: op.calm_until,
            disclosed: op.disclosed || self.changes.chats.get(&op.chat).is_some_and(|before| before.disclosed),
        };
        self.changes.chats.insert(op.chat, change);
        self.changes.handled.extend(op.handled);
        self.changes.entries.extend(op.entries);
        self.changes.decisions.extend(op.decisions);
        self.changes.new_turns.extend(op.turns);
        self.changes.absences.extend(op.absences.into_iter().map(|(bot, absent)| ((op.chat, bot), absent)));
        Ok(Applied::Done)
    }

    /// Returns the bot's turn, if the turn is in `state`.
    fn turn(&mut self, bot: BotId, turn: TurnId, state: TurnState) -> Result<&mut TurnHead, Refusal> {
        match self.loaded.turns.get_mut(&turn) {
            Some(head) if head.bot == bot && head.progress.state == state => Ok(head),
            Some(head) => conflict(format!("turn {turn} is {}", head.progress.state.as_str())),
            None => conflict(format!("turn {turn} is not stored")),
        }
    }

    fn turn_moved(&mut self, turn: TurnId) {
        if !self.new_turns.contains(&turn) {
            self.changes.turns.insert(turn);
        }
    }

    fn claim(&mut self, op: Claim) -> Judgement {
        self.fence(op.bot, op.epoch)?;
        let blocking = self.loaded.stops.blocking(op.chat, op.bot, op.now);
        let head = self.turn(op.bot, op.turn, TurnState::Queued)?;
        if let Some(scope) = blocking {
            head.progress.state = TurnState::Dropped;
            head.progress.error = Some(format!("stopped: {scope:?}"));
            self.turn_moved(op.turn);
            return Ok(Applied::Stopped(scope));
        }
        head.progress.state = TurnState::Claimed;
        head.progress.attempts += 1;
        head.progress.claimed_epoch = Some(op.epoch);
        self.turn_moved(op.turn);
        Ok(Applied::Done)
    }

    /// Queues the turn again as if nobody had claimed it: the end of the process is no failure of the turn.
    fn unclaim(&mut self, op: Claim) -> Judgement {
        self.fence(op.bot, op.epoch)?;
        let head = self.turn(op.bot, op.turn, TurnState::Claimed)?;
        if head.progress.claimed_epoch != Some(op.epoch) {
            return Err(Refusal::Fenced);
        }
        self.put_back(op.turn);
        Ok(Applied::Done)
    }

    fn put_back(&mut self, turn: TurnId) {
        if let Some(head) = self.loaded.turns.get_mut(&turn) {
            head.progress.state = TurnState::Queued;
            head.progress.attempts = head.progress.attempts.saturating_sub(1);
            head.progress.claimed_epoch = None;
            self.turn_moved(turn);
        }
    }

    /// Queues a dead update, a dead turn or a rejected message anew; a message of unknown fate only when the person
    /// accepts that the message may show up twice (I4).
    fn redeliver(&mut self, op: &Redeliver) -> Judgement {
        match op.letter {
            DeadLetterId::Update(inbox) => {
                if !self.loaded.dead_updates.remove(&inbox) {
                    return conflict(format!("update {inbox} is not dead"));
                }
                self.loaded.inbox.insert(inbox, true);
                self.changes.orders.inbox.insert(inbox);
            }
            DeadLetterId::Turn(turn) => {
                let Some(head) = self.loaded.turns.get_mut(&turn) else {
                    return conflict(format!("turn {turn} is not stored"));
                };
                if head.progress.state != TurnState::Dead {
                    return conflict(format!("turn {turn} is {}", head.progress.state.as_str()));
                }
                head.progress = TurnProgress { usage: head.progress.usage.take(), ..TurnProgress::queued() };
                self.turn_moved(turn);
                self.changes.orders.turns.insert(turn, (op.now, op.expires_at));
            }
            DeadLetterId::Message(outbox) => {
                let state = self.loaded.outbox.get(&outbox).map(|head| head.progress.state);
                match state {
                    Some(OutboxState::Rejected) => {}
                    Some(OutboxState::Unknown) if op.confirm_duplicate => {}
                    Some(OutboxState::Unknown) => {
                        return conflict(format!("message {outbox} may have been sent"));
                    }
                    Some(state) => return conflict(format!("message {outbox} is {}", state.as_str())),
                    None => return conflict(format!("message {outbox} is not stored")),
                }
                self.queue_again(outbox, op);
                for part in &op.later_parts {
                    let state = self.loaded.outbox.get(part).map(|head| head.progress.state);
                    if state == Some(OutboxState::Cancelled) {
                        self.queue_again(*part, op);
                    }
                }
            }
        }
        Ok(Applied::Done)
    }

    fn queue_again(&mut self, outbox: OutboxId, op: &Redeliver) {
        if let Some(head) = self.loaded.outbox.get_mut(&outbox) {
            head.expires_at = op.expires_at;
            head.progress = SendProgress::queued(op.now);
            self.outbox_moved(outbox);
            self.changes.orders.outbox.insert(outbox, op.expires_at);
        }
    }

    fn finish(&mut self, op: Finish) -> Judgement {
        self.fence(op.bot, op.epoch)?;
        let head = self.turn(op.bot, op.turn, TurnState::Claimed)?;
        if head.progress.claimed_epoch != Some(op.epoch) {
            return Err(Refusal::Fenced);
        }
        if op.usage.is_some() {
            head.progress.usage = op.usage;
        }
        let applied = match op.ending {
            TurnEnding::Said { messages, begin } => {
                head.progress.state = TurnState::Done;
                let first = messages.first().map(|message| message.id);
                for message in messages {
                    self.loaded.outbox.insert(message.id, OutboxHead::of(&message));
                    self.new_outbox.insert(message.id);
                    self.changes.new_outbox.push(message);
                }
                let verdict = match (first, begin) {
                    (Some(first), Some(start)) => Some(self.rule(first, op.epoch, &start)),
                    _ => None,
                };
                Applied::Said(verdict)
            }
            TurnEnding::Acted => {
                head.progress.state = TurnState::Done;
                Applied::Done
            }
            TurnEnding::Failed(error) => {
                let dead = head.progress.attempts >= TURN_ATTEMPTS_MAX;
                head.progress.state = if dead { TurnState::Dead } else { TurnState::Queued };
                head.progress.error = Some(error);
                Applied::Failed { dead }
            }
            TurnEnding::Dropped(reason) => {
                head.progress.state = TurnState::Dropped;
                head.progress.error = Some(reason);
                Applied::Done
            }
            TurnEnding::Expired => {
                head.progress.state = TurnState::Expired;
                Applied::Done
            }
        };
        self.turn_moved(op.turn);
        Ok(applied)
    }

    fn begin(&mut self, op: &Begin) -> Judgement {
        self.fence(op.bot, op.epoch)?;
        self.waiting(op.bot, op.outbox)?;
        Ok(Applied::Begun(self.rule(op.outbox, op.epoch, &op.start)))
    }

    fn waiting(&self, bot: BotId, outbox: OutboxId) -> Result<(), Refusal> {
        match self.loaded.outbox.get(&outbox) {
            Some(head) if head.bot == bot && head.progress.state.may_begin() => Ok(()),
            Some(head) => conflict(format!("message {outbox} is {}", head.progress.state.as_str())),
            None => conflict(format!("message {outbox} is not stored")),
        }
    }

    /// Decides over a send by stops, pauses, staleness, depth and windows (I9, I11), and sets the message's state.
    fn rule(&mut self, outbox: OutboxId, epoch: Epoch, start: &Start) -> Verdict {
        let Some(head) = self.loaded.outbox.get_mut(&outbox) else {
            return Verdict::Cancelled("not stored".to_owned());
        };
        let blocking = self.loaded.stops.blocking(head.chat, head.bot, start.now);
        let paused = self.loaded.pauses.paused_until(head.bot, head.chat, start.now);
        for rule in &start.rules.windows {
            if self.loaded.windows.get_mut(&rule.key).is_some_and(|window| window.clamp(rule, start.now)) {
                self.changes.windows.insert(rule.key);
            }
        }
        let full = start.rules.windows.iter().filter_map(|rule| {
            let window = self.loaded.windows.get(&rule.key)?;
            window.full_until(rule, start.now).map(|until| (rule.key.name(), until))
        });
        let obstacle =
            full.chain(paused.map(|until| ("pause of Telegram".to_owned(), until))).max_by_key(|(_, until)| *until);
        let verdict = if let Some(scope) = blocking {
            Verdict::Cancelled(format!("stopped: {scope:?}"))
        } else if head.emptied {
            Verdict::Cancelled(REMOVED.to_owned())
        } else if head.expires_at <= start.now {
            Verdict::Cancelled("stale".to_owned())
        } else if start.rules.chain_depth_max.is_some_and(|max| head.chain_depth > max) {
            Verdict::Cancelled(format!("chain of bot messages too deep: {}", head.chain_depth))
        } else {
            match obstacle {
                Some((what, until)) if until >= head.expires_at => {
                    Verdict::Cancelled(format!("limit of {what} reached beyond its staleness"))
                }
                Some((_, until)) => Verdict::Wait(until),
                None => Verdict::Send,
            }
        };
        match &verdict {
            Verdict::Send => {
                head.progress.state = OutboxState::Sending;
                head.progress.attempts += 1;
                head.progress.attempt = Some(start.attempt);
                head.progress.claimed_epoch = Some(epoch);
                for rule in &start.rules.windows {
                    self.loaded.windows.entry(rule.key).or_default().count(rule, start.now);
                    self.changes.windows.insert(rule.key);
                }
            }
            Verdict::Wait(until) => head.progress.due_at = *until,
            Verdict::Cancelled(reason) => {
                head.progress.state = OutboxState::Cancelled;
                head.progress.error = Some(reason.clone());
            }
        }
        self.outbox_moved(outbox);
        verdict
    }

    fn outbox_moved(&mut self, outbox: OutboxId) {
        if !self.new_outbox.contains(&outbox) {
            self.changes.outbox.insert(outbox);
        }
    }

    /// Ends an attempt. Whoever made it may do so under any epoch, while nothing else has ended the attempt (I6).
    fn settle(&mut self, op: Settle) -> Judgement {
        let Some(head) = self.loaded.outbox.get_mut(&op.outbox) else {
            return conflict(format!("message {} is not stored", op.outbox));
        };
        let progress = &mut head.progress;
        let open = matches!(progress.state, OutboxState::Sending | OutboxState::Unknown);
        if !open || progress.attempt != Some(op.attempt) {
            return conflict(format!("message {} is {} under another attempt", op.outbox, progress.state.as_str()));
        }
        match op.result {
            SendResult::Sent(message_id) => {
                progress.state = OutboxState::Sent;
                progress.message_id = Some(message_id);
                progress.error = None;
            }
            SendResult::Rejected(error) => {
                progress.state = OutboxState::Rejected;
                progress.error = Some(error);
            }
            SendResult::RetryAt(..) if head.emptied => {
                progress.state = OutboxState::Cancelled;
                progress.error = Some(REMOVED.to_owned());
            }
            SendResult::RetryAt(due_at, error) => {
                progress.state = OutboxState::RetryAt;
                progress.due_at = due_at;
                progress.error = Some(error);
            }
            SendResult::Unknown(error) => {
                progress.state = OutboxState::Unknown;
                progress.error = Some(error);
            }
        }
        let emptied = head.emptied;
        self.outbox_moved(op.outbox);
        if let Some(counted) = op.unsent {
            self.give_back(&counted);
        }
        if let Some(event) = op.event {
            self.insert_sent(event, emptied);
        }
        for pause in op.pauses {
            self.pause(pause);
        }
        Ok(Applied::Done)
    }

    /// Takes back the count of an attempt that certainly sent nothing: an outage must not mute anybody afterwards.
    fn give_back(&mut self, counted: &Counted) {
        for rule in &counted.windows {
            if let Some(window) = self.loaded.windows.get_mut(&rule.key)
                && window.give_back(rule, counted.at)
            {
                self.changes.windows.insert(rule.key);
            }
        }
    }

    /// Stores the event of a sent message, without the text when that was removed while the message was on its way.
    fn insert_sent(&mut self, mut event: InboxRow, emptied: bool) {
        if emptied {
            if let Ok(sent) = serde_json::from_str::<SentEvent>(&event.payload) {
                let sent = SentEvent { text: String::new(), ..sent };
                event.payload = serde_json::to_string(&sent).unwrap_or_default();
            }
            self.loaded.emptied.insert(event.id);
        }
        self.insert_inbox(event);
    }

    fn pause(&mut self, pause: Pause) {
        self.loaded.pauses.add(pause);
        self.changes.pauses.push(pause);
    }

    fn lift_pauses(&mut self, op: LiftPauses) -> Judgement {
        self.fence(op.bot, op.epoch)?;
        self.loaded.pauses.shorten(op.bot, op.until);
        for pause in self.changes.pauses.iter_mut().filter(|pause| pause.bot == op.bot) {
            pause.until = pause.until.min(op.until);
        }
        self.changes.orders.pauses.insert(op.bot, op.until);
        Ok(Applied::Done)
    }

    /// Marks a message of unknown fate as sent, since there is evidence (I4).
    fn resolve(&mut self, op: Resolve) -> Judgement {
        self.chat_fence(op.chat, op.epoch)?;
        let Some(head) = self.loaded.outbox.get_mut(&op.outbox) else {
            return conflict(format!("message {} is not stored", op.outbox));
        };
        if head.chat != op.chat || head.progress.state != OutboxState::Unknown {
            return conflict(format!("message {} is {}", op.outbox, head.progress.state.as_str()));
        }
        head.progress.state = OutboxState::Sent;
        head.progress.message_id = Some(op.message_id);
        let emptied = head.emptied;
        self.outbox_moved(op.outbox);
        self.insert_sent(op.event, emptied);
        Ok(Applied::Done)
    }

    fn migrate(&mut self, op: Migrate) -> Judgement {
        self.chat_fence(op.chat, op.epoch)?;
        self.changes.migrations.insert(op.chat, (op.to, op.at));
        Ok(Applied::Done)
    }

    /// Fences the operations that follow in the same batch. Loaded turns of the bot go back to the queue here, all
    /// others in the store.
    fn hand_over(&mut self, op: HandOver) -> Judgement {
        let next = Epoch(op.epoch.0 + 1);
        match op.key {
            LeaseKey::Bot(bot) => {
                self.fence(bot, op.epoch)?;
                self.loaded.bots.insert(bot, next);
                let in_hand = |head: &TurnHead| head.bot == bot && head.progress.state == TurnState::Claimed;
                let turns: Vec<_> =
                    self.loaded.turns.iter().filter(|(_, head)| in_hand(head)).map(|(id, _)| *id).collect();
                for turn in turns {
                    self.put_back(turn);
                }
            }
            LeaseKey::Chat(chat) => {
                let head = self.chat_fence(chat, op.epoch)?;
                self.loaded.chats.insert(chat, ChatHead { epoch: next, ..head });
            }
        }
        self.changes.hand_overs.insert(op.key, (op.to, next));
        Ok(Applied::Done)
    }

    fn take_allowance(&mut self, op: TakeAllowance) -> Applied {
        let granted = self.loaded.allowances.entry(op.key).or_default();
        let Some(taken) = grant(op.limit, *granted, op.need, op.block) else {
            return Applied::Allowance { taken: 0, granted: *granted };
        };
        *granted += taken;
        self.changes.allowances.insert(op.key);
        Applied::Allowance { taken, granted: *granted }
    }

    fn return_allowance(&mut self, op: ReturnAllowance) -> Applied {
        let granted = self.loaded.allowances.entry(op.key).or_default();
        *granted = granted.saturating_sub(op.amount.max(0)).max(0);
        self.changes.allowances.insert(op.key);
        Applied::Done
    }

    fn cancel(&mut self, op: &Cancel) -> Judgement {
        self.fence(op.bot, op.epoch)?;
        self.waiting(op.bot, op.outbox)?;
        if let Some(head) = self.loaded.outbox.get_mut(&op.outbox) {
            head.progress.state = OutboxState::Cancelled;
            head.progress.error = Some(op.reason.clone());
        }
        self.outbox_moved(op.outbox);
        Ok(Applied::Done)
    }
}
