//! Values of one column: ids, instants, counts, texts, names and JSON documents. Layer: adapter.

use botfleet_actors::domain::allowance::{BudgetPeriod, BudgetUnit};
use botfleet_actors::domain::decision::{Standing, Verdict};
use botfleet_actors::domain::ids::{
    AttemptId, BotId, ChatId, ConfigSeq, DecisionNumber, Epoch, InboxId, MessageId, Number, OutboxId, TelegramChatId,
    TelegramUserId, ThreadId, TurnId,
};
use botfleet_actors::domain::inbox::OutcomeKind;
use botfleet_actors::domain::incoming::{Author, Entity, Media};
use botfleet_actors::domain::outbox::{OnUnknown, OutboxState};
use botfleet_actors::domain::ownership::{Incarnation, NodeState};
use botfleet_actors::domain::roster::{BotSpec, ChatSpec, DeliveryMode, Persona};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::domain::transcript::EntryKind;
use botfleet_actors::domain::turn::TurnState;
use botfleet_actors::domain::window::Window;
use botfleet_actors::ports::store::StoreError;
use serde::Serialize;

use super::part::{Cell, Cells, Put, unreadable};
use crate::store::sql::values::{Column, Kind, Rows};

macro_rules! numbers {
    ($($id:ident)+) => {$(
        impl Cell for $id {
            const KIND: Kind = Kind::Number;

            fn get(row: &dyn Cells, index: usize) -> Result<Option<Self>, StoreError> {
                Ok(row.number(index)?.map(Self))
            }

            fn set(value: Option<&Self>, rows: &mut Rows) {
                rows.number(value.map(|id| id.0));
            }
        }
    )+};
}

numbers! {
    AttemptId BotId ChatId ConfigSeq DecisionNumber Epoch InboxId Incarnation MessageId Number OutboxId TelegramChatId
    TelegramUserId ThreadId TurnId
}

macro_rules! counts {
    ($($count:ty)+) => {$(
        impl Cell for $count {
            const KIND: Kind = Kind::Number;

            fn get(row: &dyn Cells, index: usize) -> Result<Option<Self>, StoreError> {
                let count = row.number(index)?.map(Self::try_from);
                count.transpose().map_err(|error| unreadable("count", error))
            }

            fn set(value: Option<&Self>, rows: &mut Rows) {
                rows.number(value.map(|count| i64::try_from(*count).unwrap_or(i64::MAX)));
            }
        }
    )+};
}

counts!(u8 u32 usize);

/// All 64 bits, in two's complement: a seed uses them all, and no count reaches the last one.
impl Cell for u64 {
    const KIND: Kind = Kind::Number;

    fn get(row: &dyn Cells, index: usize) -> Result<Option<Self>, StoreError> {
        Ok(row.number(index)?.map(i64::cast_unsigned))
    }

    fn set(value: Option<&Self>, rows: &mut Rows) {
        rows.number(value.map(|bits| bits.cast_signed()));
    }
}

impl Cell for i64 {
    const KIND: Kind = Kind::Number;

    fn get(row: &dyn Cells, index: usize) -> Result<Option<Self>, StoreError> {
        row.number(index)
    }

    fn set(value: Option<&Self>, rows: &mut Rows) {
        rows.number(value.copied());
    }
}

impl Cell for Timestamp {
    const KIND: Kind = Kind::Number;

    fn get(row: &dyn Cells, index: usize) -> Result<Option<Self>, StoreError> {
        Ok(row.number(index)?.map(Self::from_millis))
    }

    fn set(value: Option<&Self>, rows: &mut Rows) {
        rows.number(value.map(|at| at.as_millis()));
    }
}

impl Cell for bool {
    const KIND: Kind = Kind::Truth;

    fn get(row: &dyn Cells, index: usize) -> Result<Option<Self>, StoreError> {
        row.truth(index).map(Some)
    }

    fn set(value: Option<&Self>, rows: &mut Rows) {
        rows.truth(value.is_some_and(|truth| *truth));
    }
}

impl Cell for String {
    const KIND: Kind = Kind::Text;

    fn get(row: &dyn Cells, index: usize) -> Result<Option<Self>, StoreError> {
        Ok(row.text(index)?.map(str::to_owned))
    }

    fn set(value: Option<&Self>, rows: &mut Rows) {
        rows.text(value.map(String::as_str));
    }
}

impl Put for &str {
    fn columns(name: &'static str, into: &mut Vec<Column>) {
        into.push(Column { name, kind: Kind::Text });
    }

    fn put(&self, rows: &mut Rows) {
        rows.text(Some(self));
    }
}

impl Put for Option<&str> {
    fn columns(name: &'static str, into: &mut Vec<Column>) {
        into.push(Column { name, kind: Kind::Text });
    }

    fn put(&self, rows: &mut Rows) {
        rows.text(*self);
    }
}

macro_rules! names {
    ($($name:ident)+) => {$(
        impl Cell for $name {
            const KIND: Kind = Kind::Text;

            fn get(row: &dyn Cells, index: usize) -> Result<Option<Self>, StoreError> {
                let parse = |name: &str| Self::parse(name).ok_or_else(|| unreadable(stringify!($name), name));
                row.text(index)?.map(parse).transpose()
            }

            fn set(value: Option<&Self>, rows: &mut Rows) {
                rows.text(value.map(|name| name.as_str()));
            }
        }
    )+};
}

names! {
    BudgetPeriod BudgetUnit DeliveryMode EntryKind NodeState OnUnknown OutboxState OutcomeKind TurnState Verdict
}

macro_rules! documents {
    ($($document:ty),+) => {$(
        impl Cell for $document {
            const KIND: Kind = Kind::Json;

            fn get(row: &dyn Cells, index: usize) -> Result<Option<Self>, StoreError> {
                let parse = |text| serde_json::from_str(text).map_err(|error| unreadable(stringify!($document), error));
                row.text(index)?.map(parse).transpose()
            }

            fn set(value: Option<&Self>, rows: &mut Rows) {
                rows.json(value);
            }
        }
    )+};
}

documents!(Author, BotSpec, ChatSpec, Media, Persona, Standing, Vec<Entity>, Window, serde_json::Value);

/// A document that is written from a reference.
pub(in crate::store) struct Json<'a, T>(pub(in crate::store) &'a T);

impl<T: Serialize> Put for Json<'_, T> {
    fn columns(name: &'static str, into: &mut Vec<Column>) {
        into.push(Column { name, kind: Kind::Json });
    }

    fn put(&self, rows: &mut Rows) {
        rows.json(Some(self.0));
    }
}
