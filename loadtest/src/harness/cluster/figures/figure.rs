//! A measured promise: rows, their limits, and the table. Layer: harness; plain data.

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use crate::harness::measure::Spread;

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// Its name on the command line.
    pub figure: &'static str,
    /// On what it was measured.
    pub fleet: String,
    /// What came of it.
    pub rows: Vec<Row>,
}

/// One value.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// What it is.
    pub name: String,
    /// The value.
    pub value: Value,
    /// As people read it.
    #[serde(skip)]
    pub text: String,
    /// What was promised, where something was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// Whether the promise was kept.
    pub kept: bool,
}

impl Figure {
    /// A figure without rows.
    pub fn new(figure: &'static str, fleet: String) -> Self {
        Self { figure, fleet, rows: Vec::new() }
    }

    /// Whether every promise was kept.
    pub fn is_clean(&self) -> bool {
        self.rows.iter().all(|row| row.kept)
    }

    /// Notes a value that nothing is promised of.
    pub fn tell(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        let value = value.into();
        let text = match &value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        self.rows.push(Row { name: name.into(), value, text, limit: None, kept: true });
    }

    /// Notes how times are spread.
    pub fn tell_spread(&mut self, name: impl Into<String>, spread: &Spread) {
        let value = serde_json::to_value(spread).unwrap_or(Value::Null);
        let text = format!("{spread} ({} times)", spread.count());
        self.rows.push(Row { name: name.into(), value, text, limit: None, kept: true });
    }

    /// Notes a number that must be below, or at most, a limit.
    pub fn promise(&mut self, name: impl Into<String>, value: f64, limit: f64, unit: &str) {
        self.rows.push(Row {
            name: name.into(),
            value: json!(value),
            text: format!("{value:.2} {unit}"),
            limit: Some(format!("at most {limit} {unit}")),
            kept: value <= limit,
        });
    }

    /// Notes a number that must reach a limit.
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
