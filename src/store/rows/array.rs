//! Rows that the database has packed into one JSON array. Layer: adapter.

use botfleet_actors::ports::store::StoreError;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::part::{Cells, Part, read, unreadable};

/// Reads all rows of a JSON array of arrays of numbers, without a detour.
pub(crate) fn read_numbers<T: DeserializeOwned>(text: &str) -> Result<Vec<T>, StoreError> {
    serde_json::from_str(text).map_err(|error| unreadable("loaded rows", error))
}

/// Reads all rows of a JSON array of arrays.
pub(crate) fn read_all<P: Part>(text: &str) -> Result<Vec<P>, StoreError> {
    if text == "[]" {
        return Ok(Vec::new());
    }
    read_numbers::<Vec<Value>>(text)?.iter().map(|row| read(row)).collect()
}

impl Cells for Vec<Value> {
    fn number(&self, index: usize) -> Result<Option<i64>, StoreError> {
        match self.get(index) {
            Some(Value::Null) => Ok(None),
            Some(Value::Bool(truth)) => Ok(Some(i64::from(*truth))),
            cell => cell.and_then(Value::as_i64).map(Some).ok_or_else(|| unreadable("loaded column", index)),
        }
    }

    fn text(&self, index: usize) -> Result<Option<&str>, StoreError> {
        match self.get(index) {
            Some(Value::Null) => Ok(None),
            cell => cell.and_then(Value::as_str).map(Some).ok_or_else(|| unreadable("loaded column", index)),
        }
    }

    fn truth(&self, index: usize) -> Result<bool, StoreError> {
        Ok(self.number(index)?.is_some_and(|number| number != 0))
    }
}
