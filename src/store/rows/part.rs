//! Parts of rows: the values that one or more columns hold, read and written by the same list. Layer: adapter.
//!
//! [`columns!`] names the columns of a domain type once, by its fields; a forgotten field does not compile.

use std::sync::Arc;

use botfleet_actors::ports::store::StoreError;
use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use crate::store::sql::values::{Column, Kind, Rows};

/// Reports a stored value that this version cannot read.
pub(crate) fn unreadable(what: &str, value: impl std::fmt::Display) -> StoreError {
    StoreError::Incompatible(format!("{what}: {value}"))
}

/// A row of either database, or of a JSON array: 64-bit integers, texts and booleans.
pub(crate) trait Cells {
    /// Reads an integer; `None` when the column is NULL.
    fn number(&self, index: usize) -> Result<Option<i64>, StoreError>;
    /// Reads a text; `None` when the column is NULL.
    fn text(&self, index: usize) -> Result<Option<&str>, StoreError>;
    /// Reads a boolean.
    fn truth(&self, index: usize) -> Result<bool, StoreError>;
}

macro_rules! cells {
    ($($row:ty)+) => {$(
        impl Cells for $row {
            fn number(&self, index: usize) -> Result<Option<i64>, StoreError> {
                self.try_get_unchecked(index).map_err(|error| unreadable("column", error))
            }

            fn text(&self, index: usize) -> Result<Option<&str>, StoreError> {
                self.try_get_unchecked(index).map_err(|error| unreadable("column", error))
            }

            fn truth(&self, index: usize) -> Result<bool, StoreError> {
                self.try_get_unchecked(index).map_err(|error| unreadable("column", error))
            }
        }
    )+};
}

cells!(SqliteRow PgRow);

/// Reads the columns of a row from left to right.
pub(crate) struct Columns<'r> {
    row: &'r dyn Cells,
    next: usize,
}

impl<'r> Columns<'r> {
    /// Begins at the first column.
    pub(crate) fn of(row: &'r dyn Cells) -> Self {
        Self { row, next: 0 }
    }

    /// Reads the next part.
    pub(crate) fn take<P: Part>(&mut self) -> Result<P, StoreError> {
        P::read(self)
    }

    /// Reads the next column as a text; `None` when the column is NULL.
    pub(crate) fn text(&mut self) -> Result<Option<&'r str>, StoreError> {
        let index = self.step();
        self.row.text(index)
    }

    fn step(&mut self) -> usize {
        self.next += 1;
        self.next - 1
    }
}

/// Reads a row that holds one part.
pub(crate) fn read<P: Part>(row: &dyn Cells) -> Result<P, StoreError> {
    P::read(&mut Columns::of(row))
}

/// A value that can be written to one or more columns.
pub(crate) trait Put {
    /// Appends the columns. A value of one column takes the name that its owner gives it.
    fn columns(name: &'static str, into: &mut Vec<Column>);
    /// Writes the value as the next columns of a row.
    fn put(&self, rows: &mut Rows);
}

/// A value that can be read from one or more columns.
pub(crate) trait Part: Sized {
    /// Reads the value from the next columns of a row.
    fn read(columns: &mut Columns<'_>) -> Result<Self, StoreError>;
}

/// A value of one column, which may be NULL where the value is optional.
pub(crate) trait Cell: Sized {
    /// The kind of the column.
    const KIND: Kind;
    /// Reads the value; `None` when the column is NULL.
    fn get(row: &dyn Cells, index: usize) -> Result<Option<Self>, StoreError>;
    /// Writes the value; `None` is NULL.
    fn set(value: Option<&Self>, rows: &mut Rows);
}

impl<T: Cell> Put for T {
    fn columns(name: &'static str, into: &mut Vec<Column>) {
        into.push(Column { name, kind: T::KIND });
    }

    fn put(&self, rows: &mut Rows) {
        T::set(Some(self), rows);
    }
}

impl<T: Cell> Part for T {
    fn read(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        let index = columns.step();
        T::get(columns.row, index)?.ok_or_else(|| unreadable("column", format!("{index} is empty")))
    }
}

impl<T: Cell> Put for Option<T> {
    fn columns(name: &'static str, into: &mut Vec<Column>) {
        // A document that is not there is NULL, not the JSON `null`.
        let kind = if T::KIND == Kind::Json { Kind::Text } else { T::KIND };
        into.push(Column { name, kind });
    }

    fn put(&self, rows: &mut Rows) {
        T::set(self.as_ref(), rows);
    }
}

impl<T: Cell> Part for Option<T> {
    fn read(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        let index = columns.step();
        T::get(columns.row, index)
    }
}

impl<P: Part> Part for Arc<P> {
    fn read(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        columns.take().map(Self::new)
    }
}

/// A part that is written from a reference.
pub(crate) struct Of<'a, P>(pub(crate) &'a P);

impl<P: Put> Put for Of<'_, P> {
    fn columns(name: &'static str, into: &mut Vec<Column>) {
        P::columns(name, into);
    }

    fn put(&self, rows: &mut Rows) {
        self.0.put(rows);
    }
}

/// A row whose last part changes during its life.
pub(crate) trait Moving: Put {
    /// The part that changes.
    type Progress: Put;

    /// Writes the columns before that part.
    fn put_head(&self, rows: &mut Rows);
}

/// A row with another progress than its own.
pub(crate) struct Latest<'a, M: Moving>(pub(crate) &'a M, pub(crate) &'a M::Progress);

impl<M: Moving> Put for Latest<'_, M> {
    fn columns(name: &'static str, into: &mut Vec<Column>) {
        M::columns(name, into);
    }

    fn put(&self, rows: &mut Rows) {
        self.0.put_head(rows);
        self.1.put(rows);
    }
}

macro_rules! tuples {
    ($(($($part:ident $place:tt)+))+) => {$(
        impl<$($part: Put),+> Put for ($($part,)+) {
            fn columns(name: &'static str, into: &mut Vec<Column>) {
                $($part::columns(name, into);)+
            }

            fn put(&self, rows: &mut Rows) {
                $(self.$place.put(rows);)+
            }
        }

        impl<$($part: Part),+> Part for ($($part,)+) {
            fn read(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
                Ok(($(columns.take::<$part>()?,)+))
            }
        }
    )+};
}

tuples! {
    (A 0 B 1)
    (A 0 B 1 C 2)
    (A 0 B 1 C 2 D 3)
    (A 0 B 1 C 2 D 3 F 4)
    (A 0 B 1 C 2 D 3 F 4 G 5)
    (A 0 B 1 C 2 D 3 F 4 G 5 H 6)
}

/// Returns the columns of a field; the closure tells the field's type.
pub(crate) fn field<S, P: Put>(_: fn(&S) -> &P, name: &'static str, into: &mut Vec<Column>) {
    P::columns(name, into);
}

/// Names the columns of a type by its fields, in their order. A field of several columns brings their names. A field
/// after `as` has another name as a column, one after `;` is not stored, and one after `then` changes during the row's
/// life.
macro_rules! columns {
    ($type:ty { $($field:ident),+ } then $progress:ident: $part:ty) => {
        $crate::store::rows::part::columns!($type { $($field),+, $progress });

        impl $crate::store::rows::part::Moving for $type {
            type Progress = $part;

            fn put_head(&self, rows: &mut $crate::store::sql::values::Rows) {
                $($crate::store::rows::part::Put::put(&self.$field, rows);)+
            }
        }
    };
    ($type:ty { $($field:ident $(as $name:ident)?),+ $(; $absent:ident = $value:expr)? }) => {
        impl $crate::store::rows::part::Put for $type {
            fn columns(_: &'static str, into: &mut Vec<$crate::store::sql::values::Column>) {
                $($crate::store::rows::part::field(
                    |row: &$type| &row.$field,
                    $crate::store::rows::part::name_of!($field $($name)?),
                    into,
                );)+
            }

            fn put(&self, rows: &mut $crate::store::sql::values::Rows) {
                $($crate::store::rows::part::Put::put(&self.$field, rows);)+
            }
        }

        impl $crate::store::rows::part::Part for $type {
            fn read(
                columns: &mut $crate::store::rows::part::Columns<'_>,
            ) -> Result<Self, botfleet_actors::ports::store::StoreError> {
                Ok(Self { $($field: columns.take()?,)+ $($absent: $value)? })
            }
        }
    };
}

macro_rules! name_of {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $name:ident) => {
        stringify!($name)
    };
}

pub(crate) use {columns, name_of};
