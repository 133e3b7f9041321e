//! `botfleet eval reply-links`: scores the link resolver against links that people set. Layer `cli`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use botfleet_actors::behaviour::links::features::WINDOW;
use botfleet_actors::behaviour::links::resolver::Resolver;
use botfleet_actors::behaviour::links::score::{Link, Tally, replies};
use botfleet_actors::behaviour::links::utterance::Utterance;
use clap::Args;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

use super::labelled::{LabelledChat, read};

/// Number of earlier messages given to the resolver: more than it looks at, as some are the system's.
const GIVEN: usize = 200;

/// Arguments of `botfleet eval reply-links`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  botfleet eval reply-links data/reply-links/dev
  botfleet eval reply-links data/reply-links/dev --json
  botfleet eval reply-links data/reply-links/dev --links predicted.txt")]
pub struct ReplyLinksArgs {
    /// A folder of NAME.ascii.txt (messages) and NAME.annotation.txt (links).
    pub folder: PathBuf,
    /// Writes one JSON object instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Writes the predicted links into this file, one `NAME A B` a line.
    #[arg(long, value_name = "FILE")]
    pub links: Option<PathBuf>,
}

/// The result over all files together.
#[derive(Clone, Debug, Default)]
struct Outcome {
    files: usize,
    messages: usize,
    /// Links whose earlier message is no candidate for the later one.
    out_of_reach: usize,
    all: Tally,
    answers: Tally,
    /// Processor time within the resolver.
    spent: Duration,
    predicted: Vec<(String, BTreeSet<Link>)>,
}

/// Runs the command.
///
/// # Errors
/// When the folder holds no chats in the format, or a file cannot be read or written.
pub fn execute(args: &ReplyLinksArgs) -> anyhow::Result<ExitCode> {
    let chats = read(&args.folder)?;
    let outcome = evaluate(Resolver::standard(), chats);
    if let Some(path) = &args.links {
        fs::write(path, lines(&outcome)).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    let text = if args.json { format!("{:#}\n", as_json(&outcome)) } else { as_text(&outcome) };
    stdout().lock().write_all(text.as_bytes()).context("stdout cannot be written")?;
    Ok(ExitCode::SUCCESS)
}

fn evaluate(resolver: &Resolver, chats: Vec<LabelledChat>) -> Outcome {
    let mut outcome = Outcome { files: chats.len(), ..Outcome::default() };
    for chat in chats {
        let labelled = chat.labelled();
        outcome.messages += labelled.len();
        outcome.out_of_reach += chat.links.iter().filter(|link| !is_in_reach(&chat, **link)).count();
        let mut predicted = BTreeSet::new();
        for now in labelled {
            let first = now.saturating_sub(GIVEN);
            let earlier: Vec<&Utterance> = chat.messages[first..now].iter().collect();
            let began = spent_so_far();
            let links = resolver.resolve(&earlier, &chat.messages[now]);
            outcome.spent += spent_so_far().saturating_sub(began);
            predicted.extend(links.chosen().into_iter().map(|at| (at.map_or(now, |at| first + at), now)));
        }
        outcome.all.add(&chat.links, &predicted);
        outcome.answers.add(&replies(&chat.links), &replies(&predicted));
        outcome.predicted.push((chat.name, predicted));
    }
    outcome
}

/// Returns the processor time of this thread, which does not depend on how busy the machine is.
fn spent_so_far() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Returns whether the earlier message of a link is among the candidates for the later one.
fn is_in_reach(chat: &LabelledChat, (earlier, later): Link) -> bool {
    let between = chat.messages[earlier..later].iter().filter(|message| !message.is_system()).count();
    earlier == later || (between <= WINDOW && !chat.messages[earlier].is_system() && !chat.messages[later].is_system())
}

fn lines(outcome: &Outcome) -> String {
    let mut text = String::new();
    for (name, links) in &outcome.predicted {
        for (earlier, later) in links {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{name} {earlier} {later}");
        }
    }
    text
}

fn micros(outcome: &Outcome) -> f64 {
    outcome.spent.as_secs_f64() * 1e6 / outcome.messages.max(1) as f64
}

fn as_json(outcome: &Outcome) -> Value {
    let tenth = |value: f64| (value * 10.0).round() / 10.0;
    json!({
        "precision": tenth(outcome.all.precision()),
        "recall": tenth(outcome.all.recall()),
        "f": tenth(outcome.all.f()),
        "replies_only_f": tenth(outcome.answers.f()),
        "micros_per_message": tenth(micros(outcome)),
        "files": outcome.files,
        "messages": outcome.messages,
        "links": outcome.all.gold,
        "predicted_links": outcome.all.predicted,
        "right_links": outcome.all.right,
        "links_out_of_reach": outcome.out_of_reach,
    })
}

fn as_text(outcome: &Outcome) -> String {
    let rows = [
        ("files", outcome.files.to_string()),
        ("messages", outcome.messages.to_string()),
        ("links set by people", outcome.all.gold.to_string()),
        ("links predicted", outcome.all.predicted.to_string()),
        ("links right", outcome.all.right.to_string()),
        ("links out of reach", outcome.out_of_reach.to_string()),
        ("precision", format!("{:.1} %", outcome.all.precision())),
        ("recall", format!("{:.1} %", outcome.all.recall())),
        ("F", format!("{:.1} %", outcome.all.f())),
        ("F without beginnings", format!("{:.1} %", outcome.answers.f())),
        ("time a message", format!("{:.0} microseconds", micros(outcome))),
    ];
    let mut text = String::new();
    for (name, value) in rows {
        let _ = writeln!(text, "{name:<22}{value}");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const CHAT: &str = "\
[10:00] <ada> does anybody know a good laptop?
=== tom has joined #corner
[10:00] <tom> ada: the old thinkpads, what is your budget?
[10:01] <ada> tom: about 500
";

    fn folder(links: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("day.ascii.txt"), CHAT).unwrap();
        fs::write(folder.path().join("day.annotation.txt"), links).unwrap();
        folder
    }

    fn outcome_of(folder: &Path) -> Outcome {
        evaluate(Resolver::standard(), read(folder).unwrap())
    }

    #[test]
    fn labelled_messages_are_scored_and_no_others() {
        let folder = folder("0 0 -\n0 2 -\n2 3 -\n");
        let outcome = outcome_of(folder.path());
        assert_eq!((outcome.files, outcome.messages), (1, 3));
        assert_eq!(outcome.all, Tally { gold: 3, predicted: 3, right: 3 });
        assert_eq!(outcome.answers, Tally { gold: 2, predicted: 2, right: 2 });
        assert_eq!(lines(&outcome), "day 0 0\nday 0 2\nday 2 3\n");
        let json = as_json(&outcome);
        assert_eq!((&json["f"], &json["replies_only_f"]), (&json!(100.0), &json!(100.0)));
        assert!(json["micros_per_message"].as_f64().unwrap() > 0.0);
    }

    #[test]
    fn links_from_the_system_and_beyond_the_window_are_out_of_reach() {
        let folder = folder("1 2 -\n2 3 -\n");
        assert_eq!(outcome_of(folder.path()).out_of_reach, 1);
    }

    #[test]
    fn the_same_folder_gives_the_same_links() {
        let folder = folder("0 0 -\n1 1 -\n0 2 -\n2 3 -\n");
        assert_eq!(lines(&outcome_of(folder.path())), lines(&outcome_of(folder.path())));
    }
}
