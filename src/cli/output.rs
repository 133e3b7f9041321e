//! Writes the texts of commands to stdout and stderr. Layer `cli`.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use botfleet_actors::domain::time::Timestamp;

use crate::client::CallError;
use crate::config::fault::{Fault, Faults};

/// Exit code of wrong usage or configuration.
pub const EXIT_USAGE: u8 = 2;

/// Formats each fault as an `error:` line, and its remedy as a `hint:` line.
pub(in crate::cli) fn faults_text(faults: &Faults) -> String {
    let mut text = String::new();
    for fault in &faults.0 {
        let _ = writeln!(text, "error: {}", fault.headline());
        if !fault.remedy.is_empty() {
            let _ = writeln!(text, "hint: {}", fault.remedy);
        }
    }
    text
}

/// Formats an error as an `error:` line; a refusal of the fleet that has a remedy gets it as a `hint:` line.
pub(in crate::cli) fn error_text(error: &anyhow::Error) -> String {
    let hint = error.chain().find_map(|cause| cause.downcast_ref::<CallError>()?.remedy());
    let hint = hint.map(|hint| format!("hint: {hint}\n")).unwrap_or_default();
    format!("error: {error:#}\n{hint}")
}

/// Returns an instant to the second, in UTC.
pub(in crate::cli) fn second(at: Timestamp) -> String {
    let date = chrono::DateTime::from_timestamp_millis(at.as_millis());
    date.map_or_else(|| at.as_millis().to_string(), |at| at.format("%Y-%m-%d %H:%M:%SZ").to_string())
}

pub(in crate::cli) fn tell_warnings(warnings: &[Fault]) {
    for warning in warnings {
        tell(&format!("warning: {warning}\n"));
    }
}

/// Writes one line to stdout.
pub(in crate::cli) fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// Writes to stderr. An error is ignored: there is nobody to tell when stderr is closed.
pub(in crate::cli) fn tell(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
