//! Writes a report as one HTML file that needs nothing else: plots are inline SVG, and there is no script. Layer: harness.

use minijinja::Environment;
use serde_json::{Value, json};

use super::compare::{Comparison, Verdict};
use super::figure::{named, shown};
use super::pictures::pictures;
use super::plot::STYLE;
use super::report::{Report, date};

/// The page.
const PAGE: &str = include_str!("report.html");

/// Renders the page.
///
/// # Errors
/// The template does not fit this version of the report.
pub fn page(report: &Report, comparison: Option<&Comparison>) -> Result<String, minijinja::Error> {
    let mut templates = Environment::new();
    templates.add_template("report.html", PAGE)?;
    let figures: Vec<_> = report
        .figures
        .iter()
        .map(|figure| {
            let (unit, says) = named(&figure.name).map_or(("", ""), |kind| (kind.unit, kind.says));
            json!({ "name": figure.name, "value": shown(figure.value), "unit": unit, "says": says })
        })
        .collect();
    let objectives: Vec<_> = report
        .objectives
        .iter()
        .map(|judged| {
            let value = judged.value.map_or_else(|| "not measured".to_owned(), shown);
            json!({ "text": judged.objective.to_string(), "value": value, "kept": judged.kept })
        })
        .collect();
    let stages: Vec<_> = report.stages.iter().map(|stage| json!({ "name": stage.name, "says": stage.says })).collect();
    let steps: Vec<_> = report
        .steps
        .iter()
        .map(|step| {
            let p99 = shown(step.latency_p99_ms);
            json!({ "rate": shown(step.rate), "kept": step.kept, "broke": step.broke, "p99": p99 })
        })
        .collect();
    let plots: Vec<_> = pictures(report)
        .iter()
        .map(|one| json!({ "title": one.drawing.title, "legend": one.legend, "svg": one.drawing.inline() }))
        .collect();
    let told = json!({ "name": report.scenario.name,
        "about": report.scenario.about,
        "described": report.described(),
        "run": report.run,
        "date": date(report.at_unix_s),
        "commit": report.commit,
        "machine": report.machine,
        "seconds": shown(report.seconds),
        "clean": report.is_clean(),
        "at_rest": report.at_rest,
        "figures": figures,
        "objectives": objectives,
        "stages": stages,
        "steps": steps,
        "stages_missing": report.stages_missing,
        "plots": plots,
        "plot_style": STYLE,
        "comparison": comparison.map(compared),
        "checker": report.checker.to_string() });
    templates.get_template("report.html")?.render(minijinja::value::Serde(told))
}

fn compared(comparison: &Comparison) -> Value {
    let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), shown);
    let rows: Vec<_> = comparison
        .figures
        .iter()
        .map(|figure| {
            let (verdict, class) = match figure.verdict {
                Verdict::Same => ("same", ""),
                Verdict::Better => ("better", "good"),
                Verdict::Regressed => ("regressed", "bad"),
                Verdict::Missing => ("missing", ""),
                Verdict::NotJudged => ("", ""),
            };
            let ratio = figure.ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}"));
            let (before, after) = (number(figure.before), number(figure.after));
            json!({ "name": figure.name, "before": before, "after": after, "ratio": ratio, "verdict": verdict, "class": class })
        })
        .collect();
    json!({ "baseline": comparison.baseline,
        "date": date(comparison.baseline_at_unix_s),
        "margin": shown(comparison.margin * 100.0),
        "warnings": comparison.warnings,
        "rows": rows,
        "regressed": comparison.regressions().len() })
}
