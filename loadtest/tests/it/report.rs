//! Tests the reports of load scenarios: the comparison with an earlier run, and the page.

use std::path::{Path, PathBuf};

use botfleet_loadtest::harness::run::args::{CompareArgs, Finished, compare_files};
use botfleet_loadtest::harness::run::compare::{Verdict, compare};
use botfleet_loadtest::harness::run::figure::{self, Figure};
use botfleet_loadtest::harness::run::html::page;
use botfleet_loadtest::harness::run::pictures::{PlotArgs, plot};
use botfleet_loadtest::harness::run::reading;
use botfleet_loadtest::harness::run::report::{FORMAT, Moment, Report, machine};
use botfleet_loadtest::harness::run::stages::Stage;
use botfleet_loadtest::harness::run::summary::Summary;
use botfleet_world::checker::report::Report as CheckerReport;

fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

/// Makes a report of the shipped scenario `burst`.
fn report(run: &str, p99_ms: f64) -> Report {
    let scenario = reading::read(&scenarios().join("burst.toml"), &[]).unwrap();
    let took = Summary {
        count: 1000,
        mean_ms: 12.0,
        p50_ms: 10.0,
        p95_ms: 20.0,
        p99_ms,
        max_ms: 90.0,
        curve: vec![(0.0, 1.0), (0.5, 10.0), (0.99, p99_ms), (1.0, 90.0)],
    };
    let figures: Vec<Figure> = [
        ("latency_p99_ms", p99_ms),
        ("replies_per_second", 40.0),
        ("lost", 0.0),
        ("unanswered", 0.0),
        ("doubled", 0.0),
    ]
    .map(|(name, value)| Figure { name: name.to_owned(), value })
    .into();
    let moment =
        |at: u32| Moment { at_s: f64::from(at), p50_ms: Some(10.0), p99_ms: Some(p99_ms), ..Moment::default() };
    Report {
        format: FORMAT,
        run: run.to_owned(),
        at_unix_s: 1_796_000_461,
        objectives: scenario.judge(&figures),
        scenario,
        machine: machine(),
        commit: "abc".to_owned(),
        binary: PathBuf::from("botfleet"),
        dir: PathBuf::from("/tmp/x"),
        seconds: 40.0,
        figures,
        latency: took.clone(),
        overhead: took.clone(),
        stages: vec![Stage { name: "LLM".into(), says: "the <call>".into(), intended: false, took: Some(took) }],
        stages_missing: None,
        timeline: (1..=40).map(moment).collect(),
        steps: Vec::new(),
        at_rest: true,
        checker: CheckerReport::default(),
    }
}

#[test]
fn every_shipped_load_scenario_is_sound_and_told_in_the_readme() {
    let readme = std::fs::read_to_string(scenarios().join("README.md")).unwrap();
    let mut read = 0;
    for entry in std::fs::read_dir(scenarios()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            let scenario = reading::read(&path, &[]).unwrap();
            assert_eq!(path.file_stem().unwrap().to_str(), Some(scenario.name.as_str()));
            assert!(readme.contains(&format!("`{}`", scenario.name)), "{} is not in the README", scenario.name);
            read += 1;
        }
    }
    assert!(read >= 11);
    for kind in figure::ALL {
        assert!(readme.contains(&format!("`{}`: {}", kind.name, kind.says)), "{} is not in the README", kind.name);
    }
}

#[test]
fn a_regression_past_the_margin_is_named_with_its_ratio() {
    let (before, after) = (report("1", 50.0), report("2", 75.0));
    let comparison = compare(&before, &after, 0.1).unwrap();
    assert_eq!(comparison.regressions(), ["latency_p99_ms"]);
    let p99 = comparison.figures.iter().find(|one| one.name == "latency_p99_ms").unwrap();
    assert_eq!((p99.ratio, p99.verdict), (Some(1.5), Verdict::Regressed));
    assert!(comparison.to_string().contains("WORSE by more than 10 %: latency_p99_ms"), "{comparison}");
    assert_eq!(compare(&before, &after, 0.6).unwrap().regressions(), Vec::<&str>::new());
    let finished = Finished { report: after.clone(), comparison: Some(comparison.clone()), as_json: false };
    assert!(after.is_clean() && !finished.is_clean());
    assert_eq!(finished.complaint(), "worse than the baseline: latency_p99_ms");
    assert_eq!(comparison.warnings, Vec::<String>::new());
}

#[test]
fn another_seed_scenario_or_machine_is_a_warning_that_is_shown() {
    let before = report("1", 50.0);
    let mut after = report("2", 50.0);
    after.scenario.seed = 9;
    after.scenario.world.bots = 3;
    after.machine.cores += 1;
    let comparison = compare(&before, &after, 0.1).unwrap();
    assert_eq!(comparison.warnings.len(), 3, "{:?}", comparison.warnings);
    assert_eq!(comparison.to_string().matches("warning: ").count(), 3);
    assert_eq!(page(&after, Some(&comparison)).unwrap().matches("Warning: ").count(), 3);
}

#[test]
fn a_run_is_not_compared_with_itself() {
    let dir = std::env::temp_dir().join(format!("botfleet-report-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let (one, copy, other) = (dir.join("one.json"), dir.join("copy.json"), dir.join("other.json"));
    std::fs::write(&one, serde_json::to_string(&report("1", 50.0)).unwrap()).unwrap();
    std::fs::copy(&one, &copy).unwrap();
    std::fs::write(&other, serde_json::to_string(&report("2", 50.0)).unwrap()).unwrap();
    let args = |run: &Path| CompareArgs {
        baseline: one.clone(),
        run: run.to_owned(),
        margin: None,
        html: Some(dir.join("page.html")),
        json: false,
    };
    let refused = compare_files(&args(&copy)).unwrap_err().to_string();
    assert!(refused.starts_with("the baseline is the very same run (1)"), "{refused}");
    assert!(compare_files(&args(&other)).unwrap().is_clean());
    std::fs::write(&other, "{}").unwrap();
    let refused = compare_files(&args(&other)).unwrap_err().to_string();
    assert!(refused.contains("other.json is no report of this version"), "{refused}");
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn the_page_stands_alone_and_has_its_parts_in_order() {
    let (before, after) = (report("1", 50.0), report("2", 75.0));
    let comparison = compare(&before, &after, 0.1).unwrap();
    let page = page(&after, Some(&comparison)).unwrap();
    for elsewhere in ["http:", "https:", "src=", "<script", "<link", "url(", "@import"] {
        assert!(!page.contains(elsewhere), "the page names {elsewhere}");
    }
    assert!(page.contains("name=\"viewport\"") && page.contains("prefers-color-scheme: dark"));
    assert!(page.contains("the &lt;call&gt;"), "texts are escaped");
    let between = |start: &str, end: &str| -> Vec<String> {
        page.split(start).skip(1).filter_map(|rest| rest.split(end).next()).map(str::to_owned).collect()
    };
    let parts = ["objectives", "comparison", "plots", "figures", "stages", "checker"];
    assert_eq!(between("<section id=\"", "\""), parts);
    let plots = [
        "Latency by scheduled instant, ms",
        "Latency by percentile, ms",
        "Messages and replies, a second",
        "Memory, MiB",
        "CPU, % of one core",
        "Commits, a second",
        "Database, MiB",
        "Stages of a reply: p50 (bar) and p99 (line), logarithmic",
    ];
    assert_eq!(between("<figcaption>", "<"), plots);
    assert_eq!(page.matches("<svg").count(), plots.len());
    assert!(!page.contains("NaN") && !page.contains("inf"));
}

/// A document shows these files as images, which have no style, script or file but their own.
#[test]
fn plots_of_a_long_run_are_small_files_that_stand_alone() {
    let dir = std::env::temp_dir().join(format!("botfleet-plots-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let mut long = report("1", 50.0);
    long.timeline = (1..=7_200)
        .map(|at| Moment { at_s: f64::from(at), p99_ms: Some(f64::from(at % 97) * 1.37), ..long.timeline[0] })
        .collect();
    long.stages[0].name = "LLM & <store>".to_owned();
    let file = dir.join("long.json");
    std::fs::write(&file, serde_json::to_string(&long).unwrap()).unwrap();
    let args = PlotArgs { reports: vec![file.clone()], out: dir.join("docs/img"), json: false };
    let plotted = plot(&args).unwrap();
    let names: Vec<&str> = plotted.files.iter().map(|one| one.path.file_name().unwrap().to_str().unwrap()).collect();
    let plots = ["latency", "percentiles", "traffic", "memory", "cpu", "commits", "database", "stages"];
    assert_eq!(names, plots.map(|plot| format!("long-{plot}.svg")));
    let page = page(&long, None).unwrap();
    for written in &plotted.files {
        let svg = std::fs::read_to_string(&written.path).unwrap();
        let path = written.path.display();
        assert!(svg.len() == written.bytes && svg.len() < 40_000, "{path} has {} bytes", svg.len());
        assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" ") && svg.ends_with("</svg>\n"), "{path}");
        assert_eq!(svg.matches("http").count(), 1, "{path} names another file");
        for other in ["<script", "href", "url(", "@import", "NaN", "inf\"", "& ", "<store"] {
            assert!(!svg.contains(other), "{path} holds {other}");
        }
        assert!(svg.contains("prefers-color-scheme: dark") && svg.contains("class=\"card\""), "{path}");
        assert!(svg.contains("burst, 40 s on ") && svg.contains("2026-11-30, commit abc"), "{path}");
        let drawn = svg.split("<g transform").nth(1).unwrap().split_once('>').unwrap().1;
        assert!(page.contains(drawn.split("</g>").next().unwrap()), "{path} shows what the page shows");
    }
    assert!(std::fs::read_to_string(&plotted.files[0].path).unwrap().contains(">p99</text>"), "the legend");
    let twice = PlotArgs { reports: vec![file.clone(), file], ..args };
    assert!(plot(&twice).unwrap_err().to_string().contains("another report has this name"));
    std::fs::remove_dir_all(&dir).unwrap();
}
