//! Explores clusters by seed. An example, so that it is built with the testkit and not with the product.
//!
//! ```text
//! cargo run -p botfleet-actors --features testkit --example explore -- --seeds 1..20000 --out docs/model.jsonl
//! cargo run -p botfleet-actors --features testkit --example explore -- --replay 4711
//! ```

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::io::Write;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use botfleet_actors::testkit::explorer::{Report, explore};

const USAGE: &str = "usage: explore --seeds FIRST..LAST [--jobs N] [--out FILE] | --replay SEED";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1)).cloned();
    if let Some(seed) = value("--replay").and_then(|seed| seed.parse().ok()) {
        return replay(seed);
    }
    let range = value("--seeds").and_then(|seeds| {
        let (first, last) = seeds.split_once("..")?;
        Some((first.parse::<u64>().ok()?, last.parse::<u64>().ok()?))
    });
    let Some((first, last)) = range.filter(|(first, last)| first <= last) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let jobs = value("--jobs").and_then(|jobs| jobs.parse().ok()).unwrap_or(1);
    match sweep(first, last, jobs, value("--out").as_deref()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn replay(seed: u64) -> ExitCode {
    let report = explore(seed, true);
    for line in &report.trace {
        println!("{line}");
    }
    tell(&report);
    ExitCode::from(u8::from(!report.breaches.is_empty()))
}

fn tell(report: &Report) {
    for breach in &report.breaches {
        println!("seed {}: {breach}", report.seed);
    }
}

/// Runs all seeds, the last one too; true when nothing was broken.
fn sweep(first: u64, last: u64, jobs: u64, out: Option<&str>) -> std::io::Result<bool> {
    let (begun, next) = (Instant::now(), AtomicU64::new(first));
    let worker = || {
        let mut sum = Sum::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed > last {
                return sum;
            }
            let report = explore(seed, false);
            tell(&report);
            sum.add(&report);
        }
    };
    let sums: Vec<Sum> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).collect()
    });
    let mut sum = Sum::default();
    for part in &sums {
        sum.merge(part);
    }
    if sums.len() as u64 != jobs.max(1) {
        return Err(std::io::Error::other("a seed panicked; its message stands above"));
    }
    let line = serde_json::json!({
        "commit": commit(), "first": first, "last": last, "seeds": sum.seeds, "failed": sum.failed,
        "steps": sum.steps, "updates": sum.updates, "sends": sum.sends, "moves": sum.moves, "faults": sum.faults,
        "seconds": (begun.elapsed().as_secs_f64() * 10.0).round() / 10.0,
    });
    println!("{line}");
    if let Some(out) = out {
        writeln!(std::fs::OpenOptions::new().create(true).append(true).open(out)?, "{line}")?;
    }
    Ok(sum.failed.is_empty())
}

/// The commit of the working tree, with a mark when it was changed since.
fn commit() -> String {
    let git = std::process::Command::new("git").args(["describe", "--always", "--dirty", "--exclude=*"]).output();
    git.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

#[derive(Default)]
struct Sum {
    seeds: u64,
    failed: Vec<u64>,
    steps: u64,
    updates: u64,
    sends: u64,
    moves: u64,
    faults: u64,
}

impl Sum {
    fn add(&mut self, report: &Report) {
        self.seeds += 1;
        self.failed.extend((!report.breaches.is_empty()).then_some(report.seed));
        self.steps += report.steps;
        self.updates += report.updates;
        self.sends += report.sends;
        self.moves += report.moves;
        self.faults += report.faults;
    }

    fn merge(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.failed.extend(&other.failed);
        self.steps += other.steps;
        self.updates += other.updates;
        self.sends += other.sends;
        self.moves += other.moves;
        self.faults += other.faults;
    }
}
