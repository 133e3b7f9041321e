//! Reads settings from all their sources, and decides which source wins. Part of `config`.
//!
//! The order is: built-in defaults, `default.toml`, the profile's file, the file of `--config`,
//! `BOTFLEET__SECTION__KEY`, and flags. A later layer replaces single keys of the earlier ones. Each layer is checked
//! alone, so that every fault names its file, variable or flag.

use std::fmt;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::fault::{Fault, Faults};
use super::reader::File;
use super::server::Known;
use super::settings::Config;
use super::table;

/// Prefix of variables that set keys; sections and keys are joined by `__`.
pub const VARIABLE_PREFIX: &str = "BOTFLEET__";

/// A named set of settings for a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Profile {
    /// On a developer's machine: readable logs of everything.
    Development,
    /// A rehearsal of production.
    Staging,
    /// The real thing.
    Production,
}

impl Profile {
    /// Returns the name of the profile's file, and the copy of the file that is built in.
    fn file(self) -> (&'static str, &'static str) {
        match self {
            Self::Development => ("development.toml", include_str!("../../config/development.toml")),
            Self::Staging => ("staging.toml", include_str!("../../config/staging.toml")),
            Self::Production => ("production.toml", include_str!("../../config/production.toml")),
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.file().0.trim_end_matches(".toml"))
    }
}

/// The sources of a configuration.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Folder of `default.toml` and the profiles' files. A file that is missing there is replaced by the built-in one.
    pub folder: PathBuf,
    /// The profile, when one is asked for.
    pub profile: Option<Profile>,
    /// A further file; it must exist.
    pub file: Option<PathBuf>,
    /// The environment; variables without the prefix are ignored.
    pub variables: Vec<(String, String)>,
    /// Flags: name as typed, key as `section.key`, value.
    pub flags: Vec<(String, String, String)>,
}

struct Layer {
    source: String,
    table: Table,
}

impl Config {
    /// Reads all layers.
    ///
    /// # Errors
    /// All faults of all layers, each with its source and key.
    pub fn load(sources: &Sources) -> Result<Self, Faults> {
        let mut faults = Vec::new();
        let mut merged = Table::new();
        let layers = layers(sources, &mut faults);
        let known = Known::of(&layers.iter().map(|layer| &layer.table));
        for layer in layers {
            if let Some(clean) = check(layer, known, &mut faults) {
                merge(&mut merged, clean);
            }
        }
        let config = decode(merged, "configuration", &mut faults);
        if faults.is_empty() {
            faults = config.check_together();
        }
        Faults(faults).or_ok(config)
    }
}

/// Returns the layers; each wins over those before it.
fn layers(sources: &Sources, faults: &mut Vec<Fault>) -> Vec<Layer> {
    let mut layers = Vec::new();
    let mut file = |path: &Path, built_in: Option<(&str, &str)>| {
        let source = path.display().to_string();
        let (source, table) = match built_in {
            Some((name, text)) if !path.exists() => {
                let source = format!("built-in {name}");
                let table = table::parse(text, &source);
                (source, table)
            }
            _ => (source, table::read_file(path)),
        };
        match table {
            Ok(table) => layers.push(Layer { source, table }),
            Err(fault) => faults.push(fault),
        }
    };
    file(&sources.folder.join("default.toml"), Some(("default.toml", include_str!("../../config/default.toml"))));
    if let Some((name, text)) = sources.profile.map(Profile::file) {
        file(&sources.folder.join(name), Some((name, text)));
    }
    if let Some(path) = &sources.file {
        file(path, None);
    }
    for (name, value) in &sources.variables {
        if let Some(keys) = name.strip_prefix(VARIABLE_PREFIX) {
            let path: Vec<String> = keys.split("__").map(str::to_lowercase).collect();
            layers.push(Layer { source: name.clone(), table: single(&path, value) });
        }
    }
    for (flag, key, value) in &sources.flags {
        let path: Vec<String> = key.split('.').map(str::to_owned).collect();
        layers.push(Layer { source: flag.clone(), table: single(&path, value) });
    }
    layers
}

/// Makes a table with one value: a number, truth value or list where the text is one, else the text itself.
fn single(path: &[String], text: &str) -> Table {
    let value = match format!("value = {text}").parse::<Table>().ok().and_then(|mut table| table.remove("value")) {
        Some(value @ (Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Array(_))) => value,
        _ => Value::String(text.to_owned()),
    };
    let value = path.iter().rev().fold(value, |inner, key| Value::Table(Table::from_iter([(key.clone(), inner)])));
    match value {
        Value::Table(table) => table,
        _ => Table::new(),
    }
}

/// Returns the layer's table when it is sound by itself, or with what any layer says for other machines.
fn check(layer: Layer, known: Known, faults: &mut Vec<Fault>) -> Option<Table> {
    let mut found = Vec::new();
    let config = decode(layer.table.clone(), &layer.source, &mut found);
    found.extend(config.check_values(&layer.source));
    found.extend(config.server.check_exposed(&layer.source, known));
    let sound = found.is_empty();
    faults.extend(found);
    sound.then_some(layer.table)
}

/// Reads a configuration; a faulty key has its built-in value.
fn decode(table: Table, source: &str, faults: &mut Vec<Fault>) -> Config {
    File { name: source, faults }.take::<Config>(table, "", None).0
}

fn merge(into: &mut Table, from: Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(into)), Value::Table(from)) => merge(into, from),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_becomes_a_number_where_it_is_one_and_text_elsewhere() {
        let path = ["a".to_owned(), "b".to_owned()];
        assert_eq!(single(&path, "8").get("a").and_then(|a| a.get("b")), Some(&Value::Integer(8)));
        assert_eq!(single(&path, "30s").get("a").and_then(|a| a.get("b")), Some(&Value::String("30s".into())));
        let address = Value::String("127.0.0.1:1".into());
        assert_eq!(single(&path, "127.0.0.1:1").get("a").and_then(|a| a.get("b")), Some(&address));
    }

    #[test]
    fn a_later_layer_replaces_single_keys() {
        let mut merged = single(&["a".to_owned(), "b".to_owned()], "1");
        merge(&mut merged, single(&["a".to_owned(), "c".to_owned()], "2"));
        merge(&mut merged, single(&["a".to_owned(), "b".to_owned()], "3"));
        assert_eq!(merged["a"]["b"], Value::Integer(3));
        assert_eq!(merged["a"]["c"], Value::Integer(2));
    }
}
