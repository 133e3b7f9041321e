//! Each key of a file is read: a key that no code looks at promises operators what nothing keeps.

use std::fs;
use std::path::Path;

use crate::layers::rust_files;

/// Splits a source into the fields that its `keyed!` blocks declare, and the rest without its tests.
fn split(text: &str) -> (Vec<String>, String) {
    let (mut fields, mut rest, mut within) = (Vec::new(), String::new(), false);
    for line in text.lines().take_while(|line| *line != "#[cfg(test)]") {
        match line {
            line if line.ends_with("keyed! {") => within = true,
            "}" if within => within = false,
            line if within => {
                let field = line.trim().strip_prefix("pub ").and_then(|line| line.split_once(": "));
                fields.extend(field.map(|(field, _)| field.to_owned()));
            }
            line => {
                rest.push_str(line);
                rest.push('\n');
            }
        }
    }
    (fields, rest)
}

/// Returns whether a source reads a field: a call of a method of that name is none.
fn reads(text: &str, field: &str) -> bool {
    let read = format!(".{field}");
    text.match_indices(&read).any(|(at, _)| {
        let next = text[at + read.len()..].chars().next();
        next.is_none_or(|next| !next.is_alphanumeric() && next != '_' && next != '(')
    })
}

#[test]
fn every_key_is_read_outside_its_declaration() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = ["src", "actors/src"].into_iter().flat_map(|folder| rust_files(&root.join(folder)));
    let files = files.filter(|file| !file.components().any(|part| part.as_os_str() == "testkit"));
    let sources: Vec<(Vec<String>, String)> = files.map(|file| split(&fs::read_to_string(file).unwrap())).collect();
    let fields: Vec<&String> = sources.iter().flat_map(|(fields, _)| fields).collect();
    assert!(fields.len() > 150, "only {} keys were found: were they moved?", fields.len());
    for field in fields {
        assert!(sources.iter().any(|(_, rest)| reads(rest, field)), "the key {field} is read nowhere");
    }
    assert!(reads("physics.cool_down;", "cool_down"));
    assert!(!reads("physics.cool_down(); physics.cool_downs", "cool_down"), "the proof can fail");
}
