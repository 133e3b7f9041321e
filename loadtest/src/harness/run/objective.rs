//! Judges figures by limits such as `<= 5000`. Layer: harness; pure.

use serde::{Deserialize, Serialize};

use super::figure::Figure;

/// A limit of a figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    /// The figure's name.
    pub figure: String,
    /// The comparison.
    pub is: Comparison,
    /// The number that the figure is compared with.
    pub limit: f64,
}

/// A comparison of a figure with a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// At most the limit.
    AtMost,
    /// At least the limit.
    AtLeast,
    /// The limit itself.
    Equal,
}

/// An objective and the figure that was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The objective.
    #[serde(flatten)]
    pub objective: Objective,
    /// The figure; `None` if the run could not measure it.
    pub value: Option<f64>,
    /// True if the figure is within the limit.
    pub kept: bool,
}

impl Objective {
    /// Reads a limit: `<=`, `>=` or `=`, and a number.
    ///
    /// # Errors
    /// The reason why the text is no limit.
    pub fn parse(figure: &str, text: &str) -> Result<Self, String> {
        let signs = [("<=", Comparison::AtMost), (">=", Comparison::AtLeast), ("=", Comparison::Equal)];
        let found = signs.iter().find_map(|(sign, is)| Some((*is, text.trim().strip_prefix(sign)?)));
        let (is, rest) = found.ok_or_else(|| format!("{text:?} begins with none of <=, >= and ="))?;
        let limit: f64 = rest.trim().parse().map_err(|_| format!("{:?} is no number", rest.trim()))?;
        if !limit.is_finite() {
            return Err(format!("{limit} is no limit"));
        }
        Ok(Self { figure: figure.to_owned(), is, limit })
    }

    /// Judges the objective by the figures of a run; a figure that was not measured breaks it.
    pub fn judge(&self, figures: &[Figure]) -> Judged {
        let value = figures.iter().find(|figure| figure.name == self.figure).map(|figure| figure.value);
        let kept = value.is_some_and(|value| match self.is {
            Comparison::AtMost => value <= self.limit,
            Comparison::AtLeast => value >= self.limit,
            Comparison::Equal => (value - self.limit).abs() < 1e-9,
        });
        Judged { objective: self.clone(), value, kept }
    }
}

impl std::fmt::Display for Objective {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = match self.is {
            Comparison::AtMost => "<=",
            Comparison::AtLeast => ">=",
            Comparison::Equal => "=",
        };
        write!(f, "{} {sign} {}", self.figure, self.limit)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_limit_holds_up_to_itself_and_a_missing_figure_breaks_it() {
        let figures = [Figure { name: "lost".to_owned(), value: 0.0 }];
        let judged = |figure: &str, text: &str| Objective::parse(figure, text).unwrap().judge(&figures).kept;
        assert!(judged("lost", "= 0") && judged("lost", "<= 0") && judged("lost", ">= 0"));
        assert!(!judged("lost", ">= 1") && !judged("unanswered", "= 0"));
        assert!(Objective::parse("lost", "< 3").is_err());
        assert!(Objective::parse("lost", "<= much").is_err());
    }
}
