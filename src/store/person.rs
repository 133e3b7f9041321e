//! How people are named in stored rows, and what is in force of their rights, for both databases. Layer: adapter.

use std::collections::HashMap;

use botfleet_actors::domain::ids::TelegramUserId;
use botfleet_actors::domain::incoming::{Author, AuthorKind};
use botfleet_actors::domain::people::Rights;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::store::StoreError;

use super::columns::{Cells, Columns};
use super::loaded::array;

/// How somebody is named, as patterns of `LIKE`. Ids are digits, so nothing in them is special there.
pub(super) struct Naming {
    /// By the author of an entry, whose id comes first.
    pub(super) author: String,
    /// By an update of Telegram: an id that others follow, or the last one of its object.
    pub(super) payload: [String; 2],
    /// What stands where an author stood.
    pub(super) nobody: String,
}

impl Naming {
    pub(super) fn of(person: TelegramUserId) -> Self {
        let id = person.0;
        let nobody = Author { id: TelegramUserId(0), name: String::new(), username: None, kind: AuthorKind::Person };
        Self {
            author: format!("{{\"id\":{id},%"),
            payload: [format!("%\"id\":{id},%"), format!("%\"id\":{id}}}%")],
            nobody: array(&nobody),
        }
    }
}

/// A wish to be forgotten: its number, whose, when, and whether it is still to be fulfilled.
pub(super) struct WishRow(i64, TelegramUserId, Timestamp, bool);

impl WishRow {
    pub(super) fn read(row: &dyn Cells) -> Result<Self, StoreError> {
        let mut columns = Columns::of(row);
        Ok(Self(
            columns.take()?,
            TelegramUserId(columns.take()?),
            Timestamp::from_millis(columns.take()?),
            columns.take()?,
        ))
    }
}

/// What is in force, from its rows.
pub(super) fn rights_of(seq: i64, opted_out: Vec<TelegramUserId>, wishes: &[WishRow]) -> Rights {
    let mut forgotten: HashMap<TelegramUserId, Timestamp> = HashMap::new();
    for WishRow(_, person, at, _) in wishes {
        let until = forgotten.entry(*person).or_insert(*at);
        *until = (*until).max(*at);
    }
    let pending = wishes.iter().filter(|wish| wish.3).map(|WishRow(seq, person, at, _)| (*seq, *person, *at));
    Rights { seq, opted_out: opted_out.into_iter().collect(), forgotten, pending: pending.collect() }
}
