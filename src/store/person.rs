//! Names people in stored rows and gathers their rights in force, for both databases. Layer: adapter.

use botfleet_actors::domain::ids::TelegramUserId;
use botfleet_actors::domain::inbox::SentEvent;
use botfleet_actors::domain::incoming::{Author, AuthorKind};
use botfleet_actors::domain::people::{PersonRecord, Rights, TOMBSTONE};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::store::StoreError;

use super::columns::{Cells, Columns};
use super::loaded::array;

/// The number of entries, or of decisions, whose texts one transaction removes because of their age.
pub(super) const EXPIRY_BATCH: i64 = 100;
/// The most turns, and the most messages, that one call ends because nobody took them in time.
pub(super) const UNSPOKEN_ROWS: i64 = 2_000;
/// The reason stored with turns and messages that ended so.
pub(super) const UNSPOKEN: &str = "could not speak: nobody took it in its time";
/// The most transactions of [`EXPIRY_BATCH`] in one call; the next call does the rest.
pub(super) const EXPIRY_BATCHES: u32 = 100;
/// The number of inbox rows that one transaction passes.
pub(super) const UPDATES_BATCH: i64 = 500;
/// The milliseconds of a day.
pub(super) const DAY_MS: i64 = 86_400_000;

/// Names the setting that records how far the inbox was walked for chats that keep texts for `days` days.
pub(super) fn cursor_of(days: i64) -> String {
    format!("expired_inbox_{days}")
}

/// Patterns of `LIKE` that find a person. Ids are digits, so nothing in them is special to `LIKE`.
pub(super) struct Naming {
    /// In an update of Telegram: the id with a field after it, or as the last field of its object.
    pub(super) payload: [String; 2],
}

impl Naming {
    pub(super) fn of(person: TelegramUserId) -> Self {
        let id = person.0;
        Self { payload: [format!("%\"id\":{id},%"), format!("%\"id\":{id}}}%")] }
    }
}

/// The author of an entry whose real author was removed.
pub(super) fn nobody() -> String {
    array(&Author { id: TelegramUserId(0), name: String::new(), username: None, kind: AuthorKind::Person })
}

/// Returns the payload of a sent message's event without its text.
pub(super) fn without_text(payload: &str) -> String {
    let event = serde_json::from_str::<SentEvent>(payload);
    event.map_or_else(|_| TOMBSTONE.to_owned(), |event| array(&SentEvent { text: String::new(), ..event }))
}

/// An erasure request: the person, until when their words are forgotten, and the request's number while it is open.
pub(super) struct WishRow(TelegramUserId, Timestamp, Option<i64>);

impl WishRow {
    pub(super) fn read(row: &dyn Cells) -> Result<Self, StoreError> {
        let mut columns = Columns::of(row);
        Ok(Self(TelegramUserId(columns.take()?), Timestamp::from_millis(columns.take()?), columns.take()?))
    }
}

/// Builds the rights in force from their rows: one row for each person, however often they asked.
pub(super) fn rights_of(seq: i64, opted_out: Vec<TelegramUserId>, wishes: &[WishRow]) -> Rights {
    Rights {
        seq,
        opted_out: opted_out.into_iter().collect(),
        forgotten: wishes.iter().map(|WishRow(person, at, _)| (*person, *at)).collect(),
        pending: wishes.iter().filter_map(|WishRow(person, at, open)| Some(((*open)?, *person, *at))).collect(),
    }
}

/// Adds up the record about a person, page by page of their entries.
pub(super) struct Entries {
    record: PersonRecord,
    /// The chat and number of the last entry read.
    pub(super) after: (i64, i64),
}

impl Entries {
    /// The record before the first page.
    pub(super) fn none() -> Self {
        Self { record: PersonRecord::default(), after: (i64::MIN, i64::MIN) }
    }

    /// Counts an entry: its chat, its number, its date, and how many answers it got.
    pub(super) fn count(&mut self, (chat, number, date, answers): (i64, i64, Timestamp, u64)) {
        let record = &mut self.record;
        record.entries += 1;
        record.answers += answers;
        record.first = Some(record.first.map_or(date, |first| first.min(date)));
        record.last = record.last.max(Some(date));
        self.after = (chat, number);
    }

    /// Reads an entry's chat, number, date and number of answers.
    pub(super) fn read(row: &dyn Cells) -> Result<(i64, i64, Timestamp, u64), StoreError> {
        let mut columns = Columns::of(row);
        Ok((columns.take()?, columns.take()?, Timestamp::from_millis(columns.take()?), columns.count()?))
    }

    pub(super) fn record(self) -> PersonRecord {
        self.record
    }
}
