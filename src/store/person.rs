//! How people are named in stored rows, and what is in force of their rights, for both databases. Layer: adapter.

use botfleet_actors::domain::ids::TelegramUserId;
use botfleet_actors::domain::inbox::SentEvent;
use botfleet_actors::domain::incoming::{Author, AuthorKind};
use botfleet_actors::domain::people::{PersonRecord, Rights, TOMBSTONE};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::store::StoreError;

use super::columns::{Cells, Columns};
use super::loaded::array;

/// Entries, or decisions, whose texts one transaction removes because of their age.
pub(super) const EXPIRY_BATCH: i64 = 100;
/// Turns, and messages, that one call ends because nobody took them in their time.
pub(super) const UNSPOKEN_ROWS: i64 = 2_000;
/// Why it ended them.
pub(super) const UNSPOKEN: &str = "could not speak: nobody took it in its time";
/// Such transactions in one go; the rest waits for the next one.
pub(super) const EXPIRY_BATCHES: u32 = 100;
/// Rows of the inbox that one transaction passes.
pub(super) const UPDATES_BATCH: i64 = 500;
/// Milliseconds of a day.
pub(super) const DAY_MS: i64 = 86_400_000;

/// The setting that tells how far the inbox was walked for chats that keep texts for so many days.
pub(super) fn cursor_of(days: i64) -> String {
    format!("expired_inbox_{days}")
}

/// How somebody is named, as patterns of `LIKE`. Ids are digits, so nothing in them is special there.
pub(super) struct Naming {
    /// By an update of Telegram: an id that others follow, or the last one of its object.
    pub(super) payload: [String; 2],
}

impl Naming {
    pub(super) fn of(person: TelegramUserId) -> Self {
        let id = person.0;
        Self { payload: [format!("%\"id\":{id},%"), format!("%\"id\":{id}}}%")] }
    }
}

/// What stands where an author stood.
pub(super) fn nobody() -> String {
    array(&Author { id: TelegramUserId(0), name: String::new(), username: None, kind: AuthorKind::Person })
}

/// The payload of a message's event without its text.
pub(super) fn without_text(payload: &str) -> String {
    let event = serde_json::from_str::<SentEvent>(payload);
    event.map_or_else(|_| TOMBSTONE.to_owned(), |event| array(&SentEvent { text: String::new(), ..event }))
}

/// What somebody asked for who asked to be forgotten: until when, and the number of the wish that is open.
pub(super) struct WishRow(TelegramUserId, Timestamp, Option<i64>);

impl WishRow {
    pub(super) fn read(row: &dyn Cells) -> Result<Self, StoreError> {
        let mut columns = Columns::of(row);
        Ok(Self(TelegramUserId(columns.take()?), Timestamp::from_millis(columns.take()?), columns.take()?))
    }
}

/// What is in force, from its rows: one for each person, however often they asked.
pub(super) fn rights_of(seq: i64, opted_out: Vec<TelegramUserId>, wishes: &[WishRow]) -> Rights {
    Rights {
        seq,
        opted_out: opted_out.into_iter().collect(),
        forgotten: wishes.iter().map(|WishRow(person, at, _)| (*person, *at)).collect(),
        pending: wishes.iter().filter_map(|WishRow(person, at, open)| Some(((*open)?, *person, *at))).collect(),
    }
}

/// What is stored about somebody, as page after page of their entries tells it.
pub(super) struct Entries {
    record: PersonRecord,
    /// The chat and number of the last one read.
    pub(super) after: (i64, i64),
}

impl Entries {
    /// Before the first page.
    pub(super) fn none() -> Self {
        Self { record: PersonRecord::default(), after: (i64::MIN, i64::MIN) }
    }

    /// Counts an entry: its chat and number, when it was written, and how many answers it got.
    pub(super) fn count(&mut self, (chat, number, date, answers): (i64, i64, Timestamp, u64)) {
        let record = &mut self.record;
        record.entries += 1;
        record.answers += answers;
        record.first = Some(record.first.map_or(date, |first| first.min(date)));
        record.last = record.last.max(Some(date));
        self.after = (chat, number);
    }

    /// Chat, number, date and answers of an entry.
    pub(super) fn read(row: &dyn Cells) -> Result<(i64, i64, Timestamp, u64), StoreError> {
        let mut columns = Columns::of(row);
        Ok((columns.take()?, columns.take()?, Timestamp::from_millis(columns.take()?), columns.count()?))
    }

    pub(super) fn record(self) -> PersonRecord {
        self.record
    }
}
