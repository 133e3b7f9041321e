//! Values of one column: ids, instants, counts, texts, names and JSON documents; and ids with their kinds. Layer:
//! adapter.

use botfleet_actors::domain::allowance::{BudgetPeriod, BudgetScope, BudgetUnit};
use botfleet_actors::domain::configuration::Resource;
use botfleet_actors::domain::control::StopScope;
use botfleet_actors::domain::dead_letter::DeadLetterId;
use botfleet_actors::domain::decision::{Standing, Verdict};
use botfleet_actors::domain::idempotency::RequestState;
use botfleet_actors::domain::ids::{
    AttemptId, BotId, ChatId, ConfigSeq, DecisionNumber, Epoch, InboxId, MessageId, Number, OutboxId, TelegramChatId,
    TelegramUserId, ThreadId, TurnId,
};
use botfleet_actors::domain::inbox::{OutcomeKind, Source};
use botfleet_actors::domain::incoming::{Author, Entity, Media};
use botfleet_actors::domain::operator_order::{OrderId, OrderState, OrderTarget};
use botfleet_actors::domain::operators::{OperatorId, Profile, Reach, Role};
use botfleet_actors::domain::outbox::{OnUnknown, OutboxState};
use botfleet_actors::domain::ownership::{Incarnation, LeaseKey, NodeState};
use botfleet_actors::domain::retraction::RetractionState;
use botfleet_actors::domain::roster::{BotSpec, ChatSpec, DeliveryMode, Persona};
use botfleet_actors::domain::secret::{SecretKind, SecretState};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::domain::transcript::EntryKind;
use botfleet_actors::domain::turn::TurnState;
use botfleet_actors::domain::watching::WorkStep;
use botfleet_actors::domain::window::Window;
use botfleet_actors::ports::store::StoreError;

use super::part::{Cell, Cells, Columns, Part, Put, unreadable};
use crate::store::sql::values::{Column, Kind, Rows};

/// Tells for each type of which kind its column is, and how the value is made of the column's and turned into it.
macro_rules! cells {
    ($($type:ty: $kind:ident $as:ident, $get:expr, $set:expr;)+) => {$(
        impl Cell for $type {
            const KIND: Kind = Kind::$kind;

            fn get(row: &dyn Cells, index: usize) -> Result<Option<Self>, StoreError> {
                row.$as(index)?.map($get).transpose()
            }

            fn set(value: Option<&Self>, rows: &mut Rows) {
                rows.$as(value.map($set));
            }
        }
    )+};
}

macro_rules! ids {
    ($($id:ident)+) => { cells! { $($id: Number number, |id| Ok($id(id)), |id| id.0;)+ } };
}

macro_rules! counts {
    ($($count:ty)+) => { cells! { $(
        $count: Number number,
            |count| <$count>::try_from(count).map_err(|error| unreadable("count", error)),
            |count| i64::try_from(*count).unwrap_or(i64::MAX);
    )+ } };
}

macro_rules! names {
    ($($name:ident)+) => { cells! { $(
        $name: Text text, |name| $name::parse(name).ok_or_else(|| unreadable(stringify!($name), name)), |name| name.as_str();
    )+ } };
}

ids! {
    AttemptId BotId ChatId ConfigSeq DecisionNumber Epoch InboxId Incarnation MessageId Number OperatorId OrderId OutboxId
    TelegramChatId TelegramUserId ThreadId TurnId
}

counts!(u8 u16 u32 usize);

names! {
    BudgetPeriod BudgetUnit DeliveryMode EntryKind NodeState OnUnknown OrderState OutboxState OutcomeKind RequestState
    RetractionState Role SecretKind SecretState TurnState Verdict WorkStep
}

cells! {
    i64: Number number, Ok, |number| *number;
    // All 64 bits, in two's complement: a seed uses them all, and no count reaches the last one.
    u64: Number number, |bits| Ok(bits.cast_unsigned()), |bits| bits.cast_signed();
    Timestamp: Number number, |at| Ok(Timestamp::from_millis(at)), |at| at.as_millis();
    String: Text text, |text| Ok(text.to_owned()), String::as_str;
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

documents!(
    Author,
    BotSpec,
    ChatSpec,
    Media,
    Persona,
    Profile,
    Reach,
    Resource,
    Standing,
    Vec<Entity>,
    Vec<String>,
    Window,
    serde_json::Value
);

/// Names the two columns of each type that is a kind and an id.
macro_rules! kinds {
    ($($type:ty: $kind:literal $id:literal;)+) => {$(
        impl Put for $type {
            fn columns(_: &'static str, into: &mut Vec<Column>) {
                into.push(Column { name: $kind, kind: Kind::Text });
                into.push(Column { name: $id, kind: Kind::Number });
            }

            fn put(&self, rows: &mut Rows) {
                (self.kind(), self.id()).put(rows);
            }
        }

        impl Part for $type {
            fn read(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
                let kind = columns.text()?.unwrap_or_default();
                Self::of_kind(kind, columns.take()?).ok_or_else(|| unreadable(stringify!($type), kind))
            }
        }
    )+};
}

kinds! {
    BudgetScope: "scope" "key";
    DeadLetterId: "kind" "id";
    LeaseKey: "kind" "key";
    OrderTarget: "target_kind" "target";
    Source: "source" "source_id";
    StopScope: "scope" "key";
}
