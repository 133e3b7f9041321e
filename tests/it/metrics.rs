//! Metrics are said in one place: `docs/METRICS.md` is made from the list, and no metric is written elsewhere.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use botfleet_actors::domain::audit::Act;
use botfleet_actors::domain::people::Right;
use botfleet_actors::ports::event::EventKind;
use botfleet_actors::ports::metrics::{ALL, Described};

use crate::keys::is_current;
use crate::layers::rust_files;

const LIST: &str = "actors/src/ports/metrics.rs";

const HEAD: &str = "# Metrics\n\n\
    `GET /metrics` answers in the text format of Prometheus. A metric appears once it has a value. Durations are in seconds and\n\
    measured as histograms; a counter ends in `_total` and only grows while the process lives. The last column has the name of the\n\
    original request. This page is made from `actors/src/ports/metrics.rs`.\n";

fn row(metric: &Described) -> String {
    let Described { name, kind, labels, doc, asked, .. } = metric;
    let cell = |text: &str| if text.is_empty() { " |".to_owned() } else { format!(" {text} |") };
    let (labels, asked) = (cell(&labels.join(", ")), cell(asked.unwrap_or_default()));
    format!("| `{name}` | {kind} |{labels} {} |{asked}\n", doc.trim().trim_end_matches('.'))
}

#[test]
fn the_page_of_metrics_is_current() {
    let mut page = HEAD.to_owned();
    for of_section in ALL.chunk_by(|a, b| a.section == b.section) {
        page.extend([
            "\n## ",
            of_section[0].section,
            "\n\n| metric | kind | labels | says | asked as |\n|---|---|---|---|---|\n",
        ]);
        page.extend(of_section.iter().map(row));
    }
    is_current("docs/METRICS.md", &page);
}

#[test]
fn the_operators_page_names_every_live_event_and_every_action_of_the_audit() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/OPERATIONS.md")).unwrap();
    let missing = |name: &&str| !page.contains(&format!("`{name}`"));
    let names = EventKind::ALL.map(EventKind::as_str).into_iter().chain(Right::ALL.map(Right::as_str));
    let names = names.chain(Act::ALL.map(Act::as_str));
    assert_eq!(names.filter(missing).collect::<Vec<_>>(), [""; 0]);
}

/// Returns what follows each `botfleet_` of a text, up to the end of the name.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split("botfleet_").skip(1).filter_map(|rest| rest.split(|c: char| !c.is_ascii_lowercase() && c != '_').next())
}

#[test]
fn a_metric_is_written_in_the_list_alone_and_pages_name_those_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let known: BTreeSet<&str> = ALL.iter().filter_map(|metric| metric.name.strip_prefix("botfleet_")).collect();
    assert_eq!(known.len(), ALL.len(), "a name stands twice");
    let is_metric = |name: &&str| name.ends_with("_total") || name.ends_with("_seconds") || known.contains(name);
    let mut faults = Vec::new();
    for folder in ["src", "actors/src"] {
        for file in rust_files(&root.join(folder)).into_iter().filter(|file| !file.ends_with(LIST)) {
            let text = fs::read_to_string(&file).unwrap();
            let macros = ["counter!(", "gauge!(", "histogram!("].into_iter().filter(|name| text.contains(name));
            faults
                .extend(macros.chain(names(&text).filter(is_metric)).map(|name| format!("{}: {name}", file.display())));
        }
    }
    let pages = ["docs", "docs/adr", "loadtest/src/harness/cluster/figures"].map(|folder| root.join(folder));
    for page in pages.iter().flat_map(|folder| fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path()) {
        let text = fs::read_to_string(&page).unwrap_or_default();
        let unknown = names(&text).filter(is_metric).filter(|name| !known.contains(name));
        faults.extend(unknown.map(|name| format!("{}: unknown {name}", page.display())));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
