//! The group commit's statements: one that loads what a batch needs, one that writes what it changes. Layer: adapter.
//! Keeps I2, I3, I6, I11.
//!
//! Each statement has a part for each kind of rows, and its text depends only on the parts that a batch has. There are
//! few texts, so a database keeps them all prepared. How a transaction begins and ends is the engines' part.

pub(super) mod held;
pub(super) mod load;
pub(super) mod write;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use botfleet_actors::ports::store::StoreError;

use super::engine::Values;
use super::sql::text::Sql;
use super::sql::values::{Database, Value};

/// A part of a batch's statement, and what it does with its rows.
struct Part<D> {
    sql: &'static Sql,
    /// On SQLite parts with the same number stand in a text together, so that there are few texts.
    group: u32,
    does: D,
}

/// Returns the parts that a batch has, by their bits, and the values of all of them. `found` holds the values of each
/// part that the batch needs.
fn chosen<'v, D>(all: &[Part<D>], found: Vec<Option<Values<'v>>>, db: Database) -> (u32, Values<'v>) {
    let needed = all.iter().zip(&found).filter(|(_, values)| values.is_some());
    let groups = needed.fold(0, |groups, (part, _)| groups | (1_u32 << part.group));
    let (mut parts, mut values) = (0, Values::new());
    for ((place, part), found) in all.iter().enumerate().zip(found) {
        let together = db == Database::Sqlite && groups & (1 << part.group) != 0;
        if together || found.is_some() {
            parts |= 1 << place;
            // A part that stands there for its group alone has no rows.
            values.extend(found.unwrap_or_else(|| vec![Value::Text(None)]));
        }
    }
    (parts, values)
}

/// Returns the parts with these bits.
fn of<D>(all: &'static [Part<D>], parts: u32) -> impl Iterator<Item = &'static Part<D>> {
    all.iter().enumerate().filter(move |(place, _)| parts & (1 << place) != 0).map(|(_, part)| part)
}

/// Returns the texts of the parts with these bits, and how many values they have.
fn texts<D>(all: &'static [Part<D>], parts: u32, db: Database) -> Result<(Vec<String>, usize), StoreError> {
    let (mut texts, mut values) = (Vec::new(), 0);
    for part in of(all, parts) {
        let (text, after) = part.sql.part(db, values)?;
        values = after;
        texts.push(text);
    }
    Ok((texts, values))
}

/// The texts that were needed so far, by the parts that they have.
struct Texts(Mutex<BTreeMap<u32, Arc<str>>>);

impl Texts {
    const fn none() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    /// Returns the text of these parts, and builds a new one once.
    fn get(&self, parts: u32, build: impl FnOnce() -> Result<String, StoreError>) -> Result<Arc<str>, StoreError> {
        let mut texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = texts.get(&parts) {
            return Ok(text.clone());
        }
        let text: Arc<str> = build()?.into();
        texts.insert(parts, text.clone());
        Ok(text)
    }
}
