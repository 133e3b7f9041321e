//! Draws all plots of a report, for its page and for files. Layer: harness.
//!
//! `botfleet-loadtest plot` writes each plot as an SVG file of its own, for documents that show images. The files follow
//! the reader's choice of light or dark, and are readable on either ground, since each brings its own.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::compare;
use super::figure::shown;
use super::plot::{Bar, Drawing, Line, Tick, bars, lines, nines, time_ticks};
use super::report::{Moment, Report, date};
use super::summary::Summary;
use crate::harness::error::HarnessError;

/// A plot of a report.
#[derive(Debug)]
pub struct Picture {
    /// The name in file names.
    pub name: &'static str,
    /// The plot.
    pub drawing: Drawing,
    /// The names of its lines.
    pub legend: &'static [&'static str],
}

/// Reads a value at a moment.
type Read = fn(&Moment) -> Option<f64>;

/// Draws all plots of a report.
pub fn pictures(report: &Report) -> Vec<Picture> {
    let over_time = |name, title, legend: &'static [&'static str], reads: &[Read]| {
        let ticks = time_ticks(report.timeline.last().map_or(1.0, |moment| moment.at_s));
        let of = |read: &Read| report.timeline.iter().map(|at| (at.at_s, read(at))).collect();
        let drawn: Vec<Line<'_>> =
            legend.iter().zip(reads).map(|(name, read)| Line { name, points: of(read) }).collect();
        Picture { name, drawing: lines(title, &drawn, &ticks), legend }
    };
    let mut all = Vec::new();
    if report.latency.count > 0 {
        let title = "Latency by scheduled instant, ms";
        all.push(over_time("latency", title, &["p50", "p99"], &[|at| at.p50_ms, |at| at.p99_ms]));
        all.push(percentiles(report));
        let rates: [Read; 2] = [|at| Some(at.messages_per_second), |at| Some(at.replies_per_second)];
        all.push(over_time("traffic", "Messages and replies, a second", &["messages", "replies"], &rates));
    }
    all.push(over_time("memory", "Memory, MiB", &["resident"], &[|at| Some(at.rss_mib)]));
    all.push(over_time("cpu", "CPU, % of one core", &["product"], &[|at| Some(at.cpu_percent)]));
    all.push(over_time("commits", "Commits, a second", &["commits"], &[|at| Some(at.commits_per_second)]));
    all.push(over_time("database", "Database, MiB", &["file and log"], &[|at| Some(at.database_mib)]));
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
        all.push(Picture { name: "stages", drawing: bars(title, &drawn), legend: &[] });
    }
    all
}

fn percentiles(report: &Report) -> Picture {
    let curve =
        |summary: &Summary| summary.curve.iter().map(|(share, ms)| (nines(*share, summary.count), Some(*ms))).collect();
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
    let drawing = lines("Latency by percentile, ms", &drawn, &ticks);
    Picture { name: "percentiles", drawing, legend: &["latency", "overhead"] }
}

/// The command-line arguments of `plot`.
#[derive(Debug, Clone, Args)]
pub struct PlotArgs {
    /// Reports of runs, as `run --json FILE` wrote them; the files are named after them.
    #[arg(value_name = "REPORT.json", required = true)]
    pub reports: Vec<PathBuf>,
    /// The folder of the files; it is made.
    #[arg(long, value_name = "PATH", default_value = ".")]
    pub out: PathBuf,
    /// Writes one JSON object instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// The files that were written.
#[derive(Debug, Serialize)]
pub struct Plotted {
    /// The files, in order.
    pub files: Vec<Written>,
}

/// A file that was written.
#[derive(Debug, Serialize)]
pub struct Written {
    /// The path.
    pub path: PathBuf,
    /// The title of the plot.
    pub title: String,
    /// The size.
    pub bytes: usize,
}

impl fmt::Display for Plotted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, file) in self.files.iter().enumerate() {
            let end = if at == 0 { "" } else { "\n" };
            write!(f, "{end}{}  {} ({} bytes)", file.path.display(), file.title, file.bytes)?;
        }
        Ok(())
    }
}

/// Writes the plots of reports as SVG files, `REPORT-PLOT.svg`.
///
/// # Errors
/// A file is no report, two reports have one name, or a file cannot be written.
pub fn plot(args: &PlotArgs) -> Result<Plotted, HarnessError> {
    std::fs::create_dir_all(&args.out).map_err(HarnessError::file(&args.out))?;
    let (mut files, mut names) = (Vec::new(), BTreeSet::new());
    for path in &args.reports {
        let report = compare::read(path)?;
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if !names.insert(name.clone()) {
            let twice = io::Error::new(io::ErrorKind::InvalidInput, "another report has this name: rename one");
            return Err(HarnessError::file(path)(twice));
        }
        let about = about(&report);
        for picture in pictures(&report) {
            let path = args.out.join(format!("{name}-{}.svg", picture.name));
            let svg = picture.drawing.alone(picture.legend, &about);
            std::fs::write(&path, &svg).map_err(HarnessError::file(&path))?;
            files.push(Written { path, title: picture.drawing.title, bytes: svg.len() });
        }
    }
    Ok(Plotted { files })
}

/// Says in one line where a report comes from.
fn about(report: &Report) -> String {
    let day = date(report.at_unix_s);
    let day = day.split(' ').next().unwrap_or_default();
    let (name, seconds, cores) = (&report.scenario.name, shown(report.seconds), report.machine.cores);
    format!("{name}, {seconds} s on {cores} cores, {day}, commit {}", report.commit)
}
