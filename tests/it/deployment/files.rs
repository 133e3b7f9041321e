//! Reads the files of a deployment, and fills in variables as Compose does.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use botfleet::config::layers::{Profile, Sources};
use botfleet::config::secret::GivenSecrets;
use botfleet::config::settings::Config;
use serde_json::Value;

/// Variables by name.
pub(super) type Variables = BTreeMap<String, String>;

/// Returns the repository's folder.
pub(super) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// Returns the text of a file in the repository.
pub(super) fn text(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Reads NAME=VALUE lines.
pub(super) fn variables(path: &str) -> Variables {
    let text = text(path);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| line.split_once('=').unwrap_or_else(|| panic!("{path}: {line}")))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Returns the variables of a table of strings.
pub(super) fn table(value: &Value) -> Variables {
    let entries = value.as_object().into_iter().flatten();
    entries.map(|(name, value)| (name.clone(), value.as_str().expect("a variable is text").to_owned())).collect()
}

/// Returns the texts of a list.
pub(super) fn list(value: &Value) -> Vec<String> {
    let entries = value.as_array().into_iter().flatten();
    entries.map(|entry| entry.as_str().expect("an argument is text").to_owned()).collect()
}

/// Fills `${NAME}`, `${NAME:-default}` and `${NAME:?message}` in, `$$` being a dollar.
///
/// # Source
/// Compose specification, 12-interpolation.md.
pub(super) fn interpolated(text: &str, variables: &Variables) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let (inside, after) = after.strip_prefix('{').and_then(|after| after.split_once('}')).expect("a closed ${...}");
        let name_bytes = inside.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        let (name, operator) = inside.split_at(name_bytes);
        let value = variables.get(name).filter(|value| !value.is_empty() || operator.is_empty());
        match (value, operator.split_at_checked(2)) {
            (Some(value), _) => out.push_str(value),
            (None, Some((":-", default))) => out.push_str(default),
            (None, _) => panic!("{name} is not set: {operator}"),
        }
        rest = after;
    }
    out + rest
}

/// Returns the settings of a node started with `--profile production` and these variables, every reference resolved.
pub(super) fn settings(variables: &Variables) -> Config {
    let sources = Sources {
        folder: repository().join("config"),
        profile: Some(Profile::Production),
        variables: variables.clone().into_iter().collect(),
        ..Sources::default()
    };
    let config = Config::load(&sources).unwrap_or_else(|faults| panic!("{faults}"));
    config.connections(&GivenSecrets(variables.clone())).unwrap_or_else(|faults| panic!("{faults}"));
    config
}

#[test]
fn variables_are_filled_in_as_compose_does() {
    let variables = Variables::from([("A".to_owned(), "1".to_owned()), ("E".to_owned(), String::new())]);
    assert_eq!(interpolated("${A}/${B:-two}/${E:-three}/$$x ${A:?no}", &variables), "1/two/three/$x 1");
    let unset = std::panic::catch_unwind(|| interpolated("${B:?set it}", &Variables::new()));
    assert!(unset.is_err());
}
