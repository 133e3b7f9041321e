//! Statements: one text for both databases, with marks in backticks that each database fills in. Layer: adapter.
//!
//! | mark | SQLite | PostgreSQL |
//! |---|---|---|
//! | `A\|B` | A | B |
//! | `columns T` | the columns of table T | the same |
//! | `set T` | `a = r.a` for each column of T | the same |
//! | `rows N COLUMNS` | the rows of value N, from JSON made binary (ADR 42) | the same, from arrays |
//! | `places N COLUMNS` | also their places, from 1, as `place` | the same |
//! | `among N` | in the numbers of value N | the same |
//! | `collect VALUES` | one JSON array of an array for each row | the same |
//! | `for update`, `for update of T` | nothing: there is one writer | locks the rows |
//! | `open turns`, `open messages` | repeats the text of the partial index, which SQLite needs | nothing |
//!
//! COLUMNS are names; a kind other than a number follows its name (`url text`), and `..T` stands for the columns of
//! table T. VALUES are expressions; `..T of A` stands for the columns of T in the row A. Rows have the name `r`.
//! Another mark makes the statement fail.

use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use botfleet_actors::ports::store::StoreError;

use super::values::{Column, Database, Kind};
use crate::store::rows::part::unreadable;
use crate::store::tables::columns_of;

/// A statement, with its name in logs and metrics.
pub(crate) struct Sql {
    pub(crate) name: &'static str,
    text: &'static str,
    filled_in: [OnceLock<Arc<str>>; 2],
}

impl Sql {
    /// Makes a statement of a text with marks.
    pub(crate) const fn new(name: &'static str, text: &'static str) -> Self {
        Self { name, text, filled_in: [const { OnceLock::new() }; 2] }
    }

    /// Returns the text for a database.
    ///
    /// # Errors
    /// `Incompatible` when a mark is unknown; a test goes through all statements.
    pub(crate) fn text(&self, database: Database) -> Result<Arc<str>, StoreError> {
        let slot = &self.filled_in[usize::from(database == Database::Postgres)];
        if let Some(text) = slot.get() {
            return Ok(text.clone());
        }
        let (text, _) = self.part(database, 0)?;
        Ok(slot.get_or_init(|| text.into()).clone())
    }

    /// Returns the text as a part of a longer statement, with its values numbered after `before` earlier ones, and how
    /// many there are then.
    pub(crate) fn part(&self, database: Database, before: usize) -> Result<(String, usize), StoreError> {
        fill_in(self.text, database, before).map_err(|mark| unreadable(self.name, format!("unknown mark `{mark}`")))
    }
}

/// Declares the statements of a file, and the list of all of them.
macro_rules! statements {
    ($($(#[$doc:meta])* $statement:ident $name:literal = $text:expr;)+) => {
        $(
            $(#[$doc])*
            pub(crate) static $statement: $crate::store::sql::text::Sql =
                $crate::store::sql::text::Sql::new($name, $text);
        )+

        /// All statements of this file.
        #[allow(dead_code, reason = "a test goes through the statements of most files")]
        pub(crate) static ALL: &[&$crate::store::sql::text::Sql] = &[$(&$statement),+];
    };
}

pub(crate) use statements;

/// Fills in the marks and numbers the values; the error is the first mark that is unknown.
fn fill_in(text: &'static str, database: Database, before: usize) -> Result<(String, usize), &'static str> {
    let mut filled = String::with_capacity(text.len() * 2);
    // How many values of the database each value of the text takes, from the second on.
    let mut widths: Vec<usize> = Vec::new();
    for (place, piece) in text.split('`').enumerate() {
        if place % 2 == 0 {
            filled.push_str(piece);
        } else {
            mark(piece, database, &mut filled, &mut widths).ok_or(piece)?;
        }
    }
    Ok(numbered(&filled, &widths, before))
}

fn mark(mark: &'static str, database: Database, into: &mut String, widths: &mut Vec<usize>) -> Option<()> {
    if let Some((sqlite, postgres)) = mark.split_once('|') {
        into.push_str(if database == Database::Sqlite { sqlite } else { postgres });
        return Some(());
    }
    let (word, rest) = mark.split_once(' ').unwrap_or((mark, ""));
    match (word, rest) {
        ("columns", table) => into.push_str(&joined(columns_of(table)?, |column| column.name.to_owned())),
        ("set", table) => into.push_str(&joined(columns_of(table)?, |column| format!("{0} = r.{0}", column.name))),
        ("rows" | "places", rest) => {
            let (value, columns) = rest.split_once(' ')?;
            let (number, columns) = (value.parse::<usize>().ok()?, given(columns)?);
            if database == Database::Postgres {
                widths.resize(widths.len().max(number + 1), 1);
                *widths.get_mut(number)? = columns.len();
            }
            into.push_str(&rows(database, number, &columns, word == "places"));
        }
        ("among", value) if database == Database::Sqlite => {
            let _ = write!(into, "IN (SELECT value FROM json_each(${value}))");
        }
        ("among", value) => {
            let _ = write!(into, "= ANY(${value})");
        }
        ("collect", values) => {
            let values = joined(values.split(", "), expression);
            let (all, each) = if database == Database::Sqlite {
                ("json_group_array", "json_array")
            } else {
                ("json_agg", "json_build_array")
            };
            let _ = write!(into, "{all}({each}({values}))");
        }
        ("for", what) if what == "update" || what.starts_with("update of ") => {
            if database == Database::Postgres {
                into.push_str(&what.replacen("update", "FOR NO KEY UPDATE", 1).replace(" of ", " OF "));
            }
        }
        ("open", "turns") if database == Database::Sqlite => {
            into.push_str("state IN ('queued', 'claimed', 'dead') AND");
        }
        ("open", "messages") if database == Database::Sqlite => {
            into.push_str("state IN ('queued', 'sending', 'retry_at', 'unknown') AND");
        }
        ("open", "turns" | "messages") => {}
        _ => return None,
    }
    Some(())
}

fn joined<T>(items: impl IntoIterator<Item = T>, each: impl Fn(T) -> String) -> String {
    items.into_iter().map(each).collect::<Vec<_>>().join(", ")
}

/// Reads a list of columns.
fn given(list: &'static str) -> Option<Vec<Column>> {
    let mut columns = Vec::new();
    for item in list.split(", ") {
        if let Some(table) = item.strip_prefix("..") {
            columns.extend(columns_of(table)?);
            continue;
        }
        let (name, kind) = item.split_once(' ').unwrap_or((item, "number"));
        let kind = match kind {
            "number" => Kind::Number,
            "text" => Kind::Text,
            "json" => Kind::Json,
            "truth" => Kind::Truth,
            _ => return None,
        };
        columns.push(Column { name, kind });
    }
    Some(columns)
}

/// Returns the values of `..T of A`, or the expression itself.
fn expression(item: &str) -> String {
    let columns = item.strip_prefix("..").and_then(|item| item.split_once(" of "));
    match columns.and_then(|(table, row)| Some((columns_of(table)?, row))) {
        Some((columns, row)) => joined(columns, |column| format!("{row}.{}", column.name)),
        None => item.to_owned(),
    }
}

fn rows(database: Database, number: usize, columns: &[Column], places: bool) -> String {
    if database == Database::Postgres {
        let arrays = joined(columns.iter().enumerate(), |(place, column)| {
            let kind = match column.kind {
                Kind::Number => "bigint",
                Kind::Text | Kind::Json => "text",
                Kind::Truth => "boolean",
            };
            format!("${number}#{place}::{kind}[]")
        });
        let names = joined(columns, |column| column.name.to_owned());
        return if places {
            format!("unnest({arrays}) WITH ORDINALITY AS r ({names}, place)")
        } else {
            format!("unnest({arrays}) AS r ({names})")
        };
    }
    let values = joined(columns.iter().enumerate(), |(place, column)| {
        let arrow = if column.kind == Kind::Json { "->" } else { "->>" };
        format!("value {arrow} {place} AS {}", column.name)
    });
    let place = if places { ", key + 1 AS place" } else { "" };
    format!("(SELECT {values}{place} FROM jsonb_each(${number})) AS r")
}

/// Numbers the values: `$N#P` is the column P of the rows N.
fn numbered(text: &str, widths: &[usize], before: usize) -> (String, usize) {
    let mut numbered = String::with_capacity(text.len());
    let width = |value: usize| widths.get(value).copied().unwrap_or(1);
    let mut pieces = text.split('$');
    numbered.push_str(pieces.next().unwrap_or_default());
    let mut last = 0;
    for piece in pieces {
        let (value, rest) = digits(piece);
        let (place, rest) = rest.strip_prefix('#').map_or((None, rest), |rest| {
            let (place, rest) = digits(rest);
            (place, rest)
        });
        match value {
            Some(value) => {
                let first = before + (1..value).map(width).sum::<usize>() + 1;
                last = last.max(value);
                let _ = write!(numbered, "${}{rest}", first + place.unwrap_or(0));
            }
            None => {
                let _ = write!(numbered, "${piece}");
            }
        }
    }
    (numbered, before + (1..=last).map(width).sum::<usize>())
}

fn digits(text: &str) -> (Option<usize>, &str) {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(digits);
    (number.parse().ok(), rest)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn both(text: &'static str) -> [String; 2] {
        [Database::Sqlite, Database::Postgres].map(|database| fill_in(text, database, 0).unwrap().0)
    }

    #[test]
    fn each_database_takes_its_side() {
        assert_eq!(both("SELECT `max|greatest`(1, 2)"), ["SELECT max(1, 2)", "SELECT greatest(1, 2)"]);
        assert_eq!(
            both("a `among 1` `for update of a`"),
            ["a IN (SELECT value FROM json_each($1)) ", "a = ANY($1) FOR NO KEY UPDATE OF a",]
        );
    }

    #[test]
    fn rows_take_a_value_for_each_column_on_postgresql() {
        assert_eq!(
            both("$1 FROM `rows 2 a, b text` WHERE $3"),
            [
                "$1 FROM (SELECT value ->> 0 AS a, value ->> 1 AS b FROM jsonb_each($2)) AS r WHERE $3",
                "$1 FROM unnest($2::bigint[], $3::text[]) AS r (a, b) WHERE $4",
            ]
        );
    }

    #[test]
    fn parts_number_their_values_one_after_the_other() {
        let part = fill_in("a `rows 1 x, y` $2", Database::Postgres, 3).unwrap();
        assert_eq!(part, ("a unnest($4::bigint[], $5::bigint[]) AS r (x, y) $6".to_owned(), 6));
    }

    #[test]
    fn an_unknown_mark_is_no_statement() {
        for text in
            ["SELECT `columns nobody`", "`rows 1 a date`", "`for sale`", "`open doors`", "`nonsense`", "`rows x a`"]
        {
            for database in [Database::Sqlite, Database::Postgres] {
                assert!(fill_in(text, database, 0).is_err(), "{text}");
            }
        }
    }
}
