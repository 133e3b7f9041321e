//! Writes a report as one HTML file that needs nothing else: plots are inline SVG, and there is no script. Layer: harness.

use minijinja::Environment;
use serde_json::{Value, json};

use super::compare::{Comparison, Verdict};
use super::figure::{named, shown};
use super::plot::{Bar, Line, Tick, bars, lines, nines, time_ticks};
use super::report::{Moment, Report, date};

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
        "plots": plots(report),
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

/// The name of a line over time, and its value at a moment.
type Named = (&'static str, fn(&Moment) -> Option<f64>);

/// Draws all plots, each with its title and the names of its lines.
fn plots(report: &Report) -> Vec<Value> {
    let over_time = |title: &str, named: &[Named]| {
        let ticks = time_ticks(report.timeline.last().map_or(1.0, |moment| moment.at_s));
        let of = |read: fn(&Moment) -> Option<f64>| report.timeline.iter().map(|at| (at.at_s, read(at))).collect();
        let drawn: Vec<Line<'_>> = named.iter().map(|(name, read)| Line { name, points: of(*read) }).collect();
        let legend: Vec<&str> = named.iter().map(|(name, _)| *name).collect();
        json!({ "title": title, "legend": legend, "svg": lines(title, &drawn, &ticks) })
    };
    let mut plots = Vec::new();
    if report.latency.count > 0 {
        plots.push(over_time("Latency by scheduled instant, ms", &[("p50", |at| at.p50_ms), ("p99", |at| at.p99_ms)]));
        plots.push(percentiles(report));
        plots.push(over_time(
            "Messages and replies, a second",
            &[("messages", |at| Some(at.messages_per_second)), ("replies", |at| Some(at.replies_per_second))],
        ));
    }
    plots.push(over_time("Memory, MiB", &[("resident", |at| Some(at.rss_mib))]));
    plots.push(over_time("CPU, % of one core", &[("product", |at| Some(at.cpu_percent))]));
    plots.push(over_time("Commits, a second", &[("commits", |at| Some(at.commits_per_second))]));
    plots.push(over_time("Database, MiB", &[("file and log", |at| Some(at.database_mib))]));
    if report.stages.iter().any(|stage| stage.took.is_some()) {
        let drawn: Vec<Bar<'_>> = report
            .stages
            .iter()
            .map(|stage| Bar {
                name: &stage.name,
                took: stage.took.as_ref().map(|took| (took.p50_ms, took.p99_ms)),
                intended: stage.intended,
            })
            .collect();
        let title = "Stages of a reply: p50 (bar) and p99 (line), logarithmic";
        plots.push(json!({ "title": title, "legend": [], "svg": bars(title, &drawn) }));
    }
    plots
}

fn percentiles(report: &Report) -> Value {
    let curve = |summary: &super::summary::Summary| {
        summary.curve.iter().map(|(share, ms)| (nines(*share, summary.count), Some(*ms))).collect()
    };
    let drawn = [
        Line { name: "latency", points: curve(&report.latency) },
        Line { name: "overhead", points: curve(&report.overhead) },
    ];
    let shares = [(0.0, "0"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %"), (0.9999, "99.99 %")];
    let most = nines(1.0, report.latency.count);
    let ticks: Vec<Tick> = shares
        .into_iter()
        .map(|(share, text)| Tick { at: nines(share, u64::MAX), text: text.to_owned() })
        .filter(|tick| tick.at <= most)
        .collect();
    let title = "Latency by percentile, ms";
    json!({ "title": title, "legend": ["latency", "overhead"], "svg": lines(title, &drawn, &ticks) })
}
