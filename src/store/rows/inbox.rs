//! Rows of the inbox, and their outcome. Layer: adapter.

use botfleet_actors::domain::inbox::{InboxRow, Outcome, OutcomeKind};
use botfleet_actors::ports::store::StoreError;

use super::part::{Columns, Part, Put, columns};
use crate::store::sql::values::{Column, Kind, Rows};

columns!(InboxRow { id, chat, bot, source, payload, received_at, outcome; author = None });

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
