//! Values of statements, in the form that each database takes. Layer: adapter.
//!
//! A set of rows is one value: SQLite gets a JSON array, which `json_each` turns into rows again, and PostgreSQL an
//! array for each column, which `unnest` joins.

use std::borrow::Cow;

use serde::Serialize;
use sqlx::error::BoxDynError;
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, Error};

use crate::store::rows::part::Put;

/// A database that the store works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Database {
    /// One machine, one file.
    Sqlite,
    /// A server, many nodes.
    Postgres,
}

/// The kinds of columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Kind {
    Number,
    Text,
    /// A JSON text, `null` included.
    Json,
    Truth,
}

/// The name and the kind of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Column {
    pub(in crate::store) name: &'static str,
    pub(in crate::store) kind: Kind,
}

/// One value of a statement.
pub(in crate::store) enum Value<'q> {
    Number(Option<i64>),
    Text(Option<Cow<'q, str>>),
    /// Numbers that a column is looked for among.
    Numbers(Vec<i64>),
    Rows(Rows),
}

/// Makes the values of a statement, `$1` first.
macro_rules! values {
    ($($value:expr),* $(,)?) => {
        vec![$($crate::store::sql::values::Value::from($value)),*]
    };
}

pub(in crate::store) use values;

macro_rules! numbers {
    ($($id:ident)+) => {$(
        impl From<botfleet_actors::domain::ids::$id> for Value<'_> {
            fn from(id: botfleet_actors::domain::ids::$id) -> Self {
                Self::Number(Some(id.0))
            }
        }
    )+};
}

numbers!(BotId ChatId TelegramUserId TelegramChatId MessageId Number OutboxId TurnId);

impl From<botfleet_actors::domain::time::Timestamp> for Value<'_> {
    fn from(at: botfleet_actors::domain::time::Timestamp) -> Self {
        Self::Number(Some(at.as_millis()))
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Number(Some(number))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(number: Option<i64>) -> Self {
        Self::Number(number)
    }
}

/// A limit: what is more than a number can hold is no limit.
impl From<usize> for Value<'_> {
    fn from(limit: usize) -> Self {
        Self::Number(Some(i64::try_from(limit).unwrap_or(i64::MAX)))
    }
}

impl<'q> From<&'q str> for Value<'q> {
    fn from(text: &'q str) -> Self {
        Self::Text(Some(text.into()))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(Some(text.into()))
    }
}

impl<'q> From<Option<&'q str>> for Value<'q> {
    fn from(text: Option<&'q str>) -> Self {
        Self::Text(text.map(Cow::Borrowed))
    }
}

impl From<Vec<i64>> for Value<'_> {
    fn from(numbers: Vec<i64>) -> Self {
        Self::Numbers(numbers)
    }
}

impl From<Rows> for Value<'_> {
    fn from(rows: Rows) -> Self {
        Self::Rows(rows)
    }
}

/// Rows that a statement takes as one value.
pub(in crate::store) struct Rows {
    form: Form,
    len: usize,
}

enum Form {
    /// For SQLite: a JSON array of rows.
    Json(Vec<u8>),
    /// For PostgreSQL: an array for each column, and the column that is written next.
    Arrays(Vec<Array>, usize),
}

enum Array {
    Numbers(Vec<Option<i64>>),
    Texts(Vec<Option<String>>),
    Truths(Vec<bool>),
}

impl Rows {
    /// Builds the value from rows.
    pub(in crate::store) fn of<P: Put>(database: Database, rows: impl IntoIterator<Item = P>) -> Self {
        let mut all = Self::empty::<P>(database);
        for row in rows {
            all.add(&row);
        }
        all
    }

    /// Builds the value from rows that stay where they are.
    pub(in crate::store) fn over<'r, P: Put + 'r>(database: Database, rows: impl IntoIterator<Item = &'r P>) -> Self {
        let mut all = Self::empty::<P>(database);
        for row in rows {
            all.add(row);
        }
        all
    }

    fn empty<P: Put>(database: Database) -> Self {
        let form = match database {
            Database::Sqlite => Form::Json(vec![b'[']),
            Database::Postgres => {
                let mut columns = Vec::new();
                P::columns("", &mut columns);
                Form::Arrays(columns.into_iter().map(|column| Array::of(column.kind)).collect(), 0)
            }
        };
        Self { form, len: 0 }
    }

    /// Returns whether there are no rows.
    pub(in crate::store) fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn add<P: Put>(&mut self, row: &P) {
        match &mut self.form {
            Form::Json(json) => json.push(b'['),
            Form::Arrays(_, next) => *next = 0,
        }
        row.put(self);
        self.len += 1;
        if let Form::Json(json) = &mut self.form {
            // Each value and each row ends with a comma; the last one gives way to the bracket.
            json.pop();
            json.extend(b"],");
        }
    }

    /// Writes the next column: a number.
    pub(in crate::store) fn number(&mut self, number: Option<i64>) {
        match &mut self.form {
            Form::Json(json) => write(json, &number),
            Form::Arrays(..) => {
                if let Some(Array::Numbers(column)) = self.column() {
                    column.push(number);
                }
            }
        }
    }

    /// Writes the next column: a text.
    pub(in crate::store) fn text(&mut self, text: Option<&str>) {
        match &mut self.form {
            Form::Json(json) => write(json, &text),
            Form::Arrays(..) => self.put_text(text.map(|text| clean(text).into_owned())),
        }
    }

    /// Writes the next column: a JSON document.
    pub(in crate::store) fn json<T: Serialize>(&mut self, document: Option<&T>) {
        match &mut self.form {
            Form::Json(json) => write(json, &document),
            Form::Arrays(..) => self.put_text(document.map(json)),
        }
    }

    /// Writes the next column: a boolean.
    pub(in crate::store) fn truth(&mut self, truth: bool) {
        match &mut self.form {
            Form::Json(json) => write(json, &u8::from(truth)),
            Form::Arrays(..) => {
                if let Some(Array::Truths(column)) = self.column() {
                    column.push(truth);
                }
            }
        }
    }

    fn put_text(&mut self, text: Option<String>) {
        if let Some(Array::Texts(column)) = self.column() {
            column.push(text);
        }
    }

    fn column(&mut self) -> Option<&mut Array> {
        let Form::Arrays(arrays, next) = &mut self.form else { return None };
        *next += 1;
        arrays.get_mut(*next - 1)
    }
}

impl Array {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Number => Self::Numbers(Vec::new()),
            Kind::Text | Kind::Json => Self::Texts(Vec::new()),
            Kind::Truth => Self::Truths(Vec::new()),
        }
    }
}

/// Encodes a value as JSON; what the store holds cannot fail to serialise.
pub(in crate::store) fn json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "[]".to_owned())
}

fn write<T: Serialize>(into: &mut Vec<u8>, value: &T) {
    let _ = serde_json::to_writer(&mut *into, value);
    into.push(b',');
}

/// Returns the text in a form that PostgreSQL can store: NUL is replaced by U+FFFD.
fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

fn ended(mut rows: Vec<u8>) -> String {
    if rows.len() > 1 {
        rows.pop();
    }
    rows.push(b']');
    String::from_utf8(rows).unwrap_or_default()
}

/// Returns the arguments of a statement on SQLite.
pub(in crate::store) fn for_sqlite(values: Vec<Value<'_>>) -> Result<SqliteArguments, Error> {
    let mut arguments = SqliteArguments::default();
    arguments.reserve(values.len(), 0);
    let added: Result<(), BoxDynError> = values.into_iter().try_for_each(|value| match value {
        Value::Number(number) => arguments.add(number),
        Value::Text(text) => arguments.add(text.map(Cow::into_owned)),
        Value::Numbers(numbers) => arguments.add(json(&numbers)),
        Value::Rows(Rows { form: Form::Json(rows), .. }) => arguments.add(ended(rows)),
        Value::Rows(_) => Err("rows of another database".into()),
    });
    added.map(|()| arguments).map_err(Error::Encode)
}

/// Returns the arguments of a statement on PostgreSQL.
pub(in crate::store) fn for_postgres(values: &[Value<'_>]) -> Result<PgArguments, Error> {
    let mut arguments = PgArguments::default();
    let added: Result<(), BoxDynError> = values.iter().try_for_each(|value| match value {
        Value::Number(number) => arguments.add(*number),
        Value::Text(text) => arguments.add(text.as_deref().map(clean)),
        Value::Numbers(numbers) => arguments.add(numbers),
        Value::Rows(Rows { form: Form::Arrays(arrays, _), .. }) => arrays.iter().try_for_each(|array| match array {
            Array::Numbers(numbers) => arguments.add(numbers),
            Array::Texts(texts) => arguments.add(texts),
            Array::Truths(truths) => arguments.add(truths),
        }),
        Value::Rows(_) => Err("rows of another database".into()),
    });
    added.map(|()| arguments).map_err(Error::Encode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_nul_stays_as_it_is() {
        assert!(matches!(clean("günaydın"), Cow::Borrowed("günaydın")));
        assert_eq!(clean("a\0b"), "a\u{fffd}b");
    }

    #[test]
    fn rows_are_a_json_array_on_sqlite() {
        let rows = Rows::of(Database::Sqlite, [(1_i64, Some("a\"b")), (2, None)]);
        let Form::Json(json) = rows.form else { unreachable!("SQLite takes JSON") };
        assert_eq!(ended(json), r#"[[1,"a\"b"],[2,null]]"#);
        let none = Rows::of::<(i64, i64)>(Database::Sqlite, []);
        let Form::Json(json) = none.form else { unreachable!("SQLite takes JSON") };
        assert_eq!(ended(json), "[]");
    }
}
