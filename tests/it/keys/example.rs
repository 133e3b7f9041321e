//! Renews an example file: each key is explained where it stands first, and none is missing.
//!
//! The file keeps its order and its values, except those of `[defaults]` and of settings, which are the built-in ones. A
//! comment above a table is the file's own; the comment above a key is made.

#![allow(clippy::panic)]

use std::collections::BTreeSet;

use botfleet_actors::domain::keys::describe::{Described, Description, Holds};

use super::words::{about, comment, default};

/// One table of the file as it is written: its heading with the comment above it, and its lines.
struct Written {
    heading: String,
    above: Vec<String>,
    lines: Vec<String>,
}

/// Returns the file with current comments and with all keys.
pub(super) fn renewed(text: &str, all: &Description) -> String {
    let (prologue, mut tables) = split(text);
    let is_manifest = all.keys.iter().any(|key| key.name == "defaults");
    let mut explained = BTreeSet::new();
    for table in &mut tables {
        let path = table.heading.trim_matches(['[', ']']).to_owned();
        let (described, place) = find(all, &path);
        let built_in = !is_manifest || path.split('.').next() == Some("defaults");
        let lines = std::mem::take(&mut table.lines);
        table.lines = explain(lines, described, &place, built_in, &mut explained);
    }
    complete(all, is_manifest, &mut tables, &mut explained);
    let tables = tables.into_iter().map(|table| {
        let mut lines = table.above;
        lines.push(table.heading);
        lines.extend(table.lines);
        lines
    });
    let parts = std::iter::once(prologue).chain(tables).filter(|part| !part.is_empty());
    parts.map(|part| part.join("\n") + "\n").collect::<Vec<_>>().join("\n")
}

/// Parts a file at its headings. Blank lines between tables are left out.
fn split(text: &str) -> (Vec<String>, Vec<Written>) {
    let mut prologue = Vec::new();
    let mut tables: Vec<Written> = Vec::new();
    let mut comments: Vec<String> = Vec::new();
    for line in text.lines().chain([""]) {
        let lines = tables.last_mut().map_or(&mut prologue, |table| &mut table.lines);
        if line.starts_with('[') {
            let above = std::mem::take(&mut comments);
            tables.push(Written { heading: line.to_owned(), above, lines: Vec::new() });
        } else if line.starts_with('#') && key_of(line).is_none() {
            comments.push(line.to_owned());
        } else {
            lines.append(&mut comments);
            lines.extend((!line.is_empty()).then(|| line.to_owned()));
        }
    }
    (prologue, tables)
}

/// Returns the key of a line, which may be commented out.
fn key_of(line: &str) -> Option<&str> {
    let (key, _) = line.trim_start_matches("# ").split_once(" = ")?;
    (!key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_')).then_some(key)
}

/// Returns the table under a path of headings, and the path with NAME for names.
fn find<'a>(all: &'a Description, path: &str) -> (&'a Description, String) {
    let (mut table, mut place) = (all, Vec::new());
    let mut parts = path.split('.');
    while let Some(part) = parts.next() {
        let key = table.keys.iter().find(|key| key.name == part).unwrap_or_else(|| panic!("[{path}] is unknown"));
        place.push(part);
        table = match &key.holds {
            Holds::Table(inner) | Holds::List(inner) => inner,
            Holds::Named(inner) => {
                parts.next();
                place.push("NAME");
                inner
            }
            Holds::Value { .. } => panic!("[{path}] is a value"),
        };
    }
    (table, place.join("."))
}

/// Returns whether keys of this table are explained in `[defaults]`.
fn is_explained_above(place: &str, key: &Described) -> bool {
    let mut parts = place.split('.');
    let is_spec = matches!(parts.next(), Some("bots" | "chats"));
    is_spec && (key.facts.shared || matches!(parts.next(), Some("physics" | "pacing" | "novelty" | "conduct")))
}

/// Returns the lines of a table with a current comment above each key that stands in the file for the first time.
fn explain(
    lines: Vec<String>,
    table: &Description,
    place: &str,
    built_in: bool,
    explained: &mut BTreeSet<String>,
) -> Vec<String> {
    let (mut made, mut comments) = (Vec::new(), Vec::new());
    for line in lines {
        let Some(name) = key_of(&line) else {
            comments.push(line);
            continue;
        };
        let key = table.keys.iter().find(|key| key.name == name);
        let key = key.unwrap_or_else(|| panic!("{place}.{name} is unknown: {line}"));
        if !is_explained_above(place, key) && explained.insert(format!("{place}.{name}")) {
            comments = comment(&about(key));
        }
        made.append(&mut comments);
        made.push(if built_in { shown(key, Some(line)) } else { line });
    }
    made.append(&mut comments);
    made
}

/// Returns the line of a key with its built-in value, or with an example.
fn shown(key: &Described, written: Option<String>) -> String {
    let value = default(key).filter(|value| value != "[]" || written.is_none());
    match (value, key.facts.example, written) {
        (Some(value), ..) => format!("{} = {value}", key.name),
        (None, _, Some(line)) => line,
        (None, Some(example), None) => format!("# {} = {example}", key.name),
        (None, None, None) => panic!("{} has neither default nor .example(...)", key.name),
    }
}

/// Adds the keys that the file leaves out to the first table of their kind.
fn complete(all: &Description, is_manifest: bool, tables: &mut [Written], explained: &mut BTreeSet<String>) {
    let mut missing: Vec<(String, &Described)> = Vec::new();
    super::walk(all, "", &mut |path, key| {
        let known = explained.contains(&format!("{path}.{}", key.name));
        let is_value = matches!(key.holds, Holds::Value { .. });
        if is_value && !known && !is_explained_above(path, key) && !path.is_empty() {
            missing.push((path.to_owned(), key));
        }
    });
    for (path, key) in missing {
        let place = |table: &Written| find(all, table.heading.trim_matches(['[', ']'])).1;
        if let Some(table) = tables.iter_mut().find(|table| place(table) == path) {
            let at = table.lines.iter().rposition(|line| key_of(line).is_some()).map_or(0, |at| at + 1);
            let lines = comment(&about(key)).into_iter().chain([shown(key, None)]);
            table.lines.splice(at..at, lines);
            explained.insert(format!("{path}.{}", key.name));
        } else {
            // Tables that stand within a line, as `price = { ... }`, are explained there as a whole.
            let (outer, inline) = path.trim_end_matches(".NAME").rsplit_once('.').unwrap_or_default();
            assert!(
                explained.contains(&format!("{outer}.{inline}")),
                "write an example of [{path}] (manifest: {is_manifest})"
            );
        }
    }
}
