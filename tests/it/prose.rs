//! Prose that people read first: the newcomer's page is true, doc comments say what things are, long files say why.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use crate::layers::rust_files;

/// Words with which the first line of a doc says nothing about the thing itself.
const EMPTY_BEGINNINGS: [&str; 8] = ["What", "Who", "Whom", "Whose", "Whether", "It", "It's", "Its"];

/// The largest share of doc lines that may begin with one of them.
const SHARE_MAX: f64 = 0.03;

/// The most lines of a file, its tests left out, and the most files that may have more and say why.
const LINES_MAX: usize = 400;
const LONGER_MAX: usize = 5;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Rows of the page's table: file and item.
fn steps(page: &str) -> Vec<(String, String)> {
    let cell = |text: &str| text.trim().trim_matches('`').to_owned();
    page.lines()
        .map(|line| line.split('|').collect::<Vec<_>>())
        .filter(|cells| cells.get(1).is_some_and(|step| step.trim().parse::<u32>().is_ok()))
        .map(|cells| (cell(cells[2]), cell(cells[3])))
        .collect()
}

fn defines(text: &str, item: &str) -> bool {
    ["fn", "struct", "enum", "trait", "const", "mod"].iter().any(|kind| {
        let definition = format!("{kind} {item}");
        text.match_indices(&definition).any(|(at, _)| {
            let next = text[at + definition.len()..].chars().next();
            next.is_none_or(|next| !next.is_alphanumeric() && next != '_')
        })
    })
}

#[test]
fn the_newcomers_page_names_files_and_items_that_exist() {
    let page = fs::read_to_string(root().join("docs/NEWCOMER.md")).unwrap();
    let steps = steps(&page);
    assert!((10..=15).contains(&steps.len()), "{} steps", steps.len());
    for (file, item) in steps {
        let text = fs::read_to_string(root().join(&file)).unwrap_or_default();
        assert!(defines(&text, &item), "docs/NEWCOMER.md: {file} does not define {item}");
    }
    assert!(defines("fn say(&mut self)", "say"));
    assert!(!defines("fn say_more()", "say"));
}

/// Lines of doc comments, and those of them that begin with an empty word.
fn doc_lines(text: &str) -> (usize, Vec<&str>) {
    let docs = text.lines().filter_map(|line| {
        let line = line.trim_start();
        line.strip_prefix("///").or_else(|| line.strip_prefix("//!")).map(str::trim_start)
    });
    let is_empty = |line: &&str| {
        let word = line.split(|c: char| !c.is_alphanumeric() && c != '\'').next().unwrap_or_default();
        EMPTY_BEGINNINGS.contains(&word)
    };
    (docs.clone().count(), docs.filter(is_empty).collect())
}

#[test]
fn docs_say_what_things_are() {
    let folders = ["src", "actors", "loadtest", "tests"].map(|folder| root().join(folder));
    let files: Vec<PathBuf> = folders.iter().flat_map(|folder| rust_files(folder)).collect();
    let (mut all, mut found) = (0, Vec::new());
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let (lines, empty) = doc_lines(&text);
        all += lines;
        found.extend(empty.into_iter().map(|line| format!("{}: {line}", file.display())));
    }
    assert!(all > 5_000, "{all} doc lines: were the sources moved?");
    let share = found.len() as f64 / all as f64;
    assert!(share < SHARE_MAX, "{} of {all} doc lines:\n{}", found.len(), found.join("\n"));
    assert_eq!(doc_lines("/// What it is.\nfn f() {}\n    //! Holds one.\n/// It's so.").1.len(), 2);
}

#[test]
fn a_long_file_says_why_and_few_files_are_long() {
    let folders =
        ["src", "actors/src", "loadtest/src", "loadtest/world/src"].map(|folder| rust_files(&root().join(folder)));
    let is_test = |part: std::path::Component<'_>| part.as_os_str() == "testkit" || part.as_os_str() == "tests.rs";
    let product = folders.into_iter().flatten().filter(|file| !file.components().any(is_test));
    let (mut longer, mut silent, mut untrue) = (Vec::new(), Vec::new(), Vec::new());
    for file in product {
        let text = fs::read_to_string(&file).unwrap();
        let says =
            text.lines().take_while(|line| line.starts_with("//!")).any(|line| line.contains("onger than other"));
        let is_long = |lines: usize| lines > LINES_MAX;
        let without_tests = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
        if is_long(without_tests) {
            longer.push(file.clone());
            silent.extend((!says).then_some(file));
        } else if says && !is_long(text.lines().count()) {
            untrue.push(file);
        }
    }
    assert_eq!(silent, Vec::<PathBuf>::new(), "longer than {LINES_MAX} lines, and no word why");
    assert_eq!(untrue, Vec::<PathBuf>::new(), "not longer than {LINES_MAX} lines, and says so");
    assert!(longer.len() <= LONGER_MAX, "{longer:#?}");
}
