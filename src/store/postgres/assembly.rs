//! Statements put together from parts. Layer: adapter.
//!
//! What a batch reads, and what it writes, is one statement each, whatever the batch's size: rows travel as arrays, one
//! for each column, and only the parts that the batch needs are in the text. There are few texts, so that the server
//! keeps them all prepared.

use std::borrow::Cow;
use std::fmt::Write as _;

use sqlx::postgres::{PgArguments, PgHasArrayType};
use sqlx::{Arguments, AssertSqlSafe, Encode, Error, Postgres, Type};

use super::session::Statement;

/// The values of a statement whose parts number their own from 1.
#[derive(Default)]
pub(super) struct Assembly {
    arguments: PgArguments,
    before: usize,
    fault: Option<Error>,
}

impl Assembly {
    /// Ends a part: its text, with its values numbered after those of the parts before it.
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

    /// Gives a value.
    pub(super) fn value<'q, T: Encode<'q, Postgres> + Type<Postgres> + 'q>(&mut self, value: T) -> &mut Self {
        if let Err(cause) = self.arguments.add(value) {
            self.fault = Some(Error::Encode(cause));
        }
        self
    }

    /// Gives the values of one column.
    pub(super) fn column<'q, R, T>(&mut self, rows: &'q [R], of: impl Fn(&'q R) -> T) -> &mut Self
    where
        T: Encode<'q, Postgres> + Type<Postgres> + PgHasArrayType + 'q,
    {
        self.value(rows.iter().map(of).collect::<Vec<T>>())
    }

    /// The statement of a text whose parts have all ended.
    pub(super) fn statement(self, text: String) -> Result<Statement<'static>, Error> {
        match self.fault {
            None => Ok(sqlx::query_with(AssertSqlSafe(text), self.arguments)),
            Some(fault) => Err(fault),
        }
    }
}

/// A text that PostgreSQL can hold: it knows no NUL.
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
