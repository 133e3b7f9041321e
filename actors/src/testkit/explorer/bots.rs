//! Does the work of a bot's owner: polls, stores, claims turns, sends, settles, hands over. Part of the testkit.

use std::collections::BTreeSet;

use super::process::{BotActor, Call, Got, Msg, Offset, Outside, Polling, Then};
use super::sim::{ANY_EPOCH, Action, Sim, ms};
use crate::domain::commit::operations::{Begin, Claim, Finish, HandOver, Ingest, Operation, Settle, TurnEnding};
use crate::domain::commit::outcome::{Applied, Refusal, Verdict};
use crate::domain::commit::start::Start;
use crate::domain::ids::{AttemptId, BotId, ChatId, Epoch, InboxId};
use crate::domain::inbox::{InboxRow, SentEvent};
use crate::domain::outbox::{OutboxMessage, SendProgress, SendResult};
use crate::domain::ownership::LeaseKey;
use crate::domain::turn::Turn;
use crate::policy::ownership::event::Event;
use crate::ports::bus::Hint;
use crate::testkit::rows;

impl Sim {
    pub(super) fn start_bot(&mut self, id: usize, bot: BotId, epoch: Epoch) {
        let actor = BotActor {
            epoch,
            offset: Offset::Unread,
            poll: Polling::Idle,
            leaving_to: None,
            handing_over: false,
            looking: false,
            turn: None,
            beginning: BTreeSet::new(),
            since: self.processes[id].clock.local(self.now),
        };
        self.processes[id].bots.insert(bot, actor);
        self.call(id, Call::ReadBot(bot, epoch));
    }

    pub(super) fn bot_read(&mut self, id: usize, bot: BotId, epoch: Epoch, got: Option<&Got>) {
        let Some(actor) = self.processes[id].bots.get_mut(&bot).filter(|actor| actor.epoch == epoch) else { return };
        if let Some(Got::Bot(offset)) = got {
            actor.offset = Offset::Read(*offset);
            self.poke_bot(id, bot);
        } else {
            self.call(id, Call::ReadBot(bot, epoch));
        }
    }

    /// Does everything that the bot can do at this moment.
    pub(super) fn poke_bot(&mut self, id: usize, bot: BotId) {
        let may_act = self.may_act(id);
        let local = self.processes[id].clock.local(self.now);
        let patience = self.settings.send_patience;
        let Some(actor) = self.processes[id].bots.get_mut(&bot) else { return };
        let epoch = actor.epoch;
        if let Some(to) = actor.leaving_to {
            if actor.poll == Polling::Idle && !actor.handing_over {
                actor.handing_over = true;
                let key = LeaseKey::Bot(bot);
                let operation = Operation::HandOver(HandOver { key, epoch, to });
                self.call(id, Call::Commit(Box::new(operation), Then::HandedOver(key, epoch, to)));
            }
            return;
        }
        let Offset::Read(offset) = actor.offset else { return };
        if !actor.looking && actor.turn.is_none() {
            actor.looking = true;
            let overdue = local.saturating_sub(actor.since) > patience;
            self.call(id, Call::Look(bot, epoch, overdue));
        }
        let Some(actor) = self.processes[id].bots.get_mut(&bot) else { return };
        if may_act && actor.poll == Polling::Idle {
            // Marks the poll as open before Telegram has it, so that no second one begins. Ids from the top of the
            // range differ from those that Telegram gives.
            let asked = u64::MAX - self.next_id().unsigned_abs();
            if let Some(actor) = self.processes[id].bots.get_mut(&bot) {
                actor.poll = Polling::Open(asked);
            }
            self.outside(id, Outside::Poll(bot, epoch, offset, asked));
        }
    }

    pub(super) fn polled(&mut self, id: usize, bot: BotId, epoch: Epoch, poll: u64, batch: Option<Vec<(i64, ChatId)>>) {
        let received_at = self.wall();
        let Some(actor) = self.processes[id].bots.get_mut(&bot) else { return };
        let mine = epoch == ANY_EPOCH || actor.epoch == epoch;
        if !mine || actor.poll != Polling::Open(poll) {
            return;
        }
        actor.poll = Polling::Idle;
        let epoch = actor.epoch;
        let Some(batch) = batch else {
            self.after(ms(300), Action::Deliver(id, Box::new(Msg::Again(bot, epoch))));
            return;
        };
        let Some((last, _)) = batch.last() else { return self.poke_bot(id, bot) };
        actor.poll = Polling::Storing;
        let (next_offset, chats) = (last + 1, batch.iter().map(|(_, chat)| *chat).collect());
        let row = |(update, chat): &(i64, ChatId), number: i64| InboxRow {
            received_at,
            ..rows::update(number, bot, *chat, *update)
        };
        let rows: Vec<_> = batch.iter().map(|update| row(update, self.next_id())).collect();
        let operation = Operation::Ingest(Ingest { bot, epoch, next_offset, rows });
        self.call(id, Call::Commit(Box::new(operation), Then::Stored(bot, epoch, next_offset, chats)));
    }

    pub(super) fn looked(&mut self, id: usize, bot: BotId, epoch: Epoch, got: Option<Got>) {
        let (may_act, now, wall) = (self.may_act(id), self.now, self.wall());
        let Some(actor) = self.processes[id].bots.get_mut(&bot).filter(|actor| actor.epoch == epoch) else { return };
        actor.looking = false;
        let Some(Got::Work(turns, messages)) = got else { return };
        if !may_act || actor.leaving_to.is_some() || actor.turn.is_some() {
            return;
        }
        if let Some(turn) = turns.into_iter().next() {
            actor.turn = Some(turn.id);
            let claim = Operation::Claim(Claim {
                bot,
                epoch,
                turn: turn.id,
                chat: turn.chat,
                yields: turn.yields(),
                now: wall,
            });
            self.call(id, Call::Commit(Box::new(claim), Then::Claimed(bot, epoch, Box::new(turn))));
        }
        for message in messages {
            let actor = self.processes[id].bots.get_mut(&bot).filter(|actor| actor.beginning.is_empty());
            if message.progress.due_at > wall || actor.is_none() {
                continue;
            }
            let attempt = AttemptId(self.next_id());
            let start = Start { now: wall, ..rows::start(attempt.0, rows::at(0) + now) };
            if let Some(actor) = self.processes[id].bots.get_mut(&bot) {
                actor.beginning.insert(attempt);
            }
            let begin = Operation::Begin(Begin { bot, epoch, outbox: message.id, start });
            self.call(id, Call::Commit(Box::new(begin), Then::Begun(bot, epoch, attempt, Box::new(message))));
        }
    }

    pub(super) fn completed(&mut self, id: usize, bot: BotId, epoch: Epoch, turn: &Turn) {
        let Some(actor) = self.processes[id].bots.get(&bot).filter(|actor| actor.epoch == epoch) else { return };
        if actor.leaving_to.is_some() {
            return;
        }
        let wall = self.wall();
        let mut message = rows::message(self.next_id(), turn);
        (message.expires_at, message.progress) = (turn.expires_at, SendProgress::queued(wall));
        let attempt = AttemptId(self.next_id());
        let begin = self.may_act(id).then(|| rows::start(attempt.0, wall));
        let ending = TurnEnding::Said { messages: vec![message.clone()], begin };
        let finish = Operation::Finish(Finish { bot, epoch, turn: turn.id, ending, usage: None });
        self.call(id, Call::Commit(Box::new(finish), Then::Said(bot, epoch, attempt, Box::new(message))));
    }

    /// Sends the message, whose `sending` is committed; if the node may not act, settles it as certainly not sent.
    fn send(&mut self, id: usize, attempt: AttemptId, message: Box<OutboxMessage>) {
        self.processes[id].sending.insert(attempt, (*message).clone());
        if self.may_act(id) {
            self.outside(id, Outside::Send(attempt, message));
        } else {
            let failed = SendResult::RetryAt(self.wall(), "the node may not act".to_owned());
            self.sent(id, attempt, failed);
        }
    }

    pub(super) fn sent(&mut self, id: usize, attempt: AttemptId, result: SendResult) {
        let Some(message) = self.processes[id].sending.remove(&attempt) else { return };
        let (chat, wall) = (message.chat, self.wall());
        let event = if let SendResult::Sent(message_id) = &result {
            let event = SentEvent::of(&message, *message_id, wall);
            Some(InboxRow::of_sent(InboxId(self.next_id()), &message, &event, wall))
        } else {
            None
        };
        let row = event.as_ref().map(|row| row.id);
        let settle =
            Operation::Settle(Settle { outbox: message.id, attempt, result, event, pauses: Vec::new(), unsent: None });
        self.call(id, Call::Commit(Box::new(settle), Then::Settled(chat, row)));
    }

    /// Handles the answer to a commit of a bot or chat.
    pub(super) fn committed(&mut self, id: usize, operation: Operation, then: Then, got: Option<Got>) {
        let judged = if let Some(Got::Judged(judged)) = got { Some(judged) } else { None };
        match then {
            Then::Stored(bot, epoch, next, chats) => {
                if judged == Some(Err(Refusal::Fenced)) {
                    return self.fenced(id, LeaseKey::Bot(bot), epoch);
                }
                if let Some(actor) = self.processes[id].bots.get_mut(&bot).filter(|actor| actor.epoch == epoch) {
                    actor.poll = Polling::Idle;
                    if matches!(judged, Some(Ok(_))) {
                        actor.offset = Offset::Read(Some(next));
                    }
                }
                for chat in chats {
                    self.hint(id, LeaseKey::Chat(chat), Hint::Chat(chat));
                }
                self.poke_bot(id, bot);
            }
            Then::Claimed(bot, epoch, turn) => match judged {
                Some(Ok(Applied::Stopped(_))) => self.turn_over(id, bot, epoch),
                Some(Ok(_)) => {
                    let thinking = ms(self.random.u64(50..2_500));
                    self.after(thinking, Action::Deliver(id, Box::new(Msg::Completed(bot, epoch, *turn))));
                }
                Some(Err(Refusal::Fenced)) => self.fenced(id, LeaseKey::Bot(bot), epoch),
                _ => self.turn_over(id, bot, epoch),
            },
            Then::Said(bot, epoch, attempt, message) => match judged {
                Some(Ok(Applied::Said(verdict))) => {
                    self.turn_over(id, bot, epoch);
                    if verdict == Some(Verdict::Send) {
                        self.send(id, attempt, message);
                    }
                }
                Some(Err(Refusal::Fenced)) => self.fenced(id, LeaseKey::Bot(bot), epoch),
                // Nothing was written: the completion is committed again.
                None => {
                    let again = Call::Commit(Box::new(operation), Then::Said(bot, epoch, attempt, message));
                    self.after(ms(100), Action::Deliver(id, Box::new(Msg::Retry(again))));
                }
                Some(_) => self.turn_over(id, bot, epoch),
            },
            Then::Begun(bot, epoch, attempt, message) => {
                if let Some(actor) = self.processes[id].bots.get_mut(&bot).filter(|actor| actor.epoch == epoch) {
                    actor.beginning.remove(&attempt);
                }
                match judged {
                    Some(Ok(Applied::Begun(Verdict::Send))) => self.send(id, attempt, message),
                    Some(Err(Refusal::Fenced)) => self.fenced(id, LeaseKey::Bot(bot), epoch),
                    _ => {}
                }
            }
            Then::Settled(chat, row) => match judged {
                None => self.call(id, Call::Commit(Box::new(operation), Then::Settled(chat, row))),
                Some(_) => self.hint(id, LeaseKey::Chat(chat), Hint::Chat(chat)),
            },
            Then::Advanced(chat, epoch, bots) => self.advanced(id, chat, epoch, bots, judged.as_ref()),
            Then::HandedOver(key, epoch, to) => match judged {
                Some(Ok(_)) => {
                    match key {
                        LeaseKey::Bot(bot) => {
                            self.processes[id].bots.retain(|of, actor| *of != bot || actor.epoch != epoch);
                        }
                        LeaseKey::Chat(chat) => {
                            self.processes[id].chats.retain(|of, a| *of != chat || a.epoch != epoch);
                        }
                    }
                    self.tell(id, Event::HandedOver(key));
                    self.publish(id, Some(to), &[Hint::Lease(key)]);
                }
                Some(Err(Refusal::Fenced)) => self.fenced(id, key, epoch),
                _ => {
                    match key {
                        LeaseKey::Bot(bot) => {
                            if let Some(actor) = self.processes[id].bots.get_mut(&bot).filter(|a| a.epoch == epoch) {
                                (actor.leaving_to, actor.handing_over) = (None, false);
                            }
                        }
                        LeaseKey::Chat(chat) => {
                            if let Some(actor) = self.processes[id].chats.get_mut(&chat).filter(|a| a.epoch == epoch) {
                                (actor.leaving_to, actor.handing_over) = (None, false);
                            }
                        }
                    }
                    self.tell(id, Event::NotHandedOver(key));
                }
            },
        }
    }

    fn turn_over(&mut self, id: usize, bot: BotId, epoch: Epoch) {
        if let Some(actor) = self.processes[id].bots.get_mut(&bot).filter(|actor| actor.epoch == epoch) {
            actor.turn = None;
            self.poke_bot(id, bot);
        }
    }

    /// Sends a hint to the owner of a lease, on this node or another.
    pub(super) fn hint(&mut self, id: usize, key: LeaseKey, hint: Hint) {
        let owner = self.owner_of(id, key);
        if owner.is_some() {
            self.publish(id, owner, &[hint]);
        }
    }
}
