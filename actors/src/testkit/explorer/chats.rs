//! Does the work of a chat's owner: numbers its rows, and asks a bot to answer people. Part of the testkit.

use std::collections::BTreeSet;
use std::time::Duration;

use super::process::{Call, ChatActor, Got, Then};
use super::sim::Sim;
use crate::domain::commit::operations::{Advance, HandOver, Operation};
use crate::domain::commit::outcome::{Applied, Refusal};
use crate::domain::decision::Cause;
use crate::domain::ids::{BotId, ChatId, DecisionNumber, Epoch, Number};
use crate::domain::inbox::{InboxRow, Source};
use crate::domain::ownership::LeaseKey;
use crate::ports::bus::Hint;
use crate::testkit::rows;

impl Sim {
    pub(super) fn start_chat(&mut self, id: usize, chat: ChatId, epoch: Epoch) {
        let actor = ChatActor { epoch, at: None, busy: true, again: false, leaving_to: None, handing_over: false };
        self.processes[id].chats.insert(chat, actor);
        self.call(id, Call::ReadChat(chat, epoch));
    }

    fn chat(&mut self, id: usize, chat: ChatId, epoch: Epoch) -> Option<&mut ChatActor> {
        self.processes[id].chats.get_mut(&chat).filter(|actor| actor.epoch == epoch)
    }

    pub(super) fn chat_read(&mut self, id: usize, chat: ChatId, epoch: Epoch, got: Option<&Got>) {
        let Some(actor) = self.chat(id, chat, epoch) else { return };
        actor.busy = false;
        if let Some(Got::Chat(number, decision)) = got {
            actor.at = Some((*number, *decision));
        }
        self.poke_chat(id, chat);
    }

    /// Does everything that the chat can do at this moment.
    pub(super) fn poke_chat(&mut self, id: usize, chat: ChatId) {
        let Some(actor) = self.processes[id].chats.get_mut(&chat) else { return };
        if actor.busy {
            actor.again = true;
            return;
        }
        let epoch = actor.epoch;
        if let Some(to) = actor.leaving_to {
            if !actor.handing_over {
                actor.handing_over = true;
                let key = LeaseKey::Chat(chat);
                let operation = Operation::HandOver(HandOver { key, epoch, to });
                self.call(id, Call::Commit(Box::new(operation), Then::HandedOver(key, epoch, to)));
            }
            return;
        }
        (actor.busy, actor.again) = (true, false);
        let call = if actor.at.is_some() { Call::Rows(chat, epoch) } else { Call::ReadChat(chat, epoch) };
        self.call(id, call);
    }

    pub(super) fn rows_read(&mut self, id: usize, chat: ChatId, epoch: Epoch, got: Option<Got>) {
        let Some(actor) = self.chat(id, chat, epoch) else { return };
        let (Some(Got::Rows(rows)), Some(at)) = (got, actor.at) else {
            actor.busy = false;
            return;
        };
        if rows.is_empty() {
            actor.busy = false;
            if actor.again || actor.leaving_to.is_some() {
                self.poke_chat(id, chat);
            }
            return;
        }
        let (advance, bots) = self.step(chat, epoch, at, &rows);
        self.call(id, Call::Commit(Box::new(Operation::Advance(advance)), Then::Advanced(chat, epoch, bots)));
    }

    /// Makes an entry of each row, and a turn of some bot for each row that a person wrote.
    fn step(
        &mut self,
        chat: ChatId,
        epoch: Epoch,
        (last, decided): (Number, DecisionNumber),
        rows: &[InboxRow],
    ) -> (Advance, BTreeSet<BotId>) {
        let mut step = Advance { base: last, ..rows::advance(chat, epoch, last.0, 0) };
        (step.entries, step.handled) = (Vec::new(), Vec::new());
        let (wall, mut decision, mut bots) = (self.wall(), decided.0, BTreeSet::new());
        for (row, number) in rows.iter().zip(last.0 + 1..) {
            let mut entry = rows::entry(chat, number, row.id.0);
            entry.message_id = Self::message_of(row);
            step.entries.push(entry);
            let mut decided = None;
            if matches!(row.source, Source::Update(_)) {
                decision += 1;
                decided = Some(decision);
                let bot = self.bots[self.random.usize(0..self.bots.len())];
                let mut turn = rows::turn(self.next_id(), chat, decision, bot);
                (turn.due_at, turn.created_at, turn.target) = (wall, wall, Some(Number(number)));
                turn.expires_at = wall + Duration::from_secs(86_400);
                step.decisions.push(rows::decision(chat, decision, Cause::Tick));
                step.turns.push(turn);
                bots.insert(bot);
            }
            step.handled.push(rows::appended(row.id.0, number, decided));
        }
        (step, bots)
    }

    pub(super) fn advanced(
        &mut self,
        id: usize,
        chat: ChatId,
        epoch: Epoch,
        bots: BTreeSet<BotId>,
        judged: Option<&Result<Applied, Refusal>>,
    ) {
        if judged == Some(&Err(Refusal::Fenced)) {
            return self.fenced(id, LeaseKey::Chat(chat), epoch);
        }
        let Some(actor) = self.chat(id, chat, epoch) else { return };
        // The chat's position is read again: a refused or unwritten step leaves it elsewhere than assumed.
        (actor.busy, actor.at) = (false, None);
        let written = matches!(judged, Some(Ok(_)));
        self.poke_chat(id, chat);
        for bot in bots.into_iter().filter(|_| written) {
            self.hint(id, LeaseKey::Bot(bot), Hint::Bot(bot));
        }
    }
}
