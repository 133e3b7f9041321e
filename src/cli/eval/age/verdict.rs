//! Judges a year: what grew, and what became slower. Part of `cli`.

use std::fmt::Write as _;
use std::io::{Write as _, stdout};
use std::process::ExitCode;
use std::sync::LazyLock;
use std::time::Duration;

use serde_json::json;

use super::AgeArgs;
use super::costs::Cost;
use crate::cli::check::table;
use crate::store::settings::Backend;
use crate::store::sizes::TableSize;
use crate::store::tables::{Rows, TABLES};

/// The most that the size may grow, as a ratio.
const SIZE_MAX: f64 = 1.2;
/// The most that a call may cost more, as a ratio.
const COST_MAX: f64 = 1.3;
/// A difference that is smaller is the machine's.
const COST_NOISE: Duration = Duration::from_micros(30);
/// Tables whose rows are as many as the fleet's bots, chats and people: they are exempt.
static BOUNDED: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let bounded = TABLES.iter().filter(|table| table.rows == Rows::Bounded);
    bounded.map(|table| table.name).collect()
});
/// Calls that read such a table whole: they are exempt.
const BOUNDED_CALLS: [&str; 1] = ["rights"];

/// The store at a day.
pub(super) struct Look {
    pub(super) day: u64,
    pub(super) tables: Vec<TableSize>,
    /// The bytes of the whole database.
    pub(super) total: u64,
    pub(super) costs: Vec<Cost>,
}

/// The whole year.
pub(super) struct Report<'a> {
    pub(super) args: &'a AgeArgs,
    pub(super) messages: u64,
    pub(super) looks: Vec<Look>,
    pub(super) took: Duration,
}

fn ratio(first: f64, last: f64) -> f64 {
    if first > 0.0 { last / first } else { 1.0 }
}

/// Returns how much slower the machine itself was at the second day: most calls cost the same at both. A machine that
/// seems slower may be a store that became slower as a whole, so that counts as the store's.
fn machine(first: &Look, last: &Look) -> f64 {
    let costs = first.costs.iter().zip(&last.costs);
    let mut ratios: Vec<f64> = costs.map(|(before, after)| ratio(micros(before.took), micros(after.took))).collect();
    ratios.sort_by(f64::total_cmp);
    ratios.get(ratios.len() / 2).copied().unwrap_or(1.0).min(1.0)
}

fn micros(took: Duration) -> f64 {
    took.as_secs_f64() * 1e6
}

fn mib(bytes: u64) -> String {
    format!("{:.2}", bytes as f64 / 1_048_576.0)
}

impl Report<'_> {
    /// Returns the bounds that are broken.
    fn broken(&self) -> Vec<String> {
        let [first, last] = self.looks.as_slice() else { return vec!["the two days were not reached".to_owned()] };
        let mut broken = Vec::new();
        let size = ratio(first.total as f64, last.total as f64);
        if size > SIZE_MAX {
            broken.push(format!("the database grew to {size:.2} times its size"));
        }
        for (before, after) in first.tables.iter().zip(&last.tables) {
            let rows = ratio(before.rows as f64, after.rows as f64);
            if rows > SIZE_MAX && !BOUNDED.contains(&before.table.as_str()) {
                broken.push(format!("{} has {rows:.2} times as many rows", before.table));
            }
        }
        let machine = machine(first, last);
        for (before, after) in first.costs.iter().zip(&last.costs) {
            let cost = ratio(micros(before.took) * machine, micros(after.took));
            let more = after.took.saturating_sub(before.took.mul_f64(machine));
            if cost > COST_MAX && more > COST_NOISE && !BOUNDED_CALLS.contains(&before.call) {
                broken.push(format!("{} costs {cost:.2} times as much", before.call));
            }
        }
        broken
    }

    /// Writes the report; the exit code is 1 when a bound is broken.
    ///
    /// # Errors
    /// When stdout is closed.
    pub(super) fn print(&self) -> anyhow::Result<ExitCode> {
        let broken = self.broken();
        let text = if self.args.json { format!("{}\n", self.as_json(&broken)) } else { self.as_text(&broken) };
        stdout().lock().write_all(text.as_bytes())?;
        Ok(if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn as_text(&self, broken: &[String]) -> String {
        let mut text = String::new();
        if let [first, last] = self.looks.as_slice() {
            let days = [format!("day {}", first.day), format!("day {}", last.day)];
            let heads = ["table", "rows", &days[1], "MiB", &days[1], "rows ratio"];
            let rows = first.tables.iter().zip(&last.tables).map(|(before, after)| {
                let ratio = ratio(before.rows as f64, after.rows as f64);
                let [rows, later] = [before.rows, after.rows].map(|rows| rows.to_string());
                vec![before.table.clone(), rows, later, mib(before.bytes), mib(after.bytes), format!("{ratio:.2}")]
            });
            text.push_str(&table(&format!("Tables, {} and {}", days[0], days[1]), &heads, &rows.collect::<Vec<_>>()));
            let rows = first.costs.iter().zip(&last.costs).map(|(before, after)| {
                let (before_us, after_us) = (micros(before.took), micros(after.took));
                let ratio = ratio(before_us, after_us);
                vec![before.call.to_owned(), format!("{before_us:.0}"), format!("{after_us:.0}"), format!("{ratio:.2}")]
            });
            text.push_str(&table(
                "Calls, in microseconds",
                &["call", &days[0], &days[1], "ratio"],
                &rows.collect::<Vec<_>>(),
            ));
            let size = ratio(first.total as f64, last.total as f64);
            let _ = writeln!(text, "Database: {} MiB, then {} MiB ({size:.2}).", mib(first.total), mib(last.total));
        }
        let _ = writeln!(
            text,
            "{} messages of people in {} days: {} % of what {} bots hear at {} an hour. {} s.",
            self.messages,
            self.args.days,
            self.args.scale * 100.0,
            self.args.bots,
            self.args.rate,
            self.took.as_secs()
        );
        let _ =
            writeln!(text, "Not judged, since they grow with bots, chats and people alone: {}.", BOUNDED.join(", "));
        let verdict =
            if broken.is_empty() { "levels off".to_owned() } else { format!("broken: {}", broken.join("; ")) };
        let _ = writeln!(text, "verdict: {verdict}");
        text
    }

    fn as_json(&self, broken: &[String]) -> serde_json::Value {
        let looks = self.looks.iter().map(|look| {
            let tables =
                look.tables.iter().map(|size| json!({ "table": size.table, "rows": size.rows, "bytes": size.bytes }));
            let calls = look.costs.iter().map(|cost| json!({ "call": cost.call, "us": micros(cost.took) }));
            json!({
                "day": look.day, "bytes": look.total,
                "tables": tables.collect::<Vec<_>>(), "calls": calls.collect::<Vec<_>>(),
            })
        });
        json!({
            "store": if self.args.place.store == Backend::Sqlite { "sqlite" } else { "postgres" },
            "days": self.args.days, "bots": self.args.bots, "rate": self.args.rate, "scale": self.args.scale,
            "messages": self.messages, "seconds": self.took.as_secs(),
            "looks": looks.collect::<Vec<_>>(), "broken": broken, "verdict": if broken.is_empty() { "levels off" } else { "broken" },
        })
    }
}
