//! Compares a run with an earlier one, figure by figure. Layer: harness; pure.
//!
//! A figure is a regression when it became worse by more than the margin and by more than its own noise. A run is never
//! compared with itself: that would always pass.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::BaselineError;
use super::figure::{Better, named, shown};
use super::report::{FORMAT, Report, date};

/// The verdict on a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Within margin or noise.
    Same,
    /// Better by more than the margin.
    Better,
    /// Worse by more than the margin.
    Regressed,
    /// Only one of the runs measured the figure.
    Missing,
    /// Describes the run; not judged.
    NotJudged,
}

/// A figure of both runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// The figure's name.
    pub name: String,
    /// The value in the baseline.
    pub before: Option<f64>,
    /// The value in this run.
    pub after: Option<f64>,
    /// The value in this run divided by that in the baseline; `None` if the baseline's is zero or missing.
    pub ratio: Option<f64>,
    /// The verdict.
    pub verdict: Verdict,
}

/// A whole comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The run that served as baseline.
    pub baseline: String,
    /// When the baseline began, in seconds since 1970.
    pub baseline_at_unix_s: u64,
    /// The margin, as a share.
    pub margin: f64,
    /// Differences of the runs that may explain a difference of the figures.
    pub warnings: Vec<String>,
    /// The figures.
    pub figures: Vec<Compared>,
}

impl Comparison {
    /// Returns the names of the figures that became worse.
    pub fn regressions(&self) -> Vec<&str> {
        let bad = self.figures.iter().filter(|figure| figure.verdict == Verdict::Regressed);
        bad.map(|figure| figure.name.as_str()).collect()
    }
}

/// Reads a report.
///
/// # Errors
/// The file cannot be read, or is no report of this version.
pub fn read(path: &Path) -> Result<Report, BaselineError> {
    let text = std::fs::read_to_string(path).map_err(|source| BaselineError::File { path: path.to_owned(), source })?;
    let report: Report = serde_json::from_str(&text)
        .map_err(|error| BaselineError::Shape { path: path.to_owned(), reason: error.to_string() })?;
    if report.format != FORMAT {
        let reason = format!("format {}, not {FORMAT}", report.format);
        return Err(BaselineError::Shape { path: path.to_owned(), reason });
    }
    Ok(report)
}

/// Compares a report with a baseline.
///
/// # Errors
/// Both are the same run.
pub fn compare(baseline: &Report, report: &Report, margin: f64) -> Result<Comparison, BaselineError> {
    if baseline.run == report.run {
        return Err(BaselineError::SameRun(report.run.clone()));
    }
    let mut names: Vec<&str> = report.figures.iter().map(|figure| figure.name.as_str()).collect();
    names.extend(
        baseline.figures.iter().map(|figure| figure.name.as_str()).filter(|name| report.figure(name).is_none()),
    );
    let figures = names.into_iter().map(|name| compared(name, baseline.figure(name), report.figure(name), margin));
    Ok(Comparison {
        baseline: baseline.run.clone(),
        baseline_at_unix_s: baseline.at_unix_s,
        margin,
        warnings: warnings(baseline, report),
        figures: figures.collect(),
    })
}

fn compared(name: &str, before: Option<f64>, after: Option<f64>, margin: f64) -> Compared {
    let kind = named(name);
    let better = kind.map_or(Better::Neither, |kind| kind.better);
    let verdict = match (before, after, better) {
        (_, _, Better::Neither) => Verdict::NotJudged,
        (Some(before), Some(after), _) => {
            let worse = if better == Better::Less { after - before } else { before - after };
            let allowed = (before.abs() * margin).max(kind.map_or(0.0, |kind| kind.noise));
            if worse > allowed {
                Verdict::Regressed
            } else if -worse > allowed {
                Verdict::Better
            } else {
                Verdict::Same
            }
        }
        // A figure that can no longer be measured is no improvement.
        (Some(_), None, Better::More) => Verdict::Regressed,
        _ => Verdict::Missing,
    };
    let ratio = before.zip(after).filter(|(before, _)| before.abs() > 1e-12).map(|(before, after)| after / before);
    Compared { name: name.to_owned(), before, after, ratio, verdict }
}

fn warnings(baseline: &Report, report: &Report) -> Vec<String> {
    let mut warnings = Vec::new();
    let (old, new) = (&baseline.scenario, &report.scenario);
    if old.name != new.name {
        warnings.push(format!("another scenario: {} before, {} now", old.name, new.name));
    } else if (&old.world, &old.llm, &old.product, &old.arrivals) != (&new.world, &new.llm, &new.product, &new.arrivals)
    {
        warnings.push("the scenario has changed since the baseline".to_owned());
    }
    if old.seed != new.seed {
        warnings.push(format!("another seed: {} before, {} now", old.seed, new.seed));
    }
    if baseline.machine != report.machine {
        let told = |report: &Report| format!("{}, {} cores", report.machine.processor, report.machine.cores);
        warnings.push(format!("another machine: {} before, {} now", told(baseline), told(report)));
    }
    warnings
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "against run {} of {}", self.baseline, date(self.baseline_at_unix_s))?;
        for warning in &self.warnings {
            writeln!(f, "warning: {warning}")?;
        }
        writeln!(f, "{:<22}{:>14}{:>14}{:>9}  verdict", "figure", "before", "now", "ratio")?;
        for figure in &self.figures {
            let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), shown);
            let ratio = figure.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
            let verdict = match figure.verdict {
                Verdict::Same => "same",
                Verdict::Better => "better",
                Verdict::Regressed => "REGRESSED",
                Verdict::Missing => "missing",
                Verdict::NotJudged => "",
            };
            let (before, after) = (number(figure.before), number(figure.after));
            writeln!(f, "{:<22}{before:>14}{after:>14}{ratio:>9}  {verdict}", figure.name)?;
        }
        let regressions = self.regressions();
        let margin = self.margin * 100.0;
        if regressions.is_empty() {
            write!(f, "no figure is worse by more than {margin:.0} %")
        } else {
            write!(f, "WORSE by more than {margin:.0} %: {}", regressions.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp)]
    use super::*;

    fn verdict(name: &str, before: f64, after: f64) -> Verdict {
        compared(name, Some(before), Some(after), 0.1).verdict
    }

    #[test]
    fn worse_is_judged_by_the_direction_of_the_figure() {
        assert_eq!(verdict("latency_p99_ms", 100.0, 120.0), Verdict::Regressed);
        assert_eq!(verdict("latency_p99_ms", 100.0, 109.0), Verdict::Same);
        assert_eq!(verdict("latency_p99_ms", 100.0, 80.0), Verdict::Better);
        assert_eq!(verdict("replies_per_second", 100.0, 80.0), Verdict::Regressed);
        assert_eq!(verdict("replies_per_second", 100.0, 130.0), Verdict::Better);
        assert_eq!(verdict("fdatasync_p99_ms", 1.0, 80.0), Verdict::NotJudged);
        assert_eq!(compared("highest_rate", Some(9.0), None, 0.1).verdict, Verdict::Regressed);
    }

    #[test]
    fn noise_is_no_regression_and_zero_has_no_ratio() {
        assert_eq!(verdict("latency_p50_ms", 2.0, 2.9), Verdict::Same);
        assert_eq!(verdict("lost", 0.0, 1.0), Verdict::Regressed);
        assert_eq!(compared("lost", Some(0.0), Some(1.0), 0.1).ratio, None);
        assert_eq!(compared("lost", Some(2.0), Some(1.0), 0.1).ratio, Some(0.5));
    }
}
