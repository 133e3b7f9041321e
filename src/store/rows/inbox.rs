//! Rows of the inbox: their source, their outcome. Layer: adapter.

use botfleet_actors::domain::ids::{OutboxId, UpdateId};
use botfleet_actors::domain::inbox::{InboxRow, Outcome, OutcomeKind, Source};
use botfleet_actors::ports::store::StoreError;

use super::part::{Columns, Part, Put, columns, unreadable};
use crate::store::sql::values::{Column, Kind, Rows};

columns!(InboxRow { id, chat, bot, source, payload, received_at, outcome; author = None });

impl Put for Source {
    fn columns(_: &'static str, into: &mut Vec<Column>) {
        into.push(Column { name: "source", kind: Kind::Text });
        into.push(Column { name: "source_id", kind: Kind::Number });
    }

    fn put(&self, rows: &mut Rows) {
        match self {
            Self::Update(update) => ("update", update.0),
            Self::Sent(outbox) => ("sent", outbox.0),
        }
        .put(rows);
    }
}

impl Part for Source {
    fn read(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        let name = columns.text()?.unwrap_or_default();
        let id = columns.take()?;
        match name {
            "update" => Ok(Self::Update(UpdateId(id))),
            "sent" => Ok(Self::Sent(OutboxId(id))),
            _ => Err(unreadable("source", name)),
        }
    }
}

impl Put for Option<Outcome> {
    fn columns(_: &'static str, into: &mut Vec<Column>) {
        into.push(Column { name: "outcome", kind: Kind::Text });
        into.push(Column { name: "reason", kind: Kind::Text });
    }

    fn put(&self, rows: &mut Rows) {
        rows.text(self.as_ref().map(|outcome| outcome.kind.as_str()));
        rows.text(self.as_ref().and_then(|outcome| outcome.reason.as_deref()));
    }
}

impl Part for Option<Outcome> {
    fn read(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        let (kind, reason): (Option<OutcomeKind>, _) = columns.take()?;
        Ok(kind.map(|kind| Outcome { kind, reason }))
    }
}
