//! Rows of decisions. Layer: adapter.

use botfleet_actors::domain::decision::{Cause, Decision};
use botfleet_actors::domain::ids::Number;
use botfleet_actors::ports::store::StoreError;

use super::part::{Columns, Part, Put, columns};
use crate::store::sql::values::{Column, Rows};

columns! {
    Decision {
        chat, number, cause, seed, at, config_seq, policy, verdict, reason, inputs, scores, root, chain_depth,
        standing
    }
}

impl Put for Cause {
    fn columns(_: &'static str, into: &mut Vec<Column>) {
        Option::<Number>::columns("cause_entry", into);
    }

    fn put(&self, rows: &mut Rows) {
        rows.number(match self {
            Self::Entry(number) => Some(number.0),
            Self::Tick => None,
        });
    }
}

impl Part for Cause {
    fn read(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        Ok(columns.take::<Option<Number>>()?.map_or(Self::Tick, Self::Entry))
    }
}
