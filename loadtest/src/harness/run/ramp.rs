//! Raises the rate of an open loop until an objective breaks, and finds the highest rate that keeps all. Layer: harness.

use super::figure::Figure;
use super::ground::Under;
use super::perform::perform;
use super::report::{Report, Step};
use super::scenario::{LoadScenario, LoopKind, Phase};
use crate::harness::error::HarnessError;

/// After the first broken step, the search halves the last factor so many times.
const HALVINGS: u32 = 2;

/// Runs the steps, each on a fresh fleet; returns the report of the highest rate that kept every objective, or of the
/// first rate if none did.
///
/// # Errors
/// A step could not be completed.
pub async fn ramp(scenario: &LoadScenario, under: &Under) -> Result<Report, HarnessError> {
    let arrivals = &scenario.arrivals;
    let (Some(first), Some(factor), Some(most)) = (arrivals.from, arrivals.factor, arrivals.most) else {
        return perform(scenario, under).await;
    };
    let mut search = Search::new(first, factor, most);
    let (mut steps, mut best): (Vec<Step>, Option<Report>) = (Vec::new(), None);
    while let Some(rate) = search.next() {
        let report = perform(&step_of(scenario, rate), under).await?;
        let step = step(rate, &report);
        super::watch::say(&format!(
            "{}: {rate:.1}/s {}",
            scenario.name,
            if step.kept { "kept".to_owned() } else { format!("broke {}", step.broke.join(", ")) }
        ));
        search.was(rate, step.kept);
        if step.kept || best.is_none() {
            best = Some(report);
        }
        steps.push(step);
    }
    let mut report = best.ok_or(HarnessError::NobodyPosts)?;
    report.scenario = scenario.clone();
    report.steps = steps;
    if let Some(rate) = search.kept {
        report.figures.push(Figure { name: "highest_rate".to_owned(), value: rate });
    }
    Ok(report)
}

/// Returns the scenario of one rate.
fn step_of(scenario: &LoadScenario, rate: f64) -> LoadScenario {
    let mut one = scenario.clone();
    one.name = format!("{} at {rate:.1}/s", scenario.name);
    one.arrivals.shape = LoopKind::Open;
    one.arrivals.phases = vec![Phase { rate, seconds: scenario.measured_seconds() }];
    one
}

fn step(rate: f64, report: &Report) -> Step {
    let broken = report.objectives.iter().filter(|judged| !judged.kept);
    let mut broke: Vec<String> = broken
        .map(|judged| {
            let value = judged.value.map_or_else(|| "not measured".to_owned(), super::figure::shown);
            format!("{} ({value})", judged.objective)
        })
        .collect();
    if broke.is_empty() && !report.is_clean() {
        broke.push(if report.at_rest { "breaches".to_owned() } else { "not at rest".to_owned() });
    }
    Step {
        rate,
        kept: report.is_clean(),
        broke,
        latency_p99_ms: report.latency.p99_ms,
        replies_per_second: report.figure("replies_per_second").unwrap_or(0.0),
    }
}

/// The search for the highest rate: up by a factor until one breaks, then between the last two.
struct Search {
    next: Option<f64>,
    factor: f64,
    most: f64,
    kept: Option<f64>,
    broke: Option<f64>,
    halvings: u32,
}

impl Search {
    fn new(first: f64, factor: f64, most: f64) -> Self {
        Self { next: Some(first), factor, most, kept: None, broke: None, halvings: 0 }
    }

    fn next(&mut self) -> Option<f64> {
        self.next.take()
    }

    /// Notes the verdict of a rate and plans the next.
    fn was(&mut self, rate: f64, kept: bool) {
        if kept {
            self.kept = Some(rate);
        } else {
            self.broke = Some(rate);
        }
        self.next = match (self.kept, self.broke) {
            (Some(low), Some(high)) if self.halvings < HALVINGS => {
                self.halvings += 1;
                Some((low * high).sqrt())
            }
            (Some(low), None) if low < self.most => Some((low * self.factor).min(self.most)),
            _ => None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(breaks_above: f64) -> (Vec<f64>, Option<f64>) {
        let mut search = Search::new(100.0, 2.0, 1000.0);
        let mut tried = Vec::new();
        while let Some(rate) = search.next() {
            tried.push(rate.round());
            search.was(rate, rate <= breaks_above);
        }
        (tried, search.kept.map(f64::round))
    }

    #[test]
    fn the_highest_rate_is_found_between_the_last_that_kept_and_the_first_that_broke() {
        assert_eq!(search(300.0), (vec![100.0, 200.0, 400.0, 283.0, 336.0], Some(283.0)));
        assert_eq!(search(5000.0), (vec![100.0, 200.0, 400.0, 800.0, 1000.0], Some(1000.0)));
        assert_eq!(search(10.0), (vec![100.0], None));
    }
}
