//! Finds columns by the name of their table, for the marks of statements. Layer: adapter.

use botfleet_actors::domain::allowance::AllowanceKey;
use botfleet_actors::domain::commit::rows::{StopChange, TurnHead};
use botfleet_actors::domain::control::StopScope;
use botfleet_actors::domain::decision::Decision;
use botfleet_actors::domain::inbox::InboxRow;
use botfleet_actors::domain::outbox::{OutboxMessage, SendProgress};
use botfleet_actors::domain::pause::Pause;
use botfleet_actors::domain::transcript::{EntryKey, TranscriptEntry};
use botfleet_actors::domain::turn::{Turn, TurnProgress};

use super::part::Put;
use crate::store::sql::values::Column;

/// Returns the columns of a table, or of a part of one; `None` for an unknown name.
pub(crate) fn columns_of(name: &str) -> Option<Vec<Column>> {
    let append: fn(&'static str, &mut Vec<Column>) = match name {
        "inbox" => InboxRow::columns,
        "transcript" => TranscriptEntry::columns,
        "key" => EntryKey::columns,
        "decision" => Decision::columns,
        "turn" => Turn::columns,
        "turn_progress" => TurnProgress::columns,
        "outbox" => OutboxMessage::columns,
        "send_progress" => SendProgress::columns,
        "turn_head" => TurnHead::columns,
        "period" => AllowanceKey::columns,
        "pause" => Pause::columns,
        "control" => <(StopScope, StopChange)>::columns,
        _ => return None,
    };
    let mut columns = Vec::new();
    append("", &mut columns);
    Some(columns)
}
