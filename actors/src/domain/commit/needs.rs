//! Keys of the rows to load before a batch is judged. Layer `domain`. Sets are ordered: locks are taken in key order.

use std::collections::BTreeSet;

use super::operation::{Operation, Start, TurnEnding};
use crate::domain::allowance::AllowanceKey;
use crate::domain::dead_letter::DeadLetterId;
use crate::domain::ids::{BotId, ChatId, InboxId, OutboxId, TelegramUserId, TurnId};
use crate::domain::inbox::{InboxRow, Source};
use crate::domain::ownership::LeaseKey;
use crate::domain::transcript::{EntryKey, TranscriptEntry};
use crate::domain::window::WindowKey;

/// Keys of the rows that a batch touches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Bots whose lease and offset are touched.
    pub bots: BTreeSet<BotId>,
    /// Chats whose lease and head are touched.
    pub chats: BTreeSet<ChatId>,
    /// Inbox rows that may be stored already.
    pub sources: BTreeSet<(BotId, Source)>,
    /// Inbox rows that are handled here.
    pub inbox: BTreeSet<InboxId>,
    /// Inbox rows that may be dead.
    pub dead_updates: BTreeSet<InboxId>,
    /// Transcript entries that may exist already.
    pub entries: BTreeSet<EntryKey>,
    /// Turns.
    pub turns: BTreeSet<TurnId>,
    /// Outbox messages.
    pub outbox: BTreeSet<OutboxId>,
    /// Sliding windows.
    pub windows: BTreeSet<WindowKey>,
    /// Periods of budgets.
    pub allowances: BTreeSet<AllowanceKey>,
    /// People who may have opted out, or asked to be forgotten.
    pub people: BTreeSet<TelegramUserId>,
    /// The stops are needed.
    pub stops: bool,
}

impl Needs {
    /// Returns the keys of the rows that `operations` touch.
    pub fn of<'a>(operations: impl IntoIterator<Item = &'a Operation>) -> Self {
        let mut needs = Self::default();
        for operation in operations {
            needs.add(operation);
        }
        needs
    }

    fn add(&mut self, operation: &Operation) {
        match operation {
            Operation::Ingest(op) => {
                self.bots.insert(op.bot);
                self.received(&op.rows);
            }
            Operation::Advance(op) => {
                self.chats.insert(op.chat);
                self.inbox.extend(op.handled.iter().map(|handled| handled.inbox));
                self.entries.extend(op.entries.iter().map(TranscriptEntry::key));
                self.people.extend(op.entries.iter().filter_map(TranscriptEntry::words_of));
            }
            Operation::Claim(op) | Operation::Unclaim(op) => {
                self.bots.insert(op.bot);
                self.turns.insert(op.turn);
                self.stops |= matches!(operation, Operation::Claim(_));
            }
            Operation::Finish(op) => {
                self.bots.insert(op.bot);
                self.turns.insert(op.turn);
                if let TurnEnding::Said { begin: Some(start), .. } = &op.ending {
                    self.start(start);
                }
            }
            Operation::Begin(op) => {
                self.bots.insert(op.bot);
                self.outbox.insert(op.outbox);
                self.start(&op.start);
            }
            Operation::Settle(op) => {
                self.outbox.insert(op.outbox);
                self.windows.extend(op.unsent.iter().flat_map(|counted| &counted.windows).map(|rule| rule.key));
                self.sources.extend(op.event.iter().map(|row| (row.bot, row.source)));
            }
            Operation::Pause(op) => {
                self.bots.insert(op.pause.bot);
            }
            Operation::LiftPauses(op) => drop(self.bots.insert(op.bot)),
            Operation::Resolve(op) => {
                self.chats.insert(op.chat);
                self.outbox.insert(op.outbox);
                self.sources.insert((op.event.bot, op.event.source));
            }
            Operation::Migrate(op) => {
                self.chats.insert(op.chat);
            }
            Operation::Cancel(op) => {
                self.bots.insert(op.bot);
                self.outbox.insert(op.outbox);
            }
            Operation::SetStop(_) => self.stops = true,
            Operation::SetRight(op) => drop(self.people.insert(op.person)),
            Operation::Receive(op) => self.received(&op.rows),
            Operation::SetDelivery(op) => {
                self.bots.insert(op.bot);
            }
            Operation::Redeliver(op) => match op.letter {
                DeadLetterId::Update(inbox) => drop(self.dead_updates.insert(inbox)),
                DeadLetterId::Turn(turn) => drop(self.turns.insert(turn)),
                DeadLetterId::Message(outbox) => {
                    self.outbox.insert(outbox);
                    self.outbox.extend(&op.later_parts);
                }
            },
            Operation::TakeAllowance(op) => {
                self.allowances.insert(op.key);
            }
            Operation::ReturnAllowance(op) => {
                self.allowances.insert(op.key);
            }
            Operation::HandOver(op) => match op.key {
                LeaseKey::Bot(bot) => drop(self.bots.insert(bot)),
                LeaseKey::Chat(chat) => drop(self.chats.insert(chat)),
            },
            Operation::SetAbsence(op) => {
                self.bots.insert(op.bot);
            }
        }
    }

    fn received(&mut self, rows: &[InboxRow]) {
        self.sources.extend(rows.iter().map(|row| (row.bot, row.source)));
        self.people.extend(rows.iter().filter_map(|row| Some(row.author?.0)));
    }

    fn start(&mut self, start: &Start) {
        self.stops = true;
        self.windows.extend(start.rules.windows.iter().map(|rule| rule.key));
    }
}
