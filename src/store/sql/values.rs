//! Values of statements, in the form that each database takes. Layer: adapter.
//!
//! A set of rows is one value: SQLite gets a JSON array, which `json_each` turns into rows again, and PostgreSQL an
//! array for each column, which `unnest` joins.

use std::borrow::Cow;

use botfleet_actors::domain::ids::{
    BotId, ChatId, MessageId, Number, OutboxId, TelegramChatId, TelegramUserId, TurnId,
};
use botfleet_actors::domain::operators::OperatorId;
use botfleet_actors::domain::time::Timestamp;
use serde::Serialize;
use sqlx::error::BoxDynError;
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, Error};

use crate::store::rows::part::Put;

/// A database that the store works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Database {
    /// One machine, one file.
    Sqlite,
    /// A server, many nodes.
    Postgres,
}

/// The kinds of columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Number,
    Text,
    /// A JSON text, `null` included.
    Json,
    Truth,
}

/// The name and the kind of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

/// One value of a statement.
pub(crate) enum Value<'q> {
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

pub(crate) use values;

macro_rules! from {
    ($($type:ty: $make:expr;)+) => {$(
        impl<'q> From<$type> for Value<'q> {
            fn from(value: $type) -> Self {
                let make: fn($type) -> Self = $make;
                make(value)
            }
        }
    )+};
}

macro_rules! from_ids {
    ($($id:ident)+) => { from! { $($id: |id| id.0.into();)+ } };
}

from_ids!(BotId ChatId TelegramUserId TelegramChatId MessageId Number OperatorId OutboxId TurnId);

from! {
    i64: |number| Self::Number(Some(number));
    Option<i64>: Self::Number;
    // A limit: what is more than a number can hold is no limit.
    usize: |limit| Self::Number(Some(i64::try_from(limit).unwrap_or(i64::MAX)));
    u64: |number| Self::Number(i64::try_from(number).ok());
    u32: |number| i64::from(number).into();
    Timestamp: |at| at.as_millis().into();
    &'q str: |text| Self::Text(Some(text.into()));
    Option<&'q str>: |text| Self::Text(text.map(Cow::Borrowed));
    String: |text| Self::Text(Some(text.into()));
    Vec<i64>: Self::Numbers;
    Rows: Self::Rows;
}

/// Rows that a statement takes as one value.
pub(crate) struct Rows {
    form: Form,
    len: usize,
    /// A value was of another kind than its column.
    misfits: bool,
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

/// One value of a column.
enum One {
    Number(Option<i64>),
    Text(Option<String>),
    Truth(bool),
}

impl Rows {
    /// Builds the value from rows.
    pub(crate) fn of<P: Put>(database: Database, rows: impl IntoIterator<Item = P>) -> Self {
        let mut all = Self::empty::<P>(database);
        for row in rows {
            all.add(&row);
        }
        all
    }

    /// Builds the value from rows that stay where they are.
    pub(crate) fn over<'r, P: Put + 'r>(database: Database, rows: impl IntoIterator<Item = &'r P>) -> Self {
        let mut all = Self::empty::<P>(database);
        for row in rows {
            all.add(row);
        }
        all
    }

    fn empty<P: Put>(database: Database) -> Self {
        let form = match database {
            Database::Sqlite => Form::Json(Vec::new()),
            Database::Postgres => {
                let mut columns = Vec::new();
                P::columns("", &mut columns);
                Form::Arrays(columns.into_iter().map(|column| Array::of(column.kind)).collect(), 0)
            }
        };
        Self { form, len: 0, misfits: false }
    }

    /// Returns whether there are no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn add<P: Put>(&mut self, row: &P) {
        match &mut self.form {
            Form::Json(json) if json.is_empty() => {
                json.reserve(256);
                json.extend(b"[[");
            }
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
    pub(crate) fn number(&mut self, number: Option<i64>) {
        match &mut self.form {
            Form::Json(json) => write(json, &number),
            Form::Arrays(..) => self.push(One::Number(number)),
        }
    }

    /// Writes the next column: a text.
    pub(crate) fn text(&mut self, text: Option<&str>) {
        match &mut self.form {
            Form::Json(json) => write(json, &text),
            Form::Arrays(..) => self.push(One::Text(text.map(|text| clean(text).into_owned()))),
        }
    }

    /// Writes the next column: a JSON document.
    pub(crate) fn json<T: Serialize>(&mut self, document: Option<&T>) {
        match &mut self.form {
            Form::Json(json) => write(json, &document),
            Form::Arrays(..) => self.push(One::Text(document.map(json))),
        }
    }

    /// Writes the next column: a boolean.
    pub(crate) fn truth(&mut self, truth: bool) {
        match &mut self.form {
            Form::Json(json) => write(json, &u8::from(truth)),
            Form::Arrays(..) => self.push(One::Truth(truth)),
        }
    }

    fn push(&mut self, one: One) {
        let Form::Arrays(arrays, next) = &mut self.form else { return };
        match (arrays.get_mut(*next), one) {
            (Some(Array::Numbers(column)), One::Number(number)) => column.push(number),
            (Some(Array::Texts(column)), One::Text(text)) => column.push(text),
            (Some(Array::Truths(column)), One::Truth(truth)) => column.push(truth),
            _ => self.misfits = true,
        }
        *next += 1;
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
pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> String {
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
    if rows.pop().is_none() {
        rows.push(b'[');
    }
    rows.push(b']');
    String::from_utf8(rows).unwrap_or_default()
}

/// Returns the arguments of a statement on SQLite.
pub(crate) fn for_sqlite(values: Vec<Value<'_>>) -> Result<SqliteArguments, Error> {
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
pub(crate) fn for_postgres(values: &[Value<'_>]) -> Result<PgArguments, Error> {
    let mut arguments = PgArguments::default();
    let added: Result<(), BoxDynError> = values.iter().try_for_each(|value| match value {
        Value::Number(number) => arguments.add(*number),
        Value::Text(text) => arguments.add(text.as_deref().map(clean)),
        Value::Numbers(numbers) => arguments.add(numbers),
        Value::Rows(Rows { form: Form::Arrays(arrays, _), misfits: false, .. }) => {
            arrays.iter().try_for_each(|array| match array {
                Array::Numbers(numbers) => arguments.add(numbers),
                Array::Texts(texts) => arguments.add(texts),
                Array::Truths(truths) => arguments.add(truths),
            })
        }
        Value::Rows(_) => Err("rows of another database, or values of another kind than their columns".into()),
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
