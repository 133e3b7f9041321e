//! Holds a measured promise: rows, limits, and the table. Layer: harness; plain data.

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use crate::harness::measure::Spread;

/// The result of a measured promise.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// The name of the figure on the command line.
    pub figure: &'static str,
    /// The measured fleet, in words.
    pub fleet: String,
    /// The values, in order.
    pub rows: Vec<Row>,
}

/// One value.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// The name of the value.
    pub name: String,
    /// The value.
    pub value: Value,
    /// The value as people read it.
    #[serde(skip)]
    pub text: String,
    /// The promised limit, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// True if the promise was kept, or nothing was promised.
    pub kept: bool,
}

impl Figure {
    /// Creates a figure without rows.
    pub fn new(figure: &'static str, fleet: String) -> Self {
        Self { figure, fleet, rows: Vec::new() }
    }

    /// Returns whether every promise was kept.
    pub fn is_clean(&self) -> bool {
        self.rows.iter().all(|row| row.kept)
    }

    /// Adds a value without a promise.
    pub fn tell(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        let value = value.into();
        let text = match &value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        self.rows.push(Row { name: name.into(), value, text, limit: None, kept: true });
    }

    /// Adds a distribution of times, without a promise.
    pub fn tell_spread(&mut self, name: impl Into<String>, spread: &Spread) {
        let value = serde_json::to_value(spread).unwrap_or(Value::Null);
        let text = format!("{spread} ({} times)", spread.count());
        self.rows.push(Row { name: name.into(), value, text, limit: None, kept: true });
    }

    /// Adds a number that must be at most a limit.
    pub fn promise(&mut self, name: impl Into<String>, value: f64, limit: f64, unit: &str) {
        self.rows.push(Row {
            name: name.into(),
            value: json!(value),
            text: format!("{value:.2} {unit}"),
            limit: Some(format!("at most {limit} {unit}")),
            kept: value <= limit,
        });
    }

    /// Adds a number that must reach a limit.
    pub fn promise_least(&mut self, name: impl Into<String>, value: f64, limit: f64, unit: &str) {
        self.rows.push(Row {
            name: name.into(),
            value: json!(value),
            text: format!("{value:.2} {unit}"),
            limit: Some(format!("at least {limit} {unit}")),
            kept: value >= limit,
        });
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.figure, self.fleet)?;
        for row in &self.rows {
            write!(f, "{:<44}{}", row.name, row.text)?;
            if let Some(limit) = &row.limit {
                write!(f, "  ({limit}{})", if row.kept { "" } else { ": NOT KEPT" })?;
            }
            writeln!(f)?;
        }
        write!(f, "kept: {}", if self.is_clean() { "yes" } else { "NO" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_beyond_its_limit_is_not_kept() {
        let mut figure = Figure::new("x", "1 node".into());
        figure.promise("a", 3.0, 3.0, "ms");
        figure.promise_least("b", 3.8, 3.8, "times");
        assert!(figure.is_clean());
        figure.promise("c", 3.1, 3.0, "ms");
        assert!(!figure.is_clean() && figure.to_string().contains("NOT KEPT"));
    }
}
