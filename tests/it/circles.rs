//! Checks that files do not import one another in circles: a circle is read, moved and tested as one piece.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::layers::{paths, resolve, rust_files, tokens};

/// The most files of one circle.
const LARGEST: usize = 4;

const CRATES: [(&str, &str); 4] = [
    ("botfleet", "src"),
    ("botfleet_actors", "actors/src"),
    ("botfleet_loadtest", "loadtest/src"),
    ("botfleet_world", "loadtest/world/src"),
];

/// The files of a workspace: the module of each, and its text.
type Files = BTreeMap<String, (Vec<String>, String)>;

fn workspace() -> Files {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Files::new();
    for (name, folder) in CRATES {
        for file in rust_files(&root.join(folder)) {
            let inside = file.strip_prefix(root.join(folder)).unwrap().with_extension("");
            let parts = inside.iter().map(|part| part.to_string_lossy().into_owned());
            let mut module: Vec<String> = std::iter::once(name.to_owned()).chain(parts).collect();
            module.pop_if(|last| ["mod", "lib", "main"].contains(&last.as_str()));
            let shown = file.strip_prefix(root).unwrap().display().to_string();
            files.insert(shown, (module, fs::read_to_string(&file).unwrap()));
        }
    }
    files
}

/// Returns the files that each file imports.
fn imports(files: &Files) -> BTreeMap<&str, BTreeSet<&str>> {
    // Of `lib.rs` and `main.rs` the library counts.
    let by_module: BTreeMap<&[String], &str> =
        files.iter().rev().map(|(file, (module, _))| (module.as_slice(), file.as_str())).collect();
    let of = |path: &[String]| (1..=path.len()).rev().find_map(|end| by_module.get(&path[..end]).copied());
    let import = |(file, (module, text)): (&'_ String, &(Vec<String>, String))| {
        let mut found = BTreeSet::new();
        for (_, path) in paths(&tokens(&without_visibility(text))) {
            let below: Vec<String> = module.iter().chain(&path).cloned().collect();
            let named =
                of(&resolve(&path, module)).or_else(|| of(&below).filter(|_| is_below(&by_module, module, &path)));
            found.extend(named.filter(|named| named != file));
        }
        found
    };
    files.iter().map(|(file, of)| (file.as_str(), import((file, of)))).collect()
}

/// Returns whether the path begins with a module below this one.
fn is_below(by_module: &BTreeMap<&[String], &str>, module: &[String], path: &[String]) -> bool {
    let child: Vec<String> = module.iter().chain(path.first()).cloned().collect();
    by_module.contains_key(child.as_slice())
}

/// Leaves out `(in crate::x)` after `pub`, which imports nothing.
fn without_visibility(text: &str) -> String {
    let mut parts = text.split("pub(in ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + "pub" + part.split_once(')').map_or(part, |(_, rest)| rest))
}

/// Returns the circles of at least two files, the largest first.
fn circles<'a>(imports: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> Vec<BTreeSet<&'a str>> {
    let reached = |from: &'a str| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(file) = open.pop() {
            open.extend(imports.get(file).into_iter().flatten().copied().filter(|next| seen.insert(*next)));
        }
        seen
    };
    let reach: BTreeMap<&str, BTreeSet<&str>> = imports.keys().map(|file| (*file, reached(file))).collect();
    let circle_of = |file: &&'a str| -> BTreeSet<&'a str> {
        reach[file].iter().copied().filter(|other| reach.get(other).is_some_and(|back| back.contains(file))).collect()
    };
    let all: BTreeSet<BTreeSet<&str>> = imports.keys().map(circle_of).filter(|circle| circle.len() > 1).collect();
    let mut all: Vec<_> = all.into_iter().collect();
    all.sort_by_key(|circle| std::cmp::Reverse(circle.len()));
    all
}

#[test]
fn no_circle_of_imports_is_larger_than_four_files() {
    let files = workspace();
    let imports = imports(&files);
    assert!(imports.values().map(BTreeSet::len).sum::<usize>() > files.len(), "hardly any import was found");
    let large: Vec<_> = circles(&imports).into_iter().filter(|circle| circle.len() > LARGEST).collect();
    assert!(large.is_empty(), "{large:#?}");
}

#[test]
fn a_planted_circle_is_found() {
    let file = |module: &str, text: &str| {
        let module: Vec<String> = module.split("::").map(str::to_owned).collect();
        (module.join("/") + ".rs", (module, text.to_owned()))
    };
    let files = Files::from([
        file("botfleet", "pub mod a; pub mod b; pub mod c;"),
        file("botfleet::a", "use crate::b::{B, two::C};"),
        file("botfleet::b", "mod two; pub(in crate::a) fn f() {} pub use two::C;"),
        file("botfleet::b::two", "use super::super::a::A; // use crate::c;"),
        file("botfleet::c", "use crate::a::A;"),
    ]);
    let imports = imports(&files);
    let found = circles(&imports);
    assert_eq!(found, [BTreeSet::from(["botfleet/a.rs", "botfleet/b.rs", "botfleet/b/two.rs"])]);
    assert_eq!(imports["botfleet/b.rs"], BTreeSet::from(["botfleet/b/two.rs"]));
}
