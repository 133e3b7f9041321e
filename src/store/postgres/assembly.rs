//! Assembles statements from parts. Layer: adapter.
//!
//! A batch is read by one statement and written by one statement, whatever the batch's size: rows travel as arrays, one
//! for each column, and the text holds only the parts that the batch needs. There are few texts, so the server keeps
//! them all prepared.

use std::borrow::Cow;
use std::fmt::Write as _;

use sqlx::postgres::{PgArguments, PgHasArrayType};
use sqlx::{Arguments, AssertSqlSafe, Encode, Error, Postgres, Type};

use super::session::Statement;

/// The parameters of a statement, each of whose parts numbers its own from 1.
#[derive(Default)]
pub(super) struct Assembly {
    arguments: PgArguments,
    before: usize,
    fault: Option<Error>,
}

impl Assembly {
    /// Ends a part: returns its text, with its parameters renumbered to follow those of earlier parts.
    pub(super) fn part(&mut self, text: &str) -> String {
        let mut numbered = String::with_capacity(text.len() + 64);
        let mut pieces = text.split('$');
        numbered.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
            let (number, rest) = piece.split_at(digits);
            match number.parse::<usize>() {
                Ok(number) => {
                    let _ = write!(numbered, "${}{rest}", number + self.before);
                }
                Err(_) => {
                    let _ = write!(numbered, "${piece}");
                }
            }
        }
        self.before = self.arguments.len();
        numbered
    }

    /// Adds a parameter.
    pub(super) fn value<'q, T: Encode<'q, Postgres> + Type<Postgres> + 'q>(&mut self, value: T) -> &mut Self {
        if let Err(cause) = self.arguments.add(value) {
            self.fault = Some(Error::Encode(cause));
        }
        self
    }

    /// Adds a parameter that holds one column of the rows, as an array.
    pub(super) fn column<'q, R, T>(&mut self, rows: &'q [R], of: impl Fn(&'q R) -> T) -> &mut Self
    where
        T: Encode<'q, Postgres> + Type<Postgres> + PgHasArrayType + 'q,
    {
        self.value(rows.iter().map(of).collect::<Vec<T>>())
    }

    /// Returns the statement of a text whose parts have all ended.
    pub(super) fn statement(self, text: String) -> Result<Statement<'static>, Error> {
        match self.fault {
            None => Ok(sqlx::query_with(AssertSqlSafe(text), self.arguments)),
            Some(fault) => Err(fault),
        }
    }
}

/// Returns the text in a form that PostgreSQL can store: NUL is replaced by U+FFFD.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_number_their_values_one_after_the_other() {
        let mut assembly = Assembly::default();
        assembly.value(1_i64).value(2_i64);
        assert_eq!(assembly.part("a $1, $2"), "a $1, $2");
        assembly.value("x");
        assert_eq!(assembly.part("b = $1 OR c = $1"), "b = $3 OR c = $3");
    }

    #[test]
    fn a_text_without_nul_stays_as_it_is() {
        assert!(matches!(clean("günaydın"), Cow::Borrowed("günaydın")));
        assert_eq!(clean("a\0b"), "a\u{fffd}b");
    }
}
