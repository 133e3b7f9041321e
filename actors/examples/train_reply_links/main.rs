//! Trains the reply links' trees. An example, so that it is not built with the product.
//!
//! ```text
//! cargo run --release -p botfleet-actors --example train_reply_links -- data/reply-links/train \
//!     --out actors/src/behaviour/links/weights.txt
//! ```
//!
//! `--hold-out 15` keeps 15 of 100 files aside and prints figures on them instead of using all; `--score DIR` prints
//! figures on another folder at the end. `--help` lists the settings.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod boost;
mod folder;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use boost::{Booster, Settings, Sheet, advance, softmax};
use botfleet_actors::behaviour::links::features::{COUNT, NAMES};
use botfleet_actors::behaviour::links::model::{Tree, write};
use botfleet_actors::behaviour::links::resolver::{Resolver, SECOND_LINK};
use botfleet_actors::behaviour::links::score::{Tally, replies};
use folder::{Chat, read, sheet};

const USAGE: &str =
    "usage: train_reply_links DIR [--out FILE] [--hold-out PERCENT] [--score DIR] [--trees N] [--rate X]
       [--leaves N] [--depth N] [--leaf-weight X] [--ridge X] [--columns X] [--sure X] [--seed N] [--gains]";
/// Thresholds of the second link that figures are printed for.
const THRESHOLDS: [f64; 6] = [0.28, 0.30, SECOND_LINK, 0.34, 0.36, 1.0];
/// Trees between two lines of progress.
const STEP: usize = 25;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}\n{USAGE}");
            ExitCode::FAILURE
        }
    }
}

struct Arguments {
    all: Vec<String>,
}

impl Arguments {
    fn text(&self, name: &str) -> Option<&String> {
        self.all.iter().position(|arg| arg == name).and_then(|at| self.all.get(at + 1))
    }

    fn number<T: std::str::FromStr>(&self, name: &str, usual: T) -> Result<T, String> {
        self.text(name).map_or(Ok(usual), |text| text.parse().map_err(|_| format!("{name}: {text:?} is no number")))
    }
}

fn run() -> Result<(), String> {
    let arguments = Arguments { all: std::env::args().skip(1).collect() };
    let folder = arguments.all.first().filter(|first| !first.starts_with("--")).ok_or("which folder?")?;
    let settings = Settings {
        trees: arguments.number("--trees", 450)?,
        rate: arguments.number("--rate", 0.08)?,
        leaves: arguments.number("--leaves", 31)?,
        depth: arguments.number("--depth", 7)?,
        leaf_weight_min: arguments.number("--leaf-weight", 20.0)?,
        ridge: arguments.number("--ridge", 20.0)?,
        columns: arguments.number("--columns", 0.4)?,
        sure: arguments.number("--sure", 0.03)?,
        seed: arguments.number("--seed", 1)?,
    };
    let began = Instant::now();
    let mut chats = read(&PathBuf::from(folder))?;
    let held_out: usize = arguments.number("--hold-out", 0)?;
    let mut rng = fastrand::Rng::with_seed(settings.seed);
    rng.shuffle(&mut chats);
    let kept = chats.len() - chats.len() * held_out / 100;
    let held: Vec<Chat> = chats.split_off(kept);
    let (train, aside) = (sheet(&chats), sheet(&held));
    eprintln!(
        "{} files, {} messages, {} rows of {COUNT} numbers; {} files held out; {:.0?}",
        chats.len(),
        train.starts.len() - 1,
        train.rows.len(),
        held.len(),
        began.elapsed()
    );
    let mut booster = Booster::new(settings.clone());
    let (mut scores, mut aside_scores) = (vec![0.0; train.rows.len()], vec![0.0; aside.rows.len()]);
    let mut trees: Vec<Tree> = Vec::new();
    for number in 1..=settings.trees {
        let tree = booster.grow(&train, &scores);
        advance(&tree, &train.rows, &mut scores);
        advance(&tree, &aside.rows, &mut aside_scores);
        trees.push(tree);
        if number % STEP == 0 {
            let (learned, unseen) = (loss(&train, &scores), loss(&aside, &aside_scores));
            let unseen = if held.is_empty() { String::new() } else { format!(", held out {unseen:.4}") };
            eprintln!("{number} trees: loss {learned:.4}{unseen}; {:.0?}", began.elapsed());
        }
    }
    if arguments.all.iter().any(|arg| arg == "--gains") {
        gains(&booster);
    }
    let mut provenance = vec![
        "Made by examples/train_reply_links from the training files of the IRC disentanglement corpus".to_owned(),
        "(Kummerfeld et al., ACL 2019, https://github.com/jkkummerfeld/irc-disentanglement, CC-BY-4.0).".to_owned(),
        format!("{} files, {} messages, {} rows; {settings:?}.", chats.len(), train.starts.len() - 1, train.rows.len()),
    ];
    let text = write(&provenance, &trees);
    let resolver = Resolver::with_weights(&text).map_err(|error| error.to_string())?;
    if !held.is_empty() {
        provenance.push(format!("Held out: {}", figures("held out", &resolver, &held)));
    }
    if let Some(other) = arguments.text("--score") {
        let others = PathBuf::from(other);
        let name = others.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        provenance.push(format!("On {name}, not learned from: {}", figures(&name, &resolver, &read(&others)?)));
    }
    if let Some(out) = arguments.text("--out") {
        std::fs::write(out, write(&provenance, &trees)).map_err(|error| format!("{out}: {error}"))?;
    }
    eprintln!("{:.0?}", began.elapsed());
    Ok(())
}

/// Mean loss of a message.
fn loss(sheet: &Sheet, scores: &[f32]) -> f64 {
    let mut shares = Vec::new();
    let mut sum = 0.0;
    for range in sheet.starts.windows(2) {
        softmax(&scores[range[0]..range[1]], &mut shares);
        let targets = &sheet.targets[range[0]..range[1]];
        sum -= shares.iter().zip(targets).map(|(share, target)| f64::from(target * share.max(1e-9).ln())).sum::<f64>();
    }
    sum / (sheet.starts.len().max(2) - 1) as f64
}

/// Prints figures for several thresholds of the second link; gives those of the resolver's own.
fn figures(of: &str, resolver: &Resolver, chats: &[Chat]) -> String {
    let mut tallies = [(Tally::default(), Tally::default()); THRESHOLDS.len()];
    for chat in chats {
        let mut predicted = vec![BTreeSet::new(); THRESHOLDS.len()];
        for (now, window) in chat.labelled() {
            let links = resolver.resolve(&window, &chat.messages[now]);
            let first = now - window.len();
            for (second, predicted) in THRESHOLDS.iter().zip(&mut predicted) {
                let chosen = links.chosen_above(*second).into_iter();
                predicted.extend(chosen.map(|at| (at.map_or(now, |at| first + at), now)));
            }
        }
        for ((all, answers), predicted) in tallies.iter_mut().zip(&predicted) {
            all.add(&chat.links, predicted);
            answers.add(&replies(&chat.links), &replies(predicted));
        }
    }
    let line = |(all, answers): &(Tally, Tally)| {
        let (precision, recall, f) = (all.precision(), all.recall(), all.f());
        format!("precision {precision:.2}, recall {recall:.2}, F {f:.2}, F without beginnings {:.2}", answers.f())
    };
    for (second, tally) in THRESHOLDS.iter().zip(&tallies) {
        println!("{of}, second link from {second:.2}: {}", line(tally));
    }
    let own = THRESHOLDS.iter().position(|second| (second - SECOND_LINK).abs() < 1e-9).unwrap_or(0);
    line(&tallies[own])
}

fn gains(booster: &Booster) {
    let total: f64 = booster.gains.iter().sum();
    let mut order: Vec<usize> = (0..COUNT).collect();
    order.sort_by(|a, b| booster.gains[*b].total_cmp(&booster.gains[*a]));
    for at in order {
        println!("{:>6.2} %  {}", booster.gains[at] / total * 100.0, NAMES[at]);
    }
}
