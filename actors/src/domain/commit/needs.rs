//! Keys of the rows to load before a batch is judged. Layer `domain`. Sets are ordered: locks are taken in key order.

use std::collections::BTreeSet;

use crate::domain::allowance::AllowanceKey;
use crate::domain::commit::start::Start;
use crate::domain::ids::{BotId, ChatId, InboxId, OutboxId, TelegramUserId, TurnId};
use crate::domain::inbox::{InboxRow, Source};
use crate::domain::operator_order::{OrderId, OrderStep};
use crate::domain::transcript::EntryKey;
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
    /// Orders of operators that are carried out.
    pub orders: BTreeSet<OrderId>,
    /// The stops are needed.
    pub stops: bool,
}

impl Needs {
    pub(super) fn received(&mut self, rows: &[InboxRow]) {
        self.sources.extend(rows.iter().map(|row| (row.bot, row.source)));
        self.people.extend(rows.iter().filter_map(|row| Some(row.author?.0)));
    }

    pub(super) fn order(&mut self, step: Option<&OrderStep>) {
        self.orders.extend(step.map(|step| step.order));
    }

    pub(super) fn start(&mut self, start: &Start) {
        self.stops = true;
        self.windows.extend(start.rules.windows.iter().map(|rule| rule.key));
    }
}
