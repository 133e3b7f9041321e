//! Describes faults of a configuration. Part of `config`.
//!
//! A fault names its file or variable, its key and a remedy. It never holds the value of a secret (I12).

use std::fmt;

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The file, the environment variable or the flag.
    pub source: String,
    /// The key, as `section.key` or `bots[3].token`; empty when the whole source is meant.
    pub key: String,
    /// The fault itself.
    pub what: String,
    /// The remedy; empty when it is plain.
    pub remedy: String,
}

impl Fault {
    /// Makes a fault.
    pub fn new(
        source: impl Into<String>,
        key: impl Into<String>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { source: source.into(), key: key.into(), what: what.into(), remedy: remedy.into() }
    }

    /// Returns the fault without its remedy: `file: key: what`.
    pub fn headline(&self) -> String {
        if self.key.is_empty() {
            format!("{}: {}", self.source, self.what)
        } else {
            format!("{}: {}: {}", self.source, self.key, self.what)
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.headline())?;
        if self.remedy.is_empty() { Ok(()) } else { write!(f, " ({})", self.remedy) }
    }
}

/// All faults found; never empty when returned as an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl Faults {
    /// Returns `Err` with all faults if there are any.
    pub fn or_ok<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, fault) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str("\n")?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_reads_as_file_key_what_and_remedy() {
        let fault = Fault::new("fleet.toml", "bots[3].token", "is missing", "add it");
        assert_eq!(fault.to_string(), "fleet.toml: bots[3].token: is missing (add it)");
        assert_eq!(Fault::new("fleet.toml", "", "cannot be read", "").to_string(), "fleet.toml: cannot be read");
    }
}
