//! Rows of stops, pauses, budgets, orders of operators, take-overs and deleted messages. Layer: adapter.

use botfleet_actors::domain::allowance::{AllowanceKey, BudgetKey};
use botfleet_actors::domain::commit::rows::StopChange;
use botfleet_actors::domain::control::{Rank, Stop};
use botfleet_actors::domain::ids::{BotId, ChatId};
use botfleet_actors::domain::operator_order::OperatorOrder;
use botfleet_actors::domain::pause::Pause;
use botfleet_actors::domain::retraction::Retraction;
use botfleet_actors::domain::takeover::Takeover;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::store::StoreError;

use super::part::{Columns, Part, Put, columns, unreadable};
use crate::store::sql::values::{Column, Rows, json};

impl Put for Pause {
    fn columns(_: &'static str, into: &mut Vec<Column>) {
        BotId::columns("bot", into);
        ChatId::columns("chat", into);
        Timestamp::columns("until", into);
    }

    /// Chat 0 stands for the whole bot.
    fn put(&self, rows: &mut Rows) {
        (self.bot, self.chat.unwrap_or(ChatId(0)), self.until).put(rows);
    }
}

impl Part for Pause {
    fn read(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        let (bot, chat, until) = columns.take()?;
        Ok(Self { bot, chat: Some(chat).filter(|chat| *chat != ChatId(0)), until })
    }
}

columns!(AllowanceKey { budget, start as period_start });

columns!(BudgetKey { scope, unit, per });

columns!(OperatorOrder {
    id,
    target,
    number,
    kind,
    arguments,
    principal,
    created_at,
    expires_at,
    state,
    result,
    node,
    epoch,
    ended_at
});

columns!(Takeover { chat, bot, holder, began_at, until, idle_ms });

columns!(Retraction {
    telegram_chat,
    message_id,
    chat,
    bot,
    state,
    tries,
    due_at,
    principal,
    created_at,
    ended_at,
    error
});

impl Put for StopChange {
    fn columns(_: &'static str, into: &mut Vec<Column>) {
        Timestamp::columns("stopped_at", into);
        String::columns("by", into);
        Option::<Timestamp>::columns("until", into);
        Option::<String>::columns("orders", into);
    }

    fn put(&self, rows: &mut Rows) {
        (self.at, self.by.as_str(), self.stop.as_ref().and_then(Stop::until)).put(rows);
        rows.text(self.stop.as_ref().map(json).as_deref());
    }
}

/// A stop that is stored.
pub(crate) struct StoredStop(pub(crate) Stop);

impl Part for StoredStop {
    /// Earlier versions stored no orders: such a stop is firm until its end, with the rank that the name of its author
    /// implies.
    fn read(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        let at = columns.take()?;
        let by = columns.text()?.unwrap_or_default();
        let rank = if by.starts_with("telegram user ") { Rank::Administrator } else { Rank::Operator };
        let until = columns.take()?;
        let stop = columns.text()?.map_or_else(|| Ok(Stop::firm(until, rank, at)), serde_json::from_str);
        stop.map(Self).map_err(|error| unreadable("orders of a stop", error))
    }
}
